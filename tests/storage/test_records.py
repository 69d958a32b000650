"""A colony's records in every kind of storage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from colony.lifecycle.config import code_here
from colony.records import Records, stacks_with_records
from components.lease import Lease
from jobs.errors import InputError

LEASE = Lease(
    colony="demo", stack="demo", owner="me", created=1767225600, expires=1767312000, end="down"
)


def test_a_life_leaves_the_same_records_wherever_they_are(kind):
    records = Records(kind.open(), "demo")
    assert (records.lease(), records.receipts(), records.lines("events")) == (None, [], [])
    records.write("lease", LEASE.model_dump(mode="json"))
    records.write("clusters", {"names": ["demo-main"], "places": [["aws", "us-east-1"]]})
    for what in ("leased", "up", "ended"):
        records.append("events", {"what": what})
    records.write_receipt({"outcome": "succeeded", "clean": True})
    again = Records(kind.open(), "demo")
    assert (again.lease(), again.places()) == (LEASE, [("aws", "us-east-1")])
    assert [event["what"] for event in again.lines("events")] == ["leased", "up", "ended"]
    assert [receipt["created"] for receipt in again.receipts()] == [LEASE.created]
    assert stacks_with_records(kind.open()) == ["demo"]
    again.remove("clusters", "receipt", "keep")
    assert (again.read("clusters"), again.read("receipt")) == (None, None)


def test_a_lease_that_others_change_is_read_again(kind):
    records, theirs = Records(kind.open(), "demo"), Records(kind.open(), "demo")
    records.write("lease", LEASE.model_dump(mode="json"))
    seen = records.read("lease")
    looks = []

    def later(value):
        if not looks:  # between the look and the write of the first try
            theirs.change("lease", lambda one: {**one, "expires": one["expires"] + 1000})
        looks.append(value["expires"])
        return {**value, "expires": value["expires"] + 1}

    records.change("lease", later)
    assert looks == [LEASE.expires, LEASE.expires + 1000]
    assert theirs.lease().expires == LEASE.expires + 1001
    assert not records.claim(seen, 1.0)
    assert records.claim(theirs.read("lease"), 1.0)

    def too_late(value):
        if "ending" in value:
            raise InputError("too late")
        return value

    with pytest.raises(InputError, match="too late"):
        theirs.change("lease", too_late)


def test_archives_and_logs_reach_a_machine_that_did_not_write_them(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "first"))
    mine = Records(kind.open(), "demo")
    path = mine.keep_code("train", "0" * 64, b"archive")
    config = {"colony:code": json.dumps({"train": {"path": str(path), "sha256": "0" * 64}})}
    assert code_here(mine, config) == {}
    (mine.logs / "train").mkdir(parents=True)
    (mine.logs / "train" / "0.log").write_text("hello")
    mine.publish("logs", "error.txt")
    if kind.name == "cloud":
        return  # it has no place for files
    monkeypatch.setenv("HOME", str(tmp_path / "second"))
    theirs = Records(kind.open(), "demo")
    assert (theirs.fetch("logs") / "train" / "0.log").read_text() == "hello"
    if kind.name == "folder":
        return  # one and the same
    path.unlink()
    moved = json.loads(code_here(theirs, config)["colony:code"])["train"]["path"]
    assert moved.startswith(str(tmp_path / "second"))
    with open(moved, "rb") as file:
        assert file.read() == b"archive"


def counted(kind, storage, monkeypatch):
    """A function that says how many names the storage has listed, page by page."""
    if kind.name == "folder":
        found = []
        listing = Path.iterdir
        monkeypatch.setattr(Path, "iterdir", lambda path: found.append(path) or listing(path))
        monkeypatch.delattr(Path, "rglob")
        return lambda: len(found) - 1  # the folder that they are in
    if kind.name == "s3":
        pages = []
        event = "after-call.s3.ListObjectsV2"
        storage._client.meta.events.register(event, lambda parsed, **_: pages.append(parsed))
        names = ("Contents", "CommonPrefixes")
        return lambda: sum(len(page.get(name, [])) for page in pages for name in names)
    before = kind.service.listed
    return lambda: kind.service.listed - before


@pytest.mark.parametrize("kind", ["folder", "s3", "gs", "azblob"], indirect=True)
def test_who_has_records_is_found_without_listing_the_records(kind, monkeypatch):
    storage = kind.open()
    for stack in ("demo", "other", "third"):
        for number in range(7):
            storage.write(f".colony/colony/{stack}/receipts/{number}.json", b"{}")
    listed = counted(kind, storage, monkeypatch)
    assert stacks_with_records(storage) == ["demo", "other", "third"]
    assert listed() == 3
