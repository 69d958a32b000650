"""What is past its lease, by tags alone."""

from __future__ import annotations

import os

import boto3
import pytest
from aws_leaks import Leaks
from colony_command import colony, task
from moto import mock_aws

from colony.cli import sweeping
from colony.inventory import aws
from colony.lifecycle.expired import expired, sweep_expired
from colony.lifecycle.ground import Thing
from colony.rehearsal.world import World, left
from jobs.errors import ColonyError

NOW = 1000.0


def thing(name, stack="demo", expires="500", kind="disk", **more):
    tags = {"colony-stack": stack, **({"colony-expires": expires} if expires else {})}
    return Thing(name, kind, {**tags, **more.pop("tags", {})}, **more)


class Sky:
    """One region: what is in it, and what cannot be deleted while another is there."""

    place = ("sky", "east")

    def __init__(self, *things, blocked=None):
        self.things = {each.id: each for each in things}
        self.blocked = blocked or {}

    def find(self, tag, value=None):
        fits = [each for each in self.things.values() if tag in each.tags]
        return [each for each in fits if value in (None, each.tags[tag])]

    def delete(self, thing):
        if self.blocked.get(thing.id) in self.things:
            raise ColonyError("DependencyViolation")
        del self.things[thing.id]


def swept(places, delete=True, leases=None, only=None):
    clock = [NOW]

    def wait(seconds):
        clock[0] += seconds

    return sweep_expired(
        places, lambda text, at=None: None, now=lambda: clock[0], wait=wait, delete=delete,
        leases=leases or {}, only=only,
    )  # fmt: skip


def test_the_latest_date_on_anything_of_a_colony_counts():
    machines, network = Sky(thing("node", expires="500")), Sky(thing("vpc", expires="2000"))
    assert [one.stack for one in expired([machines], NOW)] == ["demo"]
    assert expired([machines, network], NOW) == []


@pytest.mark.parametrize("date", [None, "", "soon", "-5", "1e3", "²"])
def test_without_a_readable_date_nothing_is_touched(date):
    sky = Sky(thing("vpc", expires=date))
    assert swept([sky]) == []
    assert sky.things


def test_a_colony_in_two_regions_is_removed_in_both_and_its_neighbours_stay():
    east = Sky(thing("a"), thing("live", stack="other", expires="5000"), thing("b"),
               blocked={"a": "b"})  # fmt: skip
    west = Sky(thing("c"), Thing("plain", "disk", {}))
    (one,) = swept([east, west])
    assert ({each.id for each in one.swept.deleted}, one.swept.left) == ({"a", "b", "c"}, [])
    assert (set(east.things), set(west.things)) == ({"live"}, {"plain"})


def test_what_controllers_left_is_found_by_the_network_that_is_named_like_the_cluster():
    owned = Thing("lb", "ec2:balancer", {"kubernetes.io/cluster/demo-main": "owned"})
    theirs = Thing("lb-2", "ec2:balancer", {"kubernetes.io/cluster/demo-main-2": "owned"})
    sky = Sky(thing("vpc-1", kind="ec2:vpc", tags={"Name": "demo-main"}), owned, theirs,
              blocked={"vpc-1": "lb"})  # fmt: skip
    (one,) = swept([sky])
    assert one.swept.left == []
    assert set(sky.things) == {"lb-2"}


def test_a_record_within_reach_knows_better_than_old_tags():
    sky = Sky(thing("vpc"))
    assert swept([sky], leases={"demo": NOW + 1}) == []
    assert len(swept([sky], leases={"demo": NOW - 1})) == 1


def test_without_consent_it_only_lists():
    sky = Sky(thing("vpc"))
    (one,) = swept([sky], delete=False)
    assert ([each.id for each in one.swept.left], set(sky.things)) == (["vpc"], {"vpc"})
    assert swept([sky], delete=False, only="other") == []


def test_in_a_fresh_folder_with_nothing_but_credentials(monkeypatch, tmp_path, capsys):
    """No engine, no state, no passphrase: the Pulumi CLI is not even found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://a-bucket-that-nobody-can-read")
    monkeypatch.setenv("COLONY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        session = boto3.session.Session(region_name="us-east-1")
        Leaks(session, {"colony-stack": "old", "colony-expires": "5"}, "old").seed(["eks"])
        alive = {"colony-stack": "live", "colony-expires": "99999999999"}
        Leaks(session, alive, "live").seed(["eks"])
        regions = [aws.open_inventory("us-east-1"), aws.open_inventory("eu-west-1")]
        monkeypatch.setattr(aws, "everywhere", lambda: regions)
        before = regions[0].find("colony-stack", "live")
        assert sweeping.sweep(None, True, None, False, "text") == 4
        said = capsys.readouterr()
        assert "old: its lease ended" in said.out
        assert "azure was not asked" in said.err
        assert sweeping.sweep(None, True, None, True, "json") == 0
        assert regions[0].find("colony-stack", "old") == []
        assert regions[0].find("colony-stack", "live") == before
    assert not os.path.exists(tmp_path / "cache")


@pytest.mark.engine
def test_in_a_world_what_is_past_its_lease_goes_without_its_state(tmp_path):
    world = tmp_path / "world"
    World.create(world).close()
    assert colony("up", task(tmp_path), "--world", world).code == 0
    early = colony("sweep", "--expired", "--yes", "--world", world)
    assert (early.code, bool(left(world))) == (0, True), early.err
    (world / "state").rename(tmp_path / "lost")
    opened = World.open(world)
    opened.advance(27 * 3600)
    opened.close()
    listed = colony("sweep", "--expired", "--world", world)
    assert (listed.code, "tiny: its lease ended" in listed.out) == (4, True), listed.err
    done = colony("sweep", "--expired", "--yes", "--world", world, "--format", "json")
    assert (done.code, left(world)) == (0, []), done.err
    assert done.json["deleted"]
