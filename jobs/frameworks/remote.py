"""How a launcher reaches its workers: hostfile, and ssh with keys that nobody has to make.

The keys live and die with the pods, and neither need the Kubernetes API nor pass through any state:

1. A worker starts its sshd at once, with a host key of its own and no authorized key.
2. The launcher starts when the workers run. It makes a key pair in its own scratch volume and
   hands the *public* half out over TCP (port BEACON_PORT), for as long as it lives.
3. Each worker asks the launcher's host name for it, authorizes it, and says so; when all have,
   the launcher runs the user's script. A worker trusts what the cluster's DNS calls the launcher:
   it asks, it never listens, so nobody can push a key into it.
4. A worker ends, successfully, when the launcher no longer answers.

The private half stays in the launcher: workers cannot reach each other, so mpirun starts all of
its daemons from there (no tree spawn). `launch: kubectl` needs no sshd, and rights to exec instead.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jobs.frameworks.team import Team
from jobs.policy import Restart
from jobs.spec import Backend, Job, Launch, MpiKind

__all__ = [
    "BEACON_PORT", "SSH_PORT", "deepspeed_hostfile", "hostfile", "launcher_env", "launcher_script",
    "own_ssh", "plain_hosts", "rsh_files", "shared_env", "slots", "worker_script",
]  # fmt: skip

SSH_PORT = 2222
BEACON_PORT = 2223
CONFIG = "-F {home}/ssh/config"
KUBEXEC = "/etc/mpi/kubexec.sh"

_INDEX_LABELS = {
    Backend.VOLCANO: "volcano.sh/task-index",
    Backend.MPIJOB: "training.kubeflow.org/replica-index",
}
_INDEX_LABEL = "batch.kubernetes.io/job-completion-index"


def own_ssh(job: Job) -> bool:
    """Whether the pods wire ssh themselves: the MPI operator does it for its own."""
    return job.backend is not Backend.MPIJOB and job.mpi.launch is Launch.SSH


def slots(team: Team) -> int:
    """Processes of a worker."""
    elastic = team.job.elastic
    return (elastic.slots if elastic else None) or team.members["worker"].processes


def plain_hosts(team: Team) -> str:
    """`host:N` lines: MPICH, Horovod."""
    return "".join(f"{host}:{slots(team)}\n" for host in team.hosts("worker"))


def deepspeed_hostfile(team: Team) -> str:
    """`host slots=N` lines: Open MPI, DeepSpeed."""
    return "".join(f"{host} slots={slots(team)}\n" for host in team.hosts("worker"))


def hostfile(team: Team) -> str:
    """In the form that the job's MPI reads."""
    mpich = team.job.mpi.implementation is MpiKind.MPICH
    return plain_hosts(team) if mpich else deepspeed_hostfile(team)


def shared_env(team: Team) -> dict[str, str]:
    """What launcher and workers must know of each other."""
    return {
        "COLONY_LAUNCHER": team.hosts("launcher")[0],
        "COLONY_LAUNCH": team.job.mpi.launch.value,
        "COLONY_SSH_PORT": str(team.members["worker"].ports.get("ssh", SSH_PORT)),
        "COLONY_BEACON_PORT": str(team.members["launcher"].ports.get("beacon", BEACON_PORT)),
        "COLONY_WORKERS": str(team.members["worker"].replicas),
        "COLONY_SLOTS": str(slots(team)),
        "COLONY_STARTUP_SECONDS": str(team.job.policy.startup_timeout),
        "COLONY_LAUNCHER_GRACE": str(_grace(team)),
    }


def launcher_env(team: Team) -> dict[str, str]:
    """What makes mpirun, Hydra and pdsh use the hostfile and the connection."""
    path = team.job.mpi.hostfile
    hosts = {"COLONY_HOSTFILE": path, "DSTACK_MPI_HOSTFILE": path}
    if team.job.backend is Backend.MPIJOB:
        return hosts
    if team.job.mpi.implementation is MpiKind.MPICH:
        return {**hosts, "HYDRA_HOST_FILE": path, **_hydra(team)}
    agent = f"ssh {CONFIG}" if own_ssh(team.job) else KUBEXEC
    return {
        **hosts,
        "OMPI_MCA_orte_default_hostfile": path,
        "OMPI_MCA_plm_rsh_agent": agent,
        "OMPI_MCA_plm_rsh_no_tree_spawn": "1",
        "OMPI_MCA_orte_keep_fqdn_hostnames": "true",
        "PRTE_MCA_prte_default_hostfile": path,
        "PRTE_MCA_plm_ssh_agent": agent,
        "PRTE_MCA_plm_ssh_no_tree_spawn": "1",
        "PRTE_MCA_prte_keep_fqdn_hostnames": "true",
        "PDSH_RCMD_TYPE": "ssh",
        "PDSH_SSH_ARGS_APPEND": CONFIG,
    }


def rsh_files(team: Team) -> dict[str, str]:
    """The launcher's files beside the hostfile."""
    if own_ssh(team.job) or team.job.backend is Backend.MPIJOB:
        return {}
    label = _INDEX_LABELS.get(team.job.backend, _INDEX_LABEL)
    return {KUBEXEC: _script("kubexec.sh").replace("@LABEL@", label)}


def launcher_script(job: Job) -> str | None:
    """Runs before the user's script."""
    return None if job.backend is Backend.MPIJOB else _script("launcher.sh")


def worker_script(job: Job) -> str:
    """What a worker runs unless the user says otherwise."""
    if job.backend is Backend.MPIJOB:
        return 'PATH=$PATH:/usr/sbin\nexec "$(command -v sshd)" -De\n'
    return _script("worker.sh")


def _grace(team: Team) -> int:
    """Seconds a worker waits for a launcher that no longer answers, which may start again."""
    once = team.members["launcher"].restart is Restart.NEVER
    return 30 if once else team.job.policy.startup_timeout


def _hydra(team: Team) -> dict[str, str]:
    if own_ssh(team.job):
        return {"HYDRA_LAUNCHER": "ssh", "HYDRA_LAUNCHER_EXTRA_ARGS": CONFIG}
    return {"HYDRA_LAUNCHER": "ssh", "HYDRA_LAUNCHER_EXEC": KUBEXEC}


@cache
def _script(name: str) -> str:
    return (Path(__file__).parent / "scripts" / name).read_text(encoding="utf-8")
