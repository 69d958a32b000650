"""The stack config: spec, placement, recorded prices and lease; secrets apart, encrypted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colony.archive import pack
from colony.reach import with_access
from colony.records import Records
from components.layer_found import as_argument
from components.lease import Lease
from jobs.spec import Job

if TYPE_CHECKING:
    from colony.lifecycle.prepare import Plan

__all__ = ["code_here", "stack_config"]


def stack_config(
    records: Records, plan: Plan, lease: Lease, jobs: Sequence[Job] | None = None
) -> tuple[dict[str, str], dict[str, str]]:
    """Config keys of `interfaces.md` as (plain, secret) JSON texts.

    `jobs`: those whose code and secrets are in it; all of the plan's unless given.
    """
    jobs = plan.spec.jobs if jobs is None else jobs
    spec = plan.spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    for job in spec.get("jobs", []):
        if "secrets" in job:
            job["secrets"] = dict.fromkeys(job["secrets"], "")
    placement = with_access(plan.placement, plan.networks)
    plain: dict[str, Any] = {
        "colony:spec": spec,
        "colony:placement": placement.model_dump(mode="json", exclude_none=True),
        "colony:prices": {
            "catalog_date": plan.placement.catalog_date,
            "usd_per_hour": plan.placement.price_per_hour,
        },
        "colony:lease": lease.model_dump(mode="json", exclude_none=True),
    }
    if plan.found:
        plain["colony:found"] = as_argument(plan.found).model_dump(mode="json")
    code = _code(records, plan, jobs)
    if code:
        plain["colony:code"] = code
    secrets = {job.name: dict(job.secrets) for job in jobs if job.secrets}
    hidden = {"colony:secrets": json.dumps(secrets)} if secrets else {}
    if plan.kubeconfigs:
        hidden["colony:kubeconfigs"] = json.dumps(plan.kubeconfigs)
    if plan.logins:
        hidden["colony:logins"] = json.dumps(plan.logins)
    if plan.ssh_keys:
        hidden["colony:ssh_keys"] = json.dumps(plan.ssh_keys)
    return {key: json.dumps(value, sort_keys=True) for key, value in plain.items()}, hidden


def code_here(records: Records, config: Mapping[str, str]) -> dict[str, str]:
    """The archives' places on this machine, where they were packed on another; empty otherwise."""
    named = json.loads(config.get("colony:code") or "{}")
    if all(Path(entry["path"]).exists() for entry in named.values()):
        return {}
    folder = records.fetch("code")
    code = {
        job: {**entry, "path": str(folder / Path(entry["path"]).name)}
        for job, entry in named.items()
    }
    return {"colony:code": json.dumps(code, sort_keys=True)}


def _code(records: Records, plan: Plan, jobs: Sequence[Job]) -> dict[str, dict[str, str]]:
    """Packs every job's workdir beside the state; the config holds path and content hash."""
    code = {}
    for job in jobs:
        if job.workdir is None:
            continue
        archive = pack(Path(plan.folders.get(job.name, Path()), job.workdir))
        path = records.keep_code(job.name, archive.sha256, archive.data)
        code[job.name] = {"path": str(path), "sha256": archive.sha256}
    return code
