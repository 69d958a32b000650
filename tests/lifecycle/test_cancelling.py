"""`colony cancel`: jobs ended by hand, and what becomes of their colony."""

from __future__ import annotations

import json
from types import SimpleNamespace

import psutil
import pytest
import yaml
from colony_command import Running, colony
from lifecycle_fakes import FakeAccess, FakeGround

from colony.agent.completion import JobMark, State, write_completion
from colony.agent.ending import CANCELLED_BY
from colony.lifecycle import cancelling
from colony.lifecycle.cancelled import cancelled_jobs
from colony.lifecycle.ground import records_of
from colony.lifecycle.kinds import WORKLOADS
from colony.lifecycle.receipt import Marks
from colony.lifecycle.watch import watch
from colony.rehearsal.world import World, left
from colony.storage.folder import Folder
from components.placement import Placement
from components.spec import ColonySpec
from jobs.backends import render
from jobs.context import JobContext
from jobs.errors import InputError, NotReady, RunFailed
from jobs.spec import Job

BACKENDS = sorted(WORKLOADS)
JOBSET = WORKLOADS["jobset"]


def job(name, run="true", **fields):
    return {"name": name, "run": run, "resources": {"accelerators": "A10G:1"}, **fields}


def workload(name, **status):
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    return {"kind": "JobSet", "metadata": metadata, "spec": {}, "status": status}


def pod(name, of):
    metadata = {"name": name, "namespace": "default", "labels": {"colony.dev/job": of}}
    return {"kind": "Pod", "metadata": metadata, "status": {"phase": "Running"}}


class Bed:
    """A colony of one cluster with these jobs; what the reaper was asked, `reaped` holds."""

    def __init__(self, monkeypatch, folder, jobs, objects, sticky=None, **fields):
        self.spec = ColonySpec.model_validate({"name": "lab", "jobs": jobs, **fields})
        placed = {each["name"]: "main" for each in jobs}
        self.access = FakeAccess(objects, sticky)
        self.access.keep_logs = self.kept
        self.ground = FakeGround()
        self.ground.storage = Folder(folder)
        self.ground.engine = SimpleNamespace(stacks=lambda: ["lab"], export=lambda *_, **__: {})
        self.records = records_of(self.ground, "lab")
        self.reaped, self.said, self.logs = [], [], []
        placement = Placement(clusters=[], jobs=placed)
        monkeypatch.setattr(cancelling, "recorded", lambda *_: (self.spec, placement))
        monkeypatch.setattr(cancelling, "accesses_of", lambda *_: {"main": self.access})
        monkeypatch.setattr(cancelling, "reap", self.reap)

    def kept(self, job, folder, namespace=None):
        self.logs.append((job, list(self.access.deleted)))
        return []

    def reap(self, ground, tell, only):
        self.reaped.append(self.records.read("completion"))
        return [SimpleNamespace(clean=True)]

    def cancel(self, name=""):
        return cancelling.cancel(self.ground, "lab", name, self.said.append)


@pytest.fixture
def bed(monkeypatch, tmp_path):
    return lambda *args, **fields: Bed(monkeypatch, tmp_path, *args, **fields)


TWO = [job("one"), job("two")]


def two():
    return {JOBSET: [workload("one"), workload("two")], "Pod": [pod("one-0", "one")]}


def test_one_job_of_two_is_marked_logged_and_deleted_and_the_colony_goes_on(bed):
    lab = bed(TWO, two(), sticky={"one-0": 3})
    done = lab.cancel("one")
    assert (done.jobs, done.ended, lab.reaped) == (["one"], None, [])
    assert lab.access.marked == [(JOBSET, "one", {CANCELLED_BY: "colony cancel"})]
    assert lab.access.deleted == [(JOBSET, "one")]
    assert lab.logs == [("one", [])], "logs go with the pods: they are kept first"
    assert set(cancelled_jobs(lab.records)) == {"one"}
    assert [line["what"] for line in lab.records.lines("events")] == ["cancelled"]


def test_cancelled_twice_is_cancelled_once_and_the_last_ends_the_colony(bed):
    lab = bed(TWO, two())
    for _ in range(2):
        lab.access.kinds["Pod"].clear()
        lab.cancel("one")
    done = lab.cancel()
    assert done.jobs == ["one", "two"] and done.ended.clean
    [completion] = lab.reaped
    assert completion["outcome"] == "cancelled" and completion["keep"] is False
    assert completion["jobs"] == {"one": "cancelled", "two": "cancelled"}
    noted = [line["job"] for line in lab.records.lines("events") if line["what"] == "cancelled"]
    assert noted == ["one", "two"]


def test_a_job_that_has_ended_is_refused_and_keeps_its_outcome(bed):
    ended = workload("two", conditions=[{"type": "Completed", "status": "True"}])
    lab = bed(TWO, {JOBSET: [workload("one"), ended], "Pod": []})
    with pytest.raises(InputError, match="two has ended: succeeded"):
        lab.cancel("two")
    assert lab.cancel().jobs == ["one"]
    assert lab.reaped[0]["jobs"] == {"one": "cancelled", "two": "succeeded"}
    assert lab.access.deleted == [(JOBSET, "one")]


@pytest.mark.parametrize(
    "name, said", [("twoo", "did you mean `two`"), ("x", "its jobs: one, two")]
)
def test_a_name_that_is_none_is_refused_with_a_near_one_and_changes_nothing(bed, name, said):
    lab = bed(TWO, two())
    with pytest.raises(InputError, match="no job") as refused:
        lab.cancel(name)
    assert said in str(refused.value)
    assert lab.access.deleted == [] and not cancelled_jobs(lab.records)


def test_where_the_end_has_begun_or_the_cluster_is_not_up_it_is_said(bed, monkeypatch):
    lab = bed(TWO, two())
    monkeypatch.setattr(cancelling, "accesses_of", lambda *_: {})
    with pytest.raises(NotReady, match="the cluster of one is not up"):
        lab.cancel("one")
    lab.records.write("clusters", {"ending": True})
    with pytest.raises(InputError, match="the end of lab has begun"):
        lab.cancel("one")


def test_pods_that_stay_are_named_after_the_deadline_and_the_next_try_goes_on(bed):
    lab = bed(TWO, two())
    with pytest.raises(RunFailed, match=r"after 120 s: one: one-0"):
        lab.cancel("one")
    assert lab.ground.clock >= 120
    lab.access.kinds["Pod"].clear()
    assert lab.cancel("one").jobs == ["one"]


def test_a_run_that_is_attached_ends_the_colony_itself(bed):
    lab = bed([job("one")], {JOBSET: [workload("one")], "Pod": []})
    lab.records.write("runner", {"host": "another", "pid": 1})
    done = lab.cancel()
    assert done.attended and done.ended is None and lab.reaped == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_back_ends_own_object_goes_and_what_controllers_made_is_theirs(bed, backend):
    framework = {"mpijob": "mpi", "rayjob": "ray"}.get(backend, "pytorch")
    one, kind = job("one", backend=backend, framework=framework), WORKLOADS[backend]
    rendered = render(Job.model_validate(one), JobContext("lab", "main", "aws", ""))
    mine = [each for each in rendered if each["kind"] == kind.partition(".")[0]]
    labels = {"colony.dev/job": "one"}
    child = workload("one-child") | {"apiVersion": mine[0]["apiVersion"], "kind": mine[0]["kind"]}
    child["metadata"] |= {"labels": labels, "ownerReferences": [{"uid": "x", "name": "one"}]}
    lab = bed([one], {kind: [*mine, child], "Pod": []})
    lab.cancel("one")
    assert lab.access.deleted == [(kind, each["metadata"]["name"]) for each in mine]


def test_an_elastic_jobs_workers_go_with_what_owns_them(bed):
    one = job("one", framework="horovod", elastic={"min": 1, "max": 2},
              roles={"launcher": {}, "worker": {"restart": "OnFailure"}})  # fmt: skip
    maps = [{"metadata": {"name": name}} for name in ("one-elastic-spec", "other")]
    lab = bed([one], {JOBSET: [workload("one")], "Pod": [], "ConfigMap": maps})
    lab.cancel("one")
    assert lab.access.deleted == [(JOBSET, "one"), ("ConfigMap", "one-elastic-spec")]


@pytest.mark.parametrize("sees", [True, False])
def test_the_agent_is_waited_for_before_anything_is_deleted_and_not_for_ever(bed, sees):
    known = write_completion(State({"one": JobMark("uid-one")}))
    metadata = {"name": "colony-agent-completion", "namespace": "default"}
    live = {"metadata": metadata, "data": known}
    lab = bed(TWO, {**two(), "Pod": [], "ConfigMap": [live]}, teardown={"signals": []})
    waited = lab.ground.wait

    def look(seconds, until=None):
        waited(seconds)
        assert lab.access.deleted == []
        if sees and lab.ground.clock > 4:
            live["data"] = write_completion(State({"one": JobMark("uid-one", "cancelled")}))

    lab.ground.wait = look
    lab.cancel("one")
    assert (lab.ground.clock < 8) is sees
    assert any("it may say `lost`" in line for line in lab.said) is not sees


@pytest.mark.parametrize("by_hand, outcome", [({"one"}, "cancelled"), (set(), "failed")])
def test_a_watch_tells_what_was_cancelled_from_what_was_lost(by_hand, outcome):
    spec = ColonySpec.model_validate({"name": "lab", "jobs": [job("one")]})
    access = FakeAccess({JOBSET: []})
    watched = watch(
        FakeGround(), spec, Placement(clusters=[], jobs={"one": "main"}), {"main": access},
        Marks(), 0.0, cancelled=lambda: False, tell=lambda *_: None, by_hand=lambda: by_hand,
    )  # fmt: skip
    assert watched.outcome == outcome


def write(folder, *jobs):
    pool = {"name": "gpu", "accelerators": "A10G:1", "nodes": 2}
    content = {
        "apiVersion": "colony/v1", "kind": "Colony", "name": "lab", "jobs": list(jobs),
        "clusters": [{"name": "main", "cloud": "aws", "pools": [pool]}], "teardown": {"grace": 0},
    }  # fmt: skip
    path = folder / "lab.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def world(tmp_path):
    folder = tmp_path / "world"
    World.create(folder).close()
    return folder


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_last_cancelled_job_ends_the_colony_to_an_empty_ledger(world, tmp_path):
    file = write(tmp_path, job("one"), job("two"))
    assert colony("up", file, "--yes", "--world", world).code == 0
    done = colony("cancel", "lab/one", "--world", world, "--format", "json")
    assert done.code == 0, done.err
    assert done.json == {"colony": "lab", "cancelled": ["one"], "ended": None}
    assert left(world)
    done = colony("cancel", "lab", "--world", world, "--format", "json")
    assert done.code == 0 and done.json["ended"]["clean"], done.err
    assert left(world) == []
    [life] = colony("history", "--world", world, "--format", "json").json
    assert life["outcome"] == "cancelled" and life["clean"]
    assert {line["outcome"] for line in life["jobs"].values()} == {"cancelled"}


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_an_attached_run_takes_it_for_cancelled_and_ends_what_really_ran(world, tmp_path):
    script, pid = "echo $$ > $COLONY_TEST_PID; exec sleep 600", tmp_path / "pid"
    again = {"max_restarts_on_errors": 3}
    one = job("one", script, envs={"COLONY_TEST_PID": str(pid)}, recovery=again)
    file = write(tmp_path, one)
    run = Running("run", file, "--yes", "--exec", "--world", world, "--format", "json")
    run.until(lambda: pid.exists() and pid.read_text().strip())
    done = colony("cancel", "lab/one", "--world", world)
    assert done.code == 0 and "the run of lab" in done.out, done.out + done.err
    ended = run.end()
    assert ended.code == 130, ended.err
    assert json.loads(ended.out)["jobs"]["one"]["outcome"] == "cancelled"
    assert left(world) == []
    assert not psutil.pid_exists(int(pid.read_text()))
