"""Clouds by name."""

from __future__ import annotations

from jobs.data import load
from jobs.errors import Problem
from jobs.problems import did_you_mean, kindless, printable, refuse

__all__ = ["KUBERNETES", "parse_cloud", "settle_kubernetes"]

KUBERNETES = "kubernetes"
"""Constrains nothing without a context: every colony is Kubernetes."""

_OURS = ("aws", "azure", "gcp", "onprem", "existing", KUBERNETES)
_ALIASES = {"k8s": KUBERNETES}


def parse_cloud(value: object) -> str:
    """`AWS` -> `aws`, `k8s` -> `kubernetes`.

    Raises ValueError: unknown with a near match, or known but not built.
    """
    name = value.strip().lower() if isinstance(value, str) else ""
    name = _ALIASES.get(name, name)
    if name in _OURS:
        return name
    elsewhere = load("unbuilt.yaml")["clouds"]
    if name in elsewhere:
        raise refuse(kindless(name, _OURS[:-1]))
    hint = did_you_mean(name, [*_OURS, *elsewhere], f"known: {', '.join(_OURS)}")
    raise refuse(Problem("", f"unknown cloud {printable(value)}", hint))


def settle_kubernetes(data: object) -> object:
    """`cloud: kubernetes` with a context is an existing cluster, without one it is anywhere.

    For models with `cloud` and `context`; leaves anything but a mapping alone.
    """
    if not isinstance(data, dict):
        return data
    cloud = data.get("cloud")
    anywhere = cloud is None or str(cloud).strip().lower() in (KUBERNETES, *_ALIASES)
    if not anywhere:
        return data
    known = data.get("context") is not None or data.get("kubeconfig") is not None
    return {**data, "cloud": "existing" if known else None}
