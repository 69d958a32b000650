"""Everything known of a job at one moment, and of each of its roles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from jobs.observing.around import Down, Group, Queued, Told
from jobs.observing.pods import Bucket, PodFacts, Trouble, What
from jobs.observing.rules import Counts, RoleRule
from jobs.observing.said import FOREVER, Engine, RoleSaid, Said
from jobs.observing.tally import Tally
from jobs.policy import Pods, Restart, RolePhase
from jobs.spec import Job

__all__ = ["RoleView", "View", "role_in"]

FAILED = (Bucket.FAILED, Bucket.FAILED_BY_SIGNAL, Bucket.FAILED_BY_DISRUPTION)


@dataclass(frozen=True)
class RoleView:
    """One role: its rule, its pods by bucket, and what its workload's controller says."""

    name: str
    rule: RoleRule
    said: RoleSaid
    buckets: list[int]
    elastic: bool = False
    node_down_as_failed: bool = False

    @property
    def counts(self) -> Counts:
        """As they are."""
        return Counts(
            active=self.buckets[Bucket.ACTIVE],
            succeeded=self.buckets[Bucket.SUCCEEDED],
            failed=sum(self.buckets[each] for each in FAILED),
            pending=self.buckets[Bucket.PENDING],
            unknown=self.buckets[Bucket.UNKNOWN],
        )

    @property
    def terminating(self) -> int:
        return self.buckets[Bucket.TERMINATING]

    @property
    def lasting(self) -> int:
        """Failed pods that nobody replaces."""
        alive = self.buckets[Bucket.ACTIVE] + self.buckets[Bucket.PENDING]
        failed = self.counts.failed
        if self.rule.restart is Restart.EXIT_CODE:
            failed -= self.buckets[Bucket.FAILED_BY_SIGNAL]
        if self.said.forgives:
            failed -= self.buckets[Bucket.FAILED_BY_DISRUPTION]
        counted = self.said.padded and self.rule.restart is Restart.NEVER
        replaced = failed <= self.said.retries and not counted
        return 0 if replaced or (self.elastic and alive > 0) else failed


@dataclass
class View:
    """`job` is complete (every role, every rule said), or None: then only objects count."""

    job: Job | None
    said: Said | None
    tally: Tally
    down: dict[str, Down] = field(default_factory=dict)
    queued: Queued | None = None
    group: Group | None = None
    told: list[Told] = field(default_factory=list)
    timed_out: str = ""
    """What a part of the workload says that reached its deadline."""

    @property
    def attempt(self) -> int:
        """Pods carry JobSet's count only."""
        return self.said.attempt if self.said else 0

    @cached_property
    def roles(self) -> dict[str, RoleView]:
        """In the order of the job, or else of the workload."""
        plain = self._named()
        counts = self._counted(plain)
        return {name: self._role(name, counts.get(name)) for name in plain}

    @cached_property
    def troubles(self) -> list[tuple[PodFacts, Trouble]]:
        """By time; a node that is down is the trouble of its pods."""
        own = [(pod, pod.trouble) for pod in self.tally.in_trouble(self.attempt) if pod.trouble]
        lost = [(pod, _node_trouble(self.down[pod.node])) for pod in self._on_down_nodes()]
        return sorted([*own, *lost], key=lambda each: (each[1].at, each[0].name))

    @cached_property
    def later(self) -> frozenset[str]:
        """Roles that start when others have succeeded, or after such: not at the start."""
        found: set[str] = set()
        roles = self.job.roles if self.job else {}
        for _ in roles:
            found |= {
                name
                for name, role in roles.items()
                for each in role.depends_on or []
                if each.phase is RolePhase.SUCCEEDED or each.role in found
            }
        return frozenset(found)

    def role_of(self, pod: PodFacts) -> str:
        """By its label, else by its name; empty when it cannot be told."""
        return _resolve(pod, self._names, self.said.name if self.said else "")

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self._named())

    def _named(self) -> list[str]:
        if self.job is not None:
            return list(self.job.roles)
        return [name for name in (self.said.roles if self.said else {}) if name]

    def _role(self, name: str, buckets: list[int] | None) -> RoleView:
        ray = self.said is not None and self.said.engine is Engine.RAYJOB
        unsaid = RoleSaid(retries=FOREVER if ray else 0)
        said = (self.said.roles if self.said else {}).get(name, unsaid)
        known = [0] * len(Bucket) if self.tally.pods else _said_buckets(said)
        rule, elastic, node = self._rule(name, said)
        return RoleView(name, rule, said, buckets or known, elastic, node)

    def _rule(self, name: str, said: RoleSaid) -> tuple[RoleRule, bool, bool]:
        if self.job is None:
            return RoleRule(said.expected), False, False
        role, elastic = self.job.roles[name], self.job.elastic
        grows = elastic is not None and elastic.role == name
        rule = RoleRule(
            elastic.min if elastic and grows else role.replicas,
            role.failed or Pods.ANY,
            role.succeeded or Pods.ALL,
            role.restart or Restart.NEVER,
        )
        return rule, grows, bool(role.node_down_as_failed)

    def _counted(self, names: Iterable[str]) -> dict[str, list[int]]:
        counts = self.tally.counts(self.attempt)
        known = set(names)
        if counts.keys() - known:
            self._place_strays(counts, known)
        for pod in self._on_down_nodes():
            self._take_off(counts, pod)
        if self.job is not None:
            self._lose_unknown(counts)
        return counts

    def _place_strays(self, counts: dict[str, list[int]], known: set[str]) -> None:
        """Pods without our label: only then every pod is looked at."""
        for pod in self.tally.current(self.attempt):
            if pod.role not in known and (role := self.role_of(pod)):
                counts.setdefault(role, [0] * len(Bucket))[pod.bucket] += 1

    def _on_down_nodes(self) -> list[PodFacts]:
        if not self.down:
            return []
        current = self.tally.current(self.attempt)
        return [pod for pod in current if pod.bucket is Bucket.ACTIVE and self._loses(pod)]

    def _loses(self, pod: PodFacts) -> bool:
        """A broken node that answers matters only where the role says that it does."""
        down = self.down.get(pod.node)
        if down is None or not down.answers:
            return down is not None
        role = (self.job.roles if self.job else {}).get(self.role_of(pod))
        return role is not None and bool(role.node_down_as_failed)

    def _take_off(self, counts: dict[str, list[int]], pod: PodFacts) -> None:
        buckets = counts.get(self.role_of(pod))
        if buckets:
            buckets[Bucket.ACTIVE] -= 1
            buckets[Bucket.UNKNOWN] += 1

    def _lose_unknown(self, counts: dict[str, list[int]]) -> None:
        """Where the role says that a lost node is a lost pod."""
        roles = self.job.roles if self.job else {}
        for name, buckets in counts.items():
            if name in roles and roles[name].node_down_as_failed:
                buckets[Bucket.FAILED_BY_DISRUPTION] += buckets[Bucket.UNKNOWN]
                buckets[Bucket.UNKNOWN] = 0


def role_in(names: Iterable[str], rest: str) -> str:
    """The longest of these names with which `rest` begins."""
    found = [name for name in names if rest == name or rest.startswith(f"{name}-")]
    return max(found, key=len, default="")


def _resolve(pod: PodFacts, names: tuple[str, ...], workload: str) -> str:
    if pod.role in names:
        return pod.role
    found = role_in(names, pod.name.removeprefix(f"{workload}-"))
    return found or (names[0] if len(names) == 1 else "")


def _said_buckets(said: RoleSaid) -> list[int]:
    buckets = [0] * len(Bucket)
    buckets[Bucket.ACTIVE] = said.active
    buckets[Bucket.SUCCEEDED] = said.succeeded
    buckets[Bucket.FAILED] = said.failed
    buckets[Bucket.PENDING] = said.pending
    return buckets


def _node_trouble(down: Down) -> Trouble:
    return Trouble(What.NODE, down.since, down.text)
