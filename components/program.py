"""The program of a colony's stack, for `pulumi up` and `colony up` alike.

It chooses nothing: it builds what the stack config says.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pulumi

from components.colony import Colony
from components.inputs import ColonyArgs, coerce
from jobs.errors import ColonyError, InputError, Problem

__all__ = ["build"]


def build() -> None:
    """Reads `colony:spec`, `placement`, `prices`, `lease`, `code`, `found`, `secrets`,
    `kubeconfigs`, `logins` and `ssh_keys`; exports `clusters`, `kubeconfigs`, `placement`,
    `usd_per_hour`, `lease` and `jobs`."""
    try:
        args = coerce(ColonyArgs, _config())
        colony = Colony(args.spec.name, args)
    except ColonyError as error:
        raise pulumi.RunError(str(error)) from error
    pulumi.export("clusters", colony.clusters)
    pulumi.export("kubeconfigs", colony.kubeconfigs)
    pulumi.export("placement", args.placement.model_dump(mode="json"))
    pulumi.export("usd_per_hour", colony.usd_per_hour)
    pulumi.export("lease", args.lease.model_dump(mode="json"))
    pulumi.export("jobs", colony.jobs)


def _config() -> dict[str, Any]:
    config = pulumi.Config("colony")
    return {
        "spec": config.require_object("spec"),
        "placement": config.require_object("placement"),
        "lease": config.require_object("lease"),
        "prices": config.get_object("prices") or {},
        "found": config.get_object("found") or {},
        "secrets": config.get_secret_object("secrets"),
        "kubeconfigs": config.get_secret_object("kubeconfigs"),
        "logins": config.get_secret_object("logins"),
        "ssh_keys": config.get_secret_object("ssh_keys"),
        "code": {
            job: _archive(job, entry) for job, entry in (config.get_object("code") or {}).items()
        },
    }


def _archive(job: str, entry: dict[str, str]) -> dict[str, str]:
    """The archive that was packed for the job; InputError where it is gone or another one."""
    where = f"colony:code.{job}"
    try:
        data = Path(entry["path"]).read_bytes()
    except OSError as error:
        raise InputError(Problem(where, f"the job's code is gone: {error}")) from None
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise InputError(Problem(where, f"{entry['path']} was changed since it was packed"))
    return {"sha256": entry["sha256"], "data": base64.b64encode(data).decode()}
