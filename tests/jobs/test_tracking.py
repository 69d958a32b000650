"""The same state from a list and from a watch, in any order; nothing in a cluster breaks it."""

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observed import LOST_NODE, condition, ended, event, jobset, node, pod, waiting

from jobs.policy import Restart
from jobs.role import Role
from jobs.spec import Framework, Job
from jobs.state import JobPhase, observe
from jobs.tracking import REMEMBERED, Tracker

JOB = Job(
    name="train",
    framework=Framework.CUSTOM,
    run="true",
    roles={"ps": Role(node_down_as_failed=True), "worker": Role(replicas=3)},
)

QUICK = settings(deadline=None, max_examples=60)
"""A machine under load may need a while for one example."""

# Any JSON: whatever is written into a cluster, deduction answers.

KEYS = st.sampled_from(
    [
        "kind", "apiVersion", "metadata", "name", "labels", "uid", "resourceVersion", "status",
        "spec", "phase", "conditions", "type", "reason", "message", "containerStatuses", "state",
        "terminated", "exitCode", "replicatedJobs", "template", "parallelism", "replicas", "tasks",
        "policies", "event", "taskStatusCount", "mpiReplicaSpecs", "jobStatus", "ownerReferences",
        "involvedObject", "creationTimestamp", "lastTransitionTime", "restarts", "suspend",
        "colony.dev/role", "colony.dev/job", "workerGroupSpecs", "rayClusterSpec", "backoffLimit",
        "podFailurePolicy", "rules", "failurePolicy", "maxRestarts", "deletionTimestamp",
    ]
)  # fmt: skip
WORDS = st.sampled_from(
    [
        "", "train", "worker", "train-worker-0", "Running", "Failed", "Pending", "True", "Unknown",
        "Ready", "12", "-3", "99999999999999999999999", "2026-01-01T00:00:00Z", "2026-99-99T00:00",
        "0/5 nodes are available: 3 Insufficient nvidia.com/gpu", "Unschedulable", "Evicted",
    ]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)
KINDS = st.sampled_from(
    [
        "Pod", "Job", "JobSet", "TrainJob", "MPIJob", "RayJob", "PodGroup", "Workload", "Node",
        "Event",
    ]
)  # fmt: skip
THINGS = JSON | st.builds(
    lambda thing, kind: {**thing, "kind": kind}, st.dictionaries(KEYS, JSON), KINDS
)


@QUICK
@given(st.lists(THINGS, max_size=6), st.sampled_from([None, JOB]), st.none() | st.floats())
def test_anything_has_a_state(objects, job, now):
    last = observe(objects, job, now)
    assert observe(objects, job, now, last).phase in JobPhase


PATHS = [
    ("status",), ("metadata",), ("metadata", "labels"), ("spec",), ("spec", "replicatedJobs"),
    ("status", "conditions"), ("status", "containerStatuses"), ("metadata", "name"),
]  # fmt: skip


@QUICK
@given(st.data())
def test_a_real_object_with_anything_in_one_place_has_a_state(data):
    objects = [jobset({"ps": 1, "worker": 3}), pod("ps", 0), node(), event("Evict", "train-ps-0")]
    copied = json.loads(json.dumps(objects))
    path, broken = data.draw(st.sampled_from(PATHS)), data.draw(st.sampled_from(copied))
    for key in path[:-1]:
        broken = broken.setdefault(key, {})
    broken[path[-1]] = data.draw(JSON)
    assert observe(copied, JOB).phase in JobPhase


# A watch: each object has a history; its last version counts.

PHASES = ["Pending", "Running", "Succeeded", "Failed", "Unknown"]
STATES = [{}, ended(0), ended(7), ended(137), ended(78), waiting("ImagePullBackOff"), waiting("x")]
TAKEN = [condition("DisruptionTarget", reason="PreemptionByScheduler", lastTransitionTime="2026")]


@st.composite
def histories(draw):
    """Object name -> versions in order; a None is its delete."""
    changed = {
        f"{role}{index}": lambda version, role=role, index=index: pod(
            role, index, draw(st.sampled_from(PHASES)), state=draw(st.sampled_from(STATES)),
            node=draw(st.sampled_from(["n1", LOST_NODE])), uid=f"{role}{index}", version=version,
            attempt=draw(st.sampled_from([0, 1])), deleted=draw(st.booleans()),
            conditions=draw(st.sampled_from([[], TAKEN])),
        )
        for role, index in [("ps", 0), ("worker", 0), ("worker", 1), ("worker", 2)]
    } | {
        "node": lambda version: versioned(
            node(ready=draw(st.sampled_from(["True", "Unknown"]))), version
        ),
        "jobset": lambda version: versioned(
            jobset({"ps": 1, "worker": 3}, restarts=draw(st.sampled_from([0, 1]))), version
        ),
    }  # fmt: skip
    found = {}
    for number, (name, make) in enumerate(changed.items()):
        count = draw(st.integers(1, 3))
        versions = [make(100 * number + each) for each in range(count)]
        gone = name not in ("jobset",) and draw(st.booleans())
        found[name] = [*versions, None] if gone else versions
    return found


def versioned(thing, version):
    thing["metadata"] |= {"uid": thing["kind"], "resourceVersion": str(version)}
    return thing


def events_of(versions):
    events = [("MODIFIED" if i else "ADDED", each) for i, each in enumerate(versions) if each]
    if versions[-1] is None:
        gone = json.loads(json.dumps(versions[-2]))
        gone["metadata"]["resourceVersion"] = str(int(gone["metadata"]["resourceVersion"]) + 50)
        events.append(("DELETED", gone))
    return events


@QUICK
@given(histories(), st.data())
def test_from_scratch_is_as_from_any_order_of_the_watch(history, data):
    events = [each for versions in history.values() for each in events_of(versions)]
    again = data.draw(st.lists(st.sampled_from(events), max_size=5))
    bookmarks = [("BOOKMARK", {"kind": "Pod"}), ("ERROR", {"kind": "Status", "code": 410})]
    tracker = Tracker(JOB)
    for kind, thing in data.draw(st.permutations([*events, *again, *bookmarks])):
        tracker.apply(kind, thing)
    left = [versions[-1] for versions in history.values() if versions[-1]]
    assert tracker.state(now=1e9) == observe(left, JOB, now=1e9)


@QUICK
@given(histories(), st.data())
def test_the_order_of_a_list_says_nothing(history, data):
    objects = [versions[-1] for versions in history.values() if versions[-1]]
    assert observe(data.draw(st.permutations(objects)), JOB) == observe(objects, JOB)


@QUICK
@given(histories())
def test_what_happens_between_two_looks_is_one_step(history):
    """With a state before, the next depends on the objects alone, and Failed stays."""
    tracker, last = Tracker(JOB), None
    for versions in history.values():
        for kind, thing in events_of(versions):
            tracker.apply(kind, thing)
            state = tracker.state(last=last)
            if last is not None and last.phase is JobPhase.FAILED:
                assert state is last
            last = state


# Single cases


def followed(*events):
    tracker = Tracker(JOB)
    for kind, thing in events:
        tracker.apply(kind, thing)
    return tracker.state()


HEARD = jobset({"ps": 1, "worker": 3})


@pytest.mark.parametrize("versions", [(1, 2), (2, 1)])
def test_an_old_version_that_comes_late_is_not_believed(versions):
    old, new = pod("ps", 0, uid="a", version=1), pod("ps", 0, "Pending", uid="a", version=2)
    found = {1: old, 2: new}
    state = followed(("ADDED", HEARD), *(("MODIFIED", found[each]) for each in versions))
    assert (state.roles["ps"].active, state.roles["ps"].pending) == (0, 1)


def test_what_was_deleted_does_not_come_back():
    there, gone = pod("ps", 0, uid="a", version=1), pod("ps", 0, uid="a", version=2)
    state = followed(("ADDED", HEARD), ("DELETED", gone), ("ADDED", there))
    assert state.roles["ps"].active == 0


def test_a_new_pod_of_the_same_name_counts():
    first, second = pod("ps", 0, uid="a", version=1), pod("ps", 0, uid="b", version=9)
    events = [("ADDED", first), ("ADDED", second), ("DELETED", pod("ps", 0, uid="a", version=8))]
    assert followed(("ADDED", HEARD), *events).roles["ps"].active == 1


def test_without_versions_the_last_to_come_counts():
    events = [("ADDED", pod("ps", 0)), ("MODIFIED", pod("ps", 0, "Pending"))]
    assert followed(("ADDED", HEARD), *events).roles["ps"].pending == 1
    back = [*events, ("DELETED", pod("ps", 0)), ("ADDED", pod("ps", 0))]
    assert followed(("ADDED", HEARD), *back).roles["ps"].active == 1


def bare(name, phase):
    return {"kind": "Pod", "metadata": {"name": name}, "status": {"phase": phase}}


def test_pods_of_another_job_do_not_count():
    others = [pod("ps", 0, job="train-again"), pod("ps", 0, job="other")]
    strange = {
        "kind": "Pod",
        "metadata": {"name": "train-again-ps-0"},
        "status": {"phase": "Failed"},
    }
    state = followed(("ADDED", HEARD), *(("ADDED", each) for each in [*others, strange]))
    assert (state.phase, state.roles["ps"].active) == (JobPhase.PENDING, 0)


def test_pods_without_labels_count_by_their_names():
    bare = {
        "kind": "Pod",
        "metadata": {"name": "train-worker-0-1-x"},
        "status": {"phase": "Running"},
    }
    assert followed(("ADDED", HEARD), ("ADDED", bare)).roles["worker"].active == 1


def test_a_tracker_takes_a_job_as_it_was_written():
    state = Tracker(Job(name="train", nodes=2, run="true")).state()
    assert state.phase is JobPhase.LOST
    assert JOB.roles["worker"].restart in (None, Restart.NEVER)


def held(events):
    tracemalloc.start()
    tracker = Tracker(JOB)
    for kind, thing in events:
        tracker.apply(kind, json.loads(thing))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used


def test_memory_does_not_grow_with_events():
    def turn(number):
        for index in range(50):
            thing = pod("worker", index, PHASES[number % 3], uid=f"w{index}", version=number)
            yield "MODIFIED", json.dumps(thing)

    once = held(each for number in range(2) for each in turn(number))
    often = held(each for number in range(20) for each in turn(number))
    assert often < 1.2 * once + 2000


def test_deletes_are_remembered_up_to_a_number():
    tracker = Tracker(JOB)
    for index in range(REMEMBERED + 10):
        tracker.apply("ADDED", pod("worker", 0, uid=f"w{index}", version=2 * index))
        tracker.apply("DELETED", pod("worker", 0, uid=f"w{index}", version=2 * index + 1))
    assert len(tracker._deleted) == REMEMBERED
    assert not tracker._versions
