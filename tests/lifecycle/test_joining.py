"""`--on NAME`: jobs that join a colony which is there already."""

import pytest
import yaml
from colony_command import colony, ledger

from colony.rehearsal.world import World, left

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


def write(path, **fields):
    path.write_text(yaml.safe_dump({"apiVersion": "colony/v1", **fields}))
    return path


def job(folder, name="more", **fields):
    given = {"nodes": 2, "resources": {"accelerators": "H100:8"}, "run": "true"}
    times = {"max_run_time": "1h", "expected_run_time": "10m"}
    return write(folder / f"{name}.yaml", kind="Job", name=name, **{**given, **times, **fields})


@pytest.fixture
def world(tmp_path):
    """With a colony that is up: two nodes, and no job."""
    folder = tmp_path / "world"
    World.create(folder).close()
    pool = {"name": "gpu", "accelerators": "H100:8", "nodes": 2}
    lab = write(
        tmp_path / "lab.yaml", kind="Colony", name="lab", ttl="6h",
        clusters=[{"name": "main", "cloud": "aws", "pools": [pool]}],
    )  # fmt: skip
    done = colony("up", lab, "--yes", "--world", folder)
    assert done.code == 0, done.err
    return folder


def test_a_job_joins_a_colony_runs_and_leaves_it_as_it_is(world, tmp_path):
    before = ledger(world)
    done = colony("run", job(tmp_path), "--on", "lab", "--world", world, "--format", "json")
    assert (done.code, done.json["jobs"]) == (0, {"more": "succeeded"}), done.err
    assert ledger(world) == before, "nothing was bought"
    again = colony("up", job(tmp_path, "third"), "--on", "lab", "--world", world)
    assert again.code == 0, again.err
    jobs = colony("jobs", "lab", "--world", world, "--format", "json")
    assert set(jobs.json) == {"more", "third"}
    down = colony("down", "lab", "--yes", "--world", world)
    assert down.code == 0, down.err
    assert left(world) == []


def test_what_cannot_join_is_refused_and_changes_nothing(world, tmp_path):
    def refused(file, name="lab"):
        done = colony("up", file, "--on", name, "--world", world)
        assert done.code == 2, done.err
        return done.err

    assert "did you mean `lab`?" in refused(job(tmp_path), "labb")
    assert "no cluster of lab (main) has such nodes" in refused(
        job(tmp_path, resources={"accelerators": "A100:8"})
    )
    assert "has such nodes" in refused(job(tmp_path, nodes=3))
    assert "the lease of lab ends in" in refused(job(tmp_path, max_run_time="7h"))
    jobs = colony("jobs", "lab", "--world", world, "--format", "json")
    assert jobs.json == {}
