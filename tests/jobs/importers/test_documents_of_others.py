"""Documents of other systems: what becomes of good ones, and what is said of bad ones."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.backends import render
from jobs.context import JobContext
from jobs.frameworks import complete
from jobs.importers.foreign import import_document, kinds, version_problem
from jobs.problems import NotHonoured
from jobs.spec import Job

HERE = Path(__file__).parent
GOOD = {path.stem: path for path in sorted((HERE / "good").glob("*.yaml"))}


def rows(name: str) -> list[dict[str, Any]]:
    return yaml.safe_load((HERE / name).read_text(encoding="utf-8"))


def document(name: str) -> dict[str, Any]:
    return yaml.safe_load(GOOD[name].read_text(encoding="utf-8"))


def changed(row: dict[str, Any]) -> dict[str, Any]:
    """Anchors of the file are taken apart, so that one place is one place."""
    result = copy.deepcopy(yaml.safe_load(yaml.dump(document(row["base"]), Dumper=_Plain)))
    for path, value in row["change"].items():
        _set(result, path, value)
    return result


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def _set(here: Any, path: str, value: Any) -> None:
    """`a.b.0.c`; keys may have dots in them: what is left is one key where no part is there."""
    head, dot, rest = path.partition(".")
    key: Any = int(head) if isinstance(here, list) else head
    if not dot or (isinstance(here, dict) and head not in here and head not in ("network",)):
        key = path if isinstance(here, dict) else key
        if value is None:
            here.pop(key)
        else:
            here[key] = value
        return
    _set(here.setdefault(key, {}) if isinstance(here, dict) else here[key], rest, value)


def job_of(name: str) -> Job:
    found = import_document(document(name))
    assert found.problems == []
    assert found.job is not None
    return found.job


@pytest.mark.parametrize("name", GOOD)
def test_a_good_document_is_a_job_that_completes_and_renders(name):
    job = job_of(name)
    assert version_problem(document(name)["kind"], document(name)["apiVersion"]) is None
    complete(job)
    context = JobContext(colony="lab", cluster="c", cloud="aws", region="r", env_secret="env")
    manifests = render(job, context)
    assert manifests[-1]["kind"] == "JobSet"


def test_there_is_a_good_document_of_every_kind():
    assert {document(name)["kind"] for name in GOOD} == set(kinds())


@pytest.mark.parametrize("row", rows("bad.yaml"), ids=lambda row: f"{row['base']}-{row['path']}")
def test_what_is_wrong_is_told_with_its_place_in_the_document(row):
    found = import_document(changed(row))
    assert found.job is None
    assert row["path"] in [problem.path for problem in found.problems]
    (problem, *_) = [p for p in found.problems if p.path == row["path"]]
    assert row["says"] in problem.message
    assert row.get("hint", "") in problem.hint


@pytest.mark.parametrize(
    "row", rows("unhonoured.yaml"), ids=lambda row: f"{row['base']}-{row['path']}"
)
def test_what_would_be_otherwise_here_is_a_warning_that_run_refuses(row):
    found = import_document(changed(row))
    assert found.problems == []
    honoured = [warning.path for warning in found.warnings if isinstance(warning, NotHonoured)]
    assert honoured == [row["path"]]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_document_has_nothing_that_run_refuses(name):
    found = import_document(document(name))
    assert not [warning for warning in found.warnings if isinstance(warning, NotHonoured)]


@pytest.mark.parametrize("name", GOOD)
def test_an_unknown_field_at_any_depth_is_an_error(name):
    """Put into every mapping that has fixed fields, one at a time."""
    whole = yaml.safe_load(yaml.dump(document(name), Dumper=_Plain))
    free = ("labels", "annotations", "nodeSelector", "limits", "requests", "rayStartParams")
    places = [path for path in _mappings(whole, ()) if not path or path[-1] not in free]
    named = ("pytorchReplicaSpecs", "tfReplicaSpecs", "mpiReplicaSpecs", "roleSpecs")
    for place in [path for path in places if not path or path[-1] not in named]:
        spoilt = copy.deepcopy(whole)
        here = spoilt
        for key in place:
            here = here[key]
        here["surprise"] = 1
        problems = import_document(spoilt).problems
        assert ["unknown field"] == [p.message for p in problems if p.path.endswith("surprise")]


def _mappings(value: Any, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    if isinstance(value, list):
        return [p for i, each in enumerate(value) for p in _mappings(each, (*path, i))]
    if not isinstance(value, dict):
        return []
    return [path, *(p for key, each in value.items() for p in _mappings(each, (*path, key)))]


@pytest.mark.parametrize(
    ("kind", "api", "says"),
    [
        ("PyTorchJob", "kubeflow.org/v1beta2", "pytorch-operator 0.5"),
        ("TFJob", "kubeflow.org/v1alpha1", "first tf-operator"),
        ("MPIJob", "kubeflow.org/v1alpha2", "MPI Operator 0.2"),
        ("RayJob", "ray.io/v1alpha1", "KubeRay before 1.0"),
        ("JobSet", "jobset.x-k8s.io/v1alpha1", "JobSet 0.1"),
        ("DDPJob", "training.exalsius.ai/v2", "no version of DDPJob"),
        ("DDPJob", None, "required"),
    ],
)
def test_a_stale_version_is_named(kind, api, says):
    problem = version_problem(kind, api)
    assert problem is not None
    assert problem.path == "apiVersion"
    assert says in problem.message


def test_ddpjob_is_one_world_of_nodes_and_processes():
    job = job_of("ddpjob")
    assert (job.nodes, job.processes_per_node, job.colony) == (3, 2, "lab")
    assert job.resources.accelerators == "H100:2"
    assert job.run == "torchrun /app/train.py --epochs 3 --note 'two words'"


def test_a_key_in_plain_text_is_a_secret_and_is_told_without_its_value():
    found = import_document(document("ddpjob"))
    assert found.job is not None
    assert found.job.secrets == {"WANDB_API_KEY": "not-a-real-key"}
    assert "spec.wandbApiKey" in [warning.path for warning in found.warnings]
    assert "not-a-real-key" not in repr(found)


def test_a_cpu_ddpjob_asks_for_no_gpus():
    row = {"base": "ddpjob", "change": {"spec.cpuJob": True}}
    found = import_document(changed(row))
    assert found.job is not None
    assert found.job.resources.accelerators is None


def test_aresjob_keeps_policies_of_roles_and_job():
    job = job_of("aresjob")
    train = job.roles["train"]
    assert (train.failed, train.succeeded, train.node_down_as_failed) == ("AllPods", "AnyPod", True)
    assert [(each.role, each.phase.value) for each in train.depends_on or []] == [
        ("hub", "Running")
    ]
    assert (train.restart, train.host_network) == ("ExitCode", True)
    assert train.resources is not None
    assert train.resources.accelerators == "A100:8"
    assert job.roles["hub"].ports == {"hub": 7000}
    assert (job.policy.failure, job.policy.success) == ([["hub"], ["train"]], [["train"]])
    assert (job.policy.gang, job.policy.ttl, job.policy.backoff_limit) == (3, 600, 2)
    assert (job.queue, job.priority, job.max_run_time) == ("team-a", "high", 7200)


def test_elastic_bagua_of_ares_shares_its_ports_out():
    pod = {"spec": {"containers": [{"name": "b", "image": "a/b:1", "command": ["x"]}]}}
    spec = {
        "frameworkType": "bagua",
        "framework": {"bagua": {"enableElastic": True, "maxReplicas": 3}},
        "availablePorts": [12355, 12356, 12357, 12358, 12359],
        "roleSpecs": {"worker": {"replicas": 2, "template": pod}, "etcd": {"template": pod}},
    }
    ares = {"apiVersion": "ares.io/v1", "kind": "AresJob", "metadata": {"name": "b"}, "spec": spec}
    found = import_document(ares)
    assert found.problems == []
    assert found.job is not None
    assert found.job.elastic is not None
    assert (found.job.elastic.min, found.job.elastic.max) == (2, 3)
    assert list(found.job.roles["worker"].ports.values()) == spec["availablePorts"]
    assert found.job.roles["etcd"].ports == {}


def test_trainingjob_is_elastic_and_attaches_as_it_says():
    job = job_of("trainingjob")
    assert job.elastic is not None
    assert (job.elastic.min, job.elastic.max, job.elastic.slots) == (1, 9, 2)
    assert job.mpi.launch == "kubectl"
    assert job.policy.backoff_limit == 6
    assert job.roles["worker"].run is None
    assert job.roles["worker"].resources is not None
    assert job.roles["worker"].resources.accelerators == "V100-32GB:2"


def test_a_trainingjob_without_bounds_has_the_defaults_of_its_operator():
    change = {f"spec.etReplicaSpecs.worker.{each}": None for each in ("minReplicas", "maxReplicas")}
    found = import_document(changed({"base": "trainingjob", "change": change}))
    assert found.job is not None
    assert found.job.elastic is not None
    assert (found.job.elastic.min, found.job.elastic.max) == (2, 1000)


def test_a_pod_keeps_what_a_role_has_no_word_for():
    worker = job_of("pytorchjob").roles["worker"]
    spec = worker.template["spec"]
    trainer, logs = spec["containers"]
    assert (trainer["name"], logs["name"]) == ("trainer", "logs")
    assert trainer["workingDir"] == "/src"
    assert [each["name"] for each in trainer["env"]] == ["BOTH", "NODE"]
    assert [each["name"] for each in spec["initContainers"]] == ["fetch"]
    assert spec["nodeSelector"] == {"pool": "train"}
    assert spec["tolerations"] == [{"key": "team", "operator": "Exists"}]
    assert "command" not in trainer


def test_a_pod_gives_a_role_what_it_has_a_word_for():
    job = job_of("pytorchjob")
    worker = job.roles["worker"]
    assert worker.envs == {"DATA": "/data"}
    assert worker.resources is not None
    assert (worker.resources.accelerators, worker.resources.cpus) == ("L4:4", "1.5+")
    assert worker.resources.memory == "1.862646+"
    assert [(each.secret, each.keys) for each in job.env_from] == [
        ("shared", {}),
        ("hub", {"TOKEN": "token"}),
    ]
    assert job.queue == "team-b"
    assert job.resources.labels["team"] == "vision"


def test_the_rendered_pod_has_the_volume_at_the_place_of_our_own():
    job = job_of("pytorchjob")
    context = JobContext(colony="lab", cluster="c", cloud="aws", region="r")
    text = yaml.safe_dump(render(job, context)[-1])
    pod = next(_pods(yaml.safe_load(text)))
    mounts = [
        each for each in pod["containers"][0]["volumeMounts"] if each["mountPath"] == "/dev/shm"
    ]
    assert len(mounts) == 1
    assert "gke-accelerator" not in text


def _pods(manifest: Any):
    for job in manifest["spec"]["replicatedJobs"]:
        yield job["template"]["spec"]["template"]["spec"]


def test_elastic_torch_keeps_its_first_worker_as_the_rendezvous():
    job = job_of("pytorchjob-elastic")
    assert {name: role.replicas for name, role in job.roles.items()} == {"master": 1, "worker": 2}
    assert job.elastic is not None
    assert (job.elastic.min, job.elastic.max) == (1, 3)
    assert job.envs == {"PET_MAX_RESTARTS": "100"}


def test_restarts_without_a_limit_get_one():
    found = import_document(document("pytorchjob-elastic"))
    assert found.job is not None
    assert found.job.policy.backoff_limit == 6
    assert any("at most 6" in warning.message for warning in found.warnings)


def test_mpi_launches_on_workers_that_obey():
    job = job_of("mpijob-v1")
    assert job.roles["launcher"].run == "mpirun -n 4 /pi"
    assert job.roles["worker"].run is None
    assert job.roles["worker"].processes == 2
    assert job_of("mpijob-v2beta1").mpi.implementation == "mpich"
    assert job_of("mpijob-v2beta1").suspend


def test_jobset_roles_keep_order_and_success():
    job = job_of("jobset")
    assert [(each.role, each.phase.value) for each in job.roles["work"].depends_on or []] == [
        ("head", "Running")
    ]
    assert job.roles["work"].replicas == 3
    assert job.policy.success == [["work"], ["head"]]
    assert (job.policy.backoff_limit, job.policy.ttl, job.max_run_time) == (4, 60, 900)


def test_an_ordered_jobset_waits_role_by_role():
    whole = document("jobset")
    whole["spec"]["startupPolicy"] = {"startupPolicyOrder": "InOrder"}
    del whole["spec"]["replicatedJobs"][1]["dependsOn"]
    found = import_document(whole)
    assert found.job is not None
    assert [each.role for each in found.job.roles["work"].depends_on or []] == ["head"]


def test_trainjob_is_flat_and_deepspeed_has_a_launcher():
    job = job_of("trainjob")
    assert (job.nodes, job.processes_per_node, job.roles) == (2, 8, {})
    assert job.resources.accelerators == "H200:8"
    speed = job_of("trainjob-deepspeed")
    assert speed.roles["launcher"].run == "deepspeed train.py"
    assert speed.roles["launcher"].resources is None
    assert speed.roles["worker"].replicas == 2


def test_ray_runs_its_entry_point_on_the_head_as_a_shell_does():
    job = job_of("rayjob")
    assert job.roles["head"].run == "python /app/tune.py --trials 4 | tee log"
    assert job.roles["small"].replicas == 2
    assert job.policy.ttl == 30


VALUES = [None, [], {}, 0, -1, "", "x", True, 1.5, [None], [{}], {"a": None}, "${X}"]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_value_anywhere_gives_problems_and_no_exception(data):
    spoilt = yaml.safe_load(
        yaml.dump(document(data.draw(st.sampled_from(list(GOOD)))), Dumper=_Plain)
    )
    kind, here = spoilt["kind"], spoilt
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from([each for each in keys if each != "kind"]))
        if not isinstance(here[key], (dict, list)) or not here[key] or data.draw(st.booleans()):
            here[key] = data.draw(st.sampled_from(VALUES))
            break
        here = here[key]
    assert spoilt["kind"] == kind
    found = import_document(spoilt)
    assert (found.job is None) == bool(found.problems)


def test_variables_from_the_command_line_win():
    def finish(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "envs": {**data.get("envs", {}), "LR": "0.5"}}

    found = import_document(document("trainjob"), finish)
    assert found.job is not None
    assert found.job.envs["LR"] == "0.5"
