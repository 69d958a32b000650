"""Incident files: what a run asked of the market, what it was told and what it decided, in lines
from which all decisions can be computed again. Pure; nothing of a job but what it needs is in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from colony.market.catalog import Catalog
from colony.market.decision import Decision, Policy, Refused
from colony.market.failover import Failover
from colony.market.quotas import Quota
from colony.market.rows import Row
from colony.market.settle import Settled
from colony.market.zones import Cell
from components.placement import Placement
from components.spec import ClusterSpec, ColonySpec
from jobs.spec import Job

__all__ = [
    "catalog_line", "decision_line", "failover_of", "job_needs", "placed_line", "placement_line",
    "placement_of", "quotas_of", "refused_of", "request_line", "seal", "sealed",
]  # fmt: skip

_JOB = {
    "name", "framework", "nodes", "processes_per_node", "resources", "alternatives", "preference",
    "roles", "elastic", "expected_run_time", "cluster",
}  # fmt: skip
_ROLE = {"replicas", "resources", "elastic"}
_CLUSTER = {
    "name", "cloud", "region", "zones", "kubernetes", "pools", "context", "max_price", "hosts",
    "external_address", "installer",
}  # fmt: skip
_KEYS = {"clusters": {"__all__": {"hosts": {"__all__": {"host_key"}}}}}


def request_line(failover: Failover) -> dict[str, Any]:
    """Who asks, by which rules."""
    spec = failover.spec
    clusters = [_cluster(each) for each in spec.clusters]
    asked: dict[str, Any] = {"name": spec.name, "clusters": clusters}
    asked["jobs"] = [job_needs(job) for job in spec.jobs]
    asked["max_price"] = spec.max_price
    built = None if failover.built is None else sorted(failover.built)
    return {"spec": asked, "by": failover.by, "built": built, "policy": asdict(failover.policy)}


def catalog_line(catalog: Catalog) -> dict[str, Any]:
    """The offers that could have been chosen, their date and their hash."""
    rows = [list(row) for row in catalog.rows]
    return {"date": catalog.date, "sha256": _hash(rows), "rows": rows}


def placed_line(failover: Failover, settled: Settled, recorded: bool) -> dict[str, Any]:
    """The first placement; `recorded`: it was taken over from an earlier run."""
    return {**_settled(settled), "recorded": recorded, "began": failover.began,
            "quotas": _quotas(failover.quotas)}  # fmt: skip


def quotas_of(failover: Failover) -> list[list[Any]]:
    """What the clouds have told so far."""
    return _quotas(failover.quotas)


def refused_of(errors: Sequence[Refused]) -> list[dict[str, Any]]:
    return [asdict(each) for each in errors]


def decision_line(decision: Decision) -> dict[str, Any]:
    """All that followed from the refusals."""
    understood = [
        {"cluster": each.cluster, "pool": each.pool, "until": each.until, "code": each.failure.code,
         "kind": each.failure.kind.value, "reach": each.failure.reach.value,
         "hold": each.failure.hold}
        for each in decision.understood
    ]  # fmt: skip
    return {
        "action": decision.action.value, "reason": decision.reason, "after": decision.after,
        "moved": list(decision.moved), "understood": understood,
        "settled": _settled(decision.settled) if decision.settled else None,
    }  # fmt: skip


def failover_of(lines: Sequence[Mapping[str, Any]]) -> Failover:
    """The same search, from its beginning. Raises KeyError, ValueError for no incident file."""
    request = next(line for line in lines if line["what"] == "request")
    catalog = next(line for line in lines if line["what"] == "catalog")
    told = {}
    for line in lines:
        for cell, quota in line.get("quotas", ()):
            told[Cell(**cell)] = Quota(**quota) if quota else None
    asked = request["spec"]
    jobs = [{"run": "true", **job} for job in asked["jobs"]]
    if _hash(catalog["rows"]) != catalog["sha256"]:
        raise ValueError("the catalogue's rows are not those that its hash was made of")
    return Failover(
        ColonySpec.model_validate({**asked, "jobs": jobs}),
        Catalog(Row(*row) for row in catalog["rows"]),
        request["by"],
        request["built"],
        Policy(**request["policy"]),
        told.get,
    )


def sealed(line: Mapping[str, Any], before: str) -> dict[str, Any]:
    """The line with a seal over itself and all lines before: no later change goes unseen."""
    return {**line, "seal": seal(line, before)}


def seal(line: Mapping[str, Any], before: str) -> str:
    body = {key: value for key, value in line.items() if key != "seal"}
    return _hash([before, body])


def job_needs(job: Job) -> dict[str, Any]:
    """What the market has to know of a job: no script, no variable, no secret."""
    needs = _dump(job, _JOB)
    roles = {name: _dump(role, _ROLE) for name, role in job.roles.items()}
    return {**needs, "roles": roles} if roles else needs


def _cluster(cluster: ClusterSpec) -> dict[str, Any]:
    """Of how its hosts are reached only by whom: no path of a key."""
    known = _dump(cluster, _CLUSTER)
    ssh = _dump(cluster.ssh, {"user"}) if cluster.ssh else {}
    return {**known, "ssh": ssh} if ssh else known


def _settled(settled: Settled) -> dict[str, Any]:
    return {
        "placement": placement_line(settled.placement),
        "jobs": [job_needs(job) for job in settled.spec.jobs],
        "usd_per_hour": settled.placement.price_per_hour,
    }


def placement_line(placement: Placement) -> dict[str, Any]:
    """Without the hosts' keys, which the market does not know."""
    return placement.model_dump(mode="json", exclude=_KEYS)


def placement_of(line: Mapping[str, Any]) -> Placement:
    return Placement.model_validate(line["placement"])


def _dump(model: Any, only: set[str]) -> dict[str, Any]:
    dumped: dict[str, Any] = model.model_dump(mode="json", exclude_defaults=True, include=only)
    return dumped


def _quotas(told: Mapping[Cell, Quota | None]) -> list[list[Any]]:
    return [[asdict(cell), asdict(quota) if quota else None] for cell, quota in told.items()]


def _hash(value: Iterable[Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
