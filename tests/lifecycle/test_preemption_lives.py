"""Spot lives through the real engine: the model's decisions, its lost work, its time.

COLONY_LIVES=20 lives twenty of each kind; without it, two.
"""

from __future__ import annotations

import json
import os
import random
from functools import cache
from pathlib import Path

import pytest
import yaml
from colony_command import colony

from colony.lifecycle.model import Course, Place, live
from colony.market.catalog import Catalog
from colony.market.costs import minutes_of
from colony.market.failover import Failover
from colony.rehearsal.jobs import PULL
from colony.rehearsal.world import left
from components.spec import ColonySpec
from jobs.recovery import Recovery, Strategy
from jobs.spec import Job

pytestmark = pytest.mark.engine

LIVES = int(os.environ.get("COLONY_LIVES", "2"))
POLL, BACK, NOTICE = 5.0, 480, 30
_TAKEN = {"nodes": 2, "run": "true", "resources": {"accelerators": "L4:1", "use_spot": True}}


@cache
def _regions():
    """Where the market goes, one after the other."""
    spec = ColonySpec(name="train", jobs=[Job(name="train", **_TAKEN)])
    search, found = Failover(spec, Catalog.load()), []
    settled = search.first()
    while (region := settled.placement.clusters[0].region) not in found:
        found.append(region)
        settled = search.taken(settled, "main", 0.0).settled
    return found


def _case(seed):
    """Machines are taken up to three times, in whichever region the job is then."""
    chance = random.Random(f"engine preemption {seed}")
    recovery = Recovery(
        strategy=list(Strategy)[seed % 2],
        checkpoint_interval=chance.choice([600, 1800, 3600]),
        saves_in=chance.choice([None, None, 20, 90]),
    )
    takings = [chance.randint(5, 90) * 60 for _ in range(chance.randint(1, 3))]
    return recovery, takings, chance.randint(2, 8) * 1800


def _rules(recovery, takings):
    """Of the only pool there is, one after the other; or one in each region."""
    if recovery.strategy is Strategy.FAILOVER:
        return [{"after": takings, "back": BACK}]
    return [
        {"region": region, "after": [after], "back": BACK}
        for region, after in zip(_regions(), takings, strict=False)
    ]


def _modelled(recovery, takings, work):
    """The same life without an engine; the set-up of all regions is alike."""
    minutes = minutes_of("gcp")
    places = [
        Place(region, 1.0, cluster=minutes["cluster"] * 60, nodes=BACK, pulling=PULL)
        for region in _regions()
    ]
    course = Course(
        work=work, checkpoint=recovery.checkpoint_interval, saves=recovery.saves_in, notice=NOTICE,
        recovery=recovery,
    )  # fmt: skip
    again = recovery.strategy is Strategy.FAILOVER  # elsewhere the nodes pull before it is there
    running = iter([taken - PULL * (n > 0 and again) for n, taken in enumerate(takings)])
    return live(places, course, lambda _: next(running, float("inf")))


def _lived(tmp_path, job, faults, *more):
    file, world = Path(tmp_path, "job.yaml"), tmp_path / "world"
    whole = {"apiVersion": "colony/v1", "kind": "Job", "name": "train", **_TAKEN, **job}
    file.write_text(yaml.safe_dump(whole))
    (tmp_path / "faults.json").write_text(json.dumps(faults))
    done = colony(
        "rehearse", file, "--faults", tmp_path / "faults.json", "--format", "json",
        "--report", world, *more,
    )  # fmt: skip
    assert left(world) == [], done.err
    again = colony("replay", world / "incident.jsonl", "--format", "json")
    assert (again.code, again.json["difference"]) == (0, ""), again.out
    return done


def _decisions(receipt):
    """In the model's words."""
    made = [f"restart: {line['then']}" for line in receipt["recovery"]["interruptions"]]
    return made + (["succeeded"] if receipt["outcome"] == "succeeded" else [])


def _ran(events, running, succeeded):
    return succeeded - next(at for at, what in events if what == running)


@pytest.mark.parametrize("seed", range(LIVES))
def test_machines_are_taken_and_the_job_goes_on_as_the_model_says(tmp_path, seed):
    recovery, takings, work = _case(seed)
    job = {"expected_run_time": work, "recovery": recovery.model_dump(mode="json")}
    done = _lived(tmp_path, job, {"preemptions": _rules(recovery, takings)}, "--seed", seed)
    receipt, modelled = done.json, _modelled(recovery, takings, work)
    assert _decisions(receipt) == modelled.decisions, (takings, work, recovery)
    found = receipt["recovery"]["interruptions"]
    slack = POLL * (len(found) + 1)
    assert receipt["recovery"]["lost_seconds"] == pytest.approx(modelled.lost_seconds, abs=slack)
    assert (receipt["recovery"]["lost_usd"] > 0) == (receipt["recovery"]["lost_seconds"] > 0)
    assert receipt["recovery"]["lost_usd"] < receipt["cost"]["total"]
    assert [line["where"].removeprefix("gcp/") for line in found] == [
        event.where for event in modelled.events if event.what == "preempt"
    ]
    if recovery.strategy is Strategy.FAILOVER:
        times = [(event["at"], event["what"]) for event in receipt["events"]]
        ended = next(at for at, what in times if what == "job train succeeded")
        lived = [(event.at, event.what) for event in modelled.events]
        over = next(at for at, what in lived if what == "succeeded")
        really = _ran(times, "job train running", ended)
        assert really == pytest.approx(_ran(lived, "run", over), abs=slack)


def test_machines_of_one_place_are_taken_again_and_again(tmp_path):
    """As long as the next taking is known, the job that was made anew begins before it, when its
    image is there; at first it is there before the job."""
    recovery = {"strategy": "FAILOVER", "checkpoint_interval": "10m"}
    job = {"expected_run_time": "2h", "recovery": recovery}
    faults = {"preemptions": [{"after": ["48m", "40m", "30m"], "back": BACK}]}
    done = _lived(tmp_path, job, faults)
    found = done.json["recovery"]
    assert (done.code, len(found["interruptions"])) == (0, 3), done.err
    assert found["lost_seconds"] == pytest.approx(3 * 480, abs=4 * POLL)


def test_where_no_machine_comes_back_the_next_region_is_tried(tmp_path):
    first, second, *_ = _regions()
    job = {"expected_run_time": "2h", "recovery": {"strategy": "FAILOVER"}}
    faults = {"preemptions": [{"region": first, "after": ["50m"], "back": "never"}]}
    done = _lived(tmp_path, job, faults)
    found = done.json["recovery"]["interruptions"]
    assert (done.code, [line["then"] for line in found]) == (0, ["same region", "next region"])
    assert [line["region"] for line in done.json["attempts"]] == [first, second]


def test_no_start_is_begun_that_the_budget_would_not_see_to_its_run(tmp_path):
    file = {"kind": "Colony", "name": "poor", "budget": {"usd": 1.2}}
    job = {"kind": "Job", "name": "train", "colony": "poor", **_TAKEN, "expected_run_time": "5h"}
    documents = [{"apiVersion": "colony/v1", **each} for each in (file, job)]
    path = tmp_path / "colony.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    (tmp_path / "faults.json").write_text(json.dumps({"preemptions": [{"after": ["40m"]}]}))
    done = colony("rehearse", path, "--faults", tmp_path / "faults.json", "--format", "json")
    (only,) = done.json["recovery"]["interruptions"]
    assert (done.code, only["then"]) == (1, "nowhere")
    assert "no time or money is left for another start" in done.json["reason"]
    assert done.json["cost"]["total"] <= 1.2


CHECKPOINTED = """
step=$(cat /ckpt/step 2>/dev/null || echo 0)
trap 'echo "$step" > /ckpt/step; echo "saved $step"; exit 143' TERM
while [ "$step" -lt 6 ]; do step=$((step + 1)); echo "step $step"; sleep 0.3; done
[ -e /ckpt/tried ] || { touch /ckpt/tried; echo "$step" > /ckpt/step; exit 33; }
echo "whole after step $step"
"""


def test_ranks_that_really_run_are_told_save_and_go_on_from_there(tmp_path):
    job = {
        "nodes": 1, "run": CHECKPOINTED, "expected_run_time": "1h",
        "volumes": [{"path": "/ckpt", "claim": "checkpoints"}],
        "envs": {"COLONY_CHECKPOINT_DIR": "/ckpt"},
        "recovery": {"strategy": "FAILOVER", "recover_on_exit_codes": 33, "saves_in": "10s"},
    }  # fmt: skip
    faults = {"preemptions": [{"after": ["30m"], "line": "*step 3"}]}
    done = _lived(tmp_path, job, faults, "--exec")
    causes = [(line["cause"], line["exit_code"]) for line in done.json["recovery"]["interruptions"]]
    assert (done.code, causes) == (0, [("preempted", None), ("error", 33)]), done.err
    lines = (tmp_path / "world" / "logs" / "train" / "worker-0.log").read_text().splitlines()
    log = [line for line in lines if not line.startswith("colony:")]
    saved = next(line for line in log if line.startswith("saved"))
    assert log[log.index(saved) + 1] == f"step {int(saved.split()[1]) + 1}"
    assert log[-1] == "whole after step 6"
