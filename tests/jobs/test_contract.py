"""The entry point under real bash against `environment()`: the same for every framework."""

import pytest
from pod_process import CONTEXT, Pod

from jobs.entrypoint import entrypoint_env
from jobs.environment import environment, hosts, service_ports
from jobs.errors import InputError
from jobs.frameworks import complete
from jobs.policy import Elastic
from jobs.roles import member, members
from jobs.spec import Backend, Job, Launch, Mpi, Resources, Role, TensorFlow

GPUS = Resources(accelerators="L4:2")


def job(framework, **fields):
    return Job(name="j", framework=framework, resources=GPUS, **fields)


ELASTIC = Elastic(min=1, max=4)
JOBS = {
    "pytorch": job("pytorch", roles={"worker": Role(replicas=2), "master": Role()}),
    "pytorch-elastic": job("pytorch", nodes=3, elastic=ELASTIC),
    "tensorflow": job("tensorflow", roles={"ps": Role(), "chief": Role(), "evaluator": Role()}),
    "tensorflow-sparse": job(
        "tensorflow", roles={"ps": Role(replicas=2), "worker": Role(replicas=2)},
        tensorflow=TensorFlow(dynamic_workers=True),
    ),
    "mpi": job("mpi", nodes=2),
    "mpi-kubectl": job("mpi", nodes=2, mpi=Mpi(launch=Launch.KUBECTL, implementation="mpich")),
    "mpi-operator": job("mpi", nodes=2, backend=Backend.MPIJOB),
    "horovod": job("horovod", nodes=2),
    "horovod-elastic": job("horovod", nodes=2, elastic=ELASTIC),
    "bagua": job(
        "bagua",
        roles={
            "master": Role(),
            "worker": Role(replicas=2, ports={f"p{n}": n for n in (1, 2, 22, 33, 44, 55, 66)}),
        },
    ),
    "bagua-elastic": job("bagua", nodes=2, elastic=ELASTIC),
    "dask": job("dask", nodes=3),
    "ray": job("ray", nodes=2),
    "ray-kuberay": job("ray", nodes=2, backend=Backend.RAYJOB),
    "deepspeed": job("deepspeed", nodes=2, envs={"NCCL_DEBUG": "INFO"}),
    "custom": job("custom", roles={"ps": Role(replicas=2), "data-loader": Role(replicas=2)}),
    "standalone": job("standalone", nodes=2),
    "volcano": job("pytorch", nodes=2, backend=Backend.VOLCANO),
}  # fmt: skip


PODS = [
    pytest.param(found, role.name, index, id=f"{name}-{role.name}-{index}")
    for name, found in JOBS.items()
    for role in members(found)
    for index in sorted({0, role.replicas - 1})
]


def printing(found):
    """Every role prints its environment, and no framework's own program is started."""
    done = complete(found)
    roles = {name: role.model_copy(update={"run": "env -0"}) for name, role in done.roles.items()}
    return done.model_copy(update={"roles": roles})


@pytest.mark.parametrize(("found", "role", "index"), PODS)
def test_bash_gives_every_pod_of_every_framework_what_the_contract_says(
    tmp_path, found, role, index
):
    pod = Pod(tmp_path / "pod", printing(found), role, index, COLONY_FILE_PREFIX="")
    (tmp_path / "pod" / "scripts" / f"{role}.before.sh").unlink(missing_ok=True)
    listed = tmp_path / "pod" / "scripts" / f"{role}.files.tsv"
    listed.unlink(missing_ok=True)
    pod.tool("getent", "exit 2")
    assert pod.run() == 0, pod.output
    given = pod.given()
    home = str(tmp_path / "pod" / "home")
    expected = environment(printing(found), role, index, CONTEXT)
    expected = {name: text.replace("/colony/ssh", f"{home}/ssh") for name, text in expected.items()}
    expected["COLONY_CHECKPOINT_DIR"] = str(tmp_path / "pod" / "checkpoints")
    assert {name: given.get(name) for name in expected} == expected


@pytest.mark.parametrize("name", JOBS)
def test_every_rank_of_every_world_exists_exactly_once(name):
    found = JOBS[name]
    ranked = [each for each in members(found) if "COLONY_UNRANKED" not in env_of(found, each)]
    worlds = {}
    for each in ranked:
        for index in range(each.replicas):
            env = environment(found, each.name, index, CONTEXT)
            mates = tuple(hosts(found, each.name))
            worlds.setdefault((mates, env["WORLD_SIZE"], env["NUM_NODES"]), []).extend(
                range(int(env["RANK"]), int(env["RANK"]) + each.processes)
            )
    for (mates, size, nodes), ranks in worlds.items():
        assert sorted(ranks) == list(range(int(size)))
        assert len(mates) == int(nodes)


def env_of(found, role):
    return entrypoint_env(complete(found), role, code=False)


@pytest.mark.parametrize(
    ("name", "role", "index", "rank", "world"),
    [
        ("dask", "leadworker", 0, "0", "4"),
        ("dask", "worker", 1, "2", "4"),
        ("dask", "launcher", 0, "3", "4"),
        ("dask", "scheduler", 0, "0", "4"),
        ("mpi", "launcher", 0, "0", "4"),
        ("mpi", "worker", 1, "2", "4"),
        ("pytorch", "worker", 1, "4", "6"),
        ("standalone", "worker", 1, "0", "2"),
    ],
)
def test_ranks_are_those_of_the_frameworks_own_count(name, role, index, rank, world):
    env = environment(JOBS[name], role, index, CONTEXT)
    assert (env["RANK"], env["WORLD_SIZE"]) == (rank, world)


@pytest.mark.parametrize(("role", "index"), [("master", 0), ("worker", 0), ("worker", 2)])
def test_with_one_process_a_pod_ranks_are_those_of_ares(role, index):
    found = Job(name="j", framework="pytorch", roles={"master": Role(), "worker": Role(replicas=3)})
    env = environment(found, role, index, CONTEXT)
    assert env["WORLD_SIZE"] == "4"
    assert env["RANK"] == ("0" if role == "master" else str(index + 1))


def test_a_launcher_is_told_of_its_workers():
    env = environment(JOBS["mpi"], "launcher", 0, CONTEXT)
    assert env["SKYPILOT_NODE_IPS"].split() == ["j-worker-0-0.j", "j-worker-0-1.j"]
    assert (env["NUM_NODES"], env["COLONY_SLOTS"]) == ("2", "2")
    assert env["SKYPILOT_NUM_GPUS_PER_NODE"] == "0"


def test_a_standalone_pod_is_alone():
    env = environment(JOBS["standalone"], "worker", 1, CONTEXT)
    assert env["SKYPILOT_NODE_IPS"] == "j-worker-0-1.j"
    assert (env["MASTER_ADDR"], env["NUM_NODES"], env["PET_NNODES"]) == ("127.0.0.1", "1", "1")


@pytest.mark.parametrize(
    ("found", "ports"),
    [
        (JOBS["pytorch"], {}),
        (JOBS["pytorch-elastic"], {}),
        (JOBS["ray"], {"gcs": 6379, "dashboard": 8265, "client": 10001}),
        (job("pytorch", envs={"MASTER_PORT": "8008"}), {"pytorch": 8008}),
        (job("pytorch", roles={"worker": Role(ports={"pytorch": 23456})}), {"pytorch": 23456}),
        (JOBS["bagua-elastic"], {"client": 2379}),
    ],
)
def test_the_service_of_rank_0_forwards_what_its_world_meets_at(found, ports):
    assert service_ports(found) == {"pytorch": 29500, "rdzv": 29400} | ports


def test_a_port_that_is_none_is_refused():
    with pytest.raises(InputError, match=r"envs\.MASTER_PORT"):
        service_ports(job("pytorch", envs={"MASTER_PORT": "many"}))


def test_the_port_named_pytorch_is_the_master_port():
    found = job("pytorch", roles={"master": Role(ports={"pytorch": 23456}), "worker": Role()})
    assert environment(found, "worker", 0, CONTEXT)["PET_MASTER_PORT"] == "23456"
    assert member(found, "worker").ports == {}
