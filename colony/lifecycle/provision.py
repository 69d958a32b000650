"""`up`, and where a cloud refuses, the next best offer: until the colony is up or nothing is left
to ask for. What a refused attempt made is gone before the next begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from colony.lifecycle.attempts import Attempts
from colony.lifecycle.budget import Verdict
from colony.lifecycle.events import describe, tell_events
from colony.lifecycle.existing_layers import take_over_releases
from colony.lifecycle.ground import Ground, Tell, deployment_of
from colony.lifecycle.incident import Incident
from colony.lifecycle.locks import take_over
from colony.lifecycle.logbook import log
from colony.lifecycle.prepare import Plan, place_again
from colony.lifecycle.refused import of_cluster, of_pools, refused_in
from colony.lifecycle.releases import free_releases
from colony.lifecycle.spending import Purse, bounded
from colony.market.decision import Action, Decision
from colony.market.settle import Settled
from components.placement import ClusterPlacement
from jobs.errors import Cancelled, ColonyError, ProvisioningFailed, RunFailed

__all__ = ["Provisioned", "provision", "raise_colony"]

POLL = 5.0
"""Seconds: what is waited for longer than this is not paid for meanwhile."""
DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}


@dataclass
class Provisioned:
    """How the attempts ended. `plan` is the one that was tried last."""

    plan: Plan
    deployment: Mapping[str, Any]
    failed: RunFailed | Cancelled | None = None
    broke: Verdict = field(default_factory=lambda: Verdict(None))
    """Whether the budget ended it."""
    unable: bool = False
    """The credentials do not work: this machine lacks something."""
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Provisioning:
    ground: Ground
    plan: Plan
    tell: Tell
    since: float
    cancelled: Callable[[], bool]
    incident: Incident
    attempts: Attempts
    events: list[dict[str, Any]] = field(default_factory=list)
    deployment: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stack(self) -> str:
        return self.plan.spec.name

    def elapsed(self) -> float:
        return self.ground.now() - self.since

    def purse(self) -> Purse:
        """By the prices of what is tried now."""
        return Purse.of(self.ground, self.plan.spec, self.plan.placement, self.since)


def raise_colony(ground: Ground, plan: Plan, tell: Tell, timeout: float | None = None) -> None:
    """`up` by the real engine. Raises ProvisioningFailed with the provider's words by URN.

    What a killed run has left locked is taken over; StackLocked where somebody works on it.

    A world's lines come afterwards, when its time has been computed.
    """
    from components.program import build

    take_over(ground.engine, plan.spec.name, tell)
    free_releases(ground, plan.spec.name, tell)
    take_over_releases(ground, plan, tell)
    on_event = None if ground.simulated else partial(_told, tell)
    several = len(plan.placement.clusters) > 1  # what fails in one stops nothing of the others
    ground.engine.up(
        plan.spec.name, build, on_event=on_event, timeout=timeout, continue_on_error=several
    )


def provision(
    ground: Ground,
    plan: Plan,
    tell: Tell,
    *,
    since: float,
    incident: Incident,
    attempts: Attempts,
    cancelled: Callable[[], bool] = lambda: False,
    first: Decision | None = None,
) -> Provisioned:
    """Everything up, or the reason why not. What is left of the last attempt is the caller's to
    destroy; of the attempts before, nothing is left.

    `first`: what is up already is left as this decision says, before anything is asked for."""
    under = _Provisioning(ground, plan, tell, since, cancelled, incident, attempts)
    _begin(under, again=first is not None)
    decision = first
    while True:
        if decision is None:
            failed = _attempt(under)
            decision = _decision(under, failed)
            if decision is None or decision.action is Action.STOP or cancelled():
                return _over(under, failed, decision)
        try:
            _go_on(under, decision)
            decision = None
        except Cancelled as error:
            return _over(under, error, None)
        except ColonyError as error:
            return _over(under, RunFailed(f"no other attempt was possible: {error}"), None)
        if cancelled():
            return _over(under, Cancelled("up was interrupted"), None)
        if (broke := under.purse().verdict()).action:
            return _over(under, RunFailed(broke.reason), None)


def _begin(under: _Provisioning, again: bool) -> None:
    """A search for capacity has its own time, and is in the incident file."""
    ground, plan, now = under.ground, under.plan, under.ground.now()
    under.deployment = deployment_of(ground, under.stack)
    if plan.failover is None:
        return
    plan.failover.again(now)
    if again:
        under.incident.moved(now)
        return
    settled = Settled(plan.spec, plan.placement)
    under.incident.asked(now, plan.failover, settled, plan.recorded)


def _attempt(under: _Provisioning) -> RunFailed | Cancelled | None:
    """One `up`, with its time and its events."""
    failed: RunFailed | Cancelled | None = None
    under.attempts.begin(under.elapsed(), under.plan.placement)
    began = under.plan.failover.began if under.plan.failover else under.since
    under.incident.attempt(under.ground.now(), under.plan.placement, began)
    try:
        with bounded(under.purse()):
            raise_colony(under.ground, under.plan, under.tell, _time_left(under))
    except (ProvisioningFailed, Cancelled) as error:
        failed = error
    ground, before = under.ground, under.deployment
    under.deployment = deployment_of(ground, under.stack)
    _note(under, ground.settle_up(under.deployment, under.since, before))
    return failed


def _time_left(under: _Provisioning) -> float | None:
    """Of the deadline; a world's time passes only afterwards."""
    if under.ground.simulated or under.plan.failover is None:
        return None
    failover = under.plan.failover
    return max(60.0, failover.began + failover.policy.deadline - under.ground.now())


def _decision(under: _Provisioning, failed: RunFailed | Cancelled | None) -> Decision | None:
    """None: there is nothing to decide, since all is up or what failed is no cloud's refusal."""
    plan, now = under.plan, under.ground.now()
    if not isinstance(failed, ProvisioningFailed) or plan.failover is None:
        return None
    if under.purse().verdict().action:
        return None
    refused = refused_in(under.stack, plan.placement, failed.failures)
    if not refused:
        return None
    decision = plan.failover.decide(Settled(plan.spec, plan.placement), refused, now)
    under.attempts.refuse(decision.understood, under.since)
    under.incident.refused(now, refused, decision, plan.failover)
    for each in decision.understood:
        code = each.failure.code or "refused"
        under.tell(f"{each.cluster} {each.pool or 'cluster'}: {code}: {each.failure.text}")
    return decision


def _go_on(under: _Provisioning, decision: Decision) -> None:
    """Lets go of what was refused, waits, and writes down what is tried next."""
    if decision.action is Action.AGAIN:
        under.tell(f"throttled: asked again in {decision.after:.0f} s")
        _wait(under, decision.after)
        under.attempts.end(under.elapsed())
        return
    assert decision.settled is not None
    _release(under, decision)
    if decision.after > 0:
        under.tell(f"{decision.reason}: asked again in {decision.after:.0f} s")
    under.attempts.end(under.elapsed())
    _wait(under, decision.after)
    spec, placement = decision.settled.spec, decision.settled.placement
    under.plan = place_again(under.ground, replace(under.plan, spec=spec, placement=placement))
    for name in decision.moved:
        if all(name != each.name for each in placement.clusters):
            under.tell(f"{name} refused and is left out: its jobs go to the other clusters")
    for cluster in placement.clusters:
        if cluster.name in decision.moved:
            under.tell(f"{decision.reason} for {cluster.name}: {_where(cluster)}")


def _release(under: _Provisioning, decision: Decision) -> None:
    """In the same region only the machines that were refused or that change go: the cluster
    itself is used again. Elsewhere, or while nobody can ask, all of the cluster goes."""
    assert decision.settled is not None
    old, new = under.plan.placement, decision.settled.placement
    stays = decision.after <= POLL
    doomed: list[dict[str, Any]] = []
    for cluster in [each for each in old.clusters if each.name in decision.moved]:
        after = next((each for each in new.clusters if each.name == cluster.name), None)
        if after and stays and (after.cloud, after.region) == (cluster.cloud, cluster.region):
            refused = {each.pool for each in decision.understood if each.cluster == cluster.name}
            kept = {pool.name for pool in cluster.pools if pool in after.pools}
            gone = refused | {pool.name for pool in cluster.pools} - kept
            doomed += of_pools(under.stack, cluster, gone, under.deployment)
        else:
            doomed += of_cluster(under.stack, cluster.name, under.deployment)
    _destroy(under, doomed)


def _destroy(under: _Provisioning, doomed: list[dict[str, Any]]) -> None:
    """Raises ColonyError where something of it stays in the state."""
    urns = [each["urn"] for each in doomed]
    if not urns:
        return
    under.tell(f"releasing what was made there ({len(urns)} resources)")
    under.ground.engine.destroy(under.stack, only=urns)
    _note(under, under.ground.settle_destroy({"resources": doomed}, under.since))
    under.incident.released(under.ground.now(), len(urns))
    ground = under.ground
    under.deployment = deployment_of(ground, under.stack)


def _wait(under: _Provisioning, seconds: float) -> None:
    until = under.ground.now() + seconds
    while (left := until - under.ground.now()) > 0 and not under.cancelled():
        under.ground.wait(min(POLL, left))


def _over(
    under: _Provisioning, failed: RunFailed | Cancelled | None, decision: Decision | None
) -> Provisioned:
    if failed is None:
        under.attempts.succeed(under.elapsed())
    else:
        if decision and decision.action is Action.STOP:
            failed = ProvisioningFailed(decision.reason, getattr(failed, "failures", {}))
        under.attempts.fail(under.elapsed(), str(failed))
    broke = under.purse().verdict() if failed else Verdict(None)
    if failed and broke.action:
        failed = RunFailed(broke.reason)
    what = "not up" if failed else "up"
    log(under.ground, under.stack, what, reason=str(failed or ""), attempts=len(under.attempts.all))
    kinds = {each.failure.kind.value for each in decision.understood} if decision else set()
    unable = "credential" in kinds
    return Provisioned(under.plan, under.deployment, failed, broke, unable, under.events)


def _note(under: _Provisioning, events: list[dict[str, Any]]) -> None:
    """A real state lists what is there, so that an event may come again."""
    known = {(event["what"], event["urn"], event["at"]) for event in under.events}
    fresh = [e for e in events if (e["what"], e["urn"], e["at"]) not in known]
    under.events += fresh
    if under.ground.simulated:
        tell_events(under.tell, fresh)


def _where(cluster: ClusterPlacement) -> str:
    pools = [f"{p.nodes} x {p.instance_type}" + (f" in {p.zone}" if p.zone else "")
             for p in cluster.pools if p.accelerator]  # fmt: skip
    return f"{cluster.cloud}/{cluster.region} {', '.join(pools)}".rstrip()


def _told(tell: Tell, event: Any) -> None:
    """One line a resource that has come up, or that the file no longer has."""
    outputs = getattr(event, "res_outputs_event", None)
    if outputs is None or outputs.metadata.op.value not in DONE:
        return
    line = describe(DONE[outputs.metadata.op.value], outputs.metadata.urn)
    if line:
        tell(line)
