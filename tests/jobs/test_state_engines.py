"""The controllers' own words, on the workloads that the back ends really render."""

import copy

import pytest
from observed import condition, ended, event, pod, pods

from jobs.backends import KINDS, render
from jobs.context import JobContext
from jobs.role import Role
from jobs.spec import Backend, Framework, Job, Policy
from jobs.state import JobPhase, observe

CONTEXT = JobContext(colony="spring", cluster="main", cloud="aws", region="us-east-1")
FRAMEWORKS = {Backend.MPIJOB: Framework.MPI, Backend.RAYJOB: Framework.RAY}


def job(backend, backoff=0, **more):
    framework = FRAMEWORKS.get(backend, Framework.PYTORCH)
    if framework is Framework.PYTORCH:
        more["roles"] = {"master": Role(), "worker": Role(replicas=2)}
    else:
        more["nodes"] = 3
    policy = Policy(backoff_limit=backoff)
    return Job(
        name="train", framework=framework, backend=backend, run="true", policy=policy, **more
    )


def workload(given, **status):
    made = copy.deepcopy(render(given, CONTEXT)[-1])
    made["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    made["status"] = status
    return made


def says(*conditions, **more):
    return {"conditions": list(conditions), **more}


def state(phase, **more):
    return {"state": {"phase": phase}, **more}


def ray(deployed, ran="", **more):
    return {"jobDeploymentStatus": deployed, "jobStatus": ran, **more}


COUNTS = {"master": {"phase": {"Running": 1}}, "worker": {"phase": {"Running": 2}}}
ALL_ACTIVE = {"Launcher": {"active": 1}, "Worker": {"active": 3}}
TOO_LATE = "PreRunningDeadlineExceeded"
WORDS = [
    (Backend.JOBSET, {}, "unknown", "no_status"),
    (Backend.JOBSET, says(restarts=0), "pending", "starting"),
    (Backend.JOBSET, says(condition("Suspended", message="held")), "pending", "suspended"),
    (Backend.JOBSET, says(condition("Completed")), "succeeded", "completed"),
    (Backend.JOBSET, says(condition("Failed", reason="FailedJobs")), "failed", "WorkloadFailed"),
    (Backend.JOBSET, says(condition("Failed", reason="DeadlineExceeded")), "failed", "timed_out"),
    (
        Backend.JOBSET,
        {"replicatedJobsStatus": [{"name": "master", "ready": 1}, {"name": "worker", "ready": 1}]},
        "running",
        "running",
    ),
    (Backend.VOLCANO, {}, "unknown", "no_status"),
    (Backend.VOLCANO, state("Pending"), "pending", "starting"),
    (Backend.VOLCANO, state("Running", taskStatusCount=COUNTS), "running", "running"),
    (Backend.VOLCANO, state("Restarting", retryCount=1), "pending", "restarting"),
    (Backend.VOLCANO, state("Completing"), "pending", "starting"),
    (Backend.VOLCANO, state("Completed"), "succeeded", "completed"),
    (Backend.VOLCANO, state("Failed"), "failed", "WorkloadFailed"),
    (Backend.VOLCANO, state("Aborted"), "failed", "WorkloadFailed"),
    (Backend.VOLCANO, state("Terminated"), "failed", "Preempted"),
    (Backend.VOLCANO, state("Terminated", failed=1), "failed", "WorkloadFailed"),
    (Backend.TRAINJOB, {}, "unknown", "no_status"),
    (Backend.TRAINJOB, says(condition("Suspended")), "pending", "suspended"),
    (Backend.TRAINJOB, says(condition("Complete")), "succeeded", "completed"),
    (Backend.TRAINJOB, says(condition("Failed", reason="DeadlineExceeded")), "failed", "timed_out"),
    (Backend.MPIJOB, {}, "unknown", "no_status"),
    (Backend.MPIJOB, says(condition("Created")), "pending", "starting"),
    (Backend.MPIJOB, says(condition("Suspended")), "pending", "suspended"),
    (Backend.MPIJOB, says(condition("Running"), replicaStatuses=ALL_ACTIVE), "running", "running"),
    (Backend.MPIJOB, says(condition("Succeeded")), "succeeded", "completed"),
    (Backend.MPIJOB, says(condition("Failed", reason="MPIJobFailed")), "failed", "WorkloadFailed"),
    (Backend.MPIJOB, says(condition("Failed", reason="MPIJobEvicted")), "failed", "Preempted"),
    (Backend.RAYJOB, {}, "unknown", "no_status"),
    (Backend.RAYJOB, ray("Initializing"), "pending", "starting"),
    (Backend.RAYJOB, ray("Suspended"), "pending", "suspended"),
    (Backend.RAYJOB, ray("Running", "PENDING"), "pending", "starting"),
    (
        Backend.RAYJOB,
        ray("Running", "RUNNING", rayClusterStatus={"readyWorkerReplicas": 2}),
        "running",
        "running",
    ),
    (Backend.RAYJOB, ray("Retrying", "FAILED", failed=1), "pending", "restarting"),
    (Backend.RAYJOB, ray("Complete", "SUCCEEDED"), "succeeded", "completed"),
    (Backend.RAYJOB, ray("Complete", "STOPPED"), "failed", "WorkloadFailed"),
    (Backend.RAYJOB, ray("Failed", "FAILED", reason="AppFailed"), "failed", "WorkloadFailed"),
    (Backend.RAYJOB, ray("Failed", reason="DeadlineExceeded"), "failed", "timed_out"),
    (
        Backend.RAYJOB,
        ray("Failed", reason="PreRunningDeadlineExceeded"),
        "failed",
        "startup_timeout",
    ),
    (Backend.RAYJOB, ray("ValidationFailed"), "failed", "ConfigIssue"),
]


@pytest.mark.parametrize(("backend", "status", "phase", "reason"), WORDS)
@pytest.mark.parametrize("known", [True, False], ids=["job", "objects alone"])
def test_the_controllers_word(backend, status, phase, reason, known):
    given = job(backend)
    found = observe([workload(given, **status)], given if known else None)
    assert (found.phase.value, found.reason) == (phase, reason)


def both(master, worker, given):
    """Two plain Jobs: the workload's other one is rendered before the last."""
    made = [copy.deepcopy(each) for each in render(given, CONTEXT) if each["kind"] == "Job"]
    for each in made:
        role = each["metadata"]["labels"]["colony.dev/role"]
        each["status"] = master if role == "master" else worker
    return made


DONE, BROKEN = says(condition("Complete")), says(condition("Failed", reason="BackoffLimitExceeded"))
OVERTIME = says(condition("Failed", reason="DeadlineExceeded", message="was active too long"))
HELD = says(condition("Suspended"))
JOBS = {
    "not seen": ({}, {}, "unknown", "no_status"),
    "one runs": ({"active": 1, "ready": 1}, {"active": 2, "ready": 0}, "pending", "starting"),
    "both run": ({"active": 1, "ready": 1}, {"active": 2, "ready": 2}, "running", "running"),
    "one is done": (DONE, {"active": 2, "ready": 2}, "running", "running"),
    "both are done": (DONE, DONE, "succeeded", "completed"),
    "one failed": (DONE, BROKEN, "failed", "WorkloadFailed"),
    "out of time": ({"active": 1, "ready": 1}, OVERTIME, "failed", "timed_out"),
    "in a queue": (
        says(condition("Suspended")),
        says(condition("Suspended")),
        "pending",
        "suspended",
    ),
}


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("known", [True, False], ids=["job", "objects alone"])
def test_one_job_a_role(name, known):
    master, worker, phase, reason = JOBS[name]
    given = job(Backend.JOB)
    found = observe(both(master, worker, given), given if known else None)
    assert (found.phase.value, found.reason) == (phase, reason)
    assert set(found.roles) == {"master", "worker"}


def test_a_job_without_any_of_its_jobs_is_lost():
    given = job(Backend.JOB)
    assert observe([pod("master", 0)], given).phase is JobPhase.LOST


@pytest.mark.parametrize("backend", Backend)
def test_pods_run_under_every_engine(backend):
    given = job(backend)
    heard = {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"} | state("Running")
    objects = [workload(given, conditions=[condition("Created")], **heard)]
    roles = {Backend.MPIJOB: ("launcher", "worker"), Backend.RAYJOB: ("head", "worker")}
    first, second = roles.get(backend, ("master", "worker"))
    count = given.nodes - 1 if backend is Backend.RAYJOB else given.nodes
    count = 2 if second in given.roles else count
    running = [pod(first, 0), *pods(second, ["Running"] * count)]
    assert observe([*objects, *running], given).phase is JobPhase.RUNNING
    waiting = [*running[:-1], pod(second, count - 1, "Pending")]
    assert observe([*objects, *waiting], given).phase is JobPhase.PENDING


@pytest.mark.parametrize("backend", [b for b in Backend if b is not Backend.RAYJOB])
def test_a_failing_pod_fails_the_job_before_its_controller_says_so(backend):
    given = job(backend)
    objects = [workload(given, conditions=[condition("Created")], **state("Running"))]
    role = "launcher" if backend is Backend.MPIJOB else "worker"
    found = observe([*objects, pod(role, 0, "Failed", state=ended(5), node="n1")], given)
    assert (found.phase, found.reason, found.exit_code) == (JobPhase.FAILED, "PodFailed", 5)


@pytest.mark.parametrize("backend", [Backend.JOBSET, Backend.VOLCANO])
def test_a_failing_pod_of_a_job_that_starts_again_ends_nothing(backend):
    given = job(backend, backoff=2)
    objects = [workload(given, conditions=[condition("Created")], **state("Running"))]
    found = observe([*objects, pod("worker", 0, "Failed", state=ended(5))], given)
    assert (found.phase, found.reason) == (JobPhase.PENDING, "restarting")


def spec_of(made):
    """Of the Job of the workers, inside a JobSet or plain."""
    inner = made["spec"].get("replicatedJobs", [])
    found = [each["template"]["spec"] for each in inner if each["name"] == "worker"]
    return found[0] if found else made["spec"]


@pytest.mark.parametrize(("failed", "phase"), [(2, "pending"), (3, "failed")])
def test_failed_pods_within_the_back_off_limit_are_replaced(failed, phase):
    given = job(Backend.JOBSET)
    made = workload(given, restarts=0)
    spec_of(made)["backoffLimit"] = 2
    last = observe([made, pod("master", 0), *pods("worker", ["Running"] * 2)], given)
    broken = [pod("worker", 10 + index, "Failed", state=ended(1)) for index in range(failed)]
    assert observe([made, pod("master", 0), *broken], given).phase.value == phase
    gone = observe([made, pod("master", 0), pod("worker", 0)], given, last=last)
    assert gone.phase is JobPhase.RUNNING


def test_evicted_pods_that_are_ignored_are_replaced():
    given = job(Backend.JOBSET)
    made = workload(given, restarts=0)
    taken = condition("DisruptionTarget", reason="EvictionByEvictionAPI")
    evicted = [pod("worker", 0, "Failed", state=ended(143), conditions=[taken])]
    assert observe([made, *evicted], given).reason == "Preempted"
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    spec_of(made)["podFailurePolicy"] = {"rules": [rule]}
    assert observe([made, *evicted], given).phase is JobPhase.PENDING


def test_rays_pods_are_replaced_and_decide_nothing():
    given = job(Backend.RAYJOB)
    found = [
        workload(given, **ray("Running", "RUNNING")),
        pod("worker", 0, "Failed", state=ended(1)),
    ]
    assert observe([*found, pod("head", 0, "Succeeded")], given).phase is JobPhase.PENDING


def test_a_trainjob_is_as_far_as_its_jobset():
    given = job(Backend.TRAINJOB)
    train = workload(given, jobsStatus=[])
    child = copy.deepcopy(render(job(Backend.JOBSET), CONTEXT)[-1])
    child["metadata"]["ownerReferences"] = [
        {"kind": "TrainJob", "name": "train", "controller": True}
    ]
    child["status"] = says(restarts=1)
    old = pod("worker", 0, "Failed", state=ended(1), attempt=0)
    found = observe([train, child, old], given)
    assert (found.phase, found.reason, found.attempt) == (JobPhase.PENDING, "restarting", 1)


# Queues


def kueue(*conditions, active=True):
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": {
            "name": "jobset-train-1a2b3",
            "ownerReferences": [{"kind": "JobSet", "name": "train", "controller": True}],
        },
        "spec": {"active": active},
        "status": {"conditions": list(conditions)},
    }


NO_QUOTA = condition("QuotaReserved", "False", message="insufficient quota for nvidia.com/gpu")
EVICTED = condition("Evicted", reason="Preempted", message="to accommodate a workload")
TOO_OFTEN = condition("Evicted", reason="DeactivatedDueToRequeuingLimitExceeded")
TOO_LONG = condition("Evicted", reason="DeactivatedDueToMaximumExecutionTimeExceeded")
QUEUES = {
    "waits for quota": ([NO_QUOTA], True, "pending", "suspended", "insufficient quota"),
    "sent back": ([NO_QUOTA, EVICTED], True, "pending", "Preempted", "Preempted: to accommodate"),
    "sent away": ([TOO_OFTEN], False, "failed", "Preempted", "RequeuingLimitExceeded"),
    "ran too long": ([TOO_LONG], False, "failed", "timed_out", "MaximumExecutionTime"),
}


@pytest.mark.parametrize("name", QUEUES)
def test_kueue(name):
    conditions, active, phase, reason, message = QUEUES[name]
    given = job(Backend.JOBSET, queue="gpus")
    held = workload(given, **says(condition("Suspended")))
    found = observe([held, kueue(*conditions, active=active)], given)
    assert (found.phase.value, found.reason) == (phase, reason)
    assert message in found.message


def group(phase, *conditions):
    owner = [{"kind": "Job", "name": "train", "controller": True}]
    metadata = {"name": "train-5c1f2f0e-0000-4000-8000-000000000000", "ownerReferences": owner}
    return {
        "kind": "PodGroup",
        "metadata": metadata,
        "status": {"phase": phase, "conditions": list(conditions)},
    }


def test_a_gang_that_does_not_fit_says_why():
    given = job(Backend.VOLCANO)
    why = condition("Unschedulable", message="3/3 tasks in gang unschedulable")
    found = observe([workload(given, **state("Pending")), group("Inqueue", why)], given)
    assert (found.phase, found.reason) == (JobPhase.PENDING, "Unschedulable")
    assert found.message == "3/3 tasks in gang unschedulable"


def test_an_evicted_gang_is_preempted():
    given = job(Backend.VOLCANO)
    name = group("Running")["metadata"]["name"]
    told = event("Evict", name, "evict by preempt", kind="PodGroup")
    found = observe([workload(given, **state("Failed")), told], given)
    assert (found.phase, found.reason) == (JobPhase.FAILED, "Preempted")


def test_a_gang_starts_when_it_is_placed():
    placed = condition("Scheduled", lastTransitionTime="2026-01-01T01:00:00Z")
    born, given = 1767225600.0, job(Backend.VOLCANO, queue="gpus")
    objects = [workload(given, **state("Pending"))]
    waits = observe([*objects, group("Inqueue")], given, now=born + 9999)
    starts = observe([*objects, group("Running", placed)], given, now=born + 3700)
    late = observe([*objects, group("Running", placed)], given, now=born + 5401)
    assert (waits.reason, starts.reason) == ("starting", "starting")
    assert late.reason == "startup_timeout"


def test_every_engine_is_read():
    assert set(KINDS) == {backend for backend, *_ in WORDS} | {Backend.JOB}
