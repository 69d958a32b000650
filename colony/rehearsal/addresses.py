"""An address of its own for every pod of a job that runs on this machine, and names made into them.

Linux listens on all of 127.0.0.0/8, so pods that use the same port do not meet. Elsewhere (macOS)
only 127.0.0.1 is there and all pods share it: roles that listen on one port then collide, unless
`ifconfig lo0 alias` has made more. A program that listens on every address (`0.0.0.0`) meets its
neighbours everywhere: Python's sockets are kept to the pod's own (`shims/sitecustomize.py`), and
MASTER_PORT is a free port of this machine for all others.
"""

from __future__ import annotations

import contextlib
import random
import re
import socket
from collections.abc import Iterator, Sequence

from colony.rehearsal.expand import Manifest, Plan, PlannedPod

__all__ = ["LOOPBACK", "Directory", "reserved"]

LOOPBACK = "127.0.0.1"
GUARD_PORT = 65533
"""Held over UDP while an address is in use, so that two rehearsals do not share one."""
TRIES = 50
DOMAIN = r"(?:\.{namespace}(?:\.svc(?:\.cluster\.local)?)?)?"


@contextlib.contextmanager
def reserved(count: int) -> Iterator[list[str]]:
    """Addresses that nobody else of ours uses meanwhile; all 127.0.0.1 where there are no more."""
    with contextlib.ExitStack() as stack:
        for _ in range(TRIES):
            addresses = _block(count)
            guards = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in addresses]
            try:
                for guard, address in zip(guards, addresses, strict=True):
                    guard.bind((address, GUARD_PORT))
            except OSError:
                stack.close()
                continue
            yield addresses
            return
    yield [LOOPBACK] * count


class Directory:
    """What the names of a job's pods and services mean here."""

    def __init__(self, plan: Plan, manifests: Sequence[Manifest], addresses: Sequence[str]) -> None:
        self._plan = plan
        self._own = {pod.key: own for pod, own in zip(plan.pods, addresses, strict=True)}
        self._own |= {pod.key: self._own[pod.inside] for pod in plan.pods if pod.inside}
        self._names = {host: self._own[pod.key] for pod in plan.pods for host in pod.hosts}
        for service in manifests:
            if service.get("kind") == "Service":
                self._names |= self._service(service)
        self._ports: dict[tuple[str, str], str] = {}
        self._pattern = _pattern(self._names, plan.namespace)

    def own(self, pod: PlannedPod) -> str:
        """The address of a pod."""
        return self._own[pod.key]

    def localized(self, text: str) -> str:
        """Every name of a pod or service as its address, and MASTER_PORT behind one as it is here.

        Names count with and without the cluster's domain; parts of longer words do not.
        """
        if self._pattern is None:
            return text
        return self._pattern.sub(self._found, text)

    def world_port(self, master: str, port: str, pod: PlannedPod) -> str:
        """The port of this machine where a world meets instead of `port` at `master`.

        A pod that is a world alone has 127.0.0.1 as its master.
        """
        address = self.own(pod) if master == LOOPBACK else self.localized(master)
        key = (address, port)
        if key not in self._ports:
            self._ports[key] = _free_port(set(self._ports.values()))
        return self._ports[key]

    def hosts_of(self, pods: str, domain: str) -> list[str]:
        """The addresses of `prefix:count ...`, which is how the entry point names its world."""
        groups = [each.rpartition(":") for each in pods.split()]
        return [
            self._address(prefix, index, domain)
            for prefix, _, count in groups
            for index in range(int(count))
        ]

    def _address(self, prefix: str, index: int, domain: str) -> str:
        """Some pods have no name in the cluster; the entry point names them all the same."""
        known = self._names.get(f"{prefix}-{index}.{domain}")
        nominal = prefix.removeprefix(f"{self._plan.name}-")
        return known or self._own.get(f"{nominal}-{index}", LOOPBACK)

    def _found(self, match: re.Match[str]) -> str:
        address, port = self._names[match["name"]], match["port"]
        return address if port is None else f"{address}:{self._ports.get((address, port), port)}"

    def _service(self, service: Manifest) -> dict[str, str]:
        """A service with an address of its own stands for the first pod that it selects."""
        selector = service["spec"].get("selector") or {}
        if service["spec"].get("clusterIP") == "None" or not selector:
            return {}
        chosen = [pod for pod in self._plan.pods if selector.items() <= pod.labels.items()]
        return {service["metadata"]["name"]: self.own(chosen[0])} if chosen else {}


def _pattern(names: dict[str, str], namespace: str) -> re.Pattern[str] | None:
    if not names:
        return None
    longest_first = sorted(names, key=len, reverse=True)
    name = "|".join(map(re.escape, longest_first))
    domain = DOMAIN.format(namespace=re.escape(namespace))
    before, after = r"(?<![\w.-])", r"(?![\w-]|\.\w)"
    return re.compile(f"{before}(?P<name>{name}){domain}{after}(?::(?P<port>[0-9]+))?")


def _block(count: int) -> list[str]:
    """Neighbours somewhere in 127.1.0.0 to 127.254.255.254."""
    start = random.SystemRandom().randrange(1 << 16, (254 << 16) - count)
    return [f"127.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(start, start + count)]


def _free_port(taken: set[str]) -> str:
    while True:
        with socket.socket() as probe:
            probe.bind(("", 0))
            port = str(probe.getsockname()[1])
        if port not in taken:
            return port
