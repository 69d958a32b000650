"""Jobs that are ended by hand, one by one: `colony cancel`.

That it was asked for is written down before anything is deleted, beside the state and on the job's
own object, so that neither an attached run nor the agent takes the job for lost. After the last job
the colony ends by its policy: its run sees to that, or without one the reaper, at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from colony.agent.completion import State, read_completion
from colony.agent.ending import CANCELLED_BY
from colony.lifecycle.accesses import accesses_of
from colony.lifecycle.agent_maps import written
from colony.lifecycle.cancelled import cancelled_jobs, note_cancelled
from colony.lifecycle.following import Following
from colony.lifecycle.ground import ClusterAccess, Ground, Tell, deployment_of, records_of
from colony.lifecycle.keeping import keeps
from colony.lifecycle.kinds import WORKLOADS, carries
from colony.lifecycle.locks import attended
from colony.lifecycle.logbook import log
from colony.lifecycle.reap import Reaped, reap
from colony.lifecycle.receipt import worst
from colony.lifecycle.spending import recorded
from colony.lifecycle.watch import observed, outcome_of
from colony.records import Records
from components.agent_completion import completion_name
from components.quota import namespace_of
from components.spec import ColonySpec
from jobs.elastic import spec_name
from jobs.errors import ColonyError, InputError, NotReady, Problem, RunFailed
from jobs.problems import did_you_mean
from jobs.spec import Job
from jobs.state import JobPhase

__all__ = ["Cancelling", "cancel"]

AGENT = 15.0
"""Seconds for the agent to see that a job is cancelled: then it does not call it lost."""
GOING = 60.0
"""Seconds beyond the grace for a job's objects to be gone."""
STEP = 1.0


@dataclass
class Cancelling:
    """What was done. `ended` is what came of the colony, where nothing of it was left to run."""

    jobs: list[str] = field(default_factory=list)
    attended: bool = False
    ended: Reaped | None = None


@dataclass(frozen=True)
class _Target:
    """One job, where it is."""

    job: Job
    access: ClusterAccess
    namespace: str

    @property
    def kind(self) -> str:
        return WORKLOADS[self.job.backend.value]

    def workloads(self) -> list[dict[str, Any]]:
        """What the user asked for; what a controller made goes with it."""
        found = self.access.objects(self.kind, self.namespace)
        owned = [each for each in found if carries(each, self.job.name)]
        return [each for each in owned if not each["metadata"].get("ownerReferences")]

    def left(self) -> list[str]:
        """Its workloads, and its pods that have not ended."""
        over = ("Succeeded", "Failed")
        pods = [
            each["metadata"]["name"]
            for each in self.access.objects("Pod", self.namespace)
            if carries(each, self.job.name) and (each.get("status") or {}).get("phase") not in over
        ]
        return [*(each["metadata"]["name"] for each in self.workloads()), *pods]

    def outcome(self, now: float) -> str:
        """Empty while it has not ended, or has not begun."""
        state = observed(Following(self.job, self.access, self.namespace, now, heard=now), now)
        return "lost" if state.phase is JobPhase.LOST else outcome_of(state) if state.ended else ""


def cancel(ground: Ground, stack: str, name: str, tell: Tell) -> Cancelling:
    """Cancels the job `name`, or all that have not ended; returns when their pods are gone.

    Raises InputError (no such job, it has ended, nothing runs), NotReady (its cluster is not up),
    RunFailed where something of a job stays.
    """
    spec, targets = _targets(ground, stack)
    records = records_of(ground, stack)
    chosen = _chosen(ground, spec, targets, name, cancelled_jobs(records))
    for target in chosen:
        tell(f"job {target.job.name} is cancelled: {spec.teardown.grace} s for its last checkpoint")
        _write_down(ground, stack, records, target)
    if spec.teardown.signals is not None:
        _await_agent(ground, spec, chosen, tell)
    for target in chosen:
        _delete(target, records)
    _await_gone(ground, chosen, spec.teardown.grace + GOING)
    done = Cancelling([target.job.name for target in chosen], attended(records.read("runner")))
    if spec.teardown.signals:
        _until(ground, AGENT, lambda: not any(_untold(target, spec) for target in chosen))
    if not done.attended:
        done.ended = _end(ground, spec, records, targets, tell)
    return done


def _targets(ground: Ground, stack: str) -> tuple[ColonySpec, dict[str, _Target]]:
    """Those jobs whose cluster is up."""
    there = stack in ground.engine.stacks()
    found = recorded(ground, stack) if there else None
    if found is None:
        raise InputError(Problem("NAME", f"{stack} is not there any more: nothing of it runs"))
    if (records_of(ground, stack).read("clusters") or {}).get("ending"):
        raise InputError(Problem("NAME", f"the end of {stack} has begun: its jobs end with it"))
    spec, placement = found
    accesses = accesses_of(ground, deployment_of(ground, stack))
    return spec, {
        job.name: _Target(job, accesses[cluster], namespace_of(job, spec))
        for job in spec.jobs
        if (cluster := placement.jobs.get(job.name, "")) in accesses
    }


def _chosen(
    ground: Ground,
    spec: ColonySpec,
    targets: Mapping[str, _Target],
    name: str,
    before: Mapping[str, Any],
) -> list[_Target]:
    """Cancelled twice is cancelled once; what was begun and not finished goes on."""
    known = [job.name for job in spec.jobs]
    if name and name not in known:
        hint = did_you_mean(name, known, f"its jobs: {', '.join(known) or 'none'}")
        raise InputError(Problem("NAME/JOB", f"{spec.name} has no job `{name}`", hint))
    if name and name not in targets:
        raise NotReady(f"the cluster of {name} is not up: `colony status {spec.name}`")
    wanted = [targets[name]] if name else list(targets.values())
    ends = {each.job.name: each.outcome(ground.now()) for each in wanted}
    over = {job: end for job, end in ends.items() if end and job not in before}
    if name and over:
        raise InputError(Problem("NAME/JOB", f"{name} has ended: {over[name]}"))
    if not name and len(over) == len(wanted):
        raise InputError(Problem("NAME", f"no job of {spec.name} runs"))
    return [each for each in wanted if each.job.name not in over]


def _write_down(ground: Ground, stack: str, records: Records, target: _Target) -> None:
    if note_cancelled(records, target.job.name, round(ground.now(), 3)):
        log(ground, stack, "cancelled", job=target.job.name)
    for each in target.workloads():
        marks = {CANCELLED_BY: "colony cancel"}
        target.access.annotate(target.kind, target.namespace, each["metadata"]["name"], marks)


def _await_agent(ground: Ground, spec: ColonySpec, chosen: list[_Target], tell: Tell) -> None:
    """It looks every few seconds. One that is not there holds nothing up."""
    if any(_unseen(target, spec) for target in chosen) and _until(
        ground, AGENT, lambda: not any(_unseen(target, spec) for target in chosen)
    ):
        return
    for target in chosen:
        if _unseen(target, spec):
            tell(f"the agent has not seen that {target.job.name} is cancelled: it may say `lost`")


def _unseen(target: _Target, spec: ColonySpec) -> bool:
    """Whether the agent knows the job and has not noted its end."""
    marks = [state.jobs.get(target.job.name) for state in _agents(target, spec)]
    return any(mark is not None and not mark.outcome for mark in marks)


def _untold(target: _Target, spec: ColonySpec) -> bool:
    """Whether the agent has yet to tell of its record: it goes with the colony."""
    names = [signal.name for signal in spec.teardown.signals or []]
    return any(
        state.record is not None
        and any(name not in state.signals or state.signals[name].done is None for name in names)
        for state in _agents(target, spec)
    )


def _agents(target: _Target, spec: ColonySpec) -> list[State]:
    """What the agent of its cluster has written down; nothing where it cannot be asked."""
    spaces = sorted({namespace_of(job, spec) for job in spec.jobs})
    try:
        maps = written(target.access, spaces, spec.name, completion_name)
        return [read_completion(data) for data in maps]
    except (ColonyError, KeyError, TypeError, ValueError):
        return []


def _delete(target: _Target, records: Records) -> None:
    """Its logs first: they go with its pods."""
    job, space = target.job, target.namespace
    target.access.keep_logs(job.name, records.logs / job.name, space)
    for each in target.workloads():
        target.access.delete(target.kind, space, each["metadata"]["name"])
    if job.elastic:  # owns the workers and all that the agent keeps of them
        maps = target.access.objects("ConfigMap", space)
        if any(each["metadata"]["name"] == spec_name(job) for each in maps):
            target.access.delete("ConfigMap", space, spec_name(job))


def _await_gone(ground: Ground, chosen: list[_Target], seconds: float) -> None:
    if _until(ground, seconds, lambda: not any(target.left() for target in chosen)):
        return
    left = [f"{target.job.name}: {', '.join(target.left())}" for target in chosen if target.left()]
    raise RunFailed(f"still there after {seconds:.0f} s: {'; '.join(left)}")


def _until(ground: Ground, seconds: float, happened: Callable[[], bool]) -> bool:
    deadline = ground.now() + seconds
    while not happened():
        if ground.now() > deadline:
            return False
        ground.wait(STEP, until=ground.now() + STEP)
    return True


def _end(
    ground: Ground, spec: ColonySpec, records: Records, targets: Mapping[str, _Target], tell: Tell
) -> Reaped | None:
    """None while another job has not ended."""
    if len(targets) < len(spec.jobs):
        return None
    before = cancelled_jobs(records)
    outcomes = {
        job: "cancelled" if job in before else target.outcome(ground.now())
        for job, target in targets.items()
    }
    if not all(outcomes.values()):
        return None
    said = {job: "failed" if end == "lost" else end for job, end in outcomes.items()}
    outcome = worst(list(said.values()))
    completion = {
        "outcome": outcome, "at": ground.now(), "jobs": said, "keep": keeps(spec, outcome),
        "reason": "cancelled by `colony cancel`",
    }  # fmt: skip
    records.write("completion", completion)
    log(ground, spec.name, "completed", outcome=outcome, reason=str(completion["reason"]))
    [ended] = reap(ground, tell, only=spec.name)
    return ended
