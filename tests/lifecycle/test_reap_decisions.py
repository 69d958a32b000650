from __future__ import annotations

import os
import socket

import psutil
import pytest
from lifecycle_fakes import FakeGround

from colony.lifecycle.budget import Verdict
from colony.lifecycle.ground import records_of
from colony.lifecycle.idleness import together
from colony.lifecycle.leases import extend, keep
from colony.lifecycle.reap import decide, reap
from colony.records import Records
from colony.storage.folder import Folder
from components.lease import Lease
from components.placement import Placement
from components.spec import BudgetAction, ColonySpec
from jobs.errors import InputError

LEASE = Lease(colony="c", stack="c", owner="o", created=0, expires=1000, end="colony down c")
HOST = socket.gethostname()
DEAD = {"pid": 2**22 + 1, "host": HOST, "started": 1.0}
ME = {"pid": os.getpid(), "host": HOST, "started": psutil.Process().create_time()}
REUSED = {**ME, "started": ME["started"] - 10_000}
ELSEWHERE = {**DEAD, "host": "another-host"}


@pytest.mark.parametrize(
    "lease, completion, runner, now, action",
    [
        (None, None, None, 0, "refuse"),
        (None, {"outcome": "failed"}, DEAD, 10**9, "refuse"),
        (LEASE, None, None, 999, "wait"),
        (LEASE, None, None, 1000, "reap"),
        (LEASE, None, ME, 10, "wait"),
        (LEASE, None, ME, 1000, "reap"),
        (LEASE, None, DEAD, 10, "reap"),
        (LEASE, None, REUSED, 10, "reap"),
        (LEASE, None, ELSEWHERE, 10, "wait"),
        (LEASE, {"outcome": "succeeded"}, None, 10, "reap"),
        (LEASE, {"outcome": "failed", "keep": True}, None, 10, "wait"),
        (LEASE, {"outcome": "failed", "keep": True}, DEAD, 10, "wait"),
        (LEASE, {"outcome": "failed", "keep": True}, None, 1000, "reap"),
    ],
)
def test_a_colony_is_ended_only_for_a_reason(lease, completion, runner, now, action):
    verdict = decide("c", lease, completion, runner, now=now)
    assert (verdict.action, bool(verdict.reason)) == (action, True)


@pytest.mark.parametrize(
    "completion, budget, now, reason",
    [
        (None, Verdict(BudgetAction.DRAIN, "budget: spent"), 10, "budget: spent"),
        ({"outcome": "failed", "keep": True}, Verdict(BudgetAction.KILL, "budget"), 10, "budget"),
        (None, Verdict(BudgetAction.DRAIN, "budget"), 1000, "its lease has expired"),
    ],
)
def test_a_spent_budget_ends_it_even_where_it_was_kept(completion, budget, now, reason):
    verdict = decide("c", LEASE, completion, ME, now=now, budget=budget)
    assert (verdict.action, verdict.reason) == ("reap", reason)


def test_a_budget_with_money_left_ends_nothing():
    assert decide("c", LEASE, None, ME, now=10, budget=Verdict(None)).action == "wait"


@pytest.mark.parametrize(
    "idle, now, action", [("", 10, "wait"), ("stop", 10, "stop"), ("delete", 10, "reap")]
)
def test_an_idle_colony_is_ended_when_all_of_its_clusters_ask_for_it(idle, now, action):
    kept = {"outcome": "failed", "keep": True}
    assert decide("c", LEASE, kept, ME, now=now, idle=idle).action == action


@pytest.mark.parametrize(
    "now, completion, action",
    [
        (970, None, "wait"),
        (910, None, "refuse"),
        (910, {"outcome": "succeeded"}, "reap"),
        (2001, None, "reap"),
    ],
)
def test_a_clock_that_is_behind_the_lease_is_told_and_not_trusted(now, completion, action):
    later = LEASE.model_copy(update={"created": 1000, "expires": 2000})
    verdict = decide("c", later, completion, None, now=now)
    assert verdict.action == action
    assert ("clock" in verdict.reason) is (action == "refuse")


@pytest.mark.parametrize(
    "signals, signal",
    [
        ([], ""),
        (["delete", ""], ""),
        (["delete", "stop"], "stop"),
        (["delete", "delete"], "delete"),
    ],
)
def test_one_busy_cluster_keeps_a_colony(signals, signal):
    assert together(signals) == signal


@pytest.mark.parametrize(
    "completion, runner, idle, action",
    [
        (None, None, "stop", "stop"),
        ({"outcome": "failed", "keep": True}, None, "stop", "stop"),
        ({"outcome": "succeeded"}, None, "stop", "reap"),
        (None, ME, "stop", "wait"),
        (None, None, "", "wait"),
        (None, None, "delete", "reap"),
    ],
)
def test_an_idle_colony_is_stopped_where_nothing_ends_it(completion, runner, idle, action):
    assert decide("c", LEASE, completion, runner, now=10, idle=idle).action == action


class Engine:
    """The stack of a colony that signals and may idle."""

    def __init__(self, spec, placement):
        self.exports = 0
        self._config = {
            "colony:spec": spec.model_dump_json(exclude_none=True),
            "colony:placement": placement.model_dump_json(exclude_none=True),
        }

    def stacks(self):
        return ["c"]

    def config(self, stack):
        return self._config

    def export(self, stack, secrets=False):
        self.exports += 1
        return {}


def test_one_look_reads_the_state_once_however_much_it_asks_of_it(tmp_path):
    ground = FakeGround()
    ground.storage, ground.clock, ground.parallel = Folder(tmp_path), 10.0, 1
    records_of(ground, "c").write("lease", LEASE.model_dump(mode="json"))
    spec = ColonySpec.model_validate({
        "name": "c", "idle": {"delete": "2h"}, "teardown": {"signals": []},
        "jobs": [{"name": "j", "run": "true"}],
    })  # fmt: skip
    ground.engine = Engine(spec, Placement(clusters=[], jobs={"j": "main"}))
    (one,) = reap(ground, lambda text, at=None: None, act=False)
    assert (one.verdict.action, one.error) == ("wait", "")
    assert ground.engine.exports == 1


def test_a_lease_that_was_made_longer_just_now_is_not_ended(tmp_path):
    records = Records(Folder(tmp_path), "c")
    records.write("lease", LEASE.model_dump(mode="json"))
    seen = records.read("lease")
    records.change("lease", lambda value: {**value, "expires": 5000})
    assert not records.claim(seen, 1000.0)
    assert records.read("lease") == {**seen, "expires": 5000}
    assert records.claim(records.read("lease"), 1000.0)
    assert records.claim(records.read("lease"), 1060.0), "the next look goes on"
    assert records.lease().expires == 5000


def test_an_end_that_has_begun_is_not_put_off(tmp_path):
    ground = FakeGround()
    ground.storage, ground.clock = Folder(tmp_path), 999.0
    ground.engine = Engine(ColonySpec(name="c"), Placement(clusters=[]))
    records_of(ground, "c").write("lease", LEASE.model_dump(mode="json"))
    records_of(ground, "c").claim(records_of(ground, "c").read("lease"), 999.0)
    for do in (extend, keep):
        with pytest.raises(InputError, match="too late"):
            do(ground, "c", 3600, lambda text, at=None: None)
    assert records_of(ground, "c").lease() == LEASE


def test_what_others_have_emptied_is_ended_at_once_and_proven():
    found = decide("c", LEASE, None, None, now=10, emptied=True, kept_until=500)
    assert found.action == "reap" and "others have destroyed" in found.reason
