import random
import signal
import socket
import subprocess

import pytest
from pod_process import CONTEXT, Pod

from colony.archive import pack
from jobs.entrypoint import entrypoint_env, scripts, wait_command
from jobs.environment import environment
from jobs.errors import InputError
from jobs.frameworks import complete
from jobs.roles import member
from jobs.spec import Input, Job, Output, Resources, Role


def job(**changes):
    values = {"name": "ddp", "resources": Resources(accelerators="H100:8")}
    if "roles" not in changes:
        values["nodes"] = 2
    return Job(**{**values, **changes})


ADDRESSES = {
    "m-master-0-0.m": "10.0.0.9",
    "m-worker-0-0.m": "10.0.0.3",
    "m-worker-0-1.m": "10.0.0.1",
}


@pytest.mark.parametrize(("role", "index"), [("master", 0), ("worker", 0), ("worker", 1)])
def test_the_script_gives_every_pod_exactly_the_environment_of_the_contract(tmp_path, role, index):
    spec = job(
        name="m",
        roles={"worker": Role(replicas=2), "master": Role(resources=Resources())},
        envs={"ODD": "a $(b) $$ ${c} 'q'\ntwo", "COUNT": "$((1+1))"},
        run="env -0",
    )
    pod = Pod(tmp_path / "pod", spec, role, index)
    cases = "\n".join(f"    {name}) echo '{ip} STREAM {name}' ;;" for name, ip in ADDRESSES.items())
    pod.tool("getent", f'case "$2" in\n{cases}\n    *) exit 2 ;;\nesac')
    assert pod.run() == 0
    given = pod.given()
    expected = environment(spec, role, index, CONTEXT, list(ADDRESSES.values()))
    expected["COLONY_CHECKPOINT_DIR"] = str(tmp_path / "pod" / "checkpoints")
    assert {name: given.get(name) for name in expected} == expected


def test_names_stand_in_for_addresses_that_cannot_be_found(tmp_path):
    pod = Pod(tmp_path / "pod", job(run='echo "$SKYPILOT_NODE_IPS"'))
    pod.tool("getent", "exit 2")
    assert pod.run() == 0
    assert pod.output == "ddp-worker-0-0.ddp\nddp-worker-0-1.ddp\n"


def test_an_address_that_appears_late_is_waited_for(tmp_path):
    pod = Pod(
        tmp_path / "pod", job(nodes=1, run='echo "$SKYPILOT_NODE_IPS"'),
        COLONY_RESOLVE_SECONDS="20", COLONY_RESOLVE_INTERVAL="0.01",
    )  # fmt: skip
    pod.tool("getent", f'[[ -e {tmp_path}/asked ]] && echo "10.1.1.1 x"; touch {tmp_path}/asked')
    assert pod.run() == 0
    assert pod.output == "10.1.1.1\n"


@pytest.mark.parametrize(
    ("setup", "run", "code", "said"),
    [
        (None, "exit 0", 0, None),
        (None, "exit 7", 7, "run failed with exit code 7"),
        ("exit 3", "echo never", 3, "setup failed with exit code 3"),
        ("export A=1", "[[ -z ${A:-} ]]", 0, None),
        (None, "false; true", 0, None),
        (None, None, 0, None),
    ],
)
def test_the_exit_code_is_the_users(tmp_path, setup, run, code, said):
    pod = Pod(tmp_path / "pod", job(setup=setup, run=run), COLONY_NODE_IPS="127.0.0.1")
    assert pod.run() == code
    assert "never" not in pod.output
    assert (pod.log.read_text() if pod.log.exists() else None) == said


def test_the_code_is_unpacked_and_the_scripts_run_in_it(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "hello.txt").write_text("hello")
    (tmp_path / "code.tar.gz").write_bytes(pack(source).data)
    pod = Pod(
        tmp_path / "pod", job(run="cat hello.txt; ls"),
        COLONY_CODE=str(tmp_path / "code.tar.gz"), COLONY_NODE_IPS="127.0.0.1",
    )  # fmt: skip
    assert pod.run() == 0
    assert pod.output == "hellohello.txt\n"


def inputs_job(source, path="data", **more):
    return job(inputs=[Input(path=path, source=source)], run=f"cat {path}/a.txt", **more)


@pytest.mark.parametrize("path", ["data", "~/data", "in/side"])
def test_inputs_are_there_before_the_setup_of_every_pod(tmp_path, path):
    for index in (0, 1):
        spec = inputs_job("file:///bucket", path, setup=f"cat {path}/a.txt")
        pod = Pod(
            tmp_path / f"pod{index}", spec, index=index,
            COLONY_NODE_IPS="127.0.0.1", HOME=str(tmp_path / "home"), COLONY_SETUP_SECONDS="",
        )  # fmt: skip
        (pod.folder / "files" / "bucket").mkdir(parents=True)
        (pod.folder / "files" / "bucket" / "a.txt").write_text("here\n")
        assert pod.run() == 0
        assert pod.output == "here\nhere\n"


@pytest.mark.parametrize(
    ("source", "tool", "calls"),
    [
        ("s3://b/p/", "aws", ["s3 cp --only-show-errors --recursive s3://b/p/ data"]),
        ("s3://b", "aws", ["s3 cp --only-show-errors --recursive s3://b data"]),
        ("s3://b/p", "aws", ["s3 cp --only-show-errors s3://b/p data",
                             "s3 cp --only-show-errors --recursive s3://b/p data"]),
        ("gs://b/p", "gcloud", ["storage cp gs://b/p data",
                                "storage rsync --recursive gs://b/p data"]),
        ("az://acct/box/p", "azcopy", ["copy https://acct.blob.core.windows.net/box/p data "
                                       "--recursive --as-subdir=false"]),
    ],
)  # fmt: skip
def test_an_object_is_asked_for_first_and_then_a_folder(tmp_path, source, tool, calls):
    pod = Pod(tmp_path / "pod", inputs_job(source), COLONY_NODE_IPS="127.0.0.1")
    folder = "[[ $* == *recursive* ]] || exit 1; mkdir -p data; echo here >data/a.txt"
    pod.tool(tool, f'echo "$@" >> {tmp_path}/called; {folder}')
    assert pod.run() == 0
    assert (tmp_path / "called").read_text().splitlines() == calls


@pytest.mark.parametrize("aws", ["exit 1", "exit 0"])
def test_a_pod_whose_inputs_do_not_come_ends_with_66_before_its_setup(tmp_path, aws):
    pod = Pod(
        tmp_path / "pod", inputs_job("s3://b/p", setup="echo never"), COLONY_NODE_IPS="127.0.0.1"
    )
    pod.tool("aws", aws)
    assert pod.run() == 66
    assert "inputs_lost: s3://b/p to data" in pod.log.read_text()
    assert "never" not in pod.output


def test_inputs_that_take_too_long_are_given_up(tmp_path):
    pod = Pod(
        tmp_path / "pod", inputs_job("s3://b/"),
        COLONY_NODE_IPS="127.0.0.1", COLONY_FETCH_SECONDS="1",
    )  # fmt: skip
    pod.tool("aws", "sleep 60")
    assert pod.run() == 66


def world_of_two(tmp_path, setup, **extra):
    """Two pods of one world; each has an address of its own, as in a cluster."""
    block = random.SystemRandom().randrange(1 << 16, 254 << 16)
    ips = [f"127.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in (block, block + 1)]
    spec = job(setup=setup, run='echo "run $SKYPILOT_NODE_RANK" >>"$LOG"')
    return [
        Pod(
            tmp_path / f"pod{index}", spec, index=index, COLONY_NODE_IPS=" ".join(ips),
            COLONY_POD_ADDRESS=ips[index], COLONY_WAIT_INTERVAL="0.02",
            LOG=str(tmp_path / "log"), **extra,
        )
        for index in (0, 1)
    ]  # fmt: skip


SLOW = """
[[ $SKYPILOT_SETUP_NODE_RANK == 0 ]] || until [[ -e $LOG.go ]]; do sleep 0.02; done
echo "setup $SKYPILOT_SETUP_NODE_RANK" >>"$LOG"
"""


def test_no_pod_runs_before_the_setup_of_all_has_ended(tmp_path):
    first, second = world_of_two(tmp_path, SLOW)
    running = [first.start(), second.start()]
    while not (tmp_path / "log").exists():
        assert running[0].poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        running[0].wait(0.5)
    assert (tmp_path / "log").read_text() == "setup 0\n"
    (tmp_path / "log.go").touch()
    assert [process.wait(30) for process in running] == [0, 0]
    for process in running:
        process.stdout.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert (lines[:2], sorted(lines[2:])) == (["setup 0", "setup 1"], ["run 0", "run 1"])


def test_the_setup_of_others_is_waited_for_no_longer_than_the_start_up_timeout(tmp_path):
    _, second = world_of_two(tmp_path, "true", COLONY_SETUP_SECONDS="0.2")
    assert second.run() == 124
    assert "the setup of other pods did not end" in second.log.read_text()


def test_a_pod_that_starts_again_is_let_in(tmp_path):
    first, second = world_of_two(tmp_path, "true")
    (first.folder / "scripts" / "worker.run.sh").write_text(
        'until [[ -e "$LOG" ]]; do sleep 0.02; done'
    )
    running = first.start()
    again = dict(second.env)
    (second.folder / "scripts" / "worker.run.sh").write_text("exit 3")
    assert second.run() == 3
    (second.folder / "scripts" / "worker.run.sh").write_text('echo again >"$LOG"')
    assert (second.env, second.run()) == (again, 0)
    assert running.wait(30) == 0
    running.stdout.close()


@pytest.mark.parametrize(
    ("change", "meets"),
    [
        ({"setup": "x"}, True),
        ({"inputs": [Input(path="d", source="s3://b")]}, True),
        ({}, False),
        ({"setup": "x", "nodes": 1}, False),
        ({"setup": "x", "framework": "standalone"}, False),
        ({"setup": "x", "roles": {"a": Role(), "b": Role(depends_on=["a"])}}, False),
    ],
    ids=str,
)
def test_only_pods_that_set_up_together_wait_for_each_other(change, meets):
    spec = complete(job(run="x", **change))
    (first, *_) = [member(spec, name) for name in spec.roles]
    assert ("COLONY_SETUP_SECONDS" in entrypoint_env(spec, first, code=False)) == meets
    assert ("barrier.sh" in scripts(spec)) == meets


def outputs_job(to, run="mkdir -p out && echo result > out/a.txt", path="out"):
    return job(run=run, outputs=[Output(path=path, to=to)])


@pytest.mark.parametrize(
    ("path", "to", "lands"),
    [
        ("out", "file:///kept", "kept/a.txt"),
        ("out/a.txt", "file:///kept/b.txt", "kept/b.txt"),
        ("out/a.txt", "file:///kept/", "kept/a.txt"),
    ],
)
def test_outputs_are_copied_after_success(tmp_path, path, to, lands):
    pod = Pod(tmp_path / "pod", outputs_job(to, path=path), COLONY_NODE_IPS="127.0.0.1")
    assert pod.run() == 0
    assert (tmp_path / "pod" / "files" / lands).read_text() == "result\n"


@pytest.mark.parametrize(
    ("to", "tool", "arguments"),
    [
        ("s3://b/p", "aws", "s3 cp --only-show-errors --recursive out s3://b/p"),
        ("gs://b/p", "gcloud", "storage rsync --recursive out gs://b/p"),
        (
            "az://acct/box/p", "azcopy",
            "copy out https://acct.blob.core.windows.net/box/p --recursive --as-subdir=false",
        ),
    ],
)  # fmt: skip
def test_each_bucket_is_reached_by_its_clouds_own_tool(tmp_path, to, tool, arguments):
    pod = Pod(tmp_path / "pod", outputs_job(to), COLONY_NODE_IPS="127.0.0.1")
    pod.tool(tool, f'echo "$@" > {tmp_path}/called')
    assert pod.run() == 0
    assert (tmp_path / "called").read_text().strip() == arguments


@pytest.mark.parametrize(
    ("run", "aws", "said"),
    [
        ("mkdir out", "exit 1", "outputs_lost: out to s3://b/p (exit code 1)"),
        ("true", "exit 0", "outputs_lost: out (was not written)"),
    ],
)
def test_outputs_that_cannot_be_copied_end_the_pod_with_74(tmp_path, run, aws, said):
    pod = Pod(tmp_path / "pod", outputs_job("s3://b/p", run), COLONY_NODE_IPS="127.0.0.1")
    pod.tool("aws", aws)
    assert pod.run() == 74
    assert pod.log.read_text() == said


def test_copying_is_bounded_by_the_flush_timeout(tmp_path):
    pod = Pod(tmp_path / "pod", outputs_job("s3://b/p"), COLONY_NODE_IPS="127.0.0.1")
    pod.env["COLONY_FLUSH_SECONDS"] = "1"
    pod.tool("aws", "exec sleep 60")
    assert pod.run() == 74
    assert "exit code 124" in pod.log.read_text()


def test_only_the_first_pod_must_have_written_the_outputs(tmp_path):
    spec = outputs_job("file:///kept", run="true")
    assert Pod(tmp_path / "second", spec, index=1, COLONY_NODE_IPS="127.0.0.1").run() == 0
    assert Pod(tmp_path / "first", spec, index=0, COLONY_NODE_IPS="127.0.0.1").run() == 74


def test_a_failed_run_copies_nothing_and_keeps_its_exit_code(tmp_path):
    pod = Pod(
        tmp_path / "pod", outputs_job("file:///kept", "mkdir out; exit 5"),
        COLONY_NODE_IPS="127.0.0.1",
    )  # fmt: skip
    assert pod.run() == 5
    assert not (tmp_path / "pod" / "files").exists()


def test_a_missing_copy_tool_is_found_out_before_the_training(tmp_path):
    pod = Pod(
        tmp_path / "pod", outputs_job("gs://b/p", "echo trained"), COLONY_NODE_IPS="127.0.0.1"
    )
    pod.env["PATH"] = f"{pod.tools}"
    for name in ("bash", "mkdir", "cat"):
        pod.tools.joinpath(name).symlink_to(f"/bin/{name}")
    pod.env["COLONY_CODE"] = ""
    assert pod.run() == 69
    assert "trained" not in pod.output
    assert "gcloud" in pod.log.read_text()


@pytest.mark.timeout(20)
def test_sigterm_reaches_what_the_users_script_started(tmp_path):
    run = """
    bash -c 'trap "echo saved; exit 0" TERM; echo ready; while :; do sleep 0.05; done'
    echo unreachable
    """
    pod = Pod(tmp_path / "pod", job(run=run), COLONY_NODE_IPS="127.0.0.1")
    with pod.start() as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert process.returncode == 143
    assert "saved" in rest
    assert "unreachable" not in rest
    assert pod.log.read_text() == "terminated"


@pytest.mark.parametrize("path", ["o\tut", "o\nut"])
def test_outputs_that_would_break_the_list_are_refused(path):
    with pytest.raises(InputError, match=r"outputs\[0\]"):
        scripts(job(outputs=[Output(path=path, to="s3://b/p")]))


# -- the world, the framework's files and variables, waiting --


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"WORLD_SIZE": "8"}, "WORLD_SIZE is '8', but nodes x processes is 16"),
        ({"WORLD_SIZE": ""}, "WORLD_SIZE is '', but"),
        ({"COLONY_WORLD": "1x8 2x4 1x1"}, "but nodes x processes is 17"),
        ({"COLONY_POD_INDEX": "worker-1"}, "COLONY_POD_INDEX is 'worker-1', not a number"),
    ],
)
def test_a_world_that_is_not_as_told_is_never_started(tmp_path, change, said):
    pod = Pod(tmp_path / "pod", job(run="echo trained"), COLONY_NODE_IPS="127.0.0.1", **change)
    assert pod.run() == 78
    assert said in pod.log.read_text()
    assert "trained" not in pod.output


def mpi(run, **changes):
    roles = {"launcher": Role(run=run), "worker": Role(replicas=2)}
    return job(framework="mpi", name="m", roles=roles, **changes)


def launcher(folder, spec, **extra):
    pod = Pod(folder, spec, "launcher", COLONY_NODE_IPS="127.0.0.1", **extra)
    (folder / "scripts" / "launcher.before.sh").unlink()
    return pod


HOSTS = "m-worker-0-0.m slots=8\nm-worker-0-1.m slots=8\n"


def test_files_are_written_where_programs_look_for_them(tmp_path):
    path = tmp_path / "etc" / "hostfile"
    spec = mpi(f"cat {path}", mpi={"hostfile": str(path)})
    pod = launcher(tmp_path / "pod", spec, COLONY_FILE_PREFIX="")
    assert (pod.run(), pod.output) == (0, HOSTS)


@pytest.mark.parametrize("prefix", ["", "sandbox"])
def test_files_that_cannot_be_there_move_and_the_variables_follow(tmp_path, prefix):
    spec = mpi('cat "$OMPI_MCA_orte_default_hostfile"', mpi={"hostfile": "/proc/no/hostfile"})
    root = str(tmp_path / prefix) if prefix else ""
    pod = launcher(tmp_path / "pod", spec, COLONY_FILE_PREFIX=root)
    assert (pod.run(), pod.output) == (0, HOSTS)


def test_a_list_that_changes_is_linked_to(tmp_path):
    spec = job(
        framework="horovod", elastic={"max": 3},
        run='cat "$COLONY_HOSTFILE"; "$COLONY_DISCOVERY"',
    )  # fmt: skip
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    pod = launcher(tmp_path / "pod", spec, COLONY_ELASTIC=str(mounted))
    (mounted / "hostfile").write_text("w-0.w slots=8\n")
    (mounted / "hosts").write_text("w-0.w:8\n")
    assert (pod.run(), pod.output) == (0, "w-0.w slots=8\nw-0.w:8\n")


def test_a_step_beside_another_neither_unpacks_nor_sets_up_again(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "hello.txt").write_text("hello")
    (tmp_path / "code.tar.gz").write_bytes(pack(source).data)
    spec = job(setup="echo set up", run="echo ran >> hello.txt; cat hello.txt")
    steps = {
        "COLONY_CODE": str(tmp_path / "code.tar.gz"), "COLONY_NODE_IPS": "127.0.0.1",
        "KUBERAY_GEN_RAY_START_CMD": "echo ray for $RANK; cat hello.txt",
    }  # fmt: skip
    pod = Pod(tmp_path / "pod", spec, index=1, COLONY_STEP="serve", **steps)
    assert (pod.run(), pod.output) == (0, "set up\nray for 8\nhello")
    pod.env["COLONY_STEP"] = "run"
    assert (pod.run(), pod.output) == (0, "helloran\n")
    assert (pod.run(), pod.output) == (0, "helloran\nran\n")


def waiting(folder, *arguments, **extra):
    pod = Pod(folder, job(), COLONY_WAIT_INTERVAL="0.01", **extra)
    for name in [name for name in pod.env if name.startswith("COLONY_") and "WAIT" not in name]:
        if name != "COLONY_TERMINATION_LOG":
            del pod.env[name]
    return pod, pod.run("wait", *arguments)


def test_a_dependency_that_listens_is_waited_for_no_longer(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        _, code = waiting(tmp_path / "pod", "20", f"127.0.0.1:{port}", f"127.0.0.1:{port}")
    assert code == 0


@pytest.mark.parametrize("target", ["127.0.0.1:{port}", "nowhere.invalid:"])
def test_a_dependency_that_never_comes_ends_the_wait(tmp_path, target):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        target = target.format(port=free.getsockname()[1])
        pod, code = waiting(tmp_path / "pod", "0", target)
    assert code == 124
    assert pod.log.read_text() == f"{target.rstrip(':')} was not there within 0 seconds"


def test_a_role_waits_for_the_first_port_of_every_pod_that_it_depends_on():
    graph = job(
        framework="custom",
        policy={"startup_timeout": 90},
        roles={
            "db": Role(replicas=2, ports={"sql": 5432, "admin": 80}),
            "queue": Role(),
            "train": Role(depends_on=["db", "queue"]),
            "report": Role(depends_on=[{"role": "train", "phase": "Succeeded"}]),
        },
    )
    assert wait_command(graph, member(graph, "train"))[2:] == [
        "wait", "90", "ddp-db-0-0.ddp:5432", "ddp-db-0-1.ddp:5432", "ddp-queue-0-0.ddp:",
    ]  # fmt: skip
    assert wait_command(graph, member(graph, "db")) == []
    assert wait_command(graph, member(graph, "report")) == []
