"""From where a colony is run: whom its clusters' API servers let in where the file does not say.

Asked by the command line before anything is made, never by a program.
"""

from __future__ import annotations

import os
import urllib.request
from ipaddress import ip_address

from components.access import Access
from components.clusters.abilities import facts_of
from components.placement import ClusterPlacement, Placement
from jobs.errors import NotReady, Problem

__all__ = ["DOCUMENTATION", "VARIABLE", "lets_nobody_in", "own_networks", "with_access"]

VARIABLE = "COLONY_ACCESS"
"""Networks in CIDR form, with commas: they go before this machine's own address."""
DOCUMENTATION = ["192.0.2.1/32"]
"""What a world is reached from (RFC 5737)."""
_ASKED = "https://checkip.amazonaws.com"
_SECONDS = 5


def with_access(placement: Placement, networks: list[str]) -> Placement:
    """The placement with `networks` let in wherever the file names nobody."""
    clusters = [
        each.model_copy(update={"access": Access(cidrs=networks)})
        if networks and lets_nobody_in(each)
        else each
        for each in placement.clusters
    ]
    return placement.model_copy(update={"clusters": clusters})


def lets_nobody_in(cluster: ClusterPlacement) -> bool:
    """Neither the file nor the kind of cluster says who may reach it."""
    return cluster.access is None and facts_of(cluster.cloud).abilities.access


def own_networks() -> list[str]:
    """From the environment, or this machine's public address. NotReady where nobody knows it."""
    if given := os.environ.get(VARIABLE):
        return Access(cidrs=[each.strip() for each in given.split(",")]).cidrs
    try:
        with urllib.request.urlopen(_ASKED, timeout=_SECONDS) as answer:
            return [f"{ip_address(answer.read(64).decode().strip())}/32"]
    except (OSError, ValueError) as error:
        hint = f"say it: `access: {{cidrs: [...]}}` of the cluster, or {VARIABLE}=203.0.113.7/32"
        message = f"this machine's public address is not known: {error}"
        raise NotReady(str(Problem("access", message, hint))) from None
