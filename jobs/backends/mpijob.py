"""A job as a Kubeflow MPIJob (v2beta1): one launcher, and the workers that it reaches by ssh.

https://github.com/kubeflow/mpi-operator/tree/master/proposals. The operator makes the ssh keys,
the hostfile and the service; the launcher's result is the job's. It makes the launcher when all
workers are ready, which is how a launcher waits here.
"""

from __future__ import annotations

from jobs.backends.indexed import RESTARTS
from jobs.backends.marks import Manifest
from jobs.backends.pod import pod_template
from jobs.backends.queueing import suspended, workload
from jobs.context import JobContext
from jobs.member import Member
from jobs.policy import Restart
from jobs.roles import members
from jobs.spec import Job, MpiKind

__all__ = ["INDEX_LABEL", "KIND", "render"]

KIND = ("kubeflow.org/v2beta1", "MPIJob")
INDEX_LABEL = "training.kubeflow.org/replica-index"
_IMPLEMENTATIONS = {MpiKind.OPENMPI: "OpenMPI", MpiKind.MPICH: "MPICH"}


def render(job: Job, context: JobContext) -> list[Manifest]:
    """The MPIJob alone."""
    return [workload(job, context, KIND, _spec(job, context))]


def _spec(job: Job, context: JobContext) -> Manifest:
    roles = {role.name: role for role in members(job)}
    launcher, worker = roles["launcher"], roles["worker"]
    waits = any(each.role == worker.name for each in launcher.depends_on)
    return {
        "slotsPerWorker": worker.processes,
        "runLauncherAsWorker": False,
        "launcherCreationPolicy": "WaitForWorkersReady" if waits else "AtStartup",
        "mpiImplementation": _IMPLEMENTATIONS[job.mpi.implementation],
        "sshAuthMountPath": "/root/.ssh",
        "runPolicy": _run_policy(job, launcher),
        "mpiReplicaSpecs": {
            "Launcher": _replicas(job, launcher, context, index="0"),
            "Worker": _replicas(job, worker, context, index=f"metadata.labels['{INDEX_LABEL}']"),
        },
    }


def _run_policy(job: Job, launcher: Member) -> Manifest:
    again = RESTARTS if launcher.restart is Restart.ON_FAILURE else 0
    policy: Manifest = {
        "suspend": suspended(job),
        "cleanPodPolicy": job.policy.clean_up.value,
        "activeDeadlineSeconds": job.max_run_time,
        "backoffLimit": max(again, job.policy.backoff_limit),
    }
    if job.policy.ttl is not None:
        policy["ttlSecondsAfterFinished"] = job.policy.ttl
    return policy


def _replicas(job: Job, role: Member, context: JobContext, index: str) -> Manifest:
    """The operator sets the pods' restart policy, and warns of one in the template."""
    template = pod_template(job, role, context, index=index)
    policy = template["spec"].pop("restartPolicy")
    return {"replicas": role.replicas, "restartPolicy": policy, "template": template}
