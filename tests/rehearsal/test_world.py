import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from colony.rehearsal.world import EPOCH, Refused, World, left
from jobs.errors import InputError


def server(world):
    return psutil.Process(json.loads((world.dir / "server.json").read_text())["pid"])


def gone(process):
    try:
        return process.wait(timeout=10) is not False
    except psutil.NoSuchProcess:
        return True


def service(name="web"):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"type": "LoadBalancer"},
    }


def test_importing_the_client_is_light():
    code = (
        "import sys, colony.rehearsal.world\n"
        "print([name for name in ('pulumi', 'grpc', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_world_is_made_once(make_world, tmp_path):
    make_world(seed=3)
    assert World.open(tmp_path / "world").seed == 3
    with pytest.raises(InputError, match="holds a world already"):
        World.create(tmp_path / "world")
    with pytest.raises(InputError, match="holds no world"):
        World.open(tmp_path / "elsewhere")


def test_bad_faults_leave_nothing_behind(tmp_path):
    with pytest.raises(InputError):
        World.create(tmp_path / "world", faults=[{"urn": "*a", "error": "capasity"}])
    assert not (tmp_path / "world").exists()


def test_secrets_of_a_world_are_its_owners_alone(make_world):
    world = make_world()
    assert (world.dir / "passphrase").stat().st_mode & 0o777 == 0o600
    assert (world.dir / "state").stat().st_mode & 0o777 == 0o700


def test_the_environment_is_closed(make_world, monkeypatch, cli):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("KUBECONFIG", "/my/cluster")
    environment = make_world().environment()
    assert environment["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert environment["PULUMI_IGNORE_AMBIENT_PLUGINS"] == "true"
    assert environment["PULUMI_BACKEND_URL"].startswith("file://")
    assert "aws:" in environment["PULUMI_DEBUG_PROVIDERS"]
    assert not {"AWS_SECRET_ACCESS_KEY", "KUBECONFIG"} & environment.keys()
    assert environment["PATH"].split(os.pathsep)[0] == str(cli.path.parent)


@pytest.mark.parametrize(
    ("faults", "skips"),
    [
        ([], True),
        ([{"urn": "*a", "error": "quota"}], True),
        ([{"urn": "*a", "kill": "after"}], False),
    ],
)
def test_only_a_kill_makes_the_engine_write_checkpoints(make_world, cli, faults, skips):
    world = make_world(faults=faults)
    assert ("PULUMI_SKIP_CHECKPOINTS" in world.environment()) is skips
    assert world.parallel == (64 if skips else 1)


def test_the_server_holds_no_credentials(make_world, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    world = make_world()
    world.start()
    assert "AWS_SECRET_ACCESS_KEY" not in server(world).environ()


def test_the_server_is_in_a_session_of_its_own_and_is_the_only_one(make_world):
    world = make_world()
    world.start()
    one = server(world)
    assert os.getsid(one.pid) != os.getsid(0)
    assert one.pid not in [child.pid for child in psutil.Process().children(recursive=True)]
    world.start()
    World.open(world.dir).start()
    assert server(world).pid == one.pid


def test_the_world_outlives_a_killed_server(make_world):
    world = make_world()
    world.add_cluster("mine")
    world.put_object("mine", service())
    world.advance(90)
    process = server(world)
    process.kill()
    gone(process)
    assert world.now() == EPOCH + 90
    assert [obj["metadata"]["name"] for obj in world.objects("mine", "Service")] == ["web"]
    assert server(world).pid != process.pid


def test_the_server_ends_when_nobody_calls(make_world):
    world = make_world(idle_seconds=0.2)
    world.start()
    assert gone(server(world))
    assert world.now() == EPOCH


def test_a_stopped_server_comes_back_on_its_ports(make_world, cli):
    world = make_world()
    before = world.environment()["PULUMI_DEBUG_PROVIDERS"]
    world.stop()
    assert not (world.dir / "server.json").exists()
    assert world.environment()["PULUMI_DEBUG_PROVIDERS"] == before


def test_objects_can_be_put_patched_and_deleted(make_world):
    world = make_world()
    world.add_cluster("mine")
    world.put_object("mine", service())
    world.patch_status("mine", "Service", "default", "web", {"ready": True})
    assert world.objects("mine", "Service", "default")[0]["status"] == {"ready": True}
    assert world.objects("mine", "Service", "other") == []
    world.delete_object("mine", "Service", "default", "web")
    with pytest.raises(Refused, match="not found"):
        world.delete_object("mine", "Service", "default", "web")
    with pytest.raises(Refused, match="unreachable"):
        world.objects("other", "Service")


def test_a_bill_is_a_line_that_changes_nothing_else(make_world):
    world = make_world()
    world.charge([{"id": "n", "type": "node", "tags": {}, "usd_per_hour": 2.0, "urn": "u"}])
    [line] = [json.loads(text) for text in (world.dir / "ledger.jsonl").read_text().splitlines()]
    assert (line["op"], line["at"]) == ("bill", EPOCH)
    assert left(world.dir) == []


def test_deleting_what_is_not_there_is_refused(make_world):
    with pytest.raises(Refused, match="nothing here has the id"):
        make_world().delete("vpc-0")


def test_two_that_start_at_once_share_one_server(make_world):
    world = make_world()
    code = f"from colony.rehearsal.world import World; World.open({str(world.dir)!r}).start()"
    starters = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [starter.wait(timeout=60) for starter in starters] == [0, 0, 0]
    servers = [
        process
        for process in psutil.process_iter()
        if _runs(process, "colony.rehearsal.server") and _runs(process, str(world.dir))
    ]
    assert len(servers) == 1


def _runs(process, word):
    try:
        return word in process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def test_a_server_that_cannot_start_says_where_its_log_is(make_world, monkeypatch):
    from colony.rehearsal import link
    from jobs.errors import NotReady

    world = make_world()
    (world.dir / "journal.jsonl").write_text("this is no journal\n")
    monkeypatch.setattr(link, "START_SECONDS", 1.0)
    start = time.monotonic()
    with pytest.raises(NotReady, match=r"server\.log"):
        world.start()
    assert time.monotonic() - start < 60
