"""The fault matrix: whatever stands in the reaper's way, it ends with nothing left, or says what is
left and what that costs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from colony_command import Running, colony
from crash_matrix.life import MADE_BY_THE_JOB
from crash_matrix.life import colony as to_its_end
from finalizers import outlived_in_log
from served import served

from colony.lifecycle.ground import records_of
from colony.lifecycle.reap import reap
from colony.lifecycle.simulated import Simulated
from colony.lifecycle.state import live_clusters, resources
from colony.rehearsal.state import Store, as_change
from colony.rehearsal.world import World, left

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

COLONY = """\
apiVersion: colony/v1
kind: Colony
name: tiny
clusters:
  - name: main
    cloud: aws
    region: us-east-1
    pools: [{name: gpu, accelerators: "A10G:1", nodes: 1}]
  - {name: own, cloud: existing, context: laptop}
ttl: 2h
---
apiVersion: colony/v1
kind: Job
name: train
colony: tiny
resources: {accelerators: "A10G:1"}
run: sleep 60
max_run_time: 1h
"""
HELD = yaml.safe_load("""\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: held, namespace: default, finalizers: [example.com/hold]}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}
""")
RELEASE = "kubernetes:helm.sh/v3:Release"
SUBNET = "aws:ec2/subnet:Subnet"
CLUSTER = "aws:eks/cluster:Cluster"
INTERFACE = "aws:ec2/networkInterface:NetworkInterface"
LOOSE = "eni-0123456789abcdef0"


@dataclass
class Row:
    """One fault: what the reaper meets, and how it must end."""

    faults: list[dict[str, Any]] = field(default_factory=list)
    clean: bool = True
    left: set[str] = field(default_factory=set)
    """Words that the report of what is left must have."""
    costs: bool = False
    """Whether that costs money."""
    says: str = ""
    """What its notes or reason must say."""
    spoil: Callable[[Simulated, str], None] | None = None
    """What is wrong in the cluster itself, or in its cloud."""
    stays: bool = False
    """Whether the next look finds it, too: nothing was to be mended."""


ROWS = {
    "cluster API unreachable: load balancer and disk are left by controllers": Row(
        [{"op": "any", "type": "kubernetes:api:*", "error": "unreachable"}],
        clean=False, left={"oadBalancer", "Volume"}, costs=True, says="was not drained",
    ),
    "release stuck pending": Row(
        [{"op": "delete", "type": RELEASE, "times": 1, "error": "internal",
          "message": "another operation (install/upgrade/rollback) is in progress"}],
    ),
    "release stuck pending for good": Row(
        [{"op": "delete", "type": RELEASE, "urn": "*-own-*", "error": "internal",
          "message": "another operation (install/upgrade/rollback) is in progress"}],
        clean=False, says="Release tiny-own-kueue",
    ),
    "finalizer stuck": Row(
        spoil=lambda ground, cluster: ground.world.put_object(cluster, HELD),
        says="its finalizers (example.com/hold) were taken off",
    ),
    "CRD gone first": Row(
        spoil=lambda ground, cluster: ground.world.delete_object(
            cluster, "CustomResourceDefinition", None, "jobsets.jobset.x-k8s.io"
        ),
    ),
    "subnet held by interfaces that the network plug-in left": Row(
        spoil=lambda ground, cluster: interface(
            ground, {"cluster.k8s.amazonaws.com/name": cluster.rsplit("/", 1)[-1]}
        ),
    ),
    "subnet held by an interface of somebody else": Row(
        spoil=lambda ground, cluster: interface(ground, {"team": "vision"}),
        clean=False, left={"ec2/subnet", "ec2/vpc"}, says="DependencyViolation", stays=True,
    ),
    "delete refused more often than it is tried": Row(
        [{"op": "delete", "type": SUBNET, "error": "dependency", "times": 99}],
        clean=False, left={"ec2/subnet"}, says="DependencyViolation",
    ),
    "delete refused twice": Row(
        [{"op": "delete", "type": SUBNET, "error": "dependency", "times": 2}],
    ),
    "throttled": Row([{"op": "delete", "type": "aws:*", "error": "throttling", "times": 1}]),
    "credentials expire in the middle, and are renewed": Row(
        [{"op": "delete", "type": "aws:e*", "error": "credentials", "times": 1},
         {"op": "read", "type": "aws:inventory", "error": "credentials", "times": 1}],
    ),
    "credentials expire and stay so": Row(
        [{"op": "any", "type": "aws:*", "error": "credentials"}],
        clean=False, left={"NodeGroup", "Cluster"}, costs=True, says="ExpiredTokenException",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """A colony that is up: its job has made a load balancer, an Ingress and a disk."""
    folder = tmp_path_factory.mktemp("up")
    (folder / "colony.yaml").write_text(COLONY)
    World.create(folder / "world", faults=[MADE_BY_THE_JOB]).close()
    up = ["up", str(folder / "colony.yaml"), "--world", str(folder / "world")]
    to_its_end(up, folder / "up.log")
    World.open(folder / "world").stop()
    return folder / "world"


@pytest.fixture
def world(up, tmp_path):
    """Its lease has ended, and the reaper comes."""
    target = tmp_path / "world"
    shutil.copytree(up, target, ignore=shutil.ignore_patterns("server.*", "ports.json"))
    with served(target) as ground:
        ground.world.advance(2 * 3600 + 60)
    return target


def meets(world, faults):
    (world / "faults.json").write_text(json.dumps({"faults": faults}))


def reaped(world):
    """One look of the reaper, in this process."""
    said = []
    with served(world) as ground:
        (one,) = reap(ground, lambda text, at=None: said.append(text))
        notes = (records_of(ground, "tiny").read("receipt") or {}).get("notes", [])
    return one, " ".join([*said, *notes, one.error, one.ended.doubt if one.ended else ""])


def interface(ground, tags):
    """One that is attached to nothing, in a subnet of ours."""
    ground.world.stop()
    store = Store(Path(ground.world.dir))
    one = next(t for t in store.world.things.values() if t.type == INTERFACE and t.goes_with)
    key = one.key.replace(one.id, LOOSE)
    loose = replace(one, key=key, id=LOOSE, goes_with=[], tags=tags)
    store.commit({"at": store.world.clock, "op": "leave", "changes": [as_change(loose)]})


def spoil(world, row):
    with served(world) as ground:
        found = live_clusters(ground.engine.export("tiny"))
        [cluster] = [each.identifier for each in found if each.ours]
        row.spoil(ground, cluster)


@pytest.mark.parametrize("name", ROWS)
def test_it_ends_empty_or_with_a_report_of_what_is_left(world, name):
    row = ROWS[name]
    if row.spoil:
        spoil(world, row)
    meets(world, row.faults)
    one, said = reaped(world)
    report = one.to_dict()
    assert row.says in said
    assert one.clean is row.clean, report
    assert bool(left(world)) is row.costs, report
    listed = json.dumps(report["billable_left"] + report["also_left"])
    assert all(word in listed for word in row.left), listed
    if not row.clean:
        assert (report["usd_per_hour"] > 0) is row.costs
        meets(world, [])  # the cause is mended: the next look goes on where this one stopped
        again, _ = reaped(world)
        kept = {"oadBalancer", "Volume"} & row.left
        assert again.clean is not (row.stays or bool(kept))


def test_two_reapers_at_once_end_it_once_and_in_order(world):
    with served(world) as ground:
        state = resources(ground.engine.export("tiny"))
    both = [Running("reap", "--world", world, "--format", "json") for _ in range(2)]
    done = [each.end() for each in both]
    assert left(world) == []
    for each in done:
        assert each.code == 0 or "is locked by" in each.out + each.err, each.err
    assert 0 in [each.code for each in done]
    with served(world) as ground:
        assert ground.engine.stacks() == []
        done = ground.world.operations()
    assert any(each["op"] == "delete" and each.get("type") == RELEASE for each in done)
    assert outlived_in_log(done, state) == []


def test_a_backend_that_cannot_be_asked_may_hold_something(world):
    backend = world / "state" / ".pulumi"
    backend.rename(world / "away")
    backend.write_text("no folder")
    done = colony("reap", "--world", world)
    assert done.code == 4
    assert "the backend cannot be asked" in done.out + done.err
    assert "colony sweep --expired" in done.out + done.err
    assert left(world), "nothing was touched"


def test_a_reaper_that_is_killed_is_followed_by_another(world):
    settings = json.loads((world / "world.json").read_text())
    (world / "world.json").write_text(json.dumps({**settings, "checkpoints": True, "parallel": 1}))
    meets(world, [{"op": "delete", "type": CLUSTER, "kill": "before"}])
    killed = Running("reap", "--world", world)
    World.open(world).announce(killed.pid)
    assert killed.end().code == -9
    World.open(world).stop()
    assert left(world), "it was killed too late to prove anything"
    one, said = reaped(world)
    assert "taking over the lock" in said
    assert one.clean, one.to_dict()
    assert left(world) == []


def test_a_clock_that_is_wrong_ends_nothing_and_what_is_there_is_listed_with_its_price(world):
    file = world / "state/.colony/colony/tiny/lease.json"
    lease = json.loads(file.read_text())
    ahead = {key: lease[key] + 4 * 3600 for key in ("created", "expires")}
    file.write_text(json.dumps({**lease, **ahead}))
    there = left(world)
    done = colony("reap", "--world", world, "--format", "json")
    (one,) = done.json
    assert (done.code, one["action"]) == (4, "refuse")
    assert "whose clock is wrong?" in one["reason"]
    assert {each["id"] for each in one["billable_left"]} == {each["id"] for each in there}
    price = sum(each["usd_per_hour"] for each in there)
    assert one["usd_per_hour"] == pytest.approx(price, abs=1e-4)
    assert left(world) == there
    text = colony("reap", "--world", world)
    assert "LEFT, and still paid for" in text.out
    file.write_text(json.dumps(lease))
    assert reaped(world)[0].clean
    assert left(world) == []
