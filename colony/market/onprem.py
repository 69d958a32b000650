"""The user's own machines as an offer: exact counts, a given price, and nothing more to be had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from colony.market.request import Request, split_accelerators
from components.hosts import HostSpec, Ssh
from components.placement import ClusterPlacement, HostPlacement, PoolPlacement
from components.spec import ClusterSpec
from jobs.quantities import counted, parse_cpus, parse_memory

__all__ = ["MACHINE", "Room", "placement_of"]

MACHINE = "host"
"""What stands for an instance type."""


@dataclass
class _Left:
    """What of one host is not taken yet."""

    host: HostSpec
    accelerator: str | None
    gpus: int
    cpus: float
    memory: float

    @classmethod
    def of(cls, host: HostSpec) -> _Left:
        name, count = split_accelerators(host.accelerators)
        return cls(host, name, int(count), host.cpus or float("inf"), host.memory or float("inf"))

    def holds(self, request: Request) -> bool:
        return (
            (not request.accelerator or request.accelerator == self.accelerator)
            and request.gpus <= self.gpus
            and _cpus(request) <= self.cpus
            and _memory(request) <= self.memory
        )

    def take(self, request: Request) -> None:
        self.gpus -= request.gpus
        self.cpus -= _cpus(request)
        self.memory -= _memory(request)


@dataclass
class Room:
    """The free part of a cluster's hosts. Jobs are taken to run at the same time."""

    left: list[_Left] = field(default_factory=list)

    @classmethod
    def of(cls, cluster: ClusterSpec) -> Room:
        return cls([_Left.of(host) for host in cluster.hosts])

    def take(self, requests: Iterable[Request]) -> bool:
        """Whether all nodes of all requests fit beside what is there; takes them if so.

        First fit, the largest first: a node goes to the host that it leaves the least of.
        """
        before = self._copy()
        nodes = [request for request in requests for _ in range(request.nodes)]
        for request in sorted(nodes, key=lambda each: -each.gpus):
            if self._put(request) is None:
                self.left = before
                return False
        return True

    def hosts(self, request: Request) -> list[HostSpec] | None:
        """The hosts that its nodes would be on, each once; None where they do not fit."""
        trial = Room(self._copy())
        chosen = [trial._put(request) for _ in range(request.nodes)]
        if None in chosen:
            return None
        return list({host.address: host for host in chosen if host}.values())

    def free(self, request: Request, most: int = 100_000) -> int:
        """How many nodes of it fit, exactly: one kind of node alone leaves no gaps."""
        trial, count = Room(self._copy()), 0
        while count < most and trial._put(request):
            count += 1
        return count

    def _put(self, request: Request) -> HostSpec | None:
        """Takes one node, where there is room."""
        fitting = [each for each in self.left if each.holds(request)]
        if not fitting:
            return None
        best = min(fitting, key=lambda each: each.gpus)
        best.take(request)
        return best.host

    def _copy(self) -> list[_Left]:
        return [replace(each) for each in self.left]

    def __str__(self) -> str:
        """`2 x A100:8, 1 host without free accelerators`, of what is free."""
        kinds = Counter(f"{each.accelerator}:{each.gpus}" for each in self.left if each.gpus)
        parts = [f"{count} x {what}" for what, count in kinds.items()]
        if bare := sum(not each.gpus for each in self.left):
            parts.append(f"{counted(bare, 'host')} without free accelerators")
        return ", ".join(parts)


def placement_of(cluster: ClusterSpec) -> ClusterPlacement:
    """The hosts as they are, alike ones as one pool."""
    ssh = cluster.ssh or Ssh()
    pools: dict[object, PoolPlacement] = {}
    hosts = []
    for host in cluster.hosts:
        kind = (host.accelerators, host.cpus, host.memory, host.price)
        pool = pools.get(kind)
        if pool is None:
            pool = _pool(host, {each.name for each in pools.values()})
        else:
            pool = pool.model_copy(update={"nodes": pool.nodes + 1})
        pools[kind] = pool
        hosts.append(
            HostPlacement(
                address=host.address,
                user=host.user or ssh.user,
                port=host.port or ssh.port,
                pool=pool.name,
            )
        )
    return ClusterPlacement(
        name=cluster.name,
        cloud="onprem",
        region="",
        kubernetes=cluster.kubernetes or "",
        pools=list(pools.values()),
        hosts=hosts,
        external_address=cluster.external_address,
        installer=cluster.installer,
    )


def _pool(host: HostSpec, taken: set[str]) -> PoolPlacement:
    name, count = split_accelerators(host.accelerators)
    base = f"{name}-{count:g}".lower().replace("_", "-") if name else "cpu"
    numbered = (f"{base}-{number}" for number in range(2, len(taken) + 3))
    return PoolPlacement(
        name=next(each for each in (base, *numbered) if each not in taken),
        instance_type=MACHINE,
        accelerator=name,
        accelerator_count=int(count),
        nodes=1,
        cpus=host.cpus,
        memory_gib=host.memory,
        price_per_node_hour=host.price,
    )


def _cpus(request: Request) -> float:
    return parse_cpus(request.cpus).value if request.cpus else 0.0


def _memory(request: Request) -> float:
    return parse_memory(request.memory).value if request.memory else 0.0
