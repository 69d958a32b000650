"""`colony node`: machines that join and leave a colony while it is up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colony.cli import show
from colony.cli.colonies import agree, ground_of, known
from colony.hardware import with_hardware
from colony.market.onprem import placement_of
from colony.sshkeys import with_host_keys
from components.hosts import HostSpec
from components.placement import Placement
from components.spec import Cloud
from jobs.errors import InputError, Problem
from jobs.wording import at, check

if TYPE_CHECKING:
    from colony.lifecycle.ground import Ground, Tell
    from colony.lifecycle.node_changes import Shape
    from colony.lifecycle.nodes import Colony
    from jobs.spec import Job

__all__ = ["add", "remove"]

Change = Callable[["Shape"], "Shape"]


def add(
    target: str, words: list[str], accelerators: str | None, count: int,
    world: Path | None, yes: bool, output: str,
) -> int:  # fmt: skip
    """Hosts on-prem, one after the other; on a cloud `count` nodes more in each named pool."""
    hosts = [_host(index, word, accelerators) for index, word in enumerate(words)]

    def changes(ground: Ground, found: Colony, cluster: str) -> list[tuple[str, Change]]:
        if _on_hosts(found, cluster):
            told = [_reached(ground, found, cluster, host) for host in hosts]
            return [
                (f"{host.address} joins {cluster}", partial(_joined, cluster, host, key))
                for host, key in told
            ]
        _refuse_accelerators(accelerators)
        return [
            (f"{count} more in {cluster}/{pool}", partial(_sized, cluster, pool, count, []))
            for pool in words
        ]

    return _carried_out(target, changes, world, yes, output)


def remove(
    target: str, words: list[str], count: int, world: Path | None, yes: bool, output: str
) -> int:
    """Each node is drained and forgotten before its k3s goes; a cloud chooses among a pool's."""
    from colony.lifecycle.nodes import may_run

    def changes(ground: Ground, found: Colony, cluster: str) -> list[tuple[str, Change]]:
        jobs = may_run(found, cluster)
        if _on_hosts(found, cluster):
            return [
                (f"{word} leaves {cluster}", partial(_left, cluster, word, jobs)) for word in words
            ]
        return [
            (f"{count} fewer in {cluster}/{pool}", partial(_sized, cluster, pool, -count, jobs))
            for pool in words
        ]

    return _carried_out(target, changes, world, yes, output)


def _carried_out(
    target: str,
    changes: Callable[[Ground, Colony, str], list[tuple[str, Change]]],
    world: Path | None,
    yes: bool,
    output: str,
) -> int:
    """All of it is checked before the first is done."""
    from colony.lifecycle.nodes import apply, opened

    name, slash, cluster = target.partition("/")
    if not (slash and name and cluster):
        raise InputError(Problem("NAME/CLUSTER", f"`{target}` names no cluster of a colony"))
    with ground_of(world) as ground:
        known(ground, name)
        found = opened(ground, name)
        found.shape.cluster(cluster)
        wanted = changes(ground, found, cluster)
        _priced(ground, found, wanted, yes)
        tell: Tell = show.teller(None, stderr=output == "json")
        for what, change in wanted:
            tell(what)
            found = apply(found, change, tell)
    _said(found, cluster, output)
    return 0


def _priced(ground: Ground, found: Colony, wanted: list[tuple[str, Change]], yes: bool) -> None:
    """Nothing dearer begins on a real cloud before somebody has agreed to the price."""
    shape = found.shape
    for _, change in wanted:
        shape = change(shape)
    more = shape.placement.price_per_hour - found.shape.placement.price_per_hour
    if more > 0:
        agree(ground, f"spend {show.money(more)} per hour more?", yes)


def _joined(cluster: str, host: HostSpec, key: str, shape: Shape) -> Shape:
    from colony.lifecycle.node_changes import with_host

    return with_host(shape, cluster, host, key)


def _left(cluster: str, address: str, jobs: list[Job], shape: Shape) -> Shape:
    from colony.lifecycle.node_changes import without_host

    return without_host(shape, cluster, address, jobs)


def _sized(cluster: str, pool: str, by: int, jobs: list[Job], shape: Shape) -> Shape:
    from colony.lifecycle.node_changes import resized

    return resized(shape, cluster, pool, by, jobs)


def _host(index: int, word: str, accelerators: str | None) -> HostSpec:
    short, problems = check(HostSpec, word)
    if short and accelerators:
        given = {**short.model_dump(exclude_defaults=True), "accelerators": accelerators}
        short, problems = check(HostSpec, given)
    if short is None:
        raise InputError(*(at(f"HOST[{index}]", problem) for problem in problems))
    return short


def _on_hosts(found: Colony, cluster: str) -> bool:
    return found.shape.cluster(cluster).cloud == Cloud.ONPREM.value


def _refuse_accelerators(accelerators: str | None) -> None:
    if accelerators:
        hint = "a pool's nodes are all alike: name the pool"
        raise InputError(Problem("--accelerators", "is what a host has", hint))


def _reached(ground: Ground, found: Colony, cluster: str, host: HostSpec) -> tuple[HostSpec, str]:
    """What the host has and the key it is known by; in a simulated world nobody is there."""
    world = getattr(ground, "world", None)
    if world is not None and not world.hosts:
        return host, ""
    spec = found.shape.spec
    lab = next(each for each in spec.clusters if each.name == cluster)
    alone = spec.model_copy(update={"clusters": [lab.model_copy(update={"hosts": [host]})]})
    try:
        (asked,) = with_hardware(alone).clusters
        (place,) = with_host_keys(alone, Placement(clusters=[placement_of(asked)])).clusters
    except InputError as error:
        raise InputError(
            *(Problem(host.address, each.message, each.hint) for each in error.problems)
        ) from None
    return asked.hosts[0], place.hosts[0].host_key


def _said(found: Colony, cluster: str, output: str) -> None:
    place = found.shape.cluster(cluster)
    answer: dict[str, Any] = {
        "cluster": f"{found.name}/{cluster}",
        "pools": {pool.name: pool.nodes for pool in place.pools},
        "hosts": [host.address for host in place.hosts],
    }
    if output == "json":
        show.as_json(answer)
        return
    nodes = ", ".join(f"{count} x {pool}" for pool, count in answer["pools"].items())
    show.console().print(f"{answer['cluster']}: {nodes}", markup=False)
