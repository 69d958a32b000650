"""What GPUs the hosts of a file have: asked of them by SSH, before anything is planned.

What the file leaves out is filled in; what it says wrongly is refused by path.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from colony import ssh
from colony.market.request import split_accelerators
from colony.sshkeys import ssh_keys_of, ways_of
from components.hosts import HostSpec
from components.spec import ClusterSpec, ColonySpec
from jobs.accelerators import find
from jobs.errors import InputError, Problem
from jobs.problems import printable

__all__ = ["Ask", "accelerators_in", "with_hardware"]

SECONDS = 60.0
SIDE_BY_SIDE = 16

Ask = Callable[[ssh.Way], ssh.Said]


def with_hardware(spec: ColonySpec, ask: Ask | None = None) -> ColonySpec:
    """The spec with every host's accelerators. InputError for hosts that are not known, do not
    let us in, or have something else than the file says."""
    keys = ssh_keys_of(spec)
    problems: list[Problem] = []
    clusters = [
        _asked(cluster, f"clusters[{index}]", keys.get(cluster.name, ""), ask or _ask, problems)
        if cluster.hosts
        else cluster
        for index, cluster in enumerate(spec.clusters)
    ]
    if problems:
        raise InputError(*problems)
    return spec.model_copy(update={"clusters": clusters})


def accelerators_in(text: str) -> str | None:
    """`A100:8` out of what `hardware.sh` prints; None = no GPU. ValueError where it cannot be
    said in one word."""
    lines = [line.partition(" ")[::2] for line in text.splitlines()]
    devices = [word for kind, word in lines if kind == "pci"]
    named = [_named(word) for kind, word in lines if kind == "smi"]
    names = [_data()["pci"].get(device) for device in devices]
    if None in names and len(named) == len(devices):
        names = named
    counted = Counter(names)
    if not counted:
        return None
    if None in counted:
        unknown = sorted({d for d in devices if d not in _data()["pci"]})
        raise ValueError(f"has GPUs that are not known here (10de:{', '.join(unknown)})")
    if len(counted) > 1:
        several = ", ".join(f"{name}:{count}" for name, count in counted.items())
        raise ValueError(f"has GPUs of several kinds ({several})")
    ((name, count),) = counted.items()
    return f"{name}:{count}"


def _asked(
    cluster: ClusterSpec, where: str, key: str, ask: Ask, problems: list[Problem]
) -> ClusterSpec:
    """All hosts at the same time."""
    ways = ways_of(cluster, key, problems)
    if problems:
        return cluster
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        said = list(pool.map(lambda way: _answer(way, ask), ways))
    hosts = [
        _filled(host, answer, f"{where}.hosts[{index}]", problems)
        for index, (host, answer) in enumerate(zip(cluster.hosts, said, strict=True))
    ]
    return cluster.model_copy(update={"hosts": hosts})


def _answer(way: ssh.Way, ask: Ask) -> ssh.Said:
    try:
        return ask(way)
    except subprocess.TimeoutExpired:
        return ssh.Said(ssh.UNREACHABLE, "", f"no answer in {SECONDS:.0f} s")


def _filled(host: HostSpec, said: ssh.Said, path: str, problems: list[Problem]) -> HostSpec:
    if said.code:
        last = [line.strip() for line in said.err.splitlines() if line.strip()][-1:]
        words = printable(" ".join(last) or f"exit status {said.code}")
        problems.append(Problem(path, f"{host.address} does not let us in: {words}"))
        return host
    try:
        found = accelerators_in(said.out)
    except ValueError as error:
        if host.accelerators is None:
            hint = "write `accelerators`"
            problems.append(Problem(path, f"{host.address} {error}", hint))
        return host
    if host.accelerators is None:
        return host.model_copy(update={"accelerators": found})
    if split_accelerators(host.accelerators) != split_accelerators(found):
        has = found or "no GPUs"
        message = f"the file says {host.accelerators}, {host.address} has {has}"
        problems.append(Problem(f"{path}.accelerators", message, "correct it, or leave it out"))
    return host


def _ask(way: ssh.Way) -> ssh.Said:
    script = Path(__file__).with_suffix(".sh").read_text(encoding="utf-8")
    return ssh.run(way, script, seconds=SECONDS)


def _named(text: str) -> str | None:
    """`NVIDIA A100-SXM4-80GB` is A100-80GB."""
    name = text.strip()
    for _ in range(3):
        if found := find(re.sub(r"\s+", "-", name)):
            return found.name
        name = re.sub(_data()["noise"], "", name, count=1, flags=re.IGNORECASE)
    return None


@cache
def _data() -> Mapping[str, Any]:
    data: Mapping[str, Any] = yaml.safe_load(
        Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    )
    return data
