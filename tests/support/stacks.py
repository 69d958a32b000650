"""Clusters whose whole stack is written down beside the tests."""

from components.layer_choice import chosen_layers
from components.layer_report import checked_cluster
from components.placement import ClusterPlacement, PoolPlacement
from components.spec import ColonySpec
from jobs.spec import Job

SYSTEM = {"name": "system", "nodes": 2, "cpus": 4, "memory_gib": 16, "price_per_node_hour": 0.2}


def _pool(instance_type, accelerator=None, count=0, nodes=2):
    return PoolPlacement(
        name="gpu", instance_type=instance_type, accelerator=accelerator, accelerator_count=count,
        nodes=nodes, cpus=96, memory_gib=1024, price_per_node_hour=10,
    )  # fmt: skip


def _place(cloud, system, *pools, kubernetes="1.35"):
    first = [PoolPlacement(**SYSTEM, instance_type=system)] if system else []
    return ClusterPlacement(
        name="train", cloud=cloud, region="somewhere", kubernetes=kubernetes,
        context="mine" if cloud == "existing" else None, pools=[*first, *pools],
    )  # fmt: skip


WATCHED = {"observability": {"enabled": True}}

STACKS = {
    "eks-h100-efa": ("aws", "m7i.xlarge", ("p5.48xlarge", "H100", 8), None, {}, "jobset"),
    "eks-l4": ("aws", "m7i.xlarge", ("g6.12xlarge", "L4", 4), None, {}, "jobset"),
    "aks-a100-infiniband": (
        "azure", "Standard_D4s_v5", ("Standard_ND96amsr_A100_v4", "A100-80GB", 8),
        "aks-ubuntu-no-driver", {}, "volcano",
    ),
    "gke-a3-cos": ("gcp", "e2-standard-4", ("a3-highgpu-8g", "H100", 8), "cos", {}, "jobset"),
    "gke-l4": ("gcp", "e2-standard-4", ("g2-standard-48", "L4", 4), "ubuntu-gke", {}, "rayjob"),
    "onprem-k3s-a100": ("onprem", None, ("host", "A100", 8), "k3s", WATCHED, "trainjob"),
    "cpu-only": ("aws", "m7i.xlarge", None, None, {}, "mpijob"),
    "existing-with-gpu-operator": (
        "existing", None, None, None, {"gpu-operator": {"enabled": False}}, "jobset",
    ),
}  # fmt: skip
"""Name -> cloud, machine of the system pool, GPU pool, node image, layers, back end."""

_FRAMEWORKS = {"mpijob": "mpi", "rayjob": "ray"}


def cluster_of(name, **changes):
    """The cluster as the checks see it; `changes` replace parts of what it is made of."""
    cloud, system, gpus, image, layers, backend = STACKS[name]
    gpus = changes.get("gpus", gpus)
    place = _place(
        cloud, system, *([_pool(*gpus)] if gpus else []),
        kubernetes=changes.get("kubernetes", "1.35"),
    )  # fmt: skip
    job = {"name": "train", "run": "true", "backend": backend}
    job = Job(**{**job, "framework": _FRAMEWORKS.get(backend, "pytorch"), **changes.get("job", {})})
    spec = ColonySpec(name="lab", layers={**layers, **changes.get("layers", {})}, jobs=[job])
    image = changes.get("image", image)
    return checked_cluster(spec, place, [job], chosen_layers(spec, place, [job], image), image)
