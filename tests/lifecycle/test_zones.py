"""A pool with accelerators goes to another zone, and nothing else of its cluster does: no node
under a running job is replaced, and no control plane is asked for what its cloud refuses. Such a
life takes the real engine up to a minute."""

import json

import pytest
import yaml
from colony_command import colony

from colony.lifecycle.prepare import _as_recorded
from colony.rehearsal.world import World, left
from components.placement import Placement
from components.spec import ColonySpec

A10G = {"name": "gpus", "accelerators": "A10G:1", "nodes": 1}
L4 = {"name": "gpus", "accelerators": "L4:4", "nodes": 2}


def written(path, *clusters):
    access = {"cidrs": ["203.0.113.7/32"]}
    clusters = [{"access": access, **each} for each in clusters]
    head = {"apiVersion": "colony/v1", "kind": "Colony", "name": "wide", "clusters": clusters}
    path.write_text(yaml.safe_dump(head))
    return path


def eks(name="moves", *pools, **more):
    return {"name": name, "cloud": "aws", "region": "us-east-1", "pools": list(pools), **more}


class Here:
    """One colony in a world of its own, and what each `up` has done there."""

    def __init__(self, folder, *faults):
        self.folder, self.world = folder, folder / "world"
        World.create(self.world, faults={"faults": list(faults)}).close()

    def journal(self):
        path = self.world / "journal.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [line for line in lines if line.get("op") in ("create", "update", "delete")]

    def up(self, *clusters, code=0):
        seen = len(self.journal()) if (self.world / "journal.jsonl").exists() else 0
        done = colony("up", written(self.folder / "wide.yaml", *clusters), "--world", self.world)
        assert done.code == code, done.err
        self.said = done.err
        return [
            f"{line['op']} {line['urn'].rsplit('::', 1)[-1]}{' failed' * bool(line.get('error'))}"
            for line in self.journal()[seen:]
        ]

    def end(self):
        down = colony("down", "wide", "--world", self.world)
        assert (down.code, left(self.world)) == (0, []), down.err


@pytest.fixture
def wide(tmp_path):
    return lambda *faults: Here(tmp_path, *faults)


def moved(name="wide-moves-gpus"):
    return [f"create {name}", f"delete {name}"]


def opened(zone):
    """A subnet, and the association of its routes, which is called the same."""
    return [f"create wide-moves-private-us-east-1{zone}"] * 2


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_on_eks_only_the_pool_goes_to_another_zone(wide):
    here = wide()
    stays = eks("stays", A10G)
    here.up(stays, eks("moves", A10G))
    assert here.up(stays, eks("moves", L4)) == moved(), "its zone is one that the cluster is in"
    found = here.up(stays, eks("moves", L4, zones=["us-east-1c"]))
    assert sorted(found) == sorted([*moved(), *opened("c")])
    found = here.up(stays, eks("moves", A10G, zones=["us-east-1d"]))
    assert sorted(found) == sorted([*moved(), *opened("d")]), "what is in zone c stays"
    assert here.up(stays, eks("moves", A10G)) == [], "it may be anywhere, so it stays"
    assert here.up(stays, eks("moves", L4)) == moved()

    many = [f"us-east-1{letter}" for letter in "abcdefg"]
    assert here.up(stays, eks("moves", L4, zones=many), code=2) == []
    assert "at most 6 zones" in here.said
    assert here.up(stays, eks("moves", L4)) == [], "nothing had been written down"
    here.end()


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_what_a_refusal_has_moved_stays_there_when_the_file_asks_for_more(wide):
    gang = {**A10G, "nodes": 2}
    fault = {"op": "create", "type": "aws:eks/nodeGroup:NodeGroup", "urn": "*wide-moves-gpus*",
             "error": "capacity", "times": 2}  # fmt: skip
    here = wide(fault)
    first = here.up(eks("moves", gang))
    assert [line for line in first if line.startswith("update")] == []
    assert first.count("create wide-moves-system") == first.count("create wide-moves-eks") == 1
    assert first.count("create wide-moves-gpus") == 1
    assert set(opened("c")) <= set(first), "zones a and b had been refused"
    more = {"name": "more", "accelerators": "L4:1", "nodes": 1}
    assert here.up(eks("moves", gang, more)) == ["create wide-moves-more"]
    assert here.up(eks("moves", gang)) == ["delete wide-moves-more"]
    here.end()


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_on_gke_and_aks_only_the_pool_goes_to_another_zone(wide):
    here = wide()

    def clusters(zone):
        l4, a100 = {**A10G, "accelerators": "L4:1"}, {**A10G, "accelerators": "A100-80GB:1"}
        gke = {"name": "gke", "cloud": "gcp", "region": "us-central1", "pools": [l4]}
        aks = {"name": "aks", "cloud": "azure", "region": "eastus", "pools": [a100]}
        letter = "abc"[zone - 1]
        return [{**gke, "zones": [f"us-central1-{letter}"]}, {**aks, "zones": [f"eastus-{zone}"]}]

    here.up(*clusters(1))
    found = here.up(*clusters(2))
    assert sorted(found) == sorted(["update wide-gke-gpus", *moved("wide-aks-gpus")])
    here.end()


def pool(name, accelerator="A10G", nodes=2, zone=None, machine="g5.xlarge", price=1.0):
    count = 1 if accelerator else 0
    return {"name": name, "instance_type": machine, "accelerator": accelerator, "nodes": nodes,
            "accelerator_count": count, "zone": zone, "price_per_node_hour": price}  # fmt: skip


def placed(*pools, cloud="aws", region="us-east-1", **more):
    clusters = [{"name": "main", "cloud": cloud, "region": region, "pools": pools, **more}]
    return Placement.model_validate({"clusters": clusters})


SYSTEM = pool("system", None, machine="m6i.large", price=0.1)
DEARER = pool("system", None, machine="m7i.large", price=0.2)


def recorded(before, after, **asked):
    cluster = {"name": "main", "pools": [A10G], **asked}
    spec = ColonySpec.model_validate({"name": "wide", "clusters": [cluster]})
    (cluster,) = _as_recorded(before, after, spec).clusters
    return cluster


def test_of_a_cluster_that_is_changed_each_pool_that_is_asked_for_the_same_stays():
    before = placed(SYSTEM, pool("gpus", zone="us-east-1c"), pool("more", "L4", zone="us-east-1b"))
    wanted = placed(
        DEARER, pool("gpus", zone="us-east-1a", machine="g5.2xlarge"), pool("more", "L4", nodes=3)
    )
    found = recorded(before, wanted)
    assert found.pools[:2] == before.clusters[0].pools[:2]
    assert found.pools[2] == wanted.clusters[0].pools[2]


def test_another_reservation_or_another_place_is_not_the_same():
    before = placed(SYSTEM, pool("gpus", zone="us-east-1c"))
    reserved = {**pool("gpus", zone="us-east-1a", price=0), "reservation": "cr-1"}
    assert recorded(before, placed(SYSTEM, reserved)).pools[1].zone == "us-east-1a"
    wanted = placed(DEARER, pool("gpus", zone="us-east-1a"), zones=["us-east-1a"])
    found = recorded(before, wanted, region="us-east-1", zones=["us-east-1a"])
    assert [each.zone for each in found.pools] == [None, "us-east-1a"]
    assert found.pools[0].instance_type == "m6i.large", "no zone was asked of it"
    elsewhere = placed(DEARER, pool("gpus", zone="us-west-2a"), region="us-west-2")
    assert recorded(before, elsewhere, region="us-west-2") == elsewhere.clusters[0]
