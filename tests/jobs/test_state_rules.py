"""The phase rules of AresOperator, with the rows of its own tests."""

import pytest

from jobs.observing.rules import Counts, RoleRule, job_phase, role_phase
from jobs.policy import Pods, Restart, RolePhase

PHASES = {phase.value: phase for phase in RolePhase}

FAILURE = [["ps"], ["hub"], ["train"]]
SUCCESS = [["train"]]
JOBS = [
    # ps, hub, train, other, last, expected
    ("Running", "Failed", "Succeeded", None, "Running", "Failed"),
    ("Running", "Running", "Succeeded", None, "Running", "Succeeded"),
    ("Running", "Running", "Running", None, "Pending", "Running"),
    ("Running", "Running", "Pending", None, "Pending", "Starting"),
    ("Running", "Running", "Running", "Failed", "Running", "Running"),
]


@pytest.mark.parametrize(("ps", "hub", "train", "etcd", "last", "expected"), JOBS)
def test_phase_of_a_job(ps, hub, train, etcd, last, expected):
    roles = {"ps": ps, "hub": hub, "train": train} | ({"etcd": etcd} if etcd else {})
    phases = {name: PHASES[phase] for name, phase in roles.items()}
    assert job_phase(phases, FAILURE, SUCCESS, PHASES[last]).value == expected


ROLES = [
    # active, succeeded, failed, restart, last, expected
    (0, 0, 1, None, "Pending", "Failed"),
    (0, 3, 0, None, "Pending", "Succeeded"),
    (3, 0, 0, None, "Pending", "Running"),
    (1, 0, 0, None, "Pending", "Starting"),
    (2, 1, 0, None, "Running", "Running"),
    (1, 1, 0, "Never", "Running", "Failed"),
    (1, 1, 0, None, "Failed", "Failed"),
]


@pytest.mark.parametrize(("active", "succeeded", "failed", "restart", "last", "expected"), ROLES)
def test_phase_of_a_role(active, succeeded, failed, restart, last, expected):
    rule = RoleRule(3, Pods.ANY, Pods.ALL, Restart(restart) if restart else None)
    counts = Counts(active=active, succeeded=succeeded, failed=failed)
    assert role_phase(rule, counts, PHASES[last]).value == expected


MORE_ROLES = {
    "all must fail, two did": (Pods.ALL, Pods.ALL, Counts(active=1, failed=2), "Running"),
    "all must fail, all did": (Pods.ALL, Pods.ALL, Counts(failed=3), "Failed"),
    "one success is enough": (Pods.ANY, Pods.ANY, Counts(active=2, succeeded=1), "Succeeded"),
    "failed beats succeeded": (Pods.ANY, Pods.ANY, Counts(succeeded=2, failed=1), "Failed"),
    "unknown pods do not run": (Pods.ANY, Pods.ALL, Counts(active=2, unknown=1), "Starting"),
    "nothing yet": (Pods.ANY, Pods.ALL, Counts(), "Pending"),
    "one ended well before the last began": (
        Pods.ANY, Pods.ALL, Counts(active=2, succeeded=1), "Running",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MORE_ROLES)
def test_policies_of_a_role(name):
    failed, succeeded, counts, expected = MORE_ROLES[name]
    last = RolePhase.RUNNING if name == "all must fail, two did" else RolePhase.PENDING
    assert role_phase(RoleRule(3, failed, succeeded), counts, last).value == expected


def test_a_role_that_failed_has_failed_although_its_pods_run_again():
    for counts in (Counts(active=3), Counts(succeeded=3)):
        assert role_phase(RoleRule(3), counts, RolePhase.FAILED) is RolePhase.FAILED


def test_a_pod_that_others_replace_is_not_missing():
    counts = Counts(active=2)
    for restart in (None, *(r for r in Restart if r is not Restart.NEVER)):
        rule = RoleRule(3, restart=restart)
        assert role_phase(rule, counts, RolePhase.RUNNING) is RolePhase.RUNNING


MORE_JOBS = {
    "one clause of two": ([["a", "b"], ["c"]], {"a": "Failed", "c": "Failed"}, "Failed"),
    "half a clause": ([["a", "b"]], {"a": "Failed", "b": "Running"}, "Running"),
    "a role that is not there": ([["gone"]], {"a": "Running"}, "Running"),
    "an empty clause": ([[]], {"a": "Running"}, "Running"),
    "no clauses": ([], {"a": "Failed"}, "Running"),
}


@pytest.mark.parametrize("name", MORE_JOBS)
def test_clauses(name):
    clauses, roles, expected = MORE_JOBS[name]
    phases = {role: PHASES[phase] for role, phase in roles.items()}
    assert job_phase(phases, clauses, [], RolePhase.RUNNING).value == expected


def test_no_roles_never_run():
    assert job_phase({}, [], [], RolePhase.PENDING) is RolePhase.STARTING
