"""The state of one job, kept up with a watch of the cluster.

An event costs the same however many pods there are, and only live objects are remembered (and the
last deletes, so that a late event brings nothing back).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from jobs.frameworks import complete
from jobs.observing.around import (
    Down,
    Group,
    Queued,
    Told,
    read_event,
    read_group,
    read_node,
    read_queued,
)  # fmt: skip
from jobs.observing.choosing import choose, deadline_of
from jobs.observing.deduce import deduce
from jobs.observing.engines import read_workload
from jobs.observing.owning import belongs
from jobs.observing.pods import read_pod
from jobs.observing.reading import metadata, number, text
from jobs.observing.said import Said
from jobs.observing.states import JobState
from jobs.observing.tally import Tally
from jobs.observing.view import View
from jobs.spec import Job

__all__ = ["Tracker"]

REMEMBERED = 4096
"""Deleted objects whose late events are recognised."""
CHANGES = ("ADDED", "MODIFIED", "DELETED")


class Tracker:
    """Follows the objects of one job. Raises InputError for a job that cannot be completed.

    The result depends on the latest version of each object alone, not on the order of events.
    """

    def __init__(self, job: Job | None = None) -> None:
        self._job = None if job is None else complete(job)
        self._tally = Tally()
        self._workloads: dict[str, Said] = {}
        self._queued: dict[str, Queued] = {}
        self._groups: dict[str, Group] = {}
        self._down: dict[str, Down] = {}
        self._told: dict[str, Told] = {}
        self._versions: dict[str, int] = {}
        self._deleted: OrderedDict[str, int] = OrderedDict()

    def apply(self, event: str, thing: Any) -> None:
        """One watch event: ADDED, MODIFIED or DELETED and its object; others say nothing."""
        if event not in CHANGES or not isinstance(thing, dict):
            return
        key, version = _key(thing), number(metadata(thing), "resourceVersion", -1)
        if self._is_old(key, version):
            return
        if event == "DELETED":
            self._forget(key, version)
        elif belongs(thing, self._job) and self._read(key, thing):
            self._versions[key] = version

    def state(self, now: float | None = None, last: JobState | None = None) -> JobState:
        """What is known at `now` (seconds since 1970), after the state `last`."""
        return deduce(self._view(), now, last)

    def _view(self) -> View:
        found = list(self._workloads.values())
        said = choose(found, self._job)
        return View(
            self._job,
            said,
            self._tally,
            down={each.name: each for each in self._down.values()},
            queued=min(self._queued.values(), key=_eventful, default=None),
            group=min(self._groups.values(), key=lambda each: each.waits_for, default=None),
            told=list(self._told.values()),
            timed_out=deadline_of(said, found),
        )

    def _read(self, key: str, thing: dict[str, Any]) -> bool:
        """Whether anything of it is kept."""
        kind = text(thing, "kind")
        if kind == "Pod":
            self._tally.put(key, read_pod(thing))
            return True
        if kind == "Event":
            return _keep(self._told, key, read_event(thing))
        if kind == "Node":
            _keep(self._down, key, read_node(thing))
            return True  # of one that is well the version counts: an older look may come later
        if kind == "PodGroup":
            return _keep(self._groups, key, read_group(thing))
        if kind == "Workload":
            return _keep(self._queued, key, read_queued(thing))
        return _keep(self._workloads, key, read_workload(thing))

    def _is_old(self, key: str, version: int) -> bool:
        if key in self._deleted:
            return version < 0 or version <= self._deleted[key]
        return 0 <= version < self._versions.get(key, -1)

    def _forget(self, key: str, version: int) -> None:
        self._tally.drop(key)
        self._versions.pop(key, None)
        for kept in (self._workloads, self._queued, self._groups, self._down, self._told):
            kept.pop(key, None)
        if version >= 0:
            self._deleted[key] = version
            while len(self._deleted) > REMEMBERED:
                self._deleted.popitem(last=False)


def _key(thing: dict[str, Any]) -> str:
    head = metadata(thing)
    uid = text(head, "uid")
    return uid or f"{text(thing, 'kind')}/{text(head, 'namespace')}/{text(head, 'name')}"


def _keep(kept: dict[str, Any], key: str, facts: Any) -> bool:
    if facts is None:
        kept.pop(key, None)
        return False
    kept[key] = facts
    return True


def _eventful(queued: Queued) -> tuple[bool, bool, str, str]:
    """The one that says the most comes first."""
    return not queued.evicted, not queued.waits_for, queued.owner, queued.evicted
