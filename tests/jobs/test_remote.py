"""Launcher and workers of mpi, horovod and deepspeed, as processes, with the keys they make.

A real sshd is used where this machine has one (COLONY_SSHD names another place); else a stand-in
that only holds its port, and what the launcher would start there is started by hand.
"""

import os
import shutil
import signal
import socket
import subprocess
import time

import pytest
from pod_process import Pod

from jobs.frameworks import shared_env
from jobs.roles import member
from jobs.spec import Job, Launch, Mpi, Role

SSHD = os.environ.get("COLONY_SSHD") or shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
STAND_IN = """\
while [[ $1 != -f ]]; do shift; done
grep -q "^ForceCommand bash " "$2" && grep -q "^PasswordAuthentication no" "$2" || exit 9
echo serving; while :; do sleep 0.05; done
"""

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen on this machine"),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Team:
    """Two workers and a launcher on this machine: they differ in folder and ssh port."""

    def __init__(self, folder, run, *, ssh=Launch.SSH, workers=2):
        launcher, worker = Role(run=run), Role(replicas=workers, envs={"MINE": "worker's"})
        self.job = Job(
            name="m", framework="mpi", mpi=Mpi(launch=ssh),
            roles={"launcher": launcher, "worker": worker}, policy={"startup_timeout": 20},
        )  # fmt: skip
        self.beacon = free_port()
        self.launcher = self._pod(folder / "launcher", "launcher", 0)
        self.workers = [
            self._pod(folder / f"worker-{index}", "worker", index) for index in range(workers)
        ]

    def _pod(self, folder, role, index):
        pod = Pod(
            folder, self.job, role, index,
            COLONY_LAUNCHER="127.0.0.1", COLONY_BEACON_PORT=str(self.beacon),
            COLONY_SSH_PORT=str(free_port()), COLONY_NODE_IPS="127.0.0.1 127.0.0.1",
            COLONY_LAUNCHER_POLL="0.05", COLONY_LAUNCHER_GRACE="0", HOME=str(folder / "home"),
        )  # fmt: skip
        if SSHD is None:
            pod.tool("sshd", STAND_IN)
        return pod

    def run(self):
        """Exit codes of (launcher, worker, ...)."""
        workers = [worker.start() for worker in self.workers]
        code = self.launcher.run()
        for worker, process in zip(self.workers, workers, strict=True):
            worker.output, _ = process.communicate(timeout=30)
        return [code, *(process.returncode for process in workers)]


def key_of(pod):
    return (pod.folder / "home" / "ssh" / "authorized_keys").read_text()


def test_every_worker_lets_the_launchers_new_key_in_and_ends_after_the_launcher(tmp_path):
    team = Team(tmp_path, "echo launched")
    assert team.run() == [0, 0, 0], [pod.output for pod in (team.launcher, *team.workers)]
    assert "launched" in team.launcher.output
    public = (tmp_path / "launcher" / "home" / "ssh" / "id.pub").read_text()
    assert {key_of(worker) for worker in team.workers} == {public}
    held = [path.name for path in tmp_path.rglob("id")]
    assert held == ["id"], "the private half stays with the launcher"
    assert (tmp_path / "launcher" / "home" / "ssh" / "id").stat().st_mode & 0o77 == 0


def test_a_launcher_that_starts_again_waits_for_the_workers_of_now(tmp_path):
    team = Team(tmp_path, "echo launched")
    (tmp_path / "elastic").mkdir()
    (tmp_path / "elastic" / "hosts").write_text("m-worker-1.m:1\n")
    team.launcher.env["COLONY_ELASTIC"] = str(tmp_path / "elastic")
    del team.workers[0]
    assert team.run() == [0, 0]
    assert "launched" in team.launcher.output


def test_a_launcher_that_may_start_again_is_waited_for():
    roles = {"launcher": Role(restart="OnFailure"), "worker": Role()}
    again = Job(name="m", framework="mpi", roles=roles)
    once = Job(name="m", framework="mpi")
    envs = [shared_env(job, member(job, "worker")) for job in (once, again)]
    assert [env["COLONY_LAUNCHER_GRACE"] for env in envs] == ["30", "1800"]


def test_the_launcher_runs_nothing_before_the_last_worker_has_the_key(tmp_path):
    team = Team(tmp_path, "echo launched")
    with team.launcher.start() as launcher, team.workers[0].start() as first:
        deadline = time.monotonic() + 10
        while not (tmp_path / "worker-0" / "home" / "ssh" / "authorized_keys").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(subprocess.TimeoutExpired):
            launcher.wait(timeout=1)
        with team.workers[1].start():
            assert "launched" in launcher.communicate(timeout=20)[0]
            first.wait(timeout=20)


@pytest.mark.parametrize("role", ["launcher", "worker"])
def test_what_never_meets_the_other_ends_at_the_start_up_timeout(tmp_path, role):
    team = Team(tmp_path, "echo launched")
    pod = team.launcher if role == "launcher" else team.workers[0]
    pod.env["COLONY_STARTUP_SECONDS"] = "0"
    assert pod.run() == 124
    assert "launched" not in pod.output


def test_a_missing_sshd_is_named_at_once(tmp_path):
    team = Team(tmp_path, "true")
    pod = team.workers[0]
    pod.env["PATH"] = str(pod.tools)
    (pod.tools / "sshd").unlink(missing_ok=True)
    for name in ("bash", "mkdir", "cat", "chmod", "rm"):
        pod.tool(name, f'exec /bin/{name} "$@"')
    if SSHD is None:
        assert pod.run() == 69
        assert "openssh-server" in pod.output


def test_a_worker_that_is_stopped_stops_its_sshd(tmp_path):
    team = Team(tmp_path, "true", workers=1)
    pod = team.workers[0]
    pod.env["COLONY_LAUNCHER_GRACE"] = "60"
    with pod.start() as process:
        deadline = time.monotonic() + 10
        while not (pod.folder / "home" / "ssh" / "sshd_config").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 143


def test_what_the_launcher_starts_runs_in_the_workers_environment_without_its_rank(tmp_path):
    team = Team(tmp_path, "true", workers=1)
    assert team.run() == [0, 0]
    session = tmp_path / "worker-0" / "home" / "ssh" / "session"
    found = subprocess.run(
        ["bash", str(session)], capture_output=True, text=True, timeout=10,
        env={
            "PATH": os.environ["PATH"],
            "SSH_ORIGINAL_COMMAND": 'echo "$MINE $WORLD_SIZE ${RANK-none}"; pwd',
        },
    )  # fmt: skip
    assert found.stdout == f"worker's 1 none\n{tmp_path}/worker-0/cwd\n"


@pytest.mark.skipif(SSHD is None, reason="no sshd on this machine: not shown")
def test_the_launcher_reaches_a_worker_by_ssh(tmp_path):
    run = 'read -r -a agent <<<"$OMPI_MCA_plm_rsh_agent"; "${agent[@]}" 127.0.0.1 "echo \\$MINE"'
    team = Team(tmp_path, run, workers=1)
    team.launcher.env["COLONY_SSH_PORT"] = team.workers[0].env["COLONY_SSH_PORT"]
    if SSHD:
        team.workers[0].env["PATH"] = f"{os.path.dirname(SSHD)}:{team.workers[0].env['PATH']}"
    assert team.run() == [0, 0], [pod.output for pod in (team.launcher, *team.workers)]
    assert "worker's" in team.launcher.output


def test_kubectl_needs_no_key_and_no_sshd(tmp_path):
    team = Team(tmp_path, "cat /dev/null && echo launched", ssh=Launch.KUBECTL)
    for worker in team.workers:
        worker.tool("sshd", "exit 9")
    assert team.run() == [0, 0, 0], [pod.output for pod in (team.launcher, *team.workers)]
    assert not list(tmp_path.rglob("id")) + list(tmp_path.rglob("authorized_keys"))


def test_kubectl_finds_the_pod_by_the_index_of_its_host(tmp_path):
    script = "/etc/mpi/kubexec.sh"
    team = Team(tmp_path, '"$OMPI_MCA_plm_rsh_agent" -x m-worker-0-10.m "echo hi"',
                ssh=Launch.KUBECTL, workers=1)  # fmt: skip
    kubectl = f"""
    echo "$*" >> {tmp_path}/called
    case "$*" in *completion-index=10*) echo pod/m-worker-0-10-abcde ;; esac
    """
    team.launcher.tool("kubectl", kubectl)
    assert team.run() == [0, 0], team.launcher.output
    calls = (tmp_path / "called").read_text().splitlines()
    assert "-l colony.dev/job=m,colony.dev/role=worker," in calls[0]
    assert calls[1].startswith("exec -i pod/m-worker-0-10-abcde -c trainer -- bash /")
    assert calls[1].endswith("/ssh/session echo hi")
    assert not os.path.exists(script)
