"""Colonies whose states and records are in a bucket: moto's S3, the real engine, a world."""

from __future__ import annotations

import json

import pytest
from colony_command import Running, colony, ledger, task
from fake_s3 import s3_served, s3_url

from colony.rehearsal.world import World, left
from colony.storage.opening import open_storage

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

LOCKS = ".pulumi/locks/"


@pytest.fixture
def bucket(monkeypatch):
    """The URL of a bucket's folder, and the credentials in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-key")
    with s3_served() as address:
        yield s3_url(address, folder="team")


@pytest.fixture
def world(tmp_path):
    World.create(tmp_path / "world").close()
    return tmp_path / "world"


def elsewhere(tmp_path, name="elsewhere"):
    """Another machine, but for its name: an empty folder and an empty home."""
    folder = tmp_path / name
    folder.mkdir()
    return {"cwd": folder, "HOME": str(folder)}


def pass_time(world, seconds):
    opened = World.open(world)
    opened.advance(seconds)
    opened.close()


def test_a_run_that_was_killed_is_ended_once_by_two_reapers_who_have_the_url_alone(
    bucket, world, tmp_path
):
    at = ("--world", world, "--backend", bucket)
    storage = open_storage(bucket)
    assert storage.keys(LOCKS) == []  # and its client is there when it has to be quick
    running = Running("run", task(tmp_path), "--yes", *at).until(lambda: storage.keys(LOCKS))
    [lock] = storage.keys(LOCKS)
    held = storage.read(lock).data
    running.until(lambda: "nodeGroup:NodeGroup" in ledger(world)).kill()
    # Its engine may still end by itself; that of a machine that died does not.
    storage.write(lock, held)
    assert left(world) != []
    assert not list((world / "state").rglob("*tiny*"))
    there = [elsewhere(tmp_path, name) for name in ("second", "third")]
    both = [Running("reap", "--yes", *at, "--format", "json", **each) for each in there]
    done = [each.end() for each in both]
    assert [one.code for one in done] == [0, 0], [one.err for one in done]
    assert {one["clean"] for each in done for one in each.json} == {True}
    assert left(world) == []
    assert storage.keys(LOCKS) == []
    assert not [key for key in storage.keys(".pulumi/stacks/") if key.endswith("tiny.json")]
    again = colony("reap", "--yes", *at, "--format", "json", **there[0])
    assert (again.code, again.json[0]["action"]) == (0, "gone")
    log = colony("history", "tiny", *at, "--format", "json").json
    assert log["events"][0]["what"] == "leased"
    assert {"ending", "ended"} <= {event["what"] for event in log["events"]}
    assert [receipt["clean"] for receipt in log["receipts"]] == [True]
    whole = b"".join(storage.read(key).data for key in storage.keys(""))
    assert b"canary-key" not in whole


def test_what_up_made_is_seen_extended_and_ended_from_elsewhere(bucket, world, tmp_path):
    at = ("--world", world, "--backend", bucket)
    up = colony("up", task(tmp_path), *at)
    assert up.code == 0, up.err
    there = elsewhere(tmp_path)
    (world / "project" / "stacks" / "Pulumi.tiny.yaml").unlink()  # that machine's own
    row = colony("status", *at, "--format", "json", **there).json[0]
    assert (row["colony"], row["phase"]) == ("tiny", "Ready")
    before = json.loads(open_storage(bucket).read(".colony/colony/tiny/lease.json").data)
    done = colony("extend", "tiny", "--by", "2h", *at, "--format", "json", **there)
    assert (done.code, done.json["expires"]) == (0, before["expires"] + 7200), done.err
    assert f'"colony-expires": "{done.json["expires"]}"' in ledger(world)
    alive = colony("reap", "--yes", *at, "--format", "json", **there)
    assert (alive.code, alive.json[0]["action"]) == (0, "wait")
    down = colony("down", "tiny", "--yes", *at, **there)
    assert down.code == 0, down.err
    assert left(world) == []


def test_a_whole_run_leaves_its_receipt_and_its_logs_in_the_bucket(bucket, world, tmp_path):
    at = ("--world", world, "--backend", bucket)
    done = colony("run", task(tmp_path, run="echo hello from a rank"), "--yes", "--exec", *at)
    assert done.code == 0, done.err
    names = open_storage(bucket).keys(".colony/colony/tiny/")
    assert {"receipt.json", "incident.jsonl"} <= {name.rpartition("/")[2] for name in names}
    logs = colony("logs", "tiny", *at, **elsewhere(tmp_path))
    assert (logs.code, "hello from a rank" in logs.out) == (0, True), logs.err
    assert not list((world / "state").rglob("*tiny*"))


def test_a_backend_that_is_gone_is_no_empty_one(bucket, world, tmp_path):
    at = ("--world", world)
    gone = "s3://colonies?region=us-east-1&endpoint=http://127.0.0.1:9&s3ForcePathStyle=true"
    reap = colony("reap", "--yes", *at, "--backend", gone)
    assert (reap.code, "does not answer" in reap.out) == (4, True), reap.out + reap.err
    wrong = colony("reap", "--yes", *at, "--backend", bucket.replace("colonies", "colony"))
    assert (wrong.code, "there is no bucket colony" in wrong.err) == (2, True), wrong.err
    down = colony("down", "tiny", "--yes", *at, "--backend", gone)
    assert (down.code, "may be left" in down.err) == (4, True), down.err
    file = task(tmp_path)
    refused = colony("up", file, *at, "--backend", gone)
    assert (refused.code, ledger(world)) == (1, ""), refused.err
