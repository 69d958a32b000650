"""Where a job runs: what a back end must know beyond the job itself. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["JobContext"]


@dataclass(frozen=True)
class JobContext:
    """The colony and the cluster of a job, and the names of what was made for it there."""

    colony: str
    cluster: str
    cloud: str
    region: str
    namespace: str = "default"
    code_secret: str | None = None
    """Secret with the packed working directory under the key `code.tar.gz`."""
    env_secret: str | None = None
    """Secret whose keys are the job's secret environment variables."""
    code_sha256: str | None = None
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: list[dict[str, Any]] = field(default_factory=list)
    zone: str = ""
    owner: str = "colony"
    """Shown to the job as SKYPILOT_USER."""
    service_account: str | None = None
    """The pods' cloud identity, used to copy outputs."""
    pod_labels: dict[str, str] = field(default_factory=dict)
    """By which a cloud gives it to them."""
    instance_type: str = ""
    """The machine that the pods run on, where it is known: it decides about RDMA."""
