"""Both rankings' choices, lived through the real engine: the model's choices, and its winner.

COLONY_LIVES=20 lives twenty worlds; without it, one.
"""

from __future__ import annotations

import itertools
import json
import os
import random
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from colony_command import colony

from colony.lifecycle.model import Course, Place, live
from colony.lifecycle.ranking import choices
from colony.market.catalog import Catalog
from colony.market.costs import Spot, control_plane_per_hour, minutes_of, system_pool
from colony.market.settle import settle
from colony.rehearsal.jobs import PULL
from colony.rehearsal.world import left
from components.spec import ColonySpec
from jobs.recovery import Recovery, Strategy
from jobs.spec import Job

pytestmark = pytest.mark.engine

LIVES = int(os.environ.get("COLONY_LIVES", "1"))
COLUMNS = (
    "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,"
    "Region,AvailabilityZone,Arch"
)
DEAR, CHEAP = "us-east-1", "us-west-2"
"""Where machines are sold on demand, and where also for a spot price."""
BACK = 480
CLOSE = 0.02
"""Bills that differ by less than this are a tie: the engine's durations are its clouds' own."""


@dataclass
class _World:
    """One job, the prices of two regions, and when spot machines are taken."""

    seed: int
    nodes: int
    work: int
    price: float
    spot: float
    takings: list[int]

    @classmethod
    def of(cls, seed):
        chance = random.Random(f"engine ranking {seed}")
        nodes, work = chance.randint(4, 16), chance.randint(5, 30) * 3600
        price = round(chance.uniform(0.8, 1.6), 4)
        spot = round(price * chance.uniform(0.8, 0.99), 4)
        rate = nodes * Spot.known().interruptions_per_node_hour / 3600
        takings = [PULL + 1 + int(chance.expovariate(rate)) for _ in range(12)]
        return cls(seed, nodes, work, price, spot, takings)

    def catalog(self, folder):
        machine = "g5.xlarge,A10G,1,4,16,"
        rows = [f"{machine},{self.price},,{DEAR},,x86_64",
                f"{machine},{self.price * 2},{self.spot},{CHEAP},,x86_64"]  # fmt: skip
        folder.mkdir()
        (folder / "aws.csv").write_text("\n".join([COLUMNS, *rows]) + "\n")
        return Catalog.load(folder)

    def job(self, spot=True, **more):
        need = {"accelerators": "A10G:1"}
        recovery = {"strategy": "FAILOVER"}
        return {"name": "train", "nodes": self.nodes, "run": "true", "max_run_time": "200h",
                "expected_run_time": self.work, "recovery": recovery,
                "resources": {**need, "use_spot": spot}, **more}  # fmt: skip

    def bought(self, catalog, by):
        """Whether the market takes spot machines."""
        job = Job(**self.job(alternatives=[{"accelerators": "A10G:1"}]))
        (chosen,) = settle(ColonySpec(name="train", jobs=[job]), catalog, by).spec.jobs
        return chosen.resources.use_spot

    def places(self, catalog):
        return [self._place(catalog, False), self._place(catalog, True)]

    def _place(self, catalog, spot):
        told = minutes_of("aws")
        minutes = {each: told[each] * 60 for each in ("cluster", "nodes", "pulling", "draining")}
        region = CHEAP if spot else DEAR
        _, system, count = system_pool(catalog, "aws", region)
        return Place(
            region, nodes_per_hour=self.nodes * (self.spot if spot else self.price),
            base_per_hour=control_plane_per_hour("aws"), system_per_hour=system * count,
            spot_nodes=self.nodes if spot else 0,
            takings_per_node_hour=Spot.known().interruptions_per_node_hour, **minutes,
        )  # fmt: skip

    def course(self):
        return Course(
            work=self.work, max_run_time=200 * 3600, lease=202 * 3600,
            recovery=Recovery(strategy=Strategy.FAILOVER),
        )  # fmt: skip

    def modelled(self, place):
        times = iter([after - PULL for after in self.takings])
        return live([place], self.course(),
                    lambda here: next(times) if here.spot_nodes else float("inf"))  # fmt: skip


def _differing(folder):
    """The worlds in which the two rankings choose differently."""
    for seed in itertools.count():
        world = _World.of(seed)
        catalog = world.catalog(folder / str(seed))
        expected, sticker = choices(world.places(catalog), world.course())
        bought = (world.bought(catalog, "expected"), world.bought(catalog, "sticker"))
        assert bought == (expected.spot_nodes > 0, sticker.spot_nodes > 0), seed
        if expected != sticker:
            yield world, catalog, folder / str(seed)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    return list(itertools.islice(_differing(tmp_path_factory.mktemp("worlds")), LIVES))


def _lived(folder, world, catalog, spot):
    name = "spot" if spot else "on-demand"
    file, place = Path(folder, f"{name}.yaml"), folder / name
    body = {"apiVersion": "colony/v1", "kind": "Job", **world.job(spot)}
    file.write_text(yaml.safe_dump(body))
    faults = folder / "faults.json"
    faults.write_text(json.dumps({"preemptions": [{"after": world.takings, "back": BACK}]}))
    done = colony("rehearse", file, "--faults", faults, "--catalog", catalog, "--report", place,
                  "--format", "json")  # fmt: skip
    assert (done.code, left(place)) == (0, []), done.err
    return done.json


@pytest.mark.parametrize("number", range(LIVES))
def test_what_the_rankings_choose_costs_as_the_model_says(tmp_path, worlds, number):
    world, catalog, folder = worlds[number]
    bills, lived = {}, {}
    for place in world.places(catalog):
        spot = place.spot_nodes > 0
        modelled, receipt = world.modelled(place), _lived(tmp_path, world, folder, spot)
        bills[spot], lived[spot] = modelled.spent, receipt["cost"]["total"]
        made = [f"restart: {line['then']}" for line in receipt["recovery"]["interruptions"]]
        assert [*made, "succeeded"] == modelled.decisions
        where = {line["region"] for line in receipt["attempts"]}
        assert where == {place.name}
        assert lived[spot] == pytest.approx(bills[spot], rel=0.05)
    if abs(bills[True] / bills[False] - 1) > CLOSE:
        assert (lived[True] < lived[False]) == (bills[True] < bills[False]), world
