"""A lease that is made longer, and a colony that is held for a look at it.

The record beside the state is the lease: whoever reads it goes by it. The tags on the resources
follow by an `up`, which changes nothing else; by tags alone (`colony sweep --expired`) the latest
date on anything of a colony counts, since machines keep the tags that they were made with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from colony.lifecycle.config import code_here
from colony.lifecycle.ground import Ground, Tell, records_of
from colony.lifecycle.logbook import log
from colony.lifecycle.prepare import Plan
from colony.lifecycle.provision import raise_colony
from colony.lifecycle.spending import recorded
from colony.records import Records, lease_in
from components.lease import Lease
from jobs.errors import ColonyError, InputError, Problem, RunFailed

__all__ = ["extend", "keep", "kept_until"]


def extend(ground: Ground, stack: str, seconds: int, tell: Tell) -> Lease:
    """Moves the end of the lease by so many seconds; of one that has passed, from now.

    Raises InputError where there is nothing to extend, RunFailed where only the tags are old.
    """
    before = _lease(ground, stack)
    now = int(ground.now())
    lease = _changed(ground, stack, lambda held: {"expires": max(held.expires, now) + seconds})
    log(ground, stack, "extended", until=lease.expires, before=before.expires)
    return _tagged(ground, stack, lease, tell)


def keep(ground: Ground, stack: str, seconds: int, tell: Tell) -> Lease:
    """For so many seconds from now only the budget and `colony down` end it, however its jobs end;
    the lease is made long enough. Raises as `extend`."""
    before = _lease(ground, stack)
    until = int(ground.now()) + seconds
    records_of(ground, stack).write("keep", {"until": until})
    held = {"kept": until}  # in the lease too: a reaper that has begun to decide sees the change
    lease = _changed(ground, stack, lambda one: {**held, "expires": max(one.expires, until)})
    log(ground, stack, "held", until=until)
    return lease if lease == before else _tagged(ground, stack, lease, tell)


def kept_until(records: Records) -> float:
    """Unix seconds; 0 where nobody asked for it."""
    return float((records.read("keep") or {}).get("until", 0))


def _lease(ground: Ground, stack: str) -> Lease:
    records = records_of(ground, stack)
    lease = records.lease()
    if lease is None or stack not in ground.engine.stacks():
        hint = "`colony status` shows what there is"
        raise InputError(Problem("NAME", f"{stack} is not there any more", hint))
    if (records.read("clusters") or {}).get("ending"):
        raise InputError(Problem("NAME", f"the end of {stack} has begun: too late to keep it"))
    return lease


def _changed(ground: Ground, stack: str, to: Callable[[Lease], dict[str, int]]) -> Lease:
    """The record first: from then on the reaper waits, whatever becomes of the tags. What others
    write meanwhile is not lost; raises InputError where that is the end."""
    records = records_of(ground, stack)

    def longer(value: dict[str, Any] | None) -> dict[str, Any]:
        if not value or "ending" in value:
            raise InputError(Problem("NAME", f"the end of {stack} has begun: too late to keep it"))
        return {**value, **to(lease_in(value))}

    records.change("lease", longer)
    return _lease(ground, stack)


def _tagged(ground: Ground, stack: str, lease: Lease, tell: Tell) -> Lease:
    try:
        _tag(ground, stack, lease, tell)
    except ColonyError as error:
        raise RunFailed(
            f"the lease of {stack} ends later now, but its tags could not follow ({error}): "
            "`colony sweep --expired` elsewhere still goes by them; try `colony extend` again"
        ) from error
    return lease


def _tag(ground: Ground, stack: str, lease: Lease, tell: Tell) -> None:
    """By the engine and the program that made them: in place, whatever the cloud."""
    found = recorded(ground, stack)
    if found is None:
        raise RunFailed("its stack config does not say what it is")
    since = ground.now()
    config = {"colony:lease": lease.model_dump_json(exclude_none=True)}
    archives = code_here(records_of(ground, stack), ground.engine.config(stack))
    ground.engine.configure(stack, {**config, **archives})
    raise_colony(ground, Plan(*found, {}, lease.owner, lease.end), tell)
    ground.settle_up(ground.engine.export(stack), since)
