"""Why: the reason, and the pod, node and exit code that it is about."""

import pytest
from observed import LOST_NODE, condition, ended, event, jobset, node, pod, pods, waiting

from jobs.policy import Policy, Restart, RolePhase
from jobs.role import Dependency, Role
from jobs.spec import Backend, Elastic, Framework, Job
from jobs.state import JobPhase, JobState, observe

BORN = 1767225600.0
"""2026-01-01T00:00:00Z"""


def job(framework=Framework.CUSTOM, policy=None, **roles):
    """`roles`: name -> Role, or its replicas."""
    made = {n: r if isinstance(r, Role) else Role(replicas=r) for n, r in roles.items()}
    return Job(name="train", framework=framework, run="true", roles=made, policy=policy or Policy())


def workers(count, **more):
    return job(worker=Role(replicas=count, **more))


def taken(why="PreemptionByScheduler", at="2026-01-01T00:00:04Z"):
    return [condition("DisruptionTarget", reason=why, message="for another", lastTransitionTime=at)]


def unplaced(message):
    return [condition("PodScheduled", "False", reason="Unschedulable", message=message)]


NO_ROOM = "0/5 nodes are available: 3 Insufficient nvidia.com/gpu, 2 node(s) had untolerated taint."
TWO = jobset({"worker": 2})

REASONS = {
    "exit code and node": (
        [TWO, pod("worker", 0), pod("worker", 1, "Failed", state=ended(7), node="n1")],
        "failed", "PodFailed", "train-worker-0-1-abcde on n1: exit code 7",
    ),
    "killed for memory": (
        [TWO, pod("worker", 0, "Failed", state={
            "terminated": {"exitCode": 137, "reason": "OOMKilled"}
        })],
        "failed", "PodFailed", "OOMKilled (exit code 137)",
    ),
    "failed without a container": (
        [TWO, pod("worker", 0, "Failed", status={"reason": "OutOfcpu", "message": "no cpu"})],
        "failed", "PodFailed", "OutOfcpu: no cpu",
    ),
    "preempted pod, killed by it, others after it": (
        [
            TWO,
            pod("worker", 0, "Failed", state=ended(143), conditions=taken()),
            pod("worker", 1, "Failed", state=ended(1)),
        ],
        "failed", "Preempted", "for another",
    ),
    "own failure before the preemption": (
        [
            TWO,
            pod("worker", 0, "Failed", state=ended(1, at="2026-01-01T00:00:01Z")),
            pod("worker", 1, "Failed", state=ended(143), conditions=taken()),
        ],
        "failed", "PodFailed", "exit code 1",
    ),
    "evicted by the kubelet": (
        [TWO, pod("worker", 0, "Failed", status={"reason": "Evicted", "message": "disk"})],
        "failed", "Preempted", "Evicted: disk",
    ),
    "collected with its node": (
        [TWO, pod("worker", 0, "Failed", conditions=taken("DeletionByPodGC"))],
        "failed", "PossibleNodeDown", "DeletionByPodGC",
    ),
    "wrong configuration by exit code": (
        [TWO, pod("worker", 0, "Failed", state=ended(78, "WORLD_SIZE is 3, counted 2"))],
        "failed", "ConfigIssue", "WORLD_SIZE is 3",
    ),
    "a container that cannot be configured": (
        [TWO, pod("worker", 0, "Pending", state=waiting("CreateContainerConfigError", "none"))],
        "failed", "ConfigIssue", "CreateContainerConfigError: example.org/a:1: none",
    ),
    "an image name that is none": (
        [TWO, pod("worker", 0, "Pending", state=waiting("InvalidImageName", "bad"))],
        "failed", "ConfigIssue", "example.org/a:1",
    ),
    "an image that is not there": (
        [TWO, pod("worker", 0, "Pending", state=waiting("ErrImagePull", "not found"))],
        "failed", "ImagePull", "example.org/a:1: not found",
    ),
    "an image of an init container": (
        [TWO, pod("worker", 0, "Pending", init=[waiting("ImagePullBackOff")])],
        "failed", "ImagePull", "ImagePullBackOff",
    ),
    "a dependency that did not come": (
        [TWO, pod("worker", 0, "Failed", init=[ended(124, "etcd:2379 did not answer")])],
        "failed", "startup_timeout", "etcd:2379",
    ),
    "no room": (
        [TWO, *[pod("worker", i, "Pending", conditions=unplaced(NO_ROOM)) for i in (0, 1)]],
        "pending", "Unschedulable",
        "2 pods cannot be placed: train-worker-0-0-abcde needs 8 nvidia.com/gpu "
        "(too little on 3 of 5 nodes); 2 node(s) had untolerated taint",
    ),
    "no room, said by an event": (
        [TWO, pod("worker", 0, "Pending"), event("FailedScheduling", "train-worker-0-0-xyz", "x")],
        "pending", "Unschedulable", "train-worker-0-0-xyz cannot be placed: x",
    ),
    "the run time is over": (
        [TWO, pod("worker", 0, "Failed", status={"reason": "DeadlineExceeded", "message": "long"})],
        "failed", "timed_out", "long",
    ),
    "nothing is known of it": (
        [jobset({"worker": 2}, condition("Failed", reason="FailedJobs", message="some job"))],
        "failed", "WorkloadFailed", "some job",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REASONS)
def test_reason_of(name):
    objects, phase, reason, message = REASONS[name]
    state = observe(objects, workers(2))
    assert (state.phase.value, state.reason) == (phase, reason)
    assert message in state.message


def test_the_pod_its_node_and_its_exit_code_are_given():
    failed = pod("worker", 1, "Failed", state=ended(7), node="n1")
    state = observe([TWO, pod("worker", 0), failed], workers(2))
    assert (state.pod, state.node, state.exit_code) == ("train-worker-0-1-abcde", "n1", 7)


@pytest.mark.parametrize("code", [1, 78, 143])
def test_a_role_says_how_its_pods_are(code):
    found = [
        pod("worker", 0), pod("worker", 1, "Failed", state=ended(code)),
        pod("worker", 2, "Pending"),
        pod("worker", 3, "Succeeded"), pod("worker", 4, "Unknown"), pod("worker", 5, deleted=True),
    ]  # fmt: skip
    role = observe([jobset({"worker": 6}), *found], workers(6)).roles["worker"]
    assert role.phase is RolePhase.FAILED
    counts = (role.active, role.succeeded, role.failed, role.pending, role.unknown)
    assert (*counts, role.terminating) == (1, 1, 1, 1, 1, 1)


def test_a_wrong_configuration_fails_although_a_restart_is_left():
    again = jobset({"worker": 1}, spec={"failurePolicy": {"maxRestarts": 3}})
    wrong = observe([again, pod("worker", 0, "Failed", state=ended(78))], workers(1))
    plain = observe([again, pod("worker", 0, "Failed", state=ended(1))], workers(1))
    assert (wrong.phase, wrong.reason) == (JobPhase.FAILED, "ConfigIssue")
    assert (plain.phase, plain.reason) == (JobPhase.PENDING, "restarting")


def test_pods_of_an_attempt_that_was_given_up_say_nothing():
    old = pod("worker", 0, "Failed", state=ended(78), attempt=0)
    state = observe([jobset({"worker": 1}, restarts=1), old], workers(1))
    assert (state.phase, state.reason, state.pod) == (JobPhase.PENDING, "restarting", "")


def test_no_restart_left_is_the_end():
    spent = jobset({"worker": 1}, restarts=3, spec={"failurePolicy": {"maxRestarts": 3}})
    state = observe([spent, pod("worker", 0, "Failed", state=ended(1), attempt=3)], workers(1))
    assert (state.phase, state.reason, state.attempt) == (JobPhase.FAILED, "PodFailed", 3)


def test_a_signal_is_started_again_where_the_role_says_so():
    killed = [TWO, pod("worker", 0), pod("worker", 1, "Failed", state=ended(137))]
    own = [TWO, pod("worker", 0), pod("worker", 1, "Failed", state=ended(1))]
    assert observe(killed, workers(2, restart=Restart.EXIT_CODE)).phase is JobPhase.PENDING
    assert observe(killed, workers(2)).phase is JobPhase.FAILED
    assert observe(own, workers(2, restart=Restart.EXIT_CODE)).phase is JobPhase.FAILED


# Nodes


def on_lost_node():
    return [TWO, node(), pod("worker", 0, node="n1"), pod("worker", 1, node=LOST_NODE)]


def test_a_lost_node_is_a_lost_pod_where_the_role_says_so():
    state = observe(on_lost_node(), workers(2, node_down_as_failed=True))
    assert (state.phase, state.reason) == (JobPhase.FAILED, "PossibleNodeDown")
    assert (state.node, state.roles["worker"].failed) == (LOST_NODE, 1)
    assert "NodeStatusUnknown" in state.message


def test_elsewhere_what_it_does_is_unknown():
    state = observe(on_lost_node(), workers(2, node_down_as_failed=False))
    role = state.roles["worker"]
    assert (state.phase, role.reason) == (JobPhase.PENDING, "PossibleNodeDown")
    assert (role.active, role.unknown, role.failed) == (1, 1, 0)


def test_a_job_that_ran_goes_on_until_more_is_known():
    last = observe([TWO, *pods("worker", ["Running", "Running"])], workers(2))
    state = observe(on_lost_node(), workers(2, node_down_as_failed=False), last=last)
    assert (state.phase, state.reason) == (JobPhase.RUNNING, "PossibleNodeDown")


def test_a_node_that_answers_again_is_no_trouble():
    objects = [*on_lost_node(), node(ready="True")]
    state = observe(objects, workers(2, node_down_as_failed=True))
    assert (state.phase, state.reason) == (JobPhase.RUNNING, "running")


def on_broken_node():
    """It answers, and the agent has tainted it."""
    taints = [{"key": "colony.dev/unhealthy", "value": "xid-79", "effect": "NoSchedule"}]
    broken = {**node(ready="True"), "spec": {"taints": taints}}
    return [TWO, broken, pod("worker", 0, node="n1"), pod("worker", 1, node=LOST_NODE)]


def test_broken_hardware_counts_against_the_job_where_the_role_says_so():
    state = observe(on_broken_node(), workers(2, node_down_as_failed=True))
    assert (state.phase, state.reason, state.node) == (
        JobPhase.FAILED, "PossibleNodeDown", LOST_NODE,
    )  # fmt: skip
    assert "hardware fault xid-79" in state.message


def test_elsewhere_a_pod_on_broken_hardware_runs_on():
    state = observe(on_broken_node(), workers(2, node_down_as_failed=False))
    role = state.roles["worker"]
    assert (state.phase, state.reason) == (JobPhase.RUNNING, "running")
    assert (role.active, role.unknown, role.failed) == (2, 0, 0)


# What went missing


def ran(count=3):
    return observe(
        [jobset({"worker": count}), *pods("worker", ["Running"] * count)], workers(count)
    )


def test_pods_that_ran_and_are_gone_fail_the_role():
    now = [jobset({"worker": 3}), pod("worker", 1)]
    state = observe(now, workers(3), last=ran())
    assert (state.phase, state.reason) == (JobPhase.FAILED, "PodMissing")
    assert state.message == "worker: 2 of 3 pods that ran are missing; gone: 0, 2"
    assert state.roles["worker"].reason == "PodMissing"


def test_pods_that_go_are_missing_too():
    now = [
        jobset({"worker": 3}),
        pod("worker", 0),
        pod("worker", 1),
        pod("worker", 2, deleted=True),
    ]
    state = observe(now, workers(3), last=ran())
    assert state.message == "worker: 1 of 3 pods that ran is missing; being deleted: 2"


def test_pods_that_were_taken_away_are_not_just_missing():
    now = [
        jobset({"worker": 3}), pod("worker", 0),
        event("Evict", "train-worker-0-1-abcde", "Pod is evicted, because of preempt"),
    ]  # fmt: skip
    state = observe(now, workers(3), last=ran())
    assert (state.phase, state.reason) == (JobPhase.FAILED, "Preempted")
    assert "because of preempt" in state.message


@pytest.mark.parametrize(
    "workload",
    [
        jobset({"worker": 3}, restarts=1),
        jobset({"worker": 3}, spec={"failurePolicy": {"maxRestarts": 1}}),
        jobset({"worker": 3}, condition("Suspended")),
        jobset({"worker": 3}, condition("Completed")),
    ],
    ids=["started again", "will be started again", "suspended", "completed"],
)
def test_nobody_is_missed_when_the_controller_took_them(workload):
    state = observe([workload], workers(3), last=ran())
    assert state.phase is not JobPhase.FAILED
    assert all(role.phase is not RolePhase.FAILED for role in state.roles.values())


def test_another_jobs_events_explain_nothing():
    told = event("Evict", "train-again-worker-0-1-abcde", "evicted")
    state = observe([jobset({"worker": 3}), pod("worker", 0), told], workers(3), last=ran())
    assert state.reason == "PodMissing"


# Bounds on the start


def late(objects, seconds, given=None, last=None):
    return observe(objects, given or workers(2), now=BORN + seconds, last=last)


def test_a_start_that_takes_too_long_fails_and_says_what_is_missing():
    waits = [TWO, pod("worker", 0), pod("worker", 1, "Pending", conditions=unplaced(NO_ROOM))]
    assert late(waits, 1800).phase is JobPhase.PENDING
    state = late(waits, 1801)
    assert (state.phase, state.reason) == (JobPhase.FAILED, "startup_timeout")
    assert state.message.startswith("1 of 2 pods ran within 1800 s: ")
    assert "8 nvidia.com/gpu" in state.message


def test_waiting_in_a_queue_is_no_start():
    released = condition("Suspended", "False", lastTransitionTime="2026-01-01T01:00:00Z")
    assert late([jobset({"worker": 2}, condition("Suspended"))], 9999).reason == "suspended"
    assert late([jobset({"worker": 2}, released)], 3700).reason == "starting"
    assert late([jobset({"worker": 2}, released)], 5401).reason == "startup_timeout"


def test_what_ran_has_started():
    last = observe([TWO, *pods("worker", ["Running", "Running"])], workers(2))
    now = [TWO, pod("worker", 0), pod("worker", 1, "Unknown")]
    assert late(now, 9999, last=last).phase is JobPhase.RUNNING
    silent = JobState(JobPhase.RUNNING, "unreachable")
    assert late([TWO, pod("worker", 0)], 9999, last=silent).phase is JobPhase.RUNNING
    assert late([jobset({"worker": 2}, restarts=1)], 9999).phase is JobPhase.PENDING


def test_a_role_whose_turn_comes_when_another_has_succeeded_is_not_late():
    after = Dependency(role="prepare", phase=RolePhase.SUCCEEDED)
    given = job(prepare=1, worker=Role(replicas=2, depends_on=[after]))
    now = [jobset({"prepare": 1, "worker": 2}), pod("prepare", 0)]
    state = late(now, 9999, given)
    assert (state.phase, state.roles["worker"].phase) == (JobPhase.RUNNING, RolePhase.PENDING)


# The job's policy


BOTH = {"chief": 1, "worker": 1, "ps": 1}
POLICY = Policy(failure=[["ps"], ["chief", "worker"]], success=[["chief"]])


def alternatives(chief, worker, ps):
    found = [("chief", chief), ("worker", worker), ("ps", ps)]
    objects = [pod(n, 0, p, state=ended(1) if p == "Failed" else None) for n, p in found]
    return observe([jobset(BOTH), *objects], job(policy=POLICY, **BOTH)).phase.value


@pytest.mark.parametrize(
    ("chief", "worker", "ps", "phase"),
    [
        ("Running", "Failed", "Running", "running"),
        ("Failed", "Failed", "Running", "failed"),
        ("Running", "Running", "Failed", "failed"),
        ("Succeeded", "Running", "Running", "succeeded"),
        ("Succeeded", "Failed", "Running", "succeeded"),
        ("Succeeded", "Running", "Failed", "failed"),
        ("Running", "Succeeded", "Running", "running"),
        ("Running", "Running", "Pending", "pending"),
        ("Running", "Running", "Unknown", "pending"),
    ],
)
def test_any_clause_of_which_all_roles_have_ended(chief, worker, ps, phase):
    assert alternatives(chief, worker, ps) == phase


def test_the_launchers_exit_decides():
    given = job(Framework.MPI, launcher=1, worker=2)
    objects = [jobset({"launcher": 1, "worker": 2}), *pods("worker", ["Running", "Running"])]
    done = [*objects, pod("launcher", 0, "Succeeded")]
    broken = [*objects, pod("launcher", 0, "Failed", state=ended(3))]
    assert observe(done, given).phase is JobPhase.SUCCEEDED
    assert observe(broken, given).exit_code == 3


def test_workers_of_an_elastic_job_decide_nothing():
    given = Job(
        name="train", framework=Framework.HOROVOD, backend=Backend.JOBSET, run="true",
        roles={"launcher": Role(), "worker": Role(replicas=3)}, elastic=Elastic(min=2, max=4),
    )  # fmt: skip
    left = [jobset({"launcher": 1}), pod("launcher", 0), *pods("worker", ["Running", "Running"])]
    state = observe([*left, pod("worker", 2, "Failed", state=ended(1))], given)
    assert (state.phase, state.roles["worker"].failed) == (JobPhase.RUNNING, 1)
    assert observe([*left[:3]], given).phase is JobPhase.PENDING


def test_failed_is_kept_whatever_follows():
    failed = observe([TWO, pod("worker", 0, "Failed", state=ended(7))], workers(2))
    well = [jobset({"worker": 2}, condition("Completed")), *pods("worker", ["Succeeded"] * 2)]
    assert observe(well, workers(2), last=failed) is failed
    assert observe([], workers(2), last=failed) is failed
    assert observe(None, workers(2), last=failed) is failed


def test_what_succeeded_is_not_lost():
    done = JobState(JobPhase.SUCCEEDED, "completed", exit_code=0)
    assert observe([], workers(2), last=done) is done
    assert observe([], workers(2)).reason == "no_workload"
