import json

import pytest

from colony.rehearsal import readiness
from colony.rehearsal.calls import Refusal
from colony.rehearsal.objects import spelled


def thing(kind, version="apps/v1", spec=None, annotations=None, generation=1, **status):
    metadata = {"name": "x", "generation": generation, "annotations": annotations or {}}
    return {
        "apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec or {},
        "status": status,
    }  # fmt: skip


def true(name, value="True", **more):
    return {"type": name, "status": value, **more}


SEEN = {"observedGeneration": 1}
CRD = ("CustomResourceDefinition", "apiextensions.k8s.io/v1")
READY = [
    thing("Namespace", "v1", phase="Active"),
    thing(*CRD, conditions=[true("NamesAccepted"), true("Established")]),
    thing("Deployment", spec={"replicas": 2}, updatedReplicas=2, conditions=[true("Available")],
          **SEEN),
    thing("StatefulSet", spec={"replicas": 1}, updatedReplicas=1, readyReplicas=1, **SEEN),
    thing("DaemonSet", desiredNumberScheduled=3, updatedNumberScheduled=3, numberReady=3, **SEEN),
    thing("DaemonSet", desiredNumberScheduled=0, **SEEN),
    thing("Pod", "v1", phase="Running", conditions=[true("Ready")]),
    thing("Pod", "v1", phase="Succeeded"),
    thing("Job", "batch/v1", conditions=[true("Complete")]),
    thing("JobSet", "jobset.x-k8s.io/v1alpha2"),
    thing("ConfigMap", "v1"),
]  # fmt: skip
WAITING = [
    (thing("Namespace", "v1", phase="Terminating"), "Terminating"),
    (thing(*CRD, conditions=[]), "not established"),
    (thing("Deployment", generation=2, updatedReplicas=1, conditions=[true("Available")], **SEEN),
     "new revision"),
    (thing("Deployment", spec={"replicas": 2}, updatedReplicas=2, availableReplicas=1, **SEEN),
     "1 of 2 pods are available"),
    (thing("StatefulSet", spec={"replicas": 2}, updatedReplicas=2, readyReplicas=1, **SEEN),
     "1 of 2"),
    (thing("DaemonSet", desiredNumberScheduled=3, updatedNumberScheduled=3, numberReady=2, **SEEN),
     "2 of 3"),
    (thing("Pod", "v1", phase="Running", conditions=[true("Ready", "False")]), "Running"),
    (thing("Job", "batch/v1"), "not complete"),
]  # fmt: skip
FAILED = [
    (thing("Deployment", conditions=[true("Progressing", "False", reason="ProgressDeadlineExceeded",
                                          message="too slow")]), "too slow"),
    (thing("Pod", "v1", phase="Failed", message="Evicted"), "Evicted"),
    (thing("Job", "batch/v1", conditions=[true("Failed", message="backoff")]), "backoff"),
    (thing(*CRD, conditions=[true("NamesAccepted", "False", message="taken by x")]), "taken by x"),
]  # fmt: skip


@pytest.mark.parametrize("obj", READY, ids=lambda obj: obj["kind"])
def test_what_is_ready_waits_for_nothing(obj):
    assert readiness.missing(obj) == ""


@pytest.mark.parametrize(("obj", "said"), WAITING)
def test_what_is_not_ready_says_what_it_waits_for(obj, said):
    assert readiness.awaited(obj)
    assert said in readiness.missing(obj)


@pytest.mark.parametrize(("obj", "said"), FAILED)
def test_where_no_wait_helps_it_fails_at_once(obj, said):
    with pytest.raises(Refusal, match=said):
        readiness.missing(obj)


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("condition=Ready", True),
        ("condition=Ready=False", False),
        ("condition=Other=True", False),
        ("jsonpath={.status.phase}=Running", True),
        ("jsonpath={.status.phase}=Done", False),
        ("jsonpath={.metadata.name}", True),
        ("jsonpath={.metadata.uid}", False),
        (json.dumps(["condition=Ready", "jsonpath={.status.phase}=Done"]), False),
    ],
)
def test_wait_for_replaces_the_kinds_own_rule(expression, met):
    said = {"pulumi.com/waitFor": expression}
    conditions = [true("Ready")]
    obj = thing("Job", "batch/v1", annotations=said, phase="Running", conditions=conditions)
    assert readiness.awaited(obj)
    assert (readiness.missing(obj) == "") is met


def test_a_wait_for_that_is_not_understood_is_refused_by_name():
    said = {"pulumi.com/waitFor": "jsonpath={.items[0]}=1"}
    with pytest.raises(Refusal, match="is not simulated"):
        readiness.missing(thing("Pod", "v1", annotations=said))


def test_skip_await_is_honoured_on_delete_only_where_pulumi_does():
    skip = {"pulumi.com/skipAwait": "true"}
    pod, claim = (thing(kind, "v1", annotations=skip) for kind in ("Pod", "ConfigMap"))
    assert not readiness.awaited(pod)
    assert (readiness.deletion_awaited(pod), readiness.deletion_awaited(claim)) == (False, True)


def test_a_custom_timeout_beats_the_annotation_and_that_the_default():
    noted = thing("Pod", "v1", annotations={"pulumi.com/timeoutSeconds": "7"})
    assert [readiness.deadline(*each) for each in ((noted, 5), (noted, 0), (thing("Pod"), 0))] == [
        5, 7, 600,
    ]  # fmt: skip


def test_what_holds_an_object_is_named():
    remaining = true("NamespaceContentRemaining", message="pods. has 1 instance")
    held = thing("Namespace", "v1", {"finalizers": ["kubernetes"]}, conditions=[remaining])
    assert readiness.holders(held) == "held by finalizer kubernetes: pods. has 1 instance"
    assert readiness.holders(thing("Pod", "v1")) == "it does not say why"


def test_definitions_are_spelled_as_kubernetes_does():
    typed = {"a": [{"x_kubernetes_list_map_keys": ["snake_case"]}], "keep_me": 1}
    assert spelled(typed) == {"a": [{"x-kubernetes-list-map-keys": ["snake_case"]}], "keep_me": 1}
