from __future__ import annotations

import pytest
from lifecycle_fakes import FakeAccess, FakeGround, thing

from colony.lifecycle.drain import DEADLINE, drain
from colony.lifecycle.ground import LiveCluster
from colony.lifecycle.sweep import sweep

OURS = LiveCluster("demo-main", "aws", "arn", "", ours=True)
THEIRS = LiveCluster("laptop", "existing", "uid", "", ours=False)


def quiet(text):
    assert text


def test_leaks_are_deleted_round_by_round_until_nothing_blocks():
    ground = FakeGround([thing("vpc"), thing("nat")], blocked={"vpc": "nat"})
    swept = sweep(ground, "demo", [], quiet)
    assert ({each.id for each in swept.deleted}, swept.left) == ({"vpc", "nat"}, [])


def test_what_stays_blocked_is_reported_and_the_sweep_ends():
    ground = FakeGround([thing("vpc"), thing("eni", stack=None)], blocked={"vpc": "eni"})
    swept = sweep(ground, "demo", [], quiet)
    assert [each.id for each in swept.left] == ["vpc", "eni"]


def test_what_controllers_made_is_reported_and_deleted_only_on_demand():
    disk = thing("vol", stack=None, **{"kubernetes.io/cluster/demo-main": "owned"})
    ground = FakeGround([disk])
    assert sweep(ground, "demo", ["demo-main"], quiet).left == [disk]
    assert ground.asked == []
    assert sweep(ground, "demo", ["demo-main"], quiet, everything=True).left == []


def test_a_sweep_that_may_not_delete_only_looks():
    ground = FakeGround([thing("nat")])
    assert len(sweep(ground, "demo", [], quiet, delete=False).left) == 1
    assert ground.asked == []


def service(name, kind):
    return {"kind": "Service", "metadata": {"name": name, "namespace": "x"}, "spec": {"type": kind}}


def objects():
    return {
        "JobSet.jobset.x-k8s.io": [{"metadata": {"name": "train"}}],
        "Service": [service("web", "LoadBalancer"), service("plain", "ClusterIP")],
        "PersistentVolumeClaim": [{"metadata": {"name": "data", "namespace": "x"}}],
    }


def test_jobs_go_before_the_volumes_that_they_hold():
    access = FakeAccess(objects())
    assert drain(FakeGround(access=access), [OURS], quiet) == []
    assert access.deleted == [
        ("JobSet.jobset.x-k8s.io", "train"),
        ("Service", "web"),
        ("PersistentVolumeClaim", "data"),
    ]


def test_a_cluster_that_is_not_ours_is_never_drained():
    access = FakeAccess(objects())
    assert drain(FakeGround(access=access), [THEIRS], quiet) == []
    assert access.deleted == []


def test_the_drain_waits_until_the_object_is_gone():
    access = FakeAccess(objects(), sticky={"web": 20})
    ground = FakeGround(access=access)
    assert drain(ground, [OURS], quiet) == []
    assert 0 < ground.clock < DEADLINE


def test_a_drain_that_hangs_ends_with_a_note():
    access = FakeAccess(objects(), sticky={"web": 10**9})
    ground = FakeGround(access=access)
    (note,) = drain(ground, [OURS], quiet)
    assert "demo-main was not drained" in note
    assert ground.clock == pytest.approx(DEADLINE, abs=10)
