"""Where a task may run: `infra`, and the older `cloud`, `region` and `zone`, in SkyPilot's terms.

There the region of the cloud kubernetes is a context of the kubeconfig.
"""

from __future__ import annotations

from typing import Any

from jobs import fields
from jobs.clouds import KUBERNETES
from jobs.data import load
from jobs.errors import Problem
from jobs.problems import did_you_mean, printable, refuse

__all__ = ["cloud_name", "parse_infra", "settled"]

_BUILT = ("aws", "azure", "gcp", KUBERNETES)
_ALIASES = {"k8s": KUBERNETES}
_HINT = "write cloud, cloud/region or cloud/region/zone, with * for any"


def cloud_name(value: object) -> str:
    """`AWS` -> `aws`, `k8s` -> `kubernetes`; any cloud that SkyPilot has. Raises ValueError."""
    name = value.strip().lower() if isinstance(value, str) else ""
    name = _ALIASES.get(name, name)
    known = [*_BUILT, *load("unbuilt.yaml")["clouds"]]
    if name in known:
        return name
    hint = did_you_mean(name, known, f"known: {', '.join(known)}")
    raise refuse(Problem("", f"unknown cloud {printable(value)}", hint))


def parse_infra(value: object) -> dict[str, str]:
    """`aws/us-east-1/us-east-1a`, `*/us-east-1`, `k8s`, `k8s/CONTEXT` (which may hold slashes).

    Raises ValueError.
    """
    text = value.strip() if isinstance(value, str) else ""
    head, slash, rest = text.partition("/")
    if head.strip().lower() in (KUBERNETES, *_ALIASES) and (rest or not slash):
        return _without_any({"cloud": KUBERNETES, "region": rest or "*"})
    parts = text.split("/")
    if len(parts) > 3 or "" in parts:
        raise refuse(Problem("", f"{printable(value)} is not a place", _HINT))
    place = _without_any(dict(zip(("cloud", "region", "zone"), parts, strict=False)))
    if "cloud" in place:
        place["cloud"] = cloud_name(place["cloud"])
    if place.get("cloud") == "ssh" and "region" in place:
        place["region"] = f"ssh-{place['region']}"
    return {key: part if key == "cloud" else fields.word(part) for key, part in place.items()}


def settled(given: dict[str, Any]) -> dict[str, Any]:
    """A place in the terms of our `Resources`, of a cloud that is built (or none)."""
    cloud, region = given.get("cloud"), given.get("region")
    if cloud == KUBERNETES:
        return {"cloud": cloud, "context": region}
    return {"cloud": cloud, "region": region, "zone": given.get("zone")}


def _without_any(parts: dict[str, str]) -> dict[str, str]:
    return {key: part for key, part in parts.items() if part != "*"}
