"""`colony up`: a new colony through all attempts, an old one brought up to date where it is."""

from __future__ import annotations

from dataclasses import replace

from colony.lifecycle.attempts import Attempts
from colony.lifecycle.ground import Ground, Tell, records_of
from colony.lifecycle.incident import Incident
from colony.lifecycle.interrupts import Interrupts
from colony.lifecycle.prepare import Plan
from colony.lifecycle.provision import provision
from jobs.errors import NotReady

__all__ = ["raised"]


class _Interrupts(Interrupts):
    what = "cancelled: what is up stays, until its lease or `colony down` ends it"


def raised(ground: Ground, plan: Plan, tell: Tell, since: float) -> Plan:
    """Raises ProvisioningFailed or RunFailed, Cancelled, and NotReady for credentials that do not
    work; what is up then is the lease's to end. Times are told from `since`."""
    attempts = Attempts()
    if plan.failover:  # the clusters of the file are what is asked for, whatever jobs are on them
        plan.failover.policy = replace(plan.failover.policy, leaves_hosts=False)
    incident = Incident(records_of(ground, plan.spec.name))
    with _Interrupts(ground, tell) as interrupts:
        done = provision(
            ground, plan, tell, since=since, incident=incident, attempts=attempts,
            cancelled=lambda: interrupts.cancelled,
        )  # fmt: skip
    spans = attempts.spans(ground, plan.spec.name, done.plan.placement, since)
    lines, wasted = attempts.lines(spans, plan.spec.name), attempts.wasted(spans, plan.spec.name)
    records_of(ground, plan.spec.name).write(
        "attempts", {"attempts": lines, "failed_attempts": wasted}
    )
    if wasted["usd"]:
        tell(f"failed attempts: ${wasted['usd']:,.2f}, {wasted['node_seconds']:,.0f} node-seconds")
    if done.failed and done.unable:
        raise NotReady(str(done.failed)) from done.failed
    if done.failed:
        raise done.failed
    return done.plan
