"""Whole lives through the real engine, in a simulated world."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from colony_command import Running, colony, ledger, task

from colony.rehearsal.world import World, left

pytestmark = pytest.mark.engine

SLOW = 0.004
"""Share of its seconds that an operation really takes: ten minutes take 2.4 s."""


def test_success_ends_with_a_receipt_and_nothing_left(tmp_path):
    world = tmp_path / "world"
    labels = {"kueue.x-k8s.io/queue-name": "research"}
    file = task(tmp_path, resources={"accelerators": "A10G:1", "labels": labels})
    done = colony("rehearse", file, "--format", "json", "--report", world)
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert done.json["billable_left"] == left(world) == []
    cost = done.json["cost"]
    assert sum(cost["parts"].values()) == pytest.approx(cost["total"])
    assert cost["parts"].pop("pulling") == 0, "the nodes had the image before the job was there"
    assert all(cost["parts"].values())
    receipt = json.loads((world / "state/.colony/colony/tiny/receipt.json").read_text())
    assert (receipt["outcome"], receipt["clean"]) == ("succeeded", True)
    billed = [json.loads(line) for line in ledger(world).splitlines() if '"bill"' in line]
    assert len(billed) >= 3
    ended = max(each["at"] for each in receipt["events"] if each["what"].startswith("job "))
    assert nodes_deleted(world) == ended, (
        "nothing passes between the last job and its machines' end"
    )


def nodes_deleted(world):
    """Second of the run at which the first pool was asked to go."""
    calls = [json.loads(line) for line in (world / "journal.jsonl").read_text().splitlines()]
    asked = [
        each["at"]
        for each in calls
        if each.get("op") == "delete" and each.get("type") == "aws:eks/nodeGroup:NodeGroup"
    ]
    began = json.loads(ledger(world).splitlines()[0])["at"]
    return min(asked) - began


def test_one_seed_gives_the_same_bytes(tmp_path):
    file = task(tmp_path)
    first, second, other = (
        colony("rehearse", file, "--format", "json", "--seed", seed) for seed in (1, 1, 2)
    )
    assert first.code == 0, first.err
    assert first.out == second.out
    assert other.json["outcome"] == "succeeded"


def test_a_script_that_exits_7_fails_the_run_and_its_logs_are_kept(tmp_path):
    world = tmp_path / "world"
    file = task(tmp_path, "echo about to fail; exit 7")
    done = colony("rehearse", file, "--exec", "--format", "json", "--report", world)
    assert (done.code, done.json["outcome"]) == (1, "failed"), done.err
    assert done.json["jobs"]["tiny"]["exit_code"] == 7
    assert left(world) == []
    wrong = colony("logs", "tiny/tinny", "--world", world)
    assert (wrong.code, "tiny has no job `tinny` (did you mean `tiny`?)" in wrong.err) == (2, True)
    logs = colony("logs", "tiny/tiny", "--world", world)  # of all: the first to fail ends the rest
    assert (logs.code, "about to fail" in logs.out) == (0, True)


def test_a_job_that_runs_too_long_is_timed_out(tmp_path):
    world = tmp_path / "world"
    labels = {"max-run-duration-seconds": "2"}
    resources = {"accelerators": "A10G:1", "labels": labels}
    file = task(tmp_path, "sleep 60", resources=resources)
    done = colony("rehearse", file, "--exec", "--format", "json", "--report", world)
    assert (done.code, done.json["outcome"]) == (1, "timed_out"), done.err
    assert left(world) == []


def test_no_capacity_while_provisioning_fails_the_run_and_leaves_nothing(tmp_path):
    world, faults = tmp_path / "world", tmp_path / "faults.yaml"
    faults.write_text('faults: [{op: create, type: "aws:eks/nodeGroup:*", error: capacity}]')
    done = colony(
        "rehearse", task(tmp_path), "--faults", faults, "--format", "json", "--report", world
    )
    assert (done.code, done.json["outcome"]) == (1, "failed"), done.err
    attempts = done.json["attempts"]
    assert {attempt["code"] for attempt in attempts} == {"InsufficientInstanceCapacity"}
    assert {attempt["result"] for attempt in attempts} == {"failed"}
    assert left(world) == []


def test_no_offer_names_the_constraint_and_near_matches(tmp_path):
    file = task(tmp_path, resources={"accelerators": "A10G:3"})
    done = colony("rehearse", file)
    assert done.code == 2
    assert "3 x A10G" in done.err
    assert "A10G:4" in done.err
    json_done = colony("rehearse", file, "--format", "json")
    assert (json_done.code, json_done.json["outcome"]) == (2, "unplaceable")


def test_ctrl_c_in_the_middle_of_up_destroys_and_ends_with_130(tmp_path):
    world = tmp_path / "world"
    World.create(world, real_time=SLOW).close()
    run = Running("run", task(tmp_path), "--yes", "--world", world, "--format", "json")
    done = run.until(lambda: "aws:eks/cluster:Cluster" in ledger(world)).interrupt()
    assert (done.code, done.json["outcome"]) == (130, "cancelled"), done.err
    assert left(world) == []
    assert colony("status", "--world", world, "--format", "json").json == []


def test_ctrl_c_while_the_job_runs_ends_it_and_destroys(tmp_path):
    world, mark = tmp_path / "world", tmp_path / "mark"
    World.create(world).close()
    file = task(tmp_path, f"touch {mark}; sleep 300")
    run = Running("run", file, "--yes", "--exec", "--world", world, "--format", "json")
    done = run.until(mark.exists).interrupt()
    assert (done.code, done.json["outcome"]) == (130, "cancelled"), done.err
    assert left(world) == []


def test_outputs_are_copied_out_before_the_destroy(tmp_path):
    world = tmp_path / "world"
    file = tmp_path / "job.yaml"
    file.write_text(
        "apiVersion: colony/v1\nkind: Job\nname: tiny\nresources: {accelerators: A10G:1}\n"
        "run: echo 42 > result.txt\noutputs: [{path: result.txt, to: s3://results/tiny/}]\n"
    )
    done = colony("rehearse", file, "--exec", "--format", "json", "--report", world)
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    found = list((world / "buckets" / "s3" / "results").rglob("result.txt"))
    assert [path.read_text() for path in found] == ["42\n"]


def test_outputs_that_cannot_be_copied_are_an_outcome_of_their_own(tmp_path):
    world = tmp_path / "world"
    file = tmp_path / "job.yaml"
    file.write_text(
        "apiVersion: colony/v1\nkind: Job\nname: tiny\nresources: {accelerators: A10G:1}\n"
        "run: 'true'\noutputs: [{path: nothing.txt, to: s3://results/tiny/}]\n"
    )
    done = colony("rehearse", file, "--exec", "--format", "json", "--report", world)
    assert (done.code, done.json["outcome"]) == (1, "outputs_lost"), done.err
    assert left(world) == []


def test_a_secret_is_nowhere_in_plain_text_but_in_the_cluster_itself(tmp_path):
    world, canary = tmp_path / "world", "canary-5b1f"
    file = task(tmp_path, f'test "${{#TOKEN}}" = {len(canary)}', secrets={"TOKEN": canary})
    done = colony("rehearse", file, "--exec", "--format", "json", "--report", world)
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    holders = {
        path.relative_to(world).parts[0]
        for path in Path(world).rglob("*")
        if path.is_file() and canary.encode() in path.read_bytes()
    }
    assert holders <= {"journal.jsonl"}, "only the simulated API server itself may know it"
    assert canary not in done.out + done.err


def test_a_colony_of_that_name_is_not_overwritten(tmp_path):
    world = tmp_path / "world"
    World.create(world).close()
    file = task(tmp_path)
    assert colony("up", file, "--world", world).code == 0
    before = left(world)
    again = colony("run", file, "--yes", "--world", world)
    assert (again.code, "exists already" in again.err) == (2, True)
    assert left(world) == before != []
    assert colony("down", "tiny", "--world", world).code == 0
    assert left(world) == []


def test_a_colony_of_several_jobs_lives_until_the_last_one(checkout):
    done = colony("rehearse", checkout / "examples" / "colony.yaml", "--format", "json")
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert {job["outcome"] for job in done.json["jobs"].values()} == {"succeeded"}
    assert len(done.json["jobs"]) == 2


def test_clusters_in_several_regions_each_run_their_job(tmp_path):
    regions = ["us-east-1", "us-east-2", "us-west-2"]
    file = tmp_path / "colony.yaml"
    file.write_text(
        json.dumps(
            {
                "apiVersion": "colony/v1",
                "kind": "Colony",
                "name": "wide",
                "clusters": [{"name": r, "cloud": "aws", "region": r} for r in regions],
                "jobs": [
                    {
                        "name": f"on-{r}",
                        "run": "true",
                        "resources": {"accelerators": "H100:8", "region": r},
                    }
                    for r in regions
                ],
            }
        )
    )
    done = colony("rehearse", file, "--format", "json")
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert len(done.json["jobs"]) == 3


def test_an_existing_cluster_is_used_at_no_price_and_left_alone(tmp_path):
    world = tmp_path / "world"
    file = task(tmp_path, resources={"infra": "k8s/mine", "accelerators": "H100:8"})
    done = colony("rehearse", file, "--format", "json", "--report", world)
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert done.json["cost"]["total"] == 0
    assert ledger(world) == ""


def test_what_was_priced_is_what_is_billed_with_prices_of_ones_own(tmp_path):
    catalog = tmp_path / "prices"
    catalog.mkdir()
    (catalog / "aws.csv").write_text(
        "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,"
        "Region,AvailabilityZone,Arch\n"
        "g5.xlarge,A10G,1,4,16,,500.0,,us-east-1,,x86_64\n"
    )
    file = task(tmp_path)
    done = colony("rehearse", file, "--catalog", catalog, "--format", "json")
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert done.json["cost"]["parts"]["running"] > 2 * 500
