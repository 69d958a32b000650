"""What an organisation may forbid, as plain rules over what is registered and over the placement.

`stacks/policy/` runs them in Pulumi's engine. Pure: no pulumi.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import yaml

from components.spec import Cloud
from jobs.errors import Problem
from jobs.problems import did_you_mean

__all__ = ["elsewhere", "open_server", "over_price", "strange", "unleased"]


def unleased(kind: str, properties: Mapping[str, Any]) -> list[Problem]:
    """Every tag of the lease that a resource of a cloud lacks; `kind` is its Pulumi type."""
    package = kind.partition(":")[0]
    places = _data()["carried"].get(package)
    if places is None or kind in _data()["untagged"]:
        return []
    place, tags = _carried(properties, places)
    return [
        Problem(f"{place}.{tag}", "is missing: a sweep would not find this",
                "tag it with the colony's lease")
        for tag in _data()["lease"]
        if not tags.get(tag)
    ]  # fmt: skip


def open_server(kind: str, properties: Mapping[str, Any]) -> list[Problem]:
    """A public API server that everybody may reach."""
    rule = _data()["servers"].get(kind)
    if rule is None or _at(properties, rule["closed"]["property"]) is rule["closed"]["is"]:
        return []
    given = _at(properties, rule["listed"]) or []
    listed = [each.get(rule["entry"]) if "entry" in rule else each for each in given]
    if not listed:
        hint = "list networks, or make it private"
        return [Problem(rule["listed"], "the API server is public, and no list says to whom", hint)]
    return _too_wide(rule["listed"], listed)


def over_price(placement: Mapping[str, Any], usd_per_hour: float) -> list[Problem]:
    """The dearest part of a colony that costs more than `usd_per_hour` in all."""
    prices = dict(_prices(placement["clusters"]))
    total = sum(prices.values())
    if total <= usd_per_hour:
        return []
    dearest = max(prices, key=lambda path: prices[path])
    message = f"{prices[dearest]:.2f} of {total:.2f} USD/h in all, which may be {usd_per_hour:.2f}"
    return [Problem(dearest, message, "ask for less, or for cheaper machines")]


def elsewhere(
    placement: Mapping[str, Any],
    clouds: Sequence[str] | None,
    regions: Mapping[str, Sequence[str]] | None,
) -> list[Problem]:
    """Clusters outside of the allowed clouds and, by cloud, regions. None = all are allowed; what
    is no cloud is a problem, too."""
    problems = [*_no_clouds("clouds", clouds or ()), *_no_clouds("regions", regions or ())]
    for cluster in placement["clusters"]:
        where, cloud = f"clusters.{cluster['name']}", cluster["cloud"]
        allowed = (regions or {}).get(cloud)
        if clouds is not None and cloud not in clouds:
            problems.append(_outside(f"{where}.cloud", cloud, clouds))
        elif allowed is not None and cluster["region"] not in allowed:
            problems.append(_outside(f"{where}.region", cluster["region"], allowed))
    return problems


def strange(config: Iterable[str], known: Iterable[str]) -> list[Problem]:
    """Keys of a rule's config that the rule does not have: it would silently forbid nothing."""
    return [
        Problem(f"config.{key}", "this rule has no such limit", did_you_mean(key, known))
        for key in config
        if key not in known
    ]


def _no_clouds(key: str, named: Iterable[str]) -> list[Problem]:
    known = [cloud.value for cloud in Cloud]
    return [
        Problem(f"config.{key}", f"{name!r} is no cloud", did_you_mean(name, known, _one_of(known)))
        for name in named
        if name not in known
    ]


def _one_of(known: Sequence[str]) -> str:
    return f"there are {', '.join(known)}"


def _prices(clusters: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, float]]:
    for cluster in clusters:
        where = f"clusters.{cluster['name']}"
        yield where, cluster.get("control_plane_per_hour") or 0.0
        for pool in cluster.get("pools") or []:
            yield f"{where}.pools.{pool['name']}", pool["nodes"] * pool["price_per_node_hour"]


def _too_wide(path: str, listed: Sequence[object]) -> list[Problem]:
    least = _data()["least_prefix"]
    return [
        Problem(f"{path}[{index}]", f"{cidr} is everybody", "name the networks that need it")
        for index, cidr in enumerate(listed)
        if ip_network(str(cidr), strict=False).prefixlen < least
    ]


def _outside(path: str, found: str, allowed: Sequence[str]) -> Problem:
    hint = did_you_mean(found, allowed, f"allowed: {', '.join(allowed) or 'none'}")
    return Problem(path, f"{found!r} is not allowed here", hint)


def _carried(properties: Mapping[str, Any], places: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Where the tags are, or should be, and what they are."""
    for place in places:
        if tags := _tags(_at(properties, place)):
            return place, tags
    return places[0], {}


def _tags(value: object) -> dict[str, str]:
    """Of a text, as the descriptions of Google's networks have them: `colony=a, colony-stack=b`."""
    if isinstance(value, str):
        pairs = [part.partition("=") for part in value.split(", ")]
        return {key: each for key, equals, each in pairs if equals}
    return dict(value) if isinstance(value, Mapping) else {}


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


@cache
def _data() -> dict[str, Any]:
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    return data
