"""What is done about a job that ended too early: whether, where, and what is written down."""

from __future__ import annotations

import math

import pytest
from lifecycle_fakes import FakeAccess, FakeGround

from colony.lifecycle.following import Following
from colony.lifecycle.recovery import Lives, Recovering
from colony.market.decision import Action, Decision
from components.placement import ClusterPlacement, Placement, PoolPlacement
from jobs.errors import RunFailed
from jobs.observing import states
from jobs.spec import Job
from jobs.state import JobPhase, JobState

STATE = {
    "resources": [
        {
            "type": f"kubernetes:{version}:{kind}",
            "inputs": {
                "apiVersion": version, "kind": kind,
                "metadata": {"name": name, "labels": {"colony.dev/job": name}},
            },
        }
        for version, kind, name in [
            ("jobset.x-k8s.io/v1alpha2", "JobSet", "a"),
            ("jobset.x-k8s.io/v1alpha2", "JobSet", "b"),
            ("v1", "Service", "a"),
        ]
    ]
}  # fmt: skip
TAKEN = JobState(JobPhase.FAILED, states.PREEMPTED, "its node was taken")
SPOT = {"instance_type": "g2", "accelerator": "L4", "nodes": 2, "spot": True}


def failed(code):
    return JobState(JobPhase.FAILED, states.POD_FAILED, f"exit code {code}", exit_code=code)


class Purse:
    left = math.inf

    def seconds_left(self):
        return self.left


class Run:
    """A run with jobs `a` and, on the same cluster, others."""

    def __init__(self, *names, spot=True, elsewhere=True, **recovery):
        self.ground, self.lives, self.purse = FakeGround(), Lives(), Purse()
        self.said, self.moved = [], []
        pool = PoolPlacement(name="l4", price_per_node_hour=9.0, **{**SPOT, "spot": spot})
        cluster = ClusterPlacement(name="main", cloud="gcp", region="r1", pools=[pool])
        self.place = Placement(clusters=[cluster], jobs=dict.fromkeys(names, "main"))
        self.recovering = Recovering(
            self.ground, lambda text, at=None: self.said.append(text), 0.0, 86_400.0,
            placement=lambda: self.place, purse=lambda: self.purse, lives=self.lives,
            state=lambda: STATE,
            market=lambda cluster: Decision(Action.MOVE, "the next region"),
            elsewhere=self._elsewhere if elsewhere else None,
        )  # fmt: skip
        self.access = FakeAccess({})
        self.all = [self._item(name, recovery) for name in names]
        self.item = self.all[0]

    def _item(self, name, recovery):
        job = Job(name=name, run="true", recovery=recovery or None)
        return Following(job, self.access, "default", since=0.0, started=100.0)

    def _elsewhere(self, cluster, decision):
        self.moved.append(cluster)
        self.ground.clock += 1000.0
        return {item.job.name: FakeAccess({}) for item in self.all}

    def ends(self, state, now=7300.0):
        self.ground.clock = now
        return self.recovering.again(self.item, state, now, self.all)

    @property
    def then(self):
        return [line["then"] for line in self.lives.lines]


def test_the_next_region_is_bought_and_the_job_is_as_new_there():
    run = Run("a")
    assert run.ends(TAKEN) is None
    assert (run.moved, run.access.restarted) == (["main"], [])
    assert run.item.access is not run.access
    assert (run.item.started, run.item.ran, run.item.since) == (None, 7200.0, 8300.0)


def test_lost_work_and_its_money_are_those_since_the_last_checkpoint():
    run = Run("a", checkpoint_interval=3000)
    run.ends(TAKEN)
    assert run.lives.to_dict()["lost_seconds"] == 1200.0
    assert run.lives.to_dict()["lost_usd"] == 1200 / 3600 * 18.0
    kept = Run("a", checkpoint_interval=3000, saves_in=30)
    kept.ends(TAKEN)
    assert kept.lives.to_dict()["lost_seconds"] == 0.0, "Google gives 30 s of notice"
    late = Run("a", checkpoint_interval=3000, saves_in=31)
    late.ends(TAKEN)
    assert late.lives.to_dict()["lost_seconds"] == 1200.0


def test_a_cluster_that_other_jobs_run_on_is_not_left():
    run = Run("a", "b")
    assert run.ends(TAKEN) is None
    assert (run.then, run.moved, run.access.restarted) == (["same region"], [], ["a"])


@pytest.mark.parametrize("how", ["elsewhere", "market"])
def test_where_there_is_no_other_region_it_starts_again_where_it_is(how):
    run = Run("a", elsewhere=how != "elsewhere")
    if how == "market":
        run.recovering.market = lambda cluster: Decision(Action.STOP, "nowhere")
    assert run.ends(TAKEN) is None
    assert (run.then, run.access.restarted) == (["same region"], ["a"])


def test_errors_are_counted_over_all_starts_and_named_codes_are_not():
    run = Run("a", max_restarts_on_errors=1, recover_on_exit_codes=[33])
    assert [run.ends(failed(code)) for code in (33, 1, 33)] == [None, None, None]
    assert run.ends(failed(1)) == "exit code 1"
    assert run.then == ["same region"] * 3 + ["nowhere"]
    assert run.moved == [], "an error is no reason to leave"


def test_machines_that_do_not_come_back_are_looked_for_elsewhere():
    run = Run("a", strategy="FAILOVER")
    run.ends(TAKEN)
    assert (run.moved, run.item.waits_for_machines) == ([], True)
    assert run.recovering.late(run.item, 9200.0, run.all) is None
    assert (run.then, run.moved) == (["same region", "next region"], ["main"])


def test_a_late_start_that_no_taking_explains_is_only_late():
    run = Run("a")
    assert run.recovering.late(run.item, 9200.0, run.all) == ""
    assert run.lives.lines == []


def test_what_nobody_asked_for_is_not_done():
    assert Run("a", spot=False).ends(TAKEN) == ""
    assert Run("a").ends(JobState(JobPhase.FAILED, states.IMAGE_PULL)) == ""


@pytest.mark.parametrize("bound", ["money", "lease", "run time"])
def test_no_start_is_begun_that_could_not_run(bound):
    run = Run("a")
    if bound == "money":
        run.purse.left = 600.0
    if bound == "lease":
        run.recovering.expires = 7900.0
    if bound == "run time":
        run.item.ran = 86_400 - 7200 - 600.0
    assert "no time or money is left" in run.ends(TAKEN)
    assert (run.then, run.moved) == (["nowhere"], [])


def test_a_move_that_fails_ends_the_job_with_the_reason():
    run = Run("a")

    def refused(cluster, decision):
        raise RunFailed("every offer is refused")

    run.recovering.elsewhere = refused
    assert run.ends(TAKEN).endswith("it could not start again: every offer is refused")
