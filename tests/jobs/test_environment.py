import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.context import JobContext
from jobs.environment import environment, hosts, node_rank
from jobs.errors import InputError
from jobs.roles import gpus, members
from jobs.spec import Framework, Job, Resources, Role

CONTEXT = JobContext(
    colony="spring", cluster="main", cloud="aws", region="us-east-1", zone="us-east-1a", owner="ada"
)


def ddp(**changes):
    values = {"name": "ddp", "resources": Resources(accelerators="H100:8")}
    if "roles" not in changes:
        values["nodes"] = 2
    return Job(**{**values, **changes})


def kubeflow(workers=3):
    return ddp(
        name="mnist",
        roles={"worker": Role(replicas=workers), "master": Role()},
        resources=Resources(accelerators="L4:2"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MASTER_ADDR", "ddp-rank0"),
        ("MASTER_PORT", "29500"),
        ("WORLD_SIZE", "16"),
        ("LOCAL_WORLD_SIZE", "8"),
        ("RANK", "8"),
        ("NODE_RANK", "1"),
        ("PET_NNODES", "2"),
        ("PET_NPROC_PER_NODE", "8"),
        ("PET_NODE_RANK", "1"),
        ("PET_MASTER_ADDR", "ddp-rank0"),
        ("PET_MASTER_PORT", "29500"),
        ("SKYPILOT_NODE_RANK", "1"),
        ("SKYPILOT_NUM_NODES", "2"),
        ("SKYPILOT_NUM_GPUS_PER_NODE", "8"),
        ("SKYPILOT_NODE_IPS", "10.0.0.1\n10.0.0.2"),
        ("SKYPILOT_USER", "ada"),
        ("DSTACK_NODE_RANK", "1"),
        ("DSTACK_GPUS_NUM", "16"),
        ("DSTACK_MASTER_NODE_IP", "10.0.0.1"),
        ("master_addr", "ddp-worker-0-0.ddp"),
        ("num_nodes", "2"),
        ("node_rank", "1"),
        ("NUM_NODES", "2"),
        ("NUM_GPUS_PER_NODE", "8"),
        ("COLONY_COLONY", "spring"),
        ("COLONY_JOB", "ddp"),
        ("COLONY_ROLE", "worker"),
        ("COLONY_CHECKPOINT_DIR", "/colony/checkpoints"),
    ],
)
def test_second_of_two_nodes_gets(name, value):
    env = environment(ddp(), "worker", 1, CONTEXT, ["10.0.0.1", "10.0.0.2"])
    assert env[name] == value


def test_cluster_info_is_the_json_skypilot_scripts_parse():
    info = json.loads(environment(ddp(), "worker", 0, CONTEXT)["SKYPILOT_CLUSTER_INFO"])
    assert info == {
        "cluster_name": "main", "cloud": "aws", "region": "us-east-1", "zone": "us-east-1a"
    }  # fmt: skip


def test_without_known_addresses_the_names_stand_in():
    env = environment(ddp(), "worker", 0, CONTEXT)
    assert env["SKYPILOT_NODE_IPS"] == "ddp-worker-0-0.ddp\nddp-worker-0-1.ddp"


def test_master_and_worker_of_pytorch_are_one_world_master_first():
    job = kubeflow()
    assert hosts(job, "worker")[0] == "mnist-master-0-0.mnist"
    assert environment(job, "master", 0, CONTEXT)["RANK"] == "0"
    last = environment(job, "worker", 2, CONTEXT)
    assert (last["NODE_RANK"], last["RANK"], last["WORLD_SIZE"]) == ("3", "6", "8")
    assert last["MASTER_ADDR"] == "mnist-rank0"


@pytest.mark.parametrize(
    ("framework", "names"),
    [(Framework.CUSTOM, ("master", "worker")), (Framework.PYTORCH, ("trainer", "evaluator"))],
)
def test_other_roles_are_worlds_of_their_own(framework, names):
    job = ddp(framework=framework, roles={name: Role(replicas=2) for name in names})
    for name, address in zip(names, ("ddp-rank0", f"ddp-{names[1]}-0-0.ddp"), strict=True):
        env = environment(job, name, 1, CONTEXT)
        assert env["MASTER_ADDR"] == address
        assert env["NODE_RANK"] == "1"
        assert env["SKYPILOT_NUM_NODES"] == "2"


def test_envs_of_the_role_beat_those_of_the_job_and_both_beat_the_contract():
    job = ddp(
        envs={"A": "job", "B": "job", "MASTER_PORT": "8008"},
        roles={"worker": Role(replicas=2, envs={"B": "role"})},
    )
    env = environment(job, "worker", 0, CONTEXT)
    assert (env["A"], env["B"]) == ("job", "role")
    assert env["MASTER_PORT"] == env["PET_MASTER_PORT"] == "8008"


@pytest.mark.parametrize("name", ["RANK", "NODE_RANK", "SKYPILOT_NODE_IPS", "node_rank"])
def test_envs_that_differ_from_pod_to_pod_are_refused_by_name(name):
    with pytest.raises(InputError, match=rf"envs\.{name}"):
        environment(ddp(envs={name: "0"}), "worker", 0, CONTEXT)


def test_unknown_role_names_the_known_ones():
    with pytest.raises(InputError, match=r"roles\.chief.*worker"):
        environment(ddp(), "chief", 0, CONTEXT)


@pytest.mark.parametrize(
    ("accelerators", "count"),
    [
        (None, ("", 0)),
        ("H100:8", ("nvidia.com/gpu", 8)),
        ("V100", ("nvidia.com/gpu", 1)),
        ("L4:0.5", ("nvidia.com/gpu", 1)),
        ("MI300X:8", ("amd.com/gpu", 8)),
    ],
)
def test_gpus_are_whole_and_of_their_vendors_resource(accelerators, count):
    assert gpus(Resources(accelerators=accelerators)) == count


def test_processes_default_to_the_accelerators_and_to_one_without():
    assert members(ddp(resources=Resources()))[0].processes == 1
    assert members(ddp(processes_per_node=3))[0].processes == 3


@settings(deadline=None, max_examples=50)
@given(
    workers=st.integers(1, 20),
    processes=st.integers(1, 8),
)
def test_every_rank_of_a_world_exists_exactly_once(workers, processes):
    job = kubeflow(workers).model_copy(update={"processes_per_node": processes})
    pods = [("master", 0)] + [("worker", i) for i in range(workers)]
    nodes, firsts = zip(*(node_rank(job, *pod) for pod in pods), strict=True)
    ranks = sorted(first + local for first in firsts for local in range(processes))
    env = environment(job, "worker", 0, CONTEXT)
    assert list(nodes) == list(range(1 + workers))
    assert ranks == list(range(int(env["WORLD_SIZE"])))
