"""Azure's notice that a machine goes: the job's pods on it get their SIGTERM in time."""

import pytest
from lifecycle_fakes import FakeAccess

from colony.lifecycle.following import Following
from colony.lifecycle.notices import heed
from colony.lifecycle.watch import observed
from jobs.errors import ColonyError
from jobs.spec import Job

JOB = Job(name="train", run="true", resources={"accelerators": "A100:1"})


def node(name, warned=True, born="2026-11-26T10:00:00Z"):
    condition = {"type": "VMEventScheduled", "status": str(warned), "reason": "VMEventScheduled"}
    metadata = {"name": name, "uid": name, "creationTimestamp": born}
    return {"kind": "Node", "metadata": metadata, "status": {"conditions": [condition]}}


def event(about, reason="PreemptScheduled", **more):
    at = {"lastTimestamp": "2026-11-26T11:00:00Z", **more}
    metadata = {"name": f"{about}.1", "namespace": "default"}
    involved = {"kind": "Node", "name": about}
    return {"kind": "Event", "metadata": metadata, "reason": reason, "involvedObject": involved,
            **at}  # fmt: skip


def pod(name, where, job="train", phase="Running", **metadata):
    labels = {"colony.dev/job": job}
    metadata = {"name": name, "namespace": "research", "uid": name, "labels": labels, **metadata}
    return {"kind": "Pod", "metadata": metadata, "spec": {"nodeName": where},
            "status": {"phase": phase}}  # fmt: skip


def following(nodes, events, pods):
    kinds = {"Node": nodes, "Event": events, "Pod": pods, "Job.batch": []}
    access = FakeAccess({**kinds, "JobSet.jobset.x-k8s.io": []})
    return Following(JOB, access, "research", 0.0)


def test_pods_on_a_machine_that_is_taken_are_evicted_and_nobody_else_is():
    gone = pod("c", "one", deletionTimestamp="2026-11-26T11:00:01Z")
    pods = [pod("a", "one"), pod("b", "two"), gone, pod("d", "one", phase="Succeeded")]
    pods.append(pod("e", "one", job="other"))
    item = following([node("one"), node("two")], [event("one")], pods)
    observed(item, 10.0)
    assert item.access.evicted == [("research", "a")]


@pytest.mark.parametrize("reason, evicts", [
    ("PreemptScheduled", True), ("RedeployScheduled", True), ("TerminateScheduled", True),
    ("FreezeScheduled", False), ("RebootScheduled", False),
])  # fmt: skip
def test_a_machine_that_is_only_paused_keeps_its_pods(reason, evicts):
    pods = [pod("a", "one")]
    item = following([node("one")], [event("one", reason)], pods)
    assert heed(item, [node("one"), *pods]) == (["a"] if evicts else [])


@pytest.mark.parametrize("nodes, events", [
    ([node("one", warned=False)], [event("one")]),
    ([node("one")], [event("two")]),
    ([node("one", born="2026-11-26T12:00:00Z")], [event("one")]),
    ([node("one")], []),
])  # fmt: skip
def test_what_is_over_or_of_another_machine_ends_nothing(nodes, events):
    pods = [pod("a", "one")]
    assert heed(following(nodes, events, pods), [*nodes, *pods]) == []


def test_an_event_of_the_newer_kind_counts_by_its_own_time():
    new = event("one", lastTimestamp=None, eventTime="2026-11-26T11:00:00.123456Z")
    pods = [pod("a", "one")]
    assert heed(following([node("one")], [new], pods), [node("one"), *pods]) == ["a"]


def test_an_eviction_that_is_refused_is_tried_at_the_next_look(monkeypatch):
    item = following([node("one")], [event("one")], [pod("a", "one")])

    def refused(namespace, name):
        raise ColonyError("Cannot evict pod as it would violate the pod's disruption budget")

    with monkeypatch.context() as patched:
        patched.setattr(item.access, "evict", refused)
        observed(item, 5.0)
    observed(item, 10.0)
    assert item.access.evicted == [("research", "a")]


def test_a_pod_that_must_not_be_evicted_keeps_no_other_one_from_it(monkeypatch):
    pods = [pod("a", "one"), pod("b", "one")]
    item = following([node("one")], [event("one")], pods)
    evict = item.access.evict

    def some(namespace, name):
        if name == "a":
            raise ColonyError("Cannot evict pod as it would violate the pod's disruption budget")
        evict(namespace, name)

    monkeypatch.setattr(item.access, "evict", some)
    assert heed(item, [node("one"), *pods]) == ["b"]
