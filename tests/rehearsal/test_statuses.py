"""What a simulated controller writes is what the state is deduced from."""

import pytest

from colony.rehearsal.expand import find_workload, kind_of
from colony.rehearsal.expand_trainjob import as_jobset
from colony.rehearsal.statuses import Moment, Stage, status_of, suspended
from jobs.backends import render
from jobs.context import JobContext
from jobs.spec import Job
from jobs.state import observe

CONTEXT = JobContext(colony="spring", cluster="main", cloud="aws", region="us-east-1")
FRAMEWORKS = {"mpijob": "mpi", "rayjob": "ray"}
BACKENDS = ("jobset", "job", "volcano", "trainjob", "mpijob", "rayjob")
PHASES = {
    Stage.SUSPENDED: "pending",
    Stage.STARTING: "pending",
    Stage.RUNNING: "running",
    Stage.SUCCEEDED: "succeeded",
    Stage.FAILED: "failed",
}


def job_of(backend, **more):
    framework = FRAMEWORKS.get(backend, "pytorch")
    return Job(name="demo", framework=framework, backend=backend, nodes=2, run="true", **more)


def seen(backend, job, moment):
    manifests = render(job, CONTEXT)
    groups = {kind_of(find_workload(manifests))}
    workloads = [each for each in manifests if kind_of(each) in groups]
    if backend == "trainjob":
        child, _, _ = as_jobset(workloads[0], manifests)
        child["metadata"] |= {"ownerReferences": [{"name": "demo", "controller": True}]}
        workloads.append(child)
    for each in workloads:
        each["status"] = status_of(kind_of(each), each, moment)
    return observe(workloads, job)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("stage", PHASES, ids=lambda stage: stage.value)
def test_every_stage_of_every_kind_is_seen_as_what_it_is(backend, stage):
    at = "2026-01-01T00:00:00Z"
    state = seen(backend, job_of(backend), Moment(stage, at))
    assert state.phase.value == PHASES[stage], state


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_deadline_is_told_from_a_failure(backend):
    assert seen(backend, job_of(backend), Moment(Stage.FAILED)).reason != "timed_out"
    late = seen(backend, job_of(backend), Moment(Stage.FAILED, timed_out=True))
    assert (late.phase.value, late.reason) == ("failed", "timed_out")


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_is_made_to_wait_is_known_by_the_kinds_own_field(backend):
    waits = find_workload(render(job_of(backend, queue="q"), CONTEXT))
    goes = find_workload(render(job_of(backend), CONTEXT))
    assert not suspended(kind_of(goes), goes)
    assert suspended(kind_of(waits), waits) is (backend != "volcano")
