"""The jobs' images on nodes with accelerators before their jobs are: pulled while the GPU operator
goes in, not after it. Such a node costs the same whether it pulls or trains.

A pod on each of those nodes sleeps in every image of a namespace's jobs. It asks for next to
nothing, sees no GPU, has no token and no rights. An image without `sleep` fails to start there, and
is pulled nevertheless. https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components.clusters.base import Cluster
from components.clusters.nodes import POOL_LABEL
from components.objects import KubernetesObject, inside
from components.placement import ClusterPlacement
from components.spec import OWNED
from jobs.backends.pod import image_of
from jobs.frameworks import complete
from jobs.roles import members
from jobs.spec import Job

__all__ = ["NAME", "build_images", "image_manifests"]

NAME = "colony-images"
NOBODY = 65534

Manifest = dict[str, Any]


def build_images(
    name: str,
    cluster: Cluster,
    colony: str,
    jobs: Mapping[str, list[Job]],
    after: list[pulumi.Resource],
) -> None:
    """One object a namespace. No job waits for it."""
    for manifest in image_manifests(colony, cluster.placement, jobs):
        logical = f"{name}-images-{manifest['metadata']['namespace']}"
        KubernetesObject(logical, manifest, inside(cluster, after, early=True))


def image_manifests(
    colony: str, placement: ClusterPlacement, jobs: Mapping[str, list[Job]]
) -> list[Manifest]:
    """Namespace -> its jobs. Nothing where nodes are not paid by the hour: they are the user's."""
    pools = [pool.name for pool in placement.pools if pool.accelerator_count]
    if placement.cloud in OWNED or not pools:
        return []
    wanted = {space: [job for job in each if _images(job)] for space, each in sorted(jobs.items())}
    return [_daemon_set(colony, space, each, pools) for space, each in wanted.items() if each]


def _images(job: Job) -> list[str]:
    """Of the roles that run on accelerators."""
    return [image_of(role) for role in members(complete(job)) if role.gpus]


def _daemon_set(colony: str, space: str, jobs: list[Job], pools: list[str]) -> Manifest:
    labels = {"app.kubernetes.io/name": NAME, "colony.dev/colony": colony}
    images = dict.fromkeys(image for job in jobs for image in _images(job))
    secrets = dict.fromkeys(name for job in jobs for name in job.image_pull_secrets)
    on = {"matchExpressions": [{"key": POOL_LABEL, "operator": "In", "values": pools}]}
    selected = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [on]}}
    pod: Manifest = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "affinity": {"nodeAffinity": selected},
        "tolerations": [{"operator": "Exists"}],
        "containers": [_asleep(number, image) for number, image in enumerate(images)],
    }
    if secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in secrets]
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": NAME, "namespace": space, "labels": labels,
            "annotations": {"pulumi.com/skipAwait": "true"},  # its nodes come later
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {
                "type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"},
            },
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }  # fmt: skip


def _asleep(number: int, image: str) -> Manifest:
    return {
        "name": f"image-{number}",
        "image": image,
        "command": ["sleep", "2147483647"],
        # Images for CUDA ask for all GPUs, which NVIDIA's runtime would give.
        "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}],
        "resources": {
            "requests": {"cpu": "1m", "memory": "8Mi"},
            "limits": {"memory": "64Mi"},
        },
        "securityContext": {
            "runAsUser": NOBODY,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
