"""The colonies of the golden stacks, as arguments of the component: on their own cloud, or on a
cluster that is there."""

from recording import GPUS, JOB, SYSTEM

from stacks import STACKS

__all__ = ["POOLS", "REGIONS", "golden"]

POOLS = {
    "aws": [SYSTEM, GPUS],
    "azure": [{**SYSTEM, "instance_type": "Standard_D4s_v5"},
              {**GPUS, "instance_type": "Standard_ND96isr_H100_v5", "zone": ""}],
    "gcp": [{**SYSTEM, "instance_type": "e2-standard-4"},
            {**GPUS, "instance_type": "a3-highgpu-8g", "zone": "us-central1-a"}],
    "existing": [SYSTEM, GPUS],
}  # fmt: skip
"""Cloud -> a pool for the system, and one with GPUs."""
REGIONS = {"aws": "us-east-1", "azure": "eastus", "gcp": "us-central1", "existing": ""}
FRAMEWORKS = {"mpijob": "mpi", "rayjob": "ray"}


def golden(name, cloud):
    """Arguments of `colony_args`: its layers and the back end of its job."""
    _, _, gpus, _, layers, backend = STACKS[name]
    job = {**JOB, "backend": backend, "framework": FRAMEWORKS.get(backend, "pytorch")}
    job.pop("queue", None)
    job.pop("priority", None)
    if gpus is None:
        job["resources"] = {}
    pools = POOLS[cloud] if gpus else POOLS[cloud][:1]
    return {"cloud": cloud, "region": REGIONS[cloud], "pools": pools, "jobs": [job],
            "spec": {"layers": layers}}  # fmt: skip
