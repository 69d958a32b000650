"""Asks the agent in a cluster to scale a job, and waits for its word.

A request is one entry in the ConfigMap `<job>-elastic`, added with the version that was read: the
agent takes requests in order, and notes the outcome there (colony/agent/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from colony.agent.codec import read_spec, read_state, write_request, write_requests
from colony.agent.model import OUT, Outcome, Request, Spec, State
from colony.agent.scaling import STUCK, refusal
from colony.kubeapi import ApiRefused, KubeApi, Resource
from jobs.errors import Cancelled, ColonyError, InputError, NotReady, Problem, RunFailed

__all__ = ["LiveJob", "after", "check", "scale"]

ATTEMPTS = 10
SILENCE = 30.0
"""Seconds without a sign of the agent."""
EVERY = 0.5

Tell = Callable[[str], object]


@dataclass(frozen=True)
class Clock:
    """Time, and how to let it pass; tests have their own."""

    now: Callable[[], float]
    wait: Callable[[float], None]


class LiveJob:
    """An elastic job in a cluster. Methods raise InputError where the job is not elastic,
    RunFailed where it has ended, NotReady where no agent looks after it."""

    def __init__(self, api: KubeApi, namespace: str, job: str) -> None:
        self.job = job
        self._api = api
        self._namespace = namespace

    def spec(self) -> Spec:
        """What does not change."""
        found = self._get(f"{self.job}-elastic-spec")
        if found is None:
            hint = "give it `elastic: {max: N}`, and run it anew"
            raise InputError(Problem(self.job, "is not an elastic job that lives", hint))
        return read_spec(found.get("data") or {})

    def state(self) -> State:
        """What the agent has decided."""
        return read_state(self._live()["data"])

    def ask(self, request: Request) -> None:
        """Adds the request at the end."""
        self._change(lambda data: write_request(data, request))

    def withdraw(self, request: Request) -> None:
        """Takes it back where it was not begun; otherwise nothing happens."""
        self._change(lambda data: write_requests(data, without=request.id))

    def _change(self, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        for _ in range(ATTEMPTS):
            live = self._live()
            version = live["metadata"]["resourceVersion"]
            requests = change(live["data"])["requests"]
            body = {"metadata": {"resourceVersion": version}, "data": {"requests": requests}}
            try:
                self._api.merge(self._maps(), self._namespace, f"{self.job}-elastic", body)
            except ApiRefused as refused:
                if refused.code == 409:  # the agent was faster
                    continue
                raise
            return
        raise RunFailed(f"{self.job}: its ConfigMap changes all the time; try again")

    def _live(self) -> dict[str, Any]:
        found = self._get(f"{self.job}-elastic")
        if found is None:
            self.spec()
            raise RunFailed(f"{self.job} has ended, or has not been started yet")
        return found

    def _get(self, name: str) -> dict[str, Any] | None:
        return self._api.get(self._maps(), self._namespace, name)

    def _maps(self) -> Resource:
        return Resource("v1", "ConfigMap", "configmaps", namespaced=True)


def check(live: LiveJob, request: Request) -> None:
    """InputError for what the agent would refuse, as far as it is known now."""
    state = live.state()
    if state.requests or state.scaling:
        return  # how many workers there are then is not known yet
    said = refusal(live.spec(), state, request)
    if said:
        raise InputError(Problem(live.job, said))


def after(live: LiveJob, request: Request) -> int:
    """How many workers there are to be then."""
    state = live.state()
    change = request.count if request.count is not None else len(request.names or [])
    size = len(state.target) + state.owed
    return size + change if request.kind == OUT else size - change


def scale(live: LiveJob, request: Request, tell: Tell, clock: Clock) -> Outcome:
    """Asks and waits. Raises InputError where the agent refuses, RunFailed where the scaling
    failed and was taken back, NotReady where nobody answers, Cancelled after an interrupt."""
    live.ask(request)
    with _withdrawn(live, request):
        outcome = _followed(live, request, tell, clock)
    if outcome.outcome == "refused":
        raise InputError(Problem(live.job, f"refused: {outcome.message}"))
    if outcome.outcome != "done":
        raise RunFailed(f"{live.job}: nothing was changed: {outcome.message}")
    return outcome


@contextmanager
def _withdrawn(live: LiveJob, request: Request) -> Iterator[None]:
    """Whoever does not wait any more does not want it any more, if it was not begun."""
    try:
        yield
    except (KeyboardInterrupt, NotReady) as stop:
        try:
            live.withdraw(request)
        except ColonyError as error:
            raise RunFailed(f"the request is still queued: {error}") from stop
        if isinstance(stop, KeyboardInterrupt):
            raise Cancelled("not waited for any longer; what was begun goes on") from None
        raise


def _followed(live: LiveJob, request: Request, tell: Tell, clock: Clock) -> Outcome:
    limit = (request.timeout or live.spec().timeout) + STUCK
    said, sign, since = "", "", clock.now()
    while True:
        state = live.state()
        for outcome in state.history:
            if outcome.id == request.id:
                return outcome
        news = _news(state, request)
        if news != said:
            tell(news)
            said = news
        if (now := _sign(state)) != sign:
            sign, since = now, clock.now()
        patience = limit if state.scaling else SILENCE
        if clock.now() - since > patience:
            raise NotReady(
                f"{live.job}: the agent does not answer (kubectl logs deploy/colony-agent)"
            )
        clock.wait(EVERY)


def _sign(state: State) -> str:
    """Something that changes when the agent works."""
    stage = f"{state.scaling.request.id} {state.scaling.stage}" if state.scaling else ""
    return f"{stage} {len(state.requests)} {[each.id for each in state.history]}"


def _news(state: State, request: Request) -> str:
    scaling = state.scaling
    if scaling and scaling.request.id == request.id:
        reason = f": {scaling.reason}" if scaling.reason else ""
        return f"{scaling.stage} {', '.join(scaling.names)}{reason}"
    ahead = [each.id for each in state.requests]
    place = ahead.index(request.id) if request.id in ahead else 0
    return f"waits for {place + bool(scaling)} other scalings" if place or scaling else "asked"
