import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from colony.archive import pack
from colony.rehearsal import watchdog
from colony.rehearsal.execute import ExecOutcome, Execution, execute
from jobs.backends import render
from jobs.context import JobContext
from jobs.errors import InputError
from jobs.spec import Input, Job, Output, Policy, Role

CONTEXT = JobContext(
    colony="spring", cluster="main", cloud="aws", region="us-east-1",
    code_secret="code", env_secret="env",
)  # fmt: skip
FOREVER = "while :; do sleep 0.05; done"


@pytest.fixture
def run(tmp_path):
    """Executes a job; lines of output are collected in `run.lines`."""

    def call(job, **options):
        options.setdefault("archive", pack(tmp_path / "code").data)
        options.setdefault("grace", 5)
        execution = Execution(
            render(job, CONTEXT), tmp_path / "sandbox", tmp_path / "logs",
            buckets=tmp_path / "buckets", on_line=call.lines.append, **options,
        )  # fmt: skip
        call.execution = execution
        return execution.run()

    (tmp_path / "code").mkdir()
    call.lines = []
    yield call
    assert left_behind(tmp_path) == []


def left_behind(folder):
    """Living processes whose environment points into the folder: nothing of a run may stay."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in process.environ().get("HOME", ""):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def job(run="true", **changes):
    if "roles" not in changes:
        changes.setdefault("nodes", 2)
    return Job(name="demo", run=run, **changes)


def test_every_pod_gets_its_rank_and_an_address_of_its_own(run, tmp_path):
    result = run(
        job('echo "$RANK/$WORLD_SIZE $MASTER_ADDR" $SKYPILOT_NODE_IPS', processes_per_node=2)
    )
    assert result.outcome is ExecOutcome.SUCCEEDED
    assert result.exit_codes == {"worker-0": 0, "worker-1": 0}
    first, second = (line.split() for line in sorted(run.lines))
    assert (first[:2], second[:2]) == (["[worker-0]", "0/4"], ["[worker-1]", "2/4"])
    assert first[2:] == second[2:]
    master, *nodes = first[2:]
    assert master == nodes[0] != nodes[1]
    assert all(re.fullmatch(r"127\.\d+\.\d+\.\d+", node) for node in nodes)
    assert (tmp_path / "logs" / "worker-1.log").read_text() == f"2/4 {' '.join(second[2:])}\n"


def test_pods_that_listen_on_one_port_do_not_meet(run):
    serve = (
        "import os, socket; ips = os.environ['SKYPILOT_NODE_IPS'].split();"
        "server = socket.create_server((ips[int(os.environ['NODE_RANK'])], 2222));"
        "print('listens')"
    )
    assert run(job(f'python -c "{serve}"; sleep 0.5')).outcome is ExecOutcome.SUCCEEDED
    assert sorted(run.lines) == ["[worker-0] listens", "[worker-1] listens"]


@pytest.mark.parametrize("where", ["", "0.0.0.0", "localhost", "127.0.0.1"])
def test_to_listen_everywhere_is_to_listen_at_ones_own_address(run, where):
    serve = (
        "import os, socket, time;"
        f"server = socket.create_server(('{where}', 2223)); time.sleep(0.3);"
        "link = socket.create_connection(('localhost', 2223));"
        "print(server.getsockname()[0] == os.environ['COLONY_POD_ADDRESS'])"
    )
    assert run(job(f'python -c "{serve}"; sleep 0.3')).outcome is ExecOutcome.SUCCEEDED
    assert sorted(run.lines) == ["[worker-0] True", "[worker-1] True"]


def test_without_more_addresses_than_one_all_pods_share_it(run, monkeypatch):
    monkeypatch.setattr(
        "colony.rehearsal.addresses._block", lambda count: ["10.254.254.254"] * count
    )
    run(job("echo $MASTER_ADDR $SKYPILOT_NODE_IPS", nodes=2))
    assert run.lines[0].split()[1:] == ["127.0.0.1"] * 3


def test_pods_of_one_world_meet_at_one_port_and_other_worlds_at_another(run):
    result = run(
        job(
            'echo "$MASTER_PORT"; [[ $MASTER_PORT == "$PET_MASTER_PORT" ]]',
            roles={"trainer": Role(replicas=2), "evaluator": Role()},
        )
    )
    assert result.outcome is ExecOutcome.SUCCEEDED
    ports = dict(line.strip("[").split("] ") for line in run.lines)
    assert ports["trainer-0"] == ports["trainer-1"] != ports["evaluator-0"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", int(ports["trainer-0"])))


def test_the_environment_is_built_from_nothing(run, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("MY_OWN", "1")
    run(
        job("env", nodes=1, envs={"GIVEN": "a$b $(c)"}, secrets={"TOKEN": "t"}),
        secrets={"TOKEN": "t"},
    )
    env = dict(line.split("] ", 1)[1].split("=", 1) for line in run.lines if "=" in line)
    assert "AWS_SECRET_ACCESS_KEY" not in env and "MY_OWN" not in env
    assert env["GIVEN"] == "a$b $(c)"
    assert env["TOKEN"] == "t"
    assert env["HOME"] != os.environ["HOME"]


def test_python_is_the_one_that_runs_colony_and_pip_cannot_change_it(run):
    run(job("python -c 'import sys; print(sys.prefix)'; echo $PIP_TARGET", nodes=1))
    assert run.lines[0] == f"[worker-0] {sys.prefix}"
    assert "sandbox" in run.lines[1]


def test_the_code_runs_unpacked_and_the_users_folder_stays_as_it_is(run, tmp_path):
    (tmp_path / "code" / "data.txt").write_text("mine\n")
    run(job("cat data.txt; echo changed > data.txt; touch new; pwd", nodes=1))
    assert run.lines[0] == "[worker-0] mine"
    assert (tmp_path / "code" / "data.txt").read_text() == "mine\n"
    assert os.listdir(tmp_path / "code") == ["data.txt"]


def test_the_checkpoint_folder_can_be_written(run):
    result = run(job('echo 1 > "$COLONY_CHECKPOINT_DIR/step"', nodes=1))
    assert result.outcome is ExecOutcome.SUCCEEDED


@pytest.mark.parametrize("to", ["s3://b/p", "gs://b/p", "az://account/b/p", "file:///b/p"])
def test_outputs_land_in_the_worlds_buckets(run, tmp_path, to):
    spec = job("mkdir out && echo 42 > out/loss", nodes=1, outputs=[Output(path="out", to=to)])
    assert run(spec).outcome is ExecOutcome.SUCCEEDED
    scheme, _, place = to.partition("://")
    assert (tmp_path / "buckets" / scheme / place.lstrip("/") / "loss").read_text() == "42\n"


@pytest.mark.parametrize("source", ["s3://b/p/", "gs://b/p", "az://account/b/p", "file:///b/p"])
def test_inputs_come_from_the_worlds_buckets_and_touch_nothing_outside(run, tmp_path, source):
    scheme, _, place = source.partition("://")
    folder = tmp_path / "buckets" / scheme / place.strip("/")
    folder.mkdir(parents=True)
    (folder / "loss").write_text("42\n")
    spec = job("cat /corpus/loss", inputs=[Input(path="/corpus", source=source)])
    assert run(spec).outcome is ExecOutcome.SUCCEEDED
    assert sorted(run.lines) == ["[worker-0] 42", "[worker-1] 42"]
    assert not Path("/corpus").exists()


def test_no_pod_runs_before_the_setup_of_all_has_ended(run, tmp_path):
    log = tmp_path / "log"
    setup = f'[[ $SKYPILOT_SETUP_NODE_RANK == 0 ]] || sleep 0.5; echo setup >>"{log}"'
    assert run(job(f'echo run >>"{log}"', setup=setup)).outcome is ExecOutcome.SUCCEEDED
    assert log.read_text().split() == ["setup", "setup", "run", "run"]


def test_lost_outputs_are_told_from_a_failed_run(run):
    spec = job("true", outputs=[Output(path="out", to="s3://b/p")])
    result = run(spec)
    assert result.outputs_lost
    assert (result.first_failed, result.exit_codes["worker-0"]) == ("worker-0", 74)
    assert not run(job("exit 74", nodes=1)).outputs_lost


@pytest.mark.parametrize("arguments", ["s3 rm s3://b/p", "ec2 run-instances", "s3 ls"])
def test_a_rehearsals_cloud_tools_do_nothing_but_copy(run, arguments):
    assert run(job(f"aws {arguments}", nodes=1)).exit_codes == {"worker-0": 2}


def test_the_first_failure_ends_the_others_and_names_itself(run):
    result = run(job(f"[[ $NODE_RANK == 1 ]] && exit 7; trap 'exit 0' TERM; {FOREVER}", nodes=3))
    assert result.outcome is ExecOutcome.FAILED
    assert (result.first_failed, result.exit_codes["worker-1"]) == ("worker-1", 7)
    assert result.message == "run failed with exit code 7"
    assert result.exit_codes["worker-0"] == result.exit_codes["worker-2"] == 143


def test_who_does_not_listen_to_sigterm_is_killed_after_the_grace(run, tmp_path):
    deaf = f"trap '' TERM; touch {tmp_path}/deaf; {FOREVER}"
    script = f"""
    if [[ $NODE_RANK == 0 ]]; then {deaf}; fi
    until [[ -e {tmp_path}/deaf ]]; do :; done
    exit 1
    """
    assert run(job(script), grace=0.2).exit_codes == {"worker-0": 137, "worker-1": 1}


def test_a_signal_is_an_exit_code_as_in_a_container(run):
    assert run(job("kill -9 $$", nodes=1)).exit_codes == {"worker-0": 137}


def test_a_job_that_runs_too_long_is_timed_out(run):
    assert run(job(FOREVER), max_seconds=0.3).outcome is ExecOutcome.TIMED_OUT


def test_max_run_time_is_the_default_bound(run):
    assert run(job(FOREVER, max_run_time=1)).outcome is ExecOutcome.TIMED_OUT


def test_cancel_from_another_thread_ends_the_job(run, tmp_path):
    started = threading.Event()
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(run(job(f"echo up; {FOREVER}"))))
    run.lines = Signalling(started)
    thread.start()
    assert started.wait(20)
    run.execution.cancel()
    thread.join(20)
    assert outcome[0].outcome is ExecOutcome.CANCELLED


class Signalling(list):
    def __init__(self, event):
        super().__init__()
        self._event = event

    def append(self, line):
        super().append(line)
        self._event.set()


@pytest.mark.parametrize(
    "daemon",
    [
        "sleep 300 &",
        "(sleep 300 &)",
        "python -c 'import os,time; os.fork() and os._exit(0); os.setsid(); time.sleep(300)'",
    ],
)
def test_what_a_script_leaves_running_ends_with_it(run, daemon):
    assert run(job(f"{daemon}\necho done", nodes=1)).outcome is ExecOutcome.SUCCEEDED
    assert "[worker-0] done" in run.lines


def test_a_failed_gang_starts_again_as_often_as_allowed(run, tmp_path):
    count = tmp_path / "count"
    script = f"echo try; echo x >> {count}; [[ $(wc -l < {count}) == 3 ]]"
    result = run(job(script, nodes=1, policy=Policy(backoff_limit=2)))
    assert (result.outcome, result.attempts) == (ExecOutcome.SUCCEEDED, 3)
    assert (tmp_path / "logs" / "worker-0.log").read_text().count("try") == 3


def test_restarts_end(run):
    result = run(job("exit 1", nodes=1, policy=Policy(backoff_limit=2)))
    assert (result.outcome, result.attempts) == (ExecOutcome.FAILED, 3)


def test_a_last_line_without_end_and_bytes_that_are_no_text_are_kept(run):
    run(job(r"printf 'a\nb\xff'", nodes=1))
    assert run.lines == ["[worker-0] a", "[worker-0] b\ufffd"]


def test_a_hundred_nodes_are_not_really_started(tmp_path):
    with pytest.raises(InputError, match=r"nodes: 100 pods.*64"):
        execute(render(job(nodes=100), CONTEXT), tmp_path / "sandbox", tmp_path / "logs")
    assert not (tmp_path / "sandbox").exists()


def test_when_colony_itself_is_killed_the_pods_go_too(tmp_path):
    program = f"""
import json, sys
from pathlib import Path
from colony.rehearsal.execute import execute
folder = Path({str(tmp_path)!r})
manifests = json.loads(sys.stdin.read())
execute(manifests, folder / "s", folder / "l", on_line=lambda line: print(line, flush=True))
"""
    context = JobContext(colony="spring", cluster="main", cloud="aws", region="us-east-1")
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as colony:
        colony.stdin.write(json.dumps(render(job(f"echo up; {FOREVER}", nodes=1), context)))
        colony.stdin.close()
        assert colony.stdout.readline() == "[worker-0] up\n"
        running = left_behind(tmp_path)
        assert running
        colony.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(running, timeout=20)
    assert alive == []


def test_the_watchdog_spares_processes_without_its_marker():
    with subprocess.Popen(["sleep", "60"], env={watchdog.MARKER: "other"}) as stranger:
        watchdog.kill_all("mine")
        assert stranger.poll() is None
        watchdog.kill_all("other")
        assert stranger.wait(5) == -signal.SIGKILL
