import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.backends import render
from jobs.context import JobContext
from jobs.spec import Job, Output, Resources
from jobs.state import JobPhase, observe

CONTEXT = JobContext(colony="spring", cluster="main", cloud="aws", region="us-east-1")
JOB = Job(
    name="ddp", nodes=2, resources=Resources(accelerators="H100:8"), run="true",
    outputs=[Output(path="out", to="s3://b")],
)  # fmt: skip


def condition(kind, status="True", **more):
    return {"type": kind, "status": status, **more}


def jobset(*conditions, **status):
    manifest = render(JOB, CONTEXT)[-1]
    if conditions or status:
        manifest["status"] = {"conditions": list(conditions), **status}
    return manifest


def pod(index=0, phase="Running", state=None, attempt=None):
    labels = {} if attempt is None else {"jobset.sigs.k8s.io/restart-attempt": str(attempt)}
    container = {"name": "trainer", "image": "example.org/a:1", "state": state or {}}
    return {
        "kind": "Pod",
        "metadata": {"name": f"ddp-worker-0-{index}-abcde", "labels": labels},
        "status": {"phase": phase, "containerStatuses": [container]},
    }


def ended(code, message="", at="2026-01-01T00:00:09Z"):
    return {"terminated": {"exitCode": code, "message": message, "finishedAt": at}}


def waiting(reason, message=""):
    return {"waiting": {"reason": reason, "message": message}}


def overtime():
    failed = condition("Failed", reason="DeadlineExceeded", message="Job was active too long")
    return {"kind": "Job", "metadata": {"name": "ddp-worker-0"}, "status": {"conditions": [failed]}}


FAILED = condition("Failed", reason="FailedJobs", message="jobset failed")
COMPLETED = condition("Completed", reason="AllJobsCompleted")
READY = {"replicatedJobsStatus": [{"name": "worker", "ready": 1, "succeeded": 0}]}
NOT_READY = {"replicatedJobsStatus": [{"name": "worker", "ready": 0, "active": 1}]}

TABLE = {
    "could not look": (None, "unknown", "not_observed", None),
    "nothing there": ([], "lost", "no_workload", None),
    "pods without their JobSet": ([pod(0), pod(1)], "lost", "no_workload", None),
    "just created": ([jobset()], "unknown", "no_status", None),
    "running pods prove nothing before the controller has spoken": (
        [jobset(), pod(0), pod(1)], "unknown", "no_status", None,
    ),
    "in the queue": ([jobset(condition("Suspended"))], "pending", "suspended", None),
    "admitted from the queue": (
        [jobset(condition("Suspended", "False"), **READY)], "running", "running", None,
    ),
    "starting": ([jobset(**NOT_READY)], "pending", "starting", None),
    "one of two pods": (
        [jobset(**NOT_READY), pod(0), pod(1, "Pending")], "pending", "starting", None,
    ),
    "a pod that nobody knows about": (
        [jobset(**READY), pod(0), pod(1, "Unknown")], "pending", "starting", None,
    ),
    "waiting for an earlier role": (
        [jobset(condition("StartupPolicyInProgress"), **READY)], "pending", "starting", None,
    ),
    "all pods": ([jobset(**READY), pod(0), pod(1)], "running", "running", None),
    "all pods, one done": (
        [jobset(**READY), pod(0), pod(1, "Succeeded")], "running", "running", None,
    ),
    "ready by the JobSet's word alone": ([jobset(**READY)], "running", "running", None),
    "starting again": (
        [jobset(restarts=1, **NOT_READY), pod(0, "Failed", ended(1), attempt=0)],
        "pending", "restarting", None,
    ),
    "completed": ([jobset(COMPLETED), pod(0, "Succeeded", ended(0))], "succeeded", "completed", 0),
    "completed at the second attempt": (
        [jobset(COMPLETED, restarts=1), pod(0, "Failed", ended(1), attempt=0)],
        "succeeded", "completed", 0,
    ),
    "terminal state alone": ([jobset(terminalState="Completed")], "succeeded", "completed", 0),
    "failed": ([jobset(FAILED)], "failed", "WorkloadFailed", None),
    "failed by terminal state alone": (
        [jobset(terminalState="Failed")], "failed", "WorkloadFailed", None,
    ),
    "exit code": ([jobset(FAILED), pod(1, "Failed", ended(7))], "failed", "PodFailed", 7),
    "the first to end is the cause": (
        [
            jobset(FAILED),
            pod(0, "Failed", ended(143, at="2026-01-01T00:00:10Z")),
            pod(1, "Failed", ended(7)),
        ],
        "failed", "PodFailed", 7,
    ),
    "both completed and failed": ([jobset(COMPLETED, FAILED)], "failed", "WorkloadFailed", None),
    "completed, but a pod failed": (
        [jobset(COMPLETED), pod(0, "Failed", ended(1))], "failed", "PodFailed", 1,
    ),
    "out of time": ([jobset(FAILED), overtime()], "failed", "timed_out", None),
    "outputs lost": (
        [jobset(FAILED), pod(0, "Failed", ended(74, "outputs_lost: out"))],
        "failed", "outputs_lost", 74,
    ),
    "74 of the user's own": (
        [jobset(FAILED), pod(0, "Failed", ended(74, "run failed with exit code 74"))],
        "failed", "PodFailed", 74,
    ),
    "outputs lost by one, another failed": (
        [
            jobset(FAILED),
            pod(0, "Failed", ended(74, "outputs_lost: out")),
            pod(1, "Failed", ended(9, at="2026-01-01T00:00:01Z")),
        ],
        "failed", "PodFailed", 9,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_state_of(name):
    objects, phase, reason, code = TABLE[name]
    state = observe(objects)
    assert (state.phase.value, state.reason, state.exit_code) == (phase, reason, code)


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"])
def test_a_bad_image_is_a_failure_at_once_and_names_the_image(reason):
    state = observe([jobset(**NOT_READY), pod(0), pod(1, "Pending", waiting(reason, "not found"))])
    assert (state.phase, state.reason) == (JobPhase.FAILED, "ImagePull")
    assert "example.org/a:1" in state.message
    assert "not found" in state.message


def test_a_container_that_is_being_made_is_no_bad_image():
    state = observe([jobset(**NOT_READY), pod(0, "Pending", waiting("ContainerCreating"))])
    assert state.phase is JobPhase.PENDING


def test_the_message_names_the_pod_and_repeats_its_last_words():
    state = observe([jobset(FAILED), pod(1, "Failed", ended(3, "setup failed with exit code 3"))])
    assert state.message == "ddp-worker-0-1-abcde: setup failed with exit code 3"


GOOD = [
    pod(0, "Succeeded", ended(0)),
    pod(1),
    {"kind": "Job", "metadata": {"name": "j"}, "status": {"conditions": [condition("Complete")]}},
]
CONDITIONS = [
    COMPLETED,
    condition("StartupPolicyCompleted"),
    condition("Suspended", "False"),
    condition("Suspended"),
]


@settings(deadline=None)
@given(
    conditions=st.lists(st.sampled_from(CONDITIONS)).flatmap(
        lambda others: st.permutations([FAILED, *others])
    ),
    others=st.lists(st.sampled_from(GOOD)),
    data=st.data(),
)
def test_failed_beats_everything_in_any_order(conditions, others, data):
    objects = data.draw(st.permutations([jobset(*conditions, **READY), *others]))
    assert observe(objects).phase is JobPhase.FAILED


@settings(deadline=None)
@given(data=st.data())
def test_the_order_of_the_objects_says_nothing(data):
    objects, *_ = TABLE["outputs lost by one, another failed"]
    assert observe(data.draw(st.permutations(objects))) == observe(objects)
