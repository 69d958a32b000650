import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import InputError
from jobs.frameworks import complete, files, needs_exec, pod_env, rules_of, shared_env
from jobs.frameworks.bagua import split_ports
from jobs.pairs import published
from jobs.policy import Elastic, Restart
from jobs.roles import member, members, rank0, world_of
from jobs.spec import Backend, Framework, Job, Launch, Mpi, MpiKind, Resources, Role, TensorFlow

GPUS = Resources(accelerators="H100:8", cpus="90", memory="900")


def job(framework, **fields):
    return Job(name="j", framework=framework, run="true", **fields)


def roles(*names, **replicas):
    return {name: Role(replicas=replicas.get(name, 1)) for name in (*names, *replicas)}


def problems(found):
    with pytest.raises(InputError) as caught:
        complete(found)
    return [problem.path for problem in caught.value.problems]


# What a framework makes of `nodes: 3`, and of the roles of systems' own samples:
# role -> replicas, GPUs, processes, depends_on.
GRAPHS = {
    "pytorch": (job("pytorch", nodes=3, resources=GPUS), {"worker": (3, 8, 8, [])}),
    "pytorch with a master": (
        job("pytorch", roles=roles("master", worker=3), resources=GPUS),
        {"master": (1, 8, 8, []), "worker": (3, 8, 8, ["master"])},
    ),
    "pytorch elastic": (
        job("pytorch", nodes=3, elastic=Elastic(min=1, max=4), resources=GPUS),
        {"master": (1, 8, 8, []), "worker": (2, 8, 8, ["master"])},
    ),
    "tensorflow": (job("tensorflow", nodes=3, resources=GPUS), {"worker": (3, 8, 1, [])}),
    "mpi": (
        job("mpi", nodes=3, resources=GPUS),
        {"launcher": (1, 0, 1, ["worker"]), "worker": (3, 8, 8, [])},
    ),
    "horovod": (
        job("horovod", nodes=3, resources=GPUS),
        {"launcher": (1, 0, 1, ["worker"]), "worker": (3, 8, 8, [])},
    ),
    "deepspeed": (
        job("deepspeed", nodes=3, resources=GPUS),
        {"launcher": (1, 0, 1, ["worker"]), "worker": (3, 8, 8, [])},
    ),
    "bagua": (
        job("bagua", nodes=3, resources=GPUS),
        {"master": (1, 8, 8, []), "worker": (2, 8, 8, ["master"])},
    ),
    "bagua elastic": (
        job("bagua", nodes=3, elastic=Elastic(min=1, max=4), resources=GPUS),
        {"etcd": (1, 0, 1, []), "worker": (3, 8, 8, ["etcd"])},
    ),
    "dask": (
        job("dask", nodes=3, resources=GPUS),
        {
            "scheduler": (1, 0, 1, []),
            "leadworker": (1, 8, 1, ["scheduler"]),
            "worker": (2, 8, 1, ["leadworker"]),
            "launcher": (1, 0, 1, ["worker"]),
        },
    ),
    "dask without workers": (
        job("dask", roles=roles("scheduler", "launcher")),
        {"scheduler": (1, 0, 1, []), "launcher": (1, 0, 1, ["scheduler"])},
    ),
    "dask with a leading worker alone": (
        job("dask", roles=roles("launcher", "leadworker", "scheduler")),
        {
            "launcher": (1, 0, 1, ["leadworker"]),
            "leadworker": (1, 0, 1, ["scheduler"]),
            "scheduler": (1, 0, 1, []),
        },
    ),
    "ray": (
        job("ray", nodes=3, resources=GPUS),
        {"head": (1, 8, 8, []), "worker": (2, 8, 8, ["head"])},
    ),
    "ray on one node": (job("ray"), {"head": (1, 0, 1, [])}),
    "custom": (
        job("custom", roles=roles(ps=2, train=3), resources=GPUS),
        {"ps": (2, 8, 8, []), "train": (3, 8, 8, [])},
    ),
    "standalone": (job("standalone", nodes=3, resources=GPUS), {"worker": (3, 8, 8, [])}),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_framework_fills_in_its_roles(name):
    written, expected = GRAPHS[name]
    found = {
        each.name: (
            each.replicas, each.gpus, each.processes, [other.role for other in each.depends_on],
        )
        for each in members(written)
    }  # fmt: skip
    assert found == expected
    assert list(found) == list(expected)


@pytest.mark.parametrize("name", GRAPHS)
def test_what_is_complete_stays_as_it_is_and_is_a_valid_job(name):
    done = complete(GRAPHS[name][0])
    assert complete(done) == done
    assert Job.model_validate(done.model_dump(mode="json")) == done
    assert done.policy.gang == done.nodes == sum(role.replicas for role in done.roles.values())


# systems.md 14-21: (success, failure) where nothing is said.
POLICIES = {
    "pytorch": ([["worker"]], [["worker"]]),
    "pytorch with a master": ([["master", "worker"]], [["master"], ["worker"]]),
    "pytorch elastic": ([["master"]], [["master"]]),
    "mpi": ([["launcher"]], [["launcher"], ["worker"]]),
    "horovod": ([["launcher"]], [["launcher"], ["worker"]]),
    "bagua": ([["master", "worker"]], [["master"], ["worker"]]),
    "dask": ([["launcher"]], [["scheduler"], ["leadworker"], ["worker"], ["launcher"]]),
    "ray": ([["head"]], [["head"], ["worker"]]),
    "custom": ([["ps", "train"]], [["ps"], ["train"]]),
    "standalone": ([["worker"]], [["worker"]]),
}


@pytest.mark.parametrize("name", POLICIES)
def test_which_roles_decide(name):
    policy = complete(GRAPHS[name][0]).policy
    assert (policy.success, policy.failure) == POLICIES[name]


@pytest.mark.parametrize(
    ("names", "success", "failure"),
    [
        (["worker"], ["worker"], ["worker"]),
        (["ps", "worker"], ["worker"], ["ps", "worker"]),
        (["chief", "ps", "worker", "evaluator"], ["chief", "worker"], ["chief", "ps", "evaluator"]),
        (["master", "chief", "worker"], ["chief", "master", "worker"], ["master", "chief"]),
        (["master", "worker"], ["master", "worker"], ["master", "worker"]),
    ],
)
def test_tensorflow_ends_with_its_trainers_and_forgives_workers_beside_a_chief(
    names, success, failure
):
    done = complete(job("tensorflow", roles=roles(*names)))
    assert done.policy.success == [success]
    assert done.policy.failure == [[name] for name in failure]
    again = Restart.ON_FAILURE if "chief" in names else Restart.NEVER
    assert done.roles["worker"].restart is again


def test_only_what_was_left_out_is_filled():
    worker = Role(
        replicas=2, restart="OnFailure", depends_on=[], ports={"ssh": 22}, processes=3,
        host_network=True, failed="AllPods", succeeded="AnyPod", node_down_as_failed=False,
        run="my-sshd", resources=Resources(accelerators="L4:1"),
    )  # fmt: skip
    launcher = Role(depends_on=[], resources=GPUS, node_down_as_failed=False)
    written = job("mpi", roles={"launcher": launcher, "worker": worker})
    written = written.model_copy(
        update={"policy": written.policy.model_copy(update={"success": [["worker"]], "gang": 2})}
    )
    done = complete(written)
    assert done.roles["worker"] == worker
    assert done.policy.success == [["worker"]]
    assert done.policy.gang == 2
    assert member(written, "launcher").gpus == 8
    assert member(written, "launcher").depends_on == ()


def test_a_node_that_is_down_fails_an_mpi_job_and_not_an_elastic_one():
    assert member(job("mpi"), "worker").node_down_as_failed
    elastic = job("horovod", nodes=2, elastic=Elastic(max=3))
    assert not member(elastic, "worker").node_down_as_failed
    assert complete(elastic).policy.failure == [["launcher"]]
    assert [each.name for each in members(elastic) if each.elastic] == ["worker"]


def test_the_scheduler_of_dask_is_on_its_nodes_network_and_starts_again():
    scheduler = member(GRAPHS["dask"][0], "scheduler")
    assert (scheduler.host_network, scheduler.restart) == (True, Restart.ON_FAILURE)


@pytest.mark.parametrize(
    ("found", "paths"),
    [
        (job("mpi", roles=roles("worker")), ["roles.launcher"]),
        (job("mpi", roles=roles("worker", launcher=2)), ["roles.launcher.replicas"]),
        (job("tensorflow", roles=roles(chief=2)), ["roles.chief.replicas"]),
        (job("tensorflow", roles=roles("wurker")), ["roles.wurker"]),
        (job("dask", roles=roles("scheduler")), ["roles.launcher"]),
        (job("dask", roles=roles("scheduler", "launcher", "worker")), ["roles.leadworker"]),
        (job("ray", roles=roles("worker")), ["roles.head"]),
        (job("bagua", roles=roles("worker")), ["roles.master"]),
        (job("bagua", roles=roles("master", "etcd")), ["roles.etcd"]),
        (job("bagua", roles=roles("worker"), elastic=Elastic(max=2)), ["roles.etcd"]),
        (
            job("bagua", roles={"master": Role(), "worker": Role(ports={"a": 1})}),
            ["roles.worker.ports"],
        ),
        (
            job(
                "bagua", elastic=Elastic(max=2),
                roles={"etcd": Role(), "worker": Role(ports={"a": 1, "b": 2, "c": 3})},
            ),
            ["roles.worker.ports"],
        ),
        (job("horovod", nodes=2, elastic=Elastic(max=3, role="launcher")), ["elastic.role"]),
        (job("pytorch", nodes=2, elastic=Elastic(max=3, role="master")), ["elastic.role"]),
        (job("horovod", nodes=2, elastic=Elastic(max=3, role="wrker")), ["elastic.role"]),
    ],
)  # fmt: skip
def test_a_framework_says_which_roles_it_must_and_can_have(found, paths):
    assert problems(found) == paths


# -- rendezvous -----------------------------------------------------------------------------------


def test_elastic_pytorch_meets_at_its_master():
    found = job("pytorch", nodes=3, elastic=Elastic(min=1, max=4))
    env = shared_env(found, member(found, "worker"))
    assert env == {
        "PET_NNODES": "2:5",
        "PET_RDZV_BACKEND": "c10d",
        "PET_RDZV_ENDPOINT": "j-rank0:29400",
        "PET_RDZV_ID": "j",
        "PET_RDZV_CONF": "is_host=false",
    }
    assert shared_env(found, member(found, "master"))["PET_RDZV_CONF"] == "is_host=true"
    assert rank0(found).name == "master"


def tf_config(found, role):
    return json.loads(pod_env(found, member(found, role))["TF_CONFIG"].replace("{index}", "1"))


def test_tf_config_lists_the_cluster_without_the_evaluator():
    found = job("tensorflow", roles=roles("chief", ps=2, worker=2, evaluator=1))
    assert tf_config(found, "worker") == {
        "cluster": {
            "chief": ["j-chief-0-0.j:2222"],
            "ps": ["j-ps-0-0.j:2222", "j-ps-0-1.j:2222"],
            "worker": ["j-worker-0-0.j:2222", "j-worker-0-1.j:2222"],
        },
        "task": {"type": "worker", "index": 1},
        "environment": "cloud",
    }
    assert tf_config(found, "evaluator")["task"]["type"] == "evaluator"
    assert "evaluator" not in tf_config(found, "evaluator")["cluster"]


def test_tf_config_is_for_more_than_one_replica():
    found = job("tensorflow", nodes=1)
    assert pod_env(found, member(found, "worker")) == {}


def test_tf_config_takes_the_port_named_tfjob_port():
    found = job("tensorflow", roles={"worker": Role(replicas=2, ports={"tfjob-port": 3333})})
    assert tf_config(found, "worker")["cluster"]["worker"][0].endswith(":3333")


def test_dynamic_workers_are_told_of_themselves_and_the_servers_only():
    found = job(
        "tensorflow", roles=roles("chief", ps=2, worker=9),
        tensorflow=TensorFlow(dynamic_workers=True),
    )  # fmt: skip
    assert tf_config(found, "worker")["sparseCluster"] == {
        "worker": {"1": "j-worker-0-1.j:2222"},
        "ps": ["j-ps-0-0.j:2222", "j-ps-0-1.j:2222"],
    }
    assert tf_config(found, "ps")["sparseCluster"] == {"worker": {}, "ps": ["j-ps-0-1.j:2222"]}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (MpiKind.OPENMPI, "j-worker-0-0.j slots=8\nj-worker-0-1.j slots=8\n"),
        (MpiKind.MPICH, "j-worker-0-0.j:8\nj-worker-0-1.j:8\n"),
    ],
)
def test_the_hostfile_is_what_the_jobs_mpi_reads(kind, text):
    found = job("mpi", nodes=2, resources=GPUS, mpi=Mpi(implementation=kind, hostfile="/x/hosts"))
    launcher = member(found, "launcher")
    assert files(found, launcher)["/x/hosts"] == text
    assert "/x/hosts" in pod_env(found, launcher).values()
    assert files(found, member(found, "worker")) == {}


def test_the_rights_to_exec_are_asked_for_only_by_kubectl():
    assert not needs_exec(job("mpi"))
    kubectl = job("mpi", mpi=Mpi(launch=Launch.KUBECTL))
    assert needs_exec(kubectl)
    assert not needs_exec(job("pytorch", mpi=Mpi(launch=Launch.KUBECTL)))
    assert "kubectl exec" in files(kubectl, member(kubectl, "launcher"))["/etc/mpi/kubexec.sh"]
    assert member(kubectl, "worker").ports == {}


def test_elastic_horovod_derives_its_bounds_and_discovers_what_is_mounted():
    found = job("horovod", nodes=2, resources=GPUS, elastic=Elastic(min=1, max=9, slots=4))
    launcher = member(found, "launcher")
    env = {**shared_env(found, launcher), **pod_env(found, launcher)}
    assert (env["COLONY_MIN_NP"], env["COLONY_MAX_NP"], env["COLONY_SLOTS"]) == ("4", "36", "4")
    given = files(found, launcher)
    assert given["/etc/edl/discover_hosts.sh"] == given["/etc/colony/discover_hosts.sh"]
    assert given["/etc/edl/hostfile"] == "link:/etc/colony/elastic/hosts"
    assert given["/job/hostfile"] == "link:/etc/colony/elastic/hostfile"


def test_deepspeed_finds_its_hosts_where_it_looks_and_its_workers_get_the_users_variables():
    found = job("deepspeed", nodes=2, resources=GPUS, envs={"A": "1", "B": "two\nlines"})
    launcher = member(found, "launcher")
    assert files(found, launcher)["/job/hostfile"].startswith("j-worker-0-0.j slots=8\n")
    path = pod_env(found, launcher)["DS_ENV_FILE"]
    assert files(found, launcher)[path] == "A=1\n"


def test_bagua_splits_its_ports_evenly_by_index():
    assert split_ports([22, 33, 44, 55, 66], 2) == [[22, 33], [44, 55]]


@settings(deadline=None, max_examples=50)
@given(ports=st.lists(st.integers(1, 65535), max_size=40), pods=st.integers(1, 9))
def test_no_port_of_bagua_is_given_twice(ports, pods):
    parts = split_ports(ports, pods)
    assert len({len(part) for part in parts}) == 1
    given = [port for part in parts for port in part]
    assert given == ports[: len(ports) // pods * pods]
    assert len(ports) - len(given) < pods


def test_the_first_two_ports_of_a_bagua_role_are_for_all_its_pods():
    ports = {f"p{number}": number for number in (10, 11, 22, 33, 44, 55, 66)}
    found = job("bagua", roles={"master": Role(), "worker": Role(replicas=2, ports=ports)})
    env = pod_env(found, member(found, "worker"))
    assert env == {"BAGUA_PORTS@0": "22,33", "BAGUA_PORTS@1": "44,55"}


def test_elastic_bagua_has_its_sizes_and_its_etcd():
    found = job("bagua", nodes=2, elastic=Elastic(min=1, max=4))
    env = shared_env(found, member(found, "worker"))
    assert (env["MIN_SIZE"], env["MAX_SIZE"]) == ("1", "4")
    assert env["ETCD_ENDPOINT"] == "j-rank0:2379"


def test_custom_roles_are_told_their_name_and_everyones_hosts():
    found = job("custom", roles=roles(ps=1, **{"data-loader": 2}))
    ps = member(found, "ps")
    assert shared_env(found, ps) == {
        "MODULE": "ps",
        "ps": "j-ps-0-0.j",
        "DATA_LOADER": "j-data-loader-0-0.j,j-data-loader-0-1.j",
    }
    assert pod_env(found, ps) == {"INDEX": "{index}"}


def test_what_the_user_sets_himself_is_not_set_again():
    found = job("custom", envs={"INDEX": "mine"})
    assert pod_env(found, member(found, "worker")) == {}
    found = Job(name="j", framework="custom", secrets={"INDEX": "mine"})
    assert pod_env(found, member(found, "worker")) == {}


@pytest.mark.parametrize(("framework", "backend"), published())
def test_every_published_pair_is_complete_and_has_one_world_of_the_same_size(framework, backend):
    nodes = 1 if backend is Backend.TRAINJOB and framework is Framework.STANDALONE else 3
    found = job(framework, backend=backend, nodes=nodes, resources=GPUS)
    same = found.model_copy(update={"backend": Backend.JOBSET})
    for one, other in zip(members(found), members(same), strict=True):
        assert (one.name, one.replicas, one.gpus, one.processes) == (
            other.name, other.replicas, other.gpus, other.processes,
        )  # fmt: skip
        world = [(each.name, each.replicas) for each in world_of(found, one.name)]
        assert world == [(each.name, each.replicas) for each in world_of(same, one.name)]
    assert complete(found).policy == complete(same).policy


def test_at_least_twenty_pairs_are_published():
    assert len(published()) >= 20
    assert {framework for framework, _ in published()} == set(Framework)
    assert {backend for _, backend in published()} == set(Backend)


def test_every_framework_has_rules_of_its_own():
    assert len({type(rules_of(framework)) for framework in Framework}) == len(Framework)
