"""The k3s data, and what follows from it for a placement. Pure: no pulumi."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from components.clusters.nodes import labels_of, taints_of
from components.hosts import node_name
from components.placement import ClusterPlacement, HostPlacement
from jobs.data import parse
from jobs.errors import InputError, NotSupported, Problem
from jobs.problems import did_you_mean

__all__ = ["check", "k3s", "node_arguments", "script", "server_url", "version_of"]

FOLDER = Path(__file__).parent


@cache
def k3s() -> dict[str, Any]:
    """`k3s.yaml`."""
    data: dict[str, Any] = parse((FOLDER / "k3s.yaml").read_text(encoding="utf-8"))
    return data


def script(name: str, variables: Mapping[str, object]) -> str:
    """A script of `scripts/` as one text: its variables, the common part, its own part.

    Variables stand in front, since an sshd takes no environment unless it was told to.
    """
    given = "".join(f"{key}={shlex.quote(str(value))}\n" for key, value in variables.items())
    return given + _text("common") + _text(name)


def version_of(placement: ClusterPlacement) -> str:
    """The k3s release for the Kubernetes version that is asked for."""
    wanted = placement.kubernetes.removeprefix("v")
    releases: dict[str, str] = k3s()["releases"]
    return releases[wanted] if wanted else str(k3s()["version"])


def server_url(placement: ClusterPlacement) -> str:
    """Where hosts and users reach the API server."""
    address = placement.external_address or placement.hosts[0].address
    bracketed = f"[{address}]" if ":" in address else address
    return f"https://{bracketed}:{k3s()['port']}"


def node_arguments(placement: ClusterPlacement, host: HostPlacement, mode: str) -> str:
    """Of `k3s server` or `k3s agent`, for the shell: name, labels and taints of the node."""
    pool = next(pool for pool in placement.pools if pool.name == host.pool)
    words = [*k3s()["arguments"][mode], f"--node-name={node_name(host.address)}"]
    words += [f"--node-label={key}={value}" for key, value in labels_of(pool).items()]
    # The control plane's own pods must run on the first host, whatever it has.
    taints = () if mode == "server" else taints_of(pool)
    words += [f"--node-taint={each.key}={each.value}:{each.effect}" for each in taints]
    if mode == "server" and placement.external_address:
        words.append(f"--tls-san={placement.external_address}")
    return " ".join(words)


def check(placement: ClusterPlacement) -> None:
    """InputError or NotSupported for what this kind cannot build, each named with its path."""
    where = f"placement.clusters.{placement.name}"
    most = k3s()["most_hosts"]
    if not placement.hosts:
        raise InputError(Problem(f"{where}.hosts", "a cluster on-prem needs hosts"))
    if len(placement.hosts) > most:
        message = f"at most {most} hosts a cluster, not {len(placement.hosts)}"
        hint = "make two clusters of them"
        raise NotSupported(Problem(f"{where}.hosts", message, hint))
    wanted = placement.kubernetes.removeprefix("v")
    releases = k3s()["releases"]
    if wanted and wanted not in releases:
        hint = did_you_mean(wanted, releases, f"known: {', '.join(releases)}")
        raise NotSupported(Problem(f"{where}.kubernetes", f"no k3s release for {wanted}", hint))


def _text(name: str) -> str:
    return (FOLDER / "scripts" / f"{name}.sh").read_text(encoding="utf-8")
