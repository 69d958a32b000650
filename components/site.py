"""A placed cluster as the facts that its layers depend on. Pure: no pulumi."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from charts import Site
from components.placement import ClusterPlacement, PoolPlacement
from jobs.accelerators import find
from jobs.backends.queueing import queue_of
from jobs.data import parse
from jobs.rdma import rdma_for
from jobs.spec import Job

__all__ = [
    "architecture", "image_facts", "node_image", "site_of", "spot_tolerations", "vendor",
]  # fmt: skip


def site_of(placement: ClusterPlacement, jobs: Iterable[Job], image: str | None = None) -> Site:
    """`image` is that of the GPU nodes, where the cluster's kind knows better than the data."""
    pools, jobs = placement.pools, list(jobs)
    gpus = [pool for pool in pools if pool.accelerator_count]
    return Site(
        cloud=placement.cloud,
        node_image=node_image(placement) if image is None else image,
        kubernetes=".".join(placement.kubernetes.removeprefix("v").split(".")[:2]),
        vendors=frozenset(map(vendor, gpus)),
        fabrics=frozenset(filter(None, map(fabric, gpus))),
        architectures=frozenset(architecture(placement.cloud, pool) for pool in pools),
        backends=frozenset(job.backend.value for job in jobs),
        tolerations=spot_tolerations(placement.cloud, gpus),
        queued_pods=any(job.elastic and queue_of(job) for job in jobs),
    )


def spot_tolerations(cloud: str, pools: Iterable[PoolPlacement]) -> tuple[dict[str, str], ...]:
    """Of the taints that the cloud itself puts on the spot nodes among the pools."""
    taints = _data()["spot_taints"].get(cloud, []) if any(pool.spot for pool in pools) else []
    return tuple({**taint, "operator": "Equal"} for taint in taints)


def vendor(pool: PoolPlacement) -> str:
    """Of the pool's accelerators; `nvidia` where the name says nothing."""
    found = find(pool.accelerator or "")
    return found.vendor if found else "nvidia"


def fabric(pool: PoolPlacement) -> str:
    """The network that the pool's GPUs use directly; empty without one."""
    found = rdma_for(pool.instance_type)
    return found.group if found else ""


def architecture(cloud: str, pool: PoolPlacement) -> str:
    """`arm64` or `amd64`, by the name of the machine's type."""
    pattern = _data()["arm64"].get(cloud)
    return "arm64" if pattern and re.search(pattern, pool.instance_type) else "amd64"


def node_image(placement: ClusterPlacement) -> str:
    """Of the nodes with accelerators: the pools' own, or what the cloud has by default."""
    gpus = [pool for pool in placement.pools if pool.accelerator_count]
    named = _data()["pool_images"].get(placement.cloud, {})
    own = next((named[pool.image] for pool in gpus if pool.image in named), None)
    return str(own or _data()["node_images"].get(placement.cloud, "unknown"))


def image_facts(image: str) -> dict[str, str]:
    """Title, source, and the driver and toolkit where the image brings them."""
    found: dict[str, str] = _data()["images"].get(image, _data()["images"]["unknown"])
    return found


@cache
def _data() -> dict[str, Any]:
    text = Path(__file__).with_name("site.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = parse(text)
    return data
