"""Kubeflow's MPIJob.

https://github.com/kubeflow/mpi-operator/blob/v0.8.2/pkg/controller/mpi_job_controller.go
"""

from __future__ import annotations

from collections.abc import Sequence

from colony.rehearsal.expand import READY, Manifest, Plan, PlannedPod, namespace_of, pod_of

__all__ = ["of_mpijob"]

RETRIES_OF_A_JOB = 6
"""Kubernetes' own backoffLimit."""


def of_mpijob(job: Manifest, manifests: Sequence[Manifest]) -> Plan:
    spec, name, namespace = job["spec"], job["metadata"]["name"], namespace_of(job)
    run, replicas = spec.get("runPolicy") or {}, spec["mpiReplicaSpecs"]
    workers = int(replicas.get("Worker", {}).get("replicas", 0))
    hosts = [f"{name}-worker-{index}.{name}" for index in range(workers)]
    pods = [_mpi_worker(name, _mpi_template(replicas["Worker"]), index, host)
            for index, host in enumerate(hosts)]  # fmt: skip
    launcher = pod_of(
        _mpi_template(replicas["Launcher"]), "launcher", 0, f"{name}-launcher",
        [f"{name}-launcher.{name}"],
        marks={"training.kubeflow.org/job-name": name,
               "training.kubeflow.org/job-role": "launcher"},
        env=(*_mpi_env(spec), {"name": "K_MPI_JOB_ROLE", "value": "launcher"}),
        files=_mpi_files(spec, [f"{host}.{namespace}.svc" for host in hosts]),
    )  # fmt: skip
    waits = {}
    if spec.get("launcherCreationPolicy") == "WaitForWorkersReady" and pods:
        waits = {launcher.role: [(pods[0].role, READY)]}
    return Plan(
        name=name,
        namespace=namespace,
        pods=[*pods, launcher],
        success=[[launcher.role]],
        failure=[[launcher.role]],
        waits=waits,
        seconds=float(run.get("activeDeadlineSeconds") or "inf"),
        retries={launcher.role: int(run.get("backoffLimit", RETRIES_OF_A_JOB))},
    )


def _mpi_template(replica: Manifest) -> Manifest:
    """The operator writes the restart policy of the replicas into their pods."""
    template = replica["template"]
    policy = replica.get("restartPolicy", "Never")
    own = "Never" if policy == "ExitCode" else policy
    return {**template, "spec": {**template["spec"], "restartPolicy": own}}


def _mpi_worker(job: str, template: Manifest, index: int, host: str) -> PlannedPod:
    marks = {
        "training.kubeflow.org/job-name": job,
        "training.kubeflow.org/job-role": "worker",
        "training.kubeflow.org/replica-index": str(index),
    }
    env = ({"name": "K_MPI_JOB_ROLE", "value": "worker"},)
    return pod_of(template, "worker", index, f"{job}-worker-{index}", [host], marks=marks, env=env)


def _mpi_env(spec: Manifest) -> list[Manifest]:
    hostfile, slots = "/etc/mpi/hostfile", str(spec.get("slotsPerWorker", 1))
    values = {
        "OpenMPI": {
            "OMPI_MCA_orte_keep_fqdn_hostnames": "true",
            "OMPI_MCA_orte_default_hostfile": hostfile,
            "OMPI_MCA_plm_rsh_args": "-o ConnectionAttempts=10",
            "OMPI_MCA_orte_set_default_slots": slots,
        },
        "Intel": {
            "I_MPI_HYDRA_HOST_FILE": hostfile,
            "I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS": "-o ConnectionAttempts=10",
            "I_MPI_PERHOST": slots,
        },
        "MPICH": {
            "HYDRA_HOST_FILE": hostfile,
            "HYDRA_LAUNCH_EXTRA_ARGS": "-o ConnectionAttempts=10",
        },
    }[spec.get("mpiImplementation", "OpenMPI")]
    return [{"name": name, "value": value} for name, value in values.items()]


def _mpi_files(spec: Manifest, hosts: list[str]) -> dict[str, str]:
    slots = spec.get("slotsPerWorker", 1)
    form = "{} slots={}\n" if spec.get("mpiImplementation", "OpenMPI") == "OpenMPI" else "{}:{}\n"
    lines = "".join(f"echo {host}\n" for host in hosts)
    return {
        "/etc/mpi/hostfile": "".join(form.format(host, slots) for host in hosts),
        "/etc/mpi/discover_hosts.sh": f"#!/bin/sh\n{lines}",
    }
