"""One cluster of an exalsius Colony: which provider, where, and what nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.importers.draft import Draft
from jobs.problems import did_you_mean

__all__ = ["add_cluster", "add_deployed"]

_PROVIDERS = ("docker", "aws", "azure")
_POOL = "workers"


@dataclass(frozen=True)
class _Cluster:
    """`data` is a ClusterSpec in the making, `ours` its path in the colony."""

    ours: str
    data: dict[str, Any]


def add_cluster(
    draft: Draft, data: Mapping[str, Any], given: dict[str, Any], path: str, version: str | None
) -> None:
    """Of v0.1 and v0.2: the provider that is enabled, exactly one."""
    cluster = _named(draft, given, path)
    enabled = [name for name in _PROVIDERS if given.get(f"{name}Enabled")]
    enabled += ["remote"] if given.get("remoteClusterEnabled") else []
    if len(enabled) != 1:
        what = f"{' and '.join(enabled)} are enabled" if enabled else "no provider is enabled"
        draft.refuse(path, f"{what}: a cluster has exactly one")
        return
    provider = enabled[0]
    block, where = given.get(provider), f"{path}.{provider}"
    if provider != "remote" and block is None:
        draft.refuse(where, f"required with {provider}Enabled")
        return
    if version:
        cluster.data["kubernetes"] = version
        draft.paths[f"{cluster.ours}.kubernetes"] = "spec.k8sVersion"
    if provider in ("docker", "remote"):
        _no_machines(draft, provider, f"{path}.{provider}{'' if block else 'ClusterEnabled'}")
        return
    _placed(draft, cluster, provider, (block or {}).get("region"), f"{where}.region")
    if provider == "aws":
        _pool(draft, data, cluster, block, where)


def add_deployed(draft: Draft, data: Mapping[str, Any], given: dict[str, Any], path: str) -> None:
    """Of v0.3 on: a template of k0rdent and its configuration."""
    cluster = _named(draft, given, path)
    spec, path = given.get("clusterDeploymentSpec") or {}, f"{path}.clusterDeploymentSpec"
    template, config = spec.get("template") or "", spec.get("config") or {}
    known = data["templates"]
    provider = next((each for start, each in known.items() if template.startswith(start)), "")
    if not provider:
        hint = did_you_mean(template, known, f"known: {', '.join(known)}…")
        draft.refuse(f"{path}.template", f"no cluster that is known: `{template}`", hint)
        return
    if not isinstance(config, dict):
        draft.refuse(f"{path}.config", "must be a mapping (`key: value` lines)")
        return
    _configured(draft, data["config"], config, f"{path}.config")
    _services(draft, data, spec.get("serviceSpec") or {}, f"{path}.serviceSpec")
    if provider == "docker":
        _no_machines(draft, provider, f"{path}.template")
    elif provider == "remote":
        _hosts(draft, cluster, config.get("machines") or [], f"{path}.config.machines")
    elif provider == "existing":
        cluster.data["cloud"] = "existing"
        draft.warn(
            f"{path}.template", "an existing cluster: that of the current kubeconfig context"
        )
    else:
        field = "location" if provider == "azure" else "region"
        _placed(draft, cluster, provider, config.get(field) or None, f"{path}.config.{field}")
        _workers(draft, data, cluster, config, f"{path}.config")


def _named(draft: Draft, given: dict[str, Any], path: str) -> _Cluster:
    clusters = draft.data.setdefault("clusters", [])
    cluster = _Cluster(f"clusters[{len(clusters)}]", {"name": given.get("clusterName") or ""})
    clusters.append(cluster.data)
    draft.paths |= {cluster.ours: path, f"{cluster.ours}.name": f"{path}.clusterName"}
    return cluster


def _placed(draft: Draft, cluster: _Cluster, cloud: str, region: Any, path: str) -> None:
    cluster.data["cloud"] = cloud
    draft.paths[f"{cluster.ours}.region"] = path
    if region:
        cluster.data["region"] = region


def _no_machines(draft: Draft, provider: str, path: str) -> None:
    if provider == "docker":
        hint = "try it with `colony rehearse`, or run on it with `cloud: existing`"
        draft.refuse(
            path, "a cluster of containers on one machine is not one that Colony makes", hint
        )
    else:
        hint = "write a Colony with `cloud: onprem` and its `hosts`"
        draft.refuse(path, "names no machines: in this shape they are added by hand later", hint)


def _pool(draft: Draft, data: Mapping[str, Any], cluster: _Cluster, block: Any, path: str) -> None:
    nodes = block.get("replicas")
    draft.paths[f"{cluster.ours}.pools[0].nodes"] = f"{path}.replicas"
    _machines(draft, data, cluster, block.get("instanceType"), nodes, f"{path}.instanceType")


def _workers(
    draft: Draft,
    data: Mapping[str, Any],
    cluster: _Cluster,
    config: dict[str, Any],
    path: str,
) -> None:
    """Hosted templates have the machine beside the number, the others inside `worker`."""
    inner = config.get("worker") or config.get("machines") or {}
    inner = inner if isinstance(inner, dict) else {}
    where = "worker." if config.get("worker") else "machines." if config.get("machines") else ""
    draft.paths[f"{cluster.ours}.pools[0].nodes"] = f"{path}.workersNumber"
    for field in ("instanceType", "vmSize", "machineType"):
        machine = inner.get(field) or config.get(field)
        if machine:
            nodes = config.get("workersNumber")
            _machines(draft, data, cluster, machine, nodes, f"{path}.{where}{field}")
            return


def _machines(
    draft: Draft, data: Mapping[str, Any], cluster: _Cluster, machine: Any, nodes: Any,
    path: str,
) -> None:  # fmt: skip
    """A pool is what a machine has, not its name: the market finds the cheapest like it."""
    if not machine:
        draft.refuse(path, "required: it says what the nodes have")
        return
    has = next((each for each, names in data["machines"].items() if machine in names), None)
    pool = {"name": _POOL, "nodes": 1 if nodes is None else nodes}
    if has:
        pool["accelerators"] = has
        draft.warn(path, f"{machine} is read as {has}: the cheapest machine with that is taken")
    else:
        draft.warn(path, f"{machine} is read as nodes without GPUs; the machine is Colony's choice")
    cluster.data["pools"] = [pool]


def _hosts(draft: Draft, cluster: _Cluster, machines: Any, path: str) -> None:
    cluster.data["cloud"] = "onprem"
    draft.paths[f"{cluster.ours}.hosts"] = path
    listed = machines if isinstance(machines, list) else []
    cluster.data["hosts"] = [
        str(each.get("address") or "") for each in listed if isinstance(each, dict)
    ]
    for index, each in enumerate(listed):
        for field in each if isinstance(each, dict) else ():
            if field != "address" and (field, each[field]) != ("port", 22):
                draft.not_honoured(f"{path}[{index}].{field}", "how hosts are reached is ssh's own")


def _configured(draft: Draft, known: Mapping[str, Any], config: dict[str, Any], path: str) -> None:
    """Every key gets a word, but those that are read."""
    names = [*known["read"], *known["ignored"], *known["not_honoured"]]
    for key, value in config.items():
        where = f"{path}.{key}"
        if key not in names:
            draft.refuse(where, "unknown field", did_you_mean(str(key), names))
        elif value in (None, "", {}, [], False) or key in known["read"]:
            continue
        elif key in known["ignored"]:
            draft.warn(where, f"not used: {known['ignored'][key]}")
        else:
            draft.not_honoured(where, "clusters are made with Colony's own settings")


def _services(draft: Draft, data: Mapping[str, Any], spec: dict[str, Any], path: str) -> None:
    from colony.importers.dependencies import add_layer

    for index, service in enumerate(spec.get("services") or []):
        where = f"{path}.services[{index}]"
        name = service.get("template") or service.get("name") or ""
        starts = sorted(data["layers"], key=len, reverse=True)
        found = next((start for start in starts if name.startswith(start)), name)
        add_layer(draft, data, found, f"{where}.template", None, service.get("values"))
