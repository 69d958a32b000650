"""What jobs ask of the machines, and what the machines have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from components.checks.cluster import Cluster
from components.placement import PoolPlacement
from jobs.errors import Problem
from jobs.mig import profile_of, profiles
from jobs.rdma import rdma_for
from jobs.spec import Job

__all__ = ["efa_count", "mig_profile", "no_plugin", "unserved", "wrong_processor"]

EFA = "vpc.amazonaws.com/efa"
ARM, X86 = ("arm64", "aarch64"), ("amd64", "x86_64", "x86-64")


def efa_count(cluster: Cluster) -> Iterator[Problem]:
    most = {pool.instance_type: _efa_of(pool) for pool in cluster.pools if pool.accelerator_count}
    for index, role, asked in _asked(cluster.jobs, EFA):
        if most and asked not in _shares(most.values()):
            have = ", ".join(f"{name} has {count}" for name, count in sorted(most.items()))
            yield Problem(
                f"{cluster.job_path(index)}.roles.{role}.template",
                f"asks for {asked} of {EFA}, but {have}",
                "leave it out: the share of the machine follows from its GPUs",
            )


def no_plugin(cluster: Cluster) -> Iterator[Problem]:
    """Devices that a job asks for and no layer makes known."""
    have = {each for chosen in cluster.layers for each in chosen.layer.provides.resources}
    wanted = [pool for pool in cluster.pools if pool.accelerator_count and _efa_of(pool)]
    takes = any(job.rdma is not False for job in cluster.jobs)
    if wanted and takes and EFA not in have and cluster.site.cloud == "aws":
        message = f"is off, but the pods of {wanted[0].instance_type} ask for {EFA}"
        yield Problem("layers.aws-efa-k8s-device-plugin", message, "on, or `rdma: false` in jobs")


def mig_profile(cluster: Cluster) -> Iterator[Problem]:
    profile = profile_of(cluster.value("gpu-operator", "migManager.config.default", ""))
    if not profile:
        return
    for pool in cluster.pools:
        if pool.accelerator_count and profile not in profiles(pool.accelerator or ""):
            known = profiles(pool.accelerator or "")
            yield Problem(
                "layers.gpu-operator.values.migManager.config.default",
                f"{pool.accelerator} of pool {pool.name!r} has no MIG profile {profile}",
                f"it has {', '.join(known)}" if known else "it cannot be cut",
            )


def wrong_processor(cluster: Cluster) -> Iterator[Problem]:
    """An image that says in its name for which processors it is, and no node has those."""
    have = cluster.site.architectures
    for index, job in enumerate(cluster.jobs):
        images = {"": job.image, **{f".roles.{n}": r.image for n, r in job.roles.items()}}
        for where, image in images.items():
            built = _built_for(image or "")
            if built and have and built not in have:
                yield Problem(
                    f"{cluster.job_path(index)}{where}.image",
                    f"{image} is for {built}, but the nodes are {', '.join(sorted(have))}",
                )


def unserved(cluster: Cluster) -> Iterator[Problem]:
    """Accelerators for which no layer makes a device plugin."""
    if cluster.site.cloud == "existing":
        return
    served = {vendor for chosen in cluster.layers for vendor in chosen.layer.vendors}
    own = any(chosen.choice.chart for chosen in cluster.layers)
    for vendor in sorted(cluster.site.vendors - served - {"nvidia"}):
        if not own:
            yield Problem(
                "layers",
                f"no layer serves {vendor.upper()} accelerators",
                "add the vendor's operator as a chart of your own",
            )


def _efa_of(pool: PoolPlacement) -> int:
    found = rdma_for(pool.instance_type)
    return found.devices.get(EFA, 0) if found else 0


def _shares(counts: Iterable[int]) -> set[int]:
    """What a pod may ask of the machine: a whole share of its devices."""
    return {n for most in counts for n in range(1, most + 1) if most % n == 0}


def _asked(jobs: Iterable[Job], resource: str) -> Iterator[tuple[int, str, int]]:
    """Job, role and count of every role whose template asks for the resource itself."""
    for index, job in enumerate(jobs):
        for name, role in job.roles.items():
            for container in role.template.get("spec", {}).get("containers", []):
                resources = container.get("resources", {})
                asked = {**resources.get("requests", {}), **resources.get("limits", {})}
                if resource in asked:
                    yield index, name, int(asked[resource])


def _built_for(image: str) -> str:
    words = image.lower()
    if any(word in words for word in ARM):
        return "arm64"
    return "amd64" if any(word in words for word in X86) else ""
