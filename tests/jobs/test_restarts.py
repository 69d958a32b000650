"""Whether a job starts again, where, and what its start goes on from."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.observing import states
from jobs.recovery import Recovery, Strategy, Work
from jobs.restarts import (
    Cause,
    Interruption,
    Where,
    answered,
    cause_of,
    decide_recovery,
    recovery_of,
)
from jobs.spec import Job
from jobs.state import JobPhase, JobState
from jobs.wording import check

TAKEN = Interruption(Cause.PREEMPTED)
EAGER, SAME_FIRST = Recovery(), Recovery(strategy="failover")


def decided(recovery, what=TAKEN, **more):
    options = {"seconds": math.inf, "starting": 600.0, "others": ["b"], **more}
    return decide_recovery(recovery, what, **options)


@pytest.mark.parametrize(
    "recovery, more, where",
    [
        (EAGER, {}, Where.NEXT),
        (EAGER, {"others": []}, Where.SAME),
        (EAGER, {"others": [], "same_refused": True}, Where.NOWHERE),
        (SAME_FIRST, {}, Where.SAME),
        (SAME_FIRST, {"same_refused": True}, Where.NEXT),
        (SAME_FIRST, {"seconds": 600.0}, Where.NOWHERE),
        (None, {}, Where.NOWHERE),
    ],
)
def test_where_a_job_whose_machines_were_taken_goes_on(recovery, more, where):
    assert decided(recovery, **more).where is where


def test_errors_are_counted_and_the_codes_to_recover_from_are_not():
    recovery = Recovery(max_restarts_on_errors=1, recover_on_exit_codes=[33])
    first = decided(recovery, Interruption(Cause.ERROR, 1))
    assert (first.where, first.counts) == (Where.SAME, True)
    assert decided(recovery, Interruption(Cause.ERROR, 1, errors=1)).where is Where.NOWHERE
    again = decided(recovery, Interruption(Cause.ERROR, 33, errors=1))
    assert (again.where, again.counts) == (Where.SAME, False)


@pytest.mark.parametrize(
    "phase, reason, cause",
    [
        (JobPhase.FAILED, states.PREEMPTED, Cause.PREEMPTED),
        (JobPhase.FAILED, states.POSSIBLE_NODE_DOWN, Cause.PREEMPTED),
        (JobPhase.FAILED, states.POD_MISSING, Cause.PREEMPTED),
        (JobPhase.FAILED, states.POD_FAILED, Cause.ERROR),
        (JobPhase.FAILED, states.IMAGE_PULL, None),
        (JobPhase.FAILED, states.TIMED_OUT, None),
        (JobPhase.FAILED, states.OUTPUTS_LOST, None),
        (JobPhase.LOST, states.NO_WORKLOAD, None),
        (JobPhase.SUCCEEDED, states.COMPLETED, None),
    ],
)
def test_what_another_start_could_mend(phase, reason, cause):
    assert cause_of(JobState(phase, reason)) is cause


def test_only_jobs_on_spot_machines_start_again_without_being_asked_to():
    job = Job(name="train", run="true")
    assert recovery_of(job, spot=False) is None
    assert recovery_of(job, spot=True) == Recovery()
    own = Job(name="train", run="true", recovery={"strategy": "FAILOVER"})
    assert recovery_of(own, spot=False).strategy is Strategy.FAILOVER
    elastic = Job(name="train", run="true", framework="horovod", elastic={"max": 4})
    assert recovery_of(elastic, spot=True) is None


@pytest.mark.parametrize(
    "recovery, path, said",
    [
        ({"strategy": "SOMEWHERE"}, "recovery.strategy", "FAILOVER"),
        ({"stratgy": "FAILOVER"}, "recovery.stratgy", "strategy"),
        ({"recover_on_exit_codes": [256]}, "recovery.recover_on_exit_codes", "0 to 255"),
        ({"max_restarts_on_errors": -1}, "recovery.max_restarts_on_errors", "0"),
        ({"checkpoint_interval": "often"}, "recovery.checkpoint_interval", "30s"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(recovery, path, said):
    _, problems = check(Job, {"name": "train", "run": "true", "recovery": recovery})
    (problem,) = problems
    assert problem.path == path
    assert said in f"{problem.message} {problem.hint}"


def test_an_elastic_job_has_no_recovery_of_its_own():
    asked = {"elastic": {"max": 4}, "framework": "horovod", "recovery": {}}
    _, (problem,) = check(Job, {"name": "train", "run": "true", **asked})
    assert (problem.path, "elastic" in problem.message) == ("recovery", True)


@given(
    stops=st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from([0, 30, 120])), max_size=12),
    interval=st.integers(1, 5000),
    saves=st.none() | st.integers(1, 200),
)
def test_no_work_is_lost_twice_and_none_is_made_up(stops, interval, saves):
    work = Work(Recovery(checkpoint_interval=interval, saves_in=saves))
    lost = 0.0
    for worked, notice in stops:
        before = work.done
        this = work.stop(worked, notice)
        assert 0 <= this <= worked
        assert work.done >= before
        assert this == 0 if saves is not None and saves <= notice else this < interval
        lost += this
    assert work.done + lost == sum(worked for worked, _ in stops)


@given(
    cause=st.sampled_from(list(Cause)),
    code=st.none() | st.integers(0, 255),
    errors=st.integers(0, 3),
    seconds=st.none() | st.floats(0, 5000),
    others=st.booleans(),
    refused=st.booleans(),
    strategy=st.sampled_from(list(Strategy)),
)
def test_an_incident_file_says_all_that_was_decided_by(
    cause, code, errors, seconds, others, refused, strategy
):
    recovery = Recovery(strategy=strategy, max_restarts_on_errors=2, recover_on_exit_codes=[3])
    asked = {
        "recovery": recovery.model_dump(mode="json"), "cause": cause.value, "exit_code": code,
        "errors": errors, "seconds": seconds, "starting": 900.0, "others": others,
        "same_refused": refused,
    }  # fmt: skip
    assert answered(asked) == decide_recovery(
        recovery, Interruption(cause, code, errors),
        seconds=math.inf if seconds is None else seconds, starting=900.0,
        others=["b"] if others else [], same_refused=refused,
    )  # fmt: skip
