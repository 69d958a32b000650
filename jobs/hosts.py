"""The DNS names of a job's pods, as each back end's engine gives them.

JobSet  https://jobset.sigs.k8s.io/docs/concepts/ (network.enableDNSHostnames)
Job     https://kubernetes.io/docs/concepts/workloads/controllers/job/ (Indexed: `<job>-<index>`)
Volcano https://github.com/volcano-sh/volcano/blob/master/docs/user-guide/how_to_use_svc_plugin.md
MPIJob  https://github.com/kubeflow/mpi-operator/tree/master/proposals (v2: `<job>-worker-<index>`)

Names are relative to the job's namespace: a pod resolves them by its search domain.
"""

from __future__ import annotations

from jobs.spec import Backend, Job

__all__ = [
    "CLUSTER_DOMAIN", "fqdn", "has_service", "host", "host_pattern", "hosts_of", "service_name",
]  # fmt: skip

CLUSTER_DOMAIN = "svc.cluster.local"
_WITH_SERVICE = (Backend.JOBSET, Backend.JOB, Backend.VOLCANO)
_REPLICATED = (Backend.JOBSET, Backend.TRAINJOB)
"""JobSets: a role is a replicated Job, whose only replica has the number 0."""


def host(job: Job, role: str, index: int) -> str:
    """A pod's stable name: `<job>-<role>-0-<index>.<job>` under JobSet."""
    return host_pattern(job, role).replace("{index}", str(index))


def host_pattern(job: Job, role: str) -> str:
    """`host` with `{index}` where the pod's index stands."""
    if job.backend is Backend.MPIJOB and role == "launcher":
        return f"{job.name}-launcher.{job.name}"
    elastic = job.elastic is not None and job.elastic.role == role
    replica = "-0" if job.backend in _REPLICATED and not elastic else ""
    return f"{job.name}-{role}{replica}-{{index}}.{job.name}"


def hosts_of(job: Job, role: str, replicas: int) -> list[str]:
    """The names of the pods 0 to `replicas` - 1 of a role."""
    pattern = host_pattern(job, role)
    return [pattern.replace("{index}", str(index)) for index in range(replicas)]


def fqdn(job: Job, role: str, index: int, namespace: str) -> str:
    """The same name, good in every namespace."""
    return f"{host(job, role, index)}.{namespace}.{CLUSTER_DOMAIN}"


def has_service(job: Job) -> bool:
    """Whether the back end makes the ClusterIP service of rank 0."""
    return job.backend in _WITH_SERVICE


def service_name(job: Job) -> str:
    """The ClusterIP service of the pod of rank 0 (`jobs.roles.rank0`)."""
    return f"{job.name}-rank0"
