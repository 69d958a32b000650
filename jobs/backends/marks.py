"""What every object of a job carries: names, labels, annotations; and its scripts."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from jobs.context import JobContext
from jobs.entrypoint import scripts
from jobs.member import Member
from jobs.spec import Job

__all__ = [
    "CONTENT_HASH", "EXPECTED_SECONDS", "Manifest", "metadata", "notes", "own_labels",
    "role_labels", "scripts_map", "scripts_name", "seal", "spread_labels",
]  # fmt: skip

EXPECTED_SECONDS = "colony.dev/expected-run-seconds"
CONTENT_HASH = "colony.dev/content-sha256"
CODE_HASH = "colony.dev/code-sha256"
ROLE = "colony.dev/role"

Manifest = dict[str, Any]


def own_labels(job: Job, context: JobContext) -> dict[str, str]:
    """What marks every object of a job as ours."""
    return {
        "app.kubernetes.io/managed-by": "colony",
        "colony.dev/colony": context.colony,
        "colony.dev/job": job.name,
    }


def role_labels(job: Job, role: Member, context: JobContext) -> dict[str, str]:
    """Those of what belongs to one role, and of its pods."""
    return {**own_labels(job, context), ROLE: role.name}


def spread_labels(job: Job, context: JobContext) -> dict[str, str]:
    """What only the pods of this job have, in their namespace."""
    return {"colony.dev/colony": context.colony, "colony.dev/job": job.name}


def notes(job: Job, context: JobContext) -> dict[str, str]:
    """The annotations of the workload."""
    found = {EXPECTED_SECONDS: str(job.expected_run_time)}
    if context.code_sha256:
        found[CODE_HASH] = context.code_sha256
    return found


def metadata(
    job: Job, context: JobContext, name: str, labels: dict[str, str] | None = None
) -> Manifest:
    """Of an object beside the workload."""
    return {
        "name": name,
        "namespace": context.namespace,
        "labels": labels or own_labels(job, context),
    }


def scripts_name(job: Job) -> str:
    """The ConfigMap of the job's scripts."""
    return f"{job.name}-scripts"


def scripts_map(job: Job, context: JobContext) -> Manifest:
    """The ConfigMap itself."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(job, context, scripts_name(job)),
        "data": scripts(job),
    }


def seal(manifests: list[Manifest]) -> list[Manifest]:
    """Notes the hash of them all on each, so that a change of one replaces the job.

    Suspending and resuming is no change of it.
    """
    text = json.dumps([_hashed(each) for each in manifests], sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    for manifest in manifests:
        manifest["metadata"].setdefault("annotations", {})[CONTENT_HASH] = digest
    return manifests


def _hashed(manifest: Manifest) -> Manifest:
    spec = dict(manifest.get("spec", {}))
    spec.pop("suspend", None)
    if isinstance(spec.get("runPolicy"), dict):
        policy = {name: value for name, value in spec["runPolicy"].items() if name != "suspend"}
        spec["runPolicy"] = policy
    return {**manifest, "spec": spec}
