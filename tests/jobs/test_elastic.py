"""What an elastic job is rendered as, its agent's rights, and the et-operator's scale files."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from colony.agent.codec import read_spec
from colony.agent.model import Spec
from components.agent import agent_manifests
from jobs.backends import render
from jobs.context import JobContext
from jobs.elastic import ELASTIC_MOUNT, probe, wait_command
from jobs.errors import InputError
from jobs.frameworks import complete
from jobs.importers.scale import import_scale
from jobs.spec import Job

CONTEXT = JobContext("lab", "bed", "aws", "", namespace="team")


def elastic(backend="jobset", **more):
    worker = {"replicas": 2, "restart": "OnFailure", "resources": {"accelerators": "H100:8"}}
    return Job.model_validate(
        {
            "name": "train",
            "framework": "horovod",
            "backend": backend,
            "run": "python train.py",
            "max_run_time": "2h",
            "roles": {"launcher": {}, "worker": worker},
            "elastic": {"min": 1, "max": 4, **more},
        }
    )


def rendered(job, kind, name):
    return next(
        each
        for each in render(job, CONTEXT)
        if (each["kind"], each["metadata"]["name"]) == (kind, name)
    )


def spec_of(job):
    return read_spec(rendered(job, "ConfigMap", "train-elastic-spec")["data"])


@pytest.mark.parametrize(
    ("backend", "workload", "removed"),
    [
        ("jobset", ("/apis/jobset.x-k8s.io/v1alpha2", "jobsets", "train"), []),
        ("job", ("/apis/batch/v1", "jobs", "train-launcher"), ["train", "train-rank0"]),
    ],
)
def test_the_agent_is_told_all_it_needs(backend, workload, removed):
    spec = spec_of(elastic(backend, scale_timeout="90s", grow=True))
    assert (spec.job, spec.role, spec.launcher) == ("train", "worker", "launcher")
    assert (spec.min, spec.max, spec.start, spec.slots) == (1, 4, 2, 8)
    assert (spec.restart, spec.timeout, spec.grow) == ("OnFailure", 90, True)
    assert tuple(spec.workload[key] for key in ("path", "resource", "name")) == workload
    assert [each["name"] for each in spec.remove] == removed
    assert spec.host(spec.name(1)) == "train-worker-1.train"


def test_the_agents_words_are_ours():
    data = json.loads(rendered(elastic(), "ConfigMap", "train-elastic-spec")["data"]["spec"])
    assert set(data) == {field.name for field in fields(Spec)}


def test_a_worker_is_ended_once_and_for_all_by_its_own_bound():
    pod = spec_of(elastic()).template["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["activeDeadlineSeconds"] == 7200


def test_the_slots_can_be_said():
    assert spec_of(elastic(slots=3)).slots == 3


def test_the_elastic_role_is_no_part_of_the_workload():
    workload = render(elastic(), CONTEXT)[-1]
    assert [each["name"] for each in workload["spec"]["replicatedJobs"]] == ["launcher"]


def test_a_drain_is_held_for_all_workers_there_can_be():
    spec = rendered(elastic(), "PodDisruptionBudget", "train-elastic")["spec"]
    assert spec["minAvailable"] == 4
    assert spec["selector"]["matchLabels"]["colony.dev/role"] == "worker"
    labels = spec_of(elastic()).template["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()


def test_the_launcher_waits_answers_and_sees_the_hosts():
    pod = render(elastic(), CONTEXT)[-1]["spec"]["replicatedJobs"][0]["template"]["spec"]
    pod = pod["template"]["spec"]
    (waiting,), (container,) = pod["initContainers"], pod["containers"]
    assert waiting["command"] == wait_command(complete(elastic()))
    assert container["readinessProbe"] == probe()
    for each in (waiting, container):
        assert ELASTIC_MOUNT in [mount["mountPath"] for mount in each["volumeMounts"]]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "elastic"]
    assert volume["configMap"]["name"] == "train-elastic"
    assert not volume["configMap"].get("optional")


def test_a_scaling_has_no_part_in_what_is_rendered():
    """So that the next `up` shows no change: the live number is in the agent's own ConfigMap."""
    names = [each["metadata"]["name"] for each in render(elastic(), CONTEXT)]
    assert "train-elastic-spec" in names
    assert ("ConfigMap", "train-elastic") not in [
        (each["kind"], each["metadata"]["name"]) for each in render(elastic(), CONTEXT)
    ]


# --- the agent ------------------------------------------------------------------------------


def agent(*jobs):
    return {
        each["kind"]: each for each in agent_manifests("colony-agent", "lab", {"team": [*jobs]})
    }


def test_there_is_no_agent_without_an_elastic_job():
    assert agent(Job(name="plain", run="true")) == {}


@pytest.mark.parametrize("backend", ["jobset", "job"])
def test_the_agent_may_nothing_that_is_not_needed(backend):
    rules = agent(elastic(backend))["Role"]["rules"]
    rights = {
        (resource, verb)
        for rule in rules
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if "resourceNames" not in rule
    }
    assert rights == {
        ("pods", "list"),
        ("pods", "create"),
        ("pods", "patch"),
        ("pods", "delete"),
        ("configmaps", "create"),
    }
    assert not [r for rule in rules for r in rule["resources"] if r in ("secrets", "pods/exec")]
    assert agent(elastic(backend))["ClusterRole"]["rules"] == [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}
    ]


def test_another_program_or_another_job_is_another_pod():
    def mark(*jobs):
        template = agent(*jobs)["Deployment"]["spec"]["template"]
        return template["metadata"]["annotations"]["colony.dev/content-sha256"]

    assert mark(elastic()) == mark(elastic())
    assert mark(elastic()) != mark(elastic().model_copy(update={"name": "other"}))


def test_the_agent_runs_as_nobody_from_a_pinned_image():
    pod = agent(elastic())["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert "@sha256:" in container["image"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert agent(elastic())["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}


# --- ScaleIn and ScaleOut -------------------------------------------------------------------


def scale(kind, text):
    head = {"apiVersion": "kai.alibabacloud.com/v1alpha1", "kind": kind, "metadata": {"name": "x"}}
    return import_scale({**head, "spec": yaml.safe_load(text)})


@pytest.mark.parametrize(
    ("kind", "spec", "want"),
    [
        ("ScaleOut", "{selector: {name: a}, toAdd: {count: 2}}", ("a", "out", 2, None, None)),
        ("ScaleIn", "{selector: {name: a}, toDelete: {count: 1}, timeout: 5}",
         ("a", "in", 1, None, 5)),
        ("ScaleIn", "{selector: {name: a}, toDelete: {podNames: [a-worker-1]}}",
         ("a", "in", None, ["a-worker-1"], None)),
        ("ScaleIn", "{selector: {name: a}, toDelete: {count: 0, podNames: [a-worker-1]}}",
         ("a", "in", None, ["a-worker-1"], None)),
    ],
)  # fmt: skip
def test_a_scale_file_becomes_a_request(kind, spec, want):
    found = scale(kind, spec)
    assert (found.job, found.kind, found.count, found.names, found.timeout) == want


def test_script_and_variables_are_taken_and_retries_warned_of():
    found = scale(
        "ScaleOut",
        "{selector: {name: a}, toAdd: {count: 1}, script: run --add, backoffLimit: 3,"
        " env: [{name: A, value: b}]}",
    )
    assert (found.script, found.env) == ("run --add", {"A": "b"})
    assert [each.path for each in found.warnings] == ["spec.backoffLimit"]


@pytest.mark.parametrize(
    ("kind", "spec", "path"),
    [
        ("ScaleOut", "{toAdd: {count: 1}}", "spec.selector.name"),
        ("ScaleOut", "{selector: {name: a}}", "spec.toAdd"),
        ("ScaleOut", "{selector: {name: a}, toAdd: {}}", "spec.toAdd.count"),
        ("ScaleOut", "{selector: {name: a}, toAdd: {count: 0}}", "spec.toAdd.count"),
        ("ScaleOut", "{selector: {name: a}, toAdd: {count: '2'}}", "spec.toAdd.count"),
        ("ScaleOut", "{selector: {name: a}, toAdd: {count: 1, podNames: [x]}}",
         "spec.toAdd.podNames"),
        ("ScaleIn", "{selector: {name: a}}", "spec.toDelete"),
        ("ScaleIn", "{selector: {name: a}, toDelete: {}}", "spec.toDelete"),
        ("ScaleIn", "{selector: {name: a}, toDelete: {count: 1, podNames: [b]}}", "spec.toDelete"),
        ("ScaleIn", "{selector: {name: a}, toDelete: {podNames: b}}", "spec.toDelete.podNames"),
        ("ScaleIn", "{selector: {name: a}, toAdd: {count: 1}, toDelete: {count: 1}}",
         "spec.toAdd"),
        ("ScaleIn", "{selector: {name: a, kind: b}, toDelete: {count: 1}}", "spec.selector.kind"),
        ("ScaleIn", "{selector: {name: a}, toDelete: {count: 1}, timeOut: 1}", "spec.timeOut"),
        ("ScaleIn", "{selector: {name: a}, toDelete: {count: 1}, timeout: -1}", "spec.timeout"),
        ("ScaleIn", "{selector: {name: a}, toDelete: {count: 1}, env: [a]}", "spec.env[0]"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_scale_file_is_said_with_its_place(kind, spec, path):
    with pytest.raises(InputError) as caught:
        scale(kind, spec)
    assert [each.path for each in caught.value.problems] == [path]


def test_the_taints_of_leaving_nodes_have_their_sources():
    path = Path(__file__).parents[2] / "colony" / "agent" / "taints.json"
    for key, source in json.loads(path.read_text())["leaving"].items():
        assert key
        assert source.startswith("https://")


def test_workers_of_a_queued_job_queue_too():
    def labels(**more):
        job = elastic().model_copy(update=more)
        return spec_of(job).template["metadata"]["labels"]

    queued = labels(queue="lab", priority="high-priority")
    assert queued["kueue.x-k8s.io/queue-name"] == "lab"
    assert queued["kueue.x-k8s.io/priority-class"] == "high-priority"
    assert not [key for key in labels() if "kueue" in key]
