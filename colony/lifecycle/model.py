"""A colony's life without an engine: what happens when, what it costs, what work is lost. Pure.

The decisions in it are the lifecycle's own functions (`budget.py`, `jobs/restarts.py`); only what
the world does is modelled, and follows from a seed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from colony.lifecycle.budget import HOUR, Bill, Ending, decide_budget, seconds_left
from components.spec import Budget, BudgetAction
from jobs.recovery import Recovery, saved_work
from jobs.restarts import Cause, Interruption, Next, Where, decide_recovery

__all__ = ["Course", "Event", "History", "Place", "live", "takings"]


@dataclass(frozen=True)
class Place:
    """One region's offer. Seconds are those it really takes; USD per hour."""

    name: str
    nodes_per_hour: float
    """Of the job's own nodes."""
    base_per_hour: float = 0.0
    """Of the control plane, paid from the first second."""
    system_per_hour: float = 0.0
    cluster: float = 720.0
    nodes: float = 480.0
    pulling: float = 300.0
    draining: float = 360.0
    spot_nodes: int = 0
    takings_per_node_hour: float = 0.0

    @property
    def per_hour(self) -> float:
        return self.nodes_per_hour + self.base_per_hour + self.system_per_hour

    @property
    def starting(self) -> float:
        return self.cluster + self.nodes + self.pulling


@dataclass(frozen=True)
class Course:
    """The job and its bounds, in seconds."""

    work: float
    checkpoint: float = 3600.0
    """Work between two checkpoints."""
    saves: float | None = None
    """Seconds that a checkpoint takes after SIGTERM; None = the job has no such hook."""
    notice: float = 120.0
    """Seconds between the notice and the loss of a machine."""
    grace: float = 60.0
    max_run_time: float = 24 * HOUR
    lease: float = 26 * HOUR
    poll: float = 5.0
    draining: float = 360.0
    """What the end is taken to take."""
    budget: Budget | None = None
    recovery: Recovery | None = None
    exit_codes: tuple[int, ...] = ()
    """How its first runs end, each half-way to the next checkpoint."""


@dataclass(frozen=True)
class Event:
    """`at` is seconds of the life."""

    at: float
    what: str
    where: str = ""


@dataclass
class History:
    """One life."""

    events: list[Event] = field(default_factory=list)
    outcome: str = ""
    reason: str = ""
    seconds: float = 0.0
    spent: float = 0.0
    preemptions: int = 0
    restarts: int = 0
    lost_seconds: float = 0.0
    lost_usd: float = 0.0

    @property
    def decisions(self) -> list[str]:
        """What the lifecycle decided, in order."""
        return [event.what for event in self.events if event.what in DECISIONS]


DECISIONS = (
    "drain", "kill", *(f"restart: {where.value}" for where in Where), "timed out", "succeeded",
)  # fmt: skip
Takings = Callable[[Place], float]
"""Seconds of running until the next machine is taken."""


_INSTANT = 1e-6
"""Seconds, against rounding."""


class _Over(Exception):
    """The life ends here."""


def takings(seed: int) -> Takings:
    """Poisson, by a seed."""
    chance = random.Random(seed)

    def until(place: Place) -> float:
        rate = place.spot_nodes * place.takings_per_node_hour
        return chance.expovariate(rate) * HOUR if rate > 0 else math.inf

    return until


def live(places: Sequence[Place], course: Course, until_taken: Takings) -> History:
    """The whole life, in the first of `places` and, where machines are taken, in others."""
    life = _Life(list(places), course, until_taken)
    try:
        life.start()
        while True:
            life.run()
    except _Over:
        life.end()
    return life.history


@dataclass
class _Life:
    places: list[Place]
    course: Course
    until_taken: Takings
    history: History = field(default_factory=History)
    done: float = 0.0
    """Work behind the last checkpoint."""
    ran: float = 0.0
    errors: int = 0
    failures: int = 0
    pending: float = 0.0
    """Work since then."""
    runs_now: bool = False
    action: BudgetAction | None = None

    @property
    def place(self) -> Place:
        return self.places[0]

    def start(self) -> None:
        """Everything that a new region needs."""
        place = self.place
        self.say("provision")
        self.pass_time(place.cluster, place.base_per_hour)
        self.pass_time(place.nodes, place.per_hour)
        self.say("setup")
        self.pass_time(place.pulling, place.per_hour)

    def run(self) -> None:
        """Until the work is done, or something stops it."""
        self.say("run")
        left = self.course.work - self.done
        fails = self._fails(left)
        taken = self.until_taken(self.place)
        stretch = min(left, taken, fails)
        allowed = self.course.max_run_time - self.ran
        self._work(min(stretch, allowed))
        if allowed <= stretch and allowed < left:
            self.over("timed out", "timed_out", "max_run_time")
        if stretch == left:
            self.done, self.pending = self.course.work, 0.0
            self.over("succeeded", "succeeded")
        self._stopped(Cause.PREEMPTED if taken <= fails else Cause.ERROR)

    def end(self) -> None:
        """The bill runs while jobs save what they have, and things are deleted."""
        course, drained = self.course, self.action is BudgetAction.DRAIN
        saved = drained and course.saves is not None and course.saves <= course.grace
        self._lose(0.0 if saved else self.pending)
        if drained and self.runs_now:
            self._bill(min(course.grace, course.saves or math.inf), self.place.per_hour)
        self.say("destroy")
        self._bill(self.place.draining, self.place.per_hour)
        self.say("gone")

    def over(self, decision: str, outcome: str, reason: str = "") -> None:
        self.say(decision)
        self.history.outcome, self.history.reason = outcome, reason
        raise _Over

    def say(self, what: str) -> None:
        self.history.events.append(Event(self.history.seconds, what, self.place.name))

    def pass_time(self, seconds: float, per_hour: float) -> float:
        """As the watch does it, a look at every poll; returns what really passed."""
        course, begun = self.course, self.history.seconds
        until = begun + seconds
        tick = self._tick(per_hour)
        if course.lease <= min(tick, until):
            self._bill(course.lease - begun, per_hour)
            self.over("timed out", "timed_out", "lease")
        if tick > until:
            self._bill(seconds, per_hour)
            return seconds
        self._bill(tick - begun, per_hour)
        verdict = decide_budget(course.budget, self._now(), self._ending())
        if verdict.action:
            self.action = verdict.action
            self.over(verdict.action.value, "failed", verdict.reason)
        return self.pass_time(until - tick, per_hour)

    def _tick(self, per_hour: float) -> float:
        """The first poll at which the budget may ask for the end."""
        if per_hour <= 0:
            return math.inf
        now, bill = self.history.seconds, self._now()
        left = seconds_left(self.course.budget, bill, self._ending())
        due = now + left * bill.per_hour / per_hour + _INSTANT
        if math.isinf(due):
            return math.inf
        return math.ceil(max(due, now) / self.course.poll) * self.course.poll

    def _work(self, seconds: float) -> None:
        """Runs; what the budget or the lease cuts off is kept as far as it was saved."""
        begun, self.runs_now = self.history.seconds, True
        try:
            self.pass_time(seconds, self.place.per_hour)
        finally:
            passed = self.history.seconds - begun
            self.ran += passed
            self._keep(min(passed, seconds))
        self.runs_now = False

    def _keep(self, worked: float) -> None:
        """Whole stretches are behind a checkpoint; the rest is lost unless a hook saves it."""
        whole = self.done + worked
        saved = saved_work(self.done, worked, self.course.checkpoint)
        saved = whole if whole >= self.course.work else saved
        self.pending = whole - saved
        self.done = saved

    def _stopped(self, cause: Cause) -> None:
        history, course = self.history, self.course
        lost, self.pending = self.pending, 0.0
        if cause is Cause.PREEMPTED:
            history.preemptions += 1
            self.say("preempt")
            if course.saves is not None and course.saves <= course.notice:
                self.done, lost = self.done + lost, 0.0
        else:
            self.say("error")
        self._lose(lost)
        self._go_on(self._next(cause), cause)

    def _lose(self, seconds: float) -> None:
        self.history.lost_seconds += seconds
        self.history.lost_usd += seconds * self.place.per_hour / HOUR

    def _next(self, cause: Cause) -> Next:
        code = None
        if cause is Cause.ERROR:
            code, self.failures = self.course.exit_codes[self.failures], self.failures + 1
        course, history = self.course, self.history
        left = min(
            course.lease - history.seconds,
            seconds_left(course.budget, self._now(), self._ending()),
        )
        return decide_recovery(
            course.recovery,
            Interruption(cause, code, self.errors),
            seconds=left,
            starting=self.place.starting,
            others=self.places[1:],
        )

    def _go_on(self, following: Next, cause: Cause) -> None:
        if not following.again:
            self.over(f"restart: {Where.NOWHERE.value}", "failed", following.reason)
        self.history.restarts += 1
        self.errors += following.counts
        self.say(f"restart: {following.where.value}")
        if following.where is Where.SAME:
            renewed = self.place.nodes if cause is Cause.PREEMPTED else 0.0
            self.pass_time(renewed + self.place.pulling, self.place.per_hour)
            return
        self.pass_time(self.place.draining, self.place.per_hour)
        self.places = [*self.places[1:], self.places[0]]
        self.start()

    def _fails(self, left: float) -> float:
        """When the next of the job's own errors comes."""
        if self.failures >= len(self.course.exit_codes):
            return math.inf
        return min(left, self.course.checkpoint) / 2

    def _bill(self, seconds: float, per_hour: float) -> None:
        self.history.seconds += seconds
        self.history.spent += seconds * per_hour / HOUR

    def _now(self) -> Bill:
        return Bill(self.history.spent, max(place.per_hour for place in self.places))

    def _ending(self) -> Ending:
        return Ending(self.course.grace, self.course.draining)
