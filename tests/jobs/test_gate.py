"""The placement gate, by the vectors of exalsius' operator, and what is better here: packing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.gate.demand import Demand, demands_of
from jobs.gate.line import Waiter, before
from jobs.gate.nodes import nodes_of, requests_of
from jobs.gate.offering import available, offerings
from jobs.gate.packing import packs, room, short
from jobs.gate.quota import Quota, quota_of
from jobs.gate.verdict import Answer, judge
from jobs.spec import Job

GPU, AMD = "nvidia.com/gpu", "amd.com/gpu"
MODEL, PRODUCT = "exalsius.ai/gpu-model", "nvidia.com/gpu.product"


SHORT = {"model": MODEL, "product": PRODUCT}


def node(
    name: str, gpus: int = 0, resource: str = GPU, cpu: int = 96, ready: Any = "True",
    cordoned: bool = False, taints: Any = (), **labels: str,
) -> dict[str, Any]:  # fmt: skip
    """Labels by keyword: `__` is a slash."""
    has = {"cpu": str(cpu), "memory": "512Gi", **({resource: str(gpus)} if gpus else {})}
    conditions = [] if ready is None else [{"type": "Ready", "status": ready}]
    marks = {SHORT.get(key, key).replace("__", "/"): value for key, value in labels.items()}
    return {
        "metadata": {"name": name, "labels": marks},
        "spec": {"unschedulable": cordoned, "taints": list(taints)},
        "status": {"allocatable": has, "conditions": conditions},
    }


def pod(on: str | None, gpus: int, phase: str = "Running", resource: str = GPU):
    containers = [{"resources": {"requests": {resource: gpus}}}]
    return {
        "metadata": {"name": "p"},
        "spec": {"nodeName": on, "containers": containers},
        "status": {"phase": phase},
    }


def demand(
    replicas: int = 1, gpus: int = 0, model: str = "", cpu: int = 0, resource: str = GPU, **more
):
    asks = {"cpu": Decimal(cpu)} if cpu else {}
    asks |= {resource: Decimal(gpus)} if gpus else {}
    return Demand(replicas, asks, model, resource if gpus else "", **more)


def found(nodes):
    rows = offerings(nodes_of(nodes))
    return [(row.model, row.vendor, row.resource, row.total, row.nodes) for row in rows]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([node("a", 8, model="H100"), node("b", 4, model="H100")],
         [("H100", "NVIDIA", GPU, 12, 2)]),
        ([node("a", 8, model="A100-80GB"), node("b", 8, model="A100-40GB")],
         [("A100-40GB", "NVIDIA", GPU, 8, 1), ("A100-80GB", "NVIDIA", GPU, 8, 1)]),
        ([node("a", 8, product="NVIDIA-H100-80GB-HBM3")],
         [("NVIDIA-H100-80GB-HBM3", "NVIDIA", GPU, 8, 1)]),
        ([node("a", 8, model="H100", product="NVIDIA-H100-80GB-HBM3")],
         [("H100", "NVIDIA", GPU, 8, 1)]),
        ([node("a", 8, model="H100"), node("b", 8, product="NVIDIA-H100-80GB-HBM3")],
         [("H100", "NVIDIA", GPU, 8, 1), ("NVIDIA-H100-80GB-HBM3", "NVIDIA", GPU, 8, 1)]),
        ([node("a", 8, AMD, **{"amd.com__gpu.product-name": "MI300X"})],
         [("MI300X", "AMD", AMD, 8, 1)]),
        ([node("a", 8, AMD, **{"amd.com__gpu.device-id": "74a1"})], [("74a1", "AMD", AMD, 8, 1)]),
        ([node("a", 8)], [("", "NVIDIA", GPU, 8, 1)]),
        ([node("a", 8, model="H100", **{"exalsius.ai__gpu-vendor": "AMD"})],
         [("H100", "AMD", GPU, 8, 1)]),
        ([node("a", 8, model="H100", cordoned=True)], []),
        ([node("a", 8, model="H100", ready="False")], []),
        ([node("a", 8, model="H100", ready="Unknown")], []),
        ([node("a", 8, model="H100", ready=None)], []),
        ([node("a")], []),
    ],
)  # fmt: skip
def test_offerings_follow_from_the_nodes(nodes, expected):
    assert found(nodes) == expected


def test_an_offering_keeps_the_labels_of_gpus_and_the_selector_that_picks_it():
    labels = {"nvidia.com__gpu.memory": "81559", "kubernetes.io__arch": "amd64"}
    (one,) = offerings(nodes_of([node("a", 8, model="H100", **labels)]))
    assert one.labels == {"nvidia.com/gpu.memory": "81559", MODEL: "H100"}
    assert one.selector == {MODEL: "H100"}


@pytest.mark.parametrize(
    ("nodes", "pods", "free"),
    [
        ([node("a", 8, model="H100"), node("b", 8, model="L4")], [pod("a", 3), pod("b", 2)], 5),
        ([node("a", 2, model="H100")], [pod("a", 3)], 0),
        ([node("a", 8, model="H100")], [pod("a", 8, "Succeeded"), pod("a", 1, "Failed")], 8),
        ([node("a", 8, model="H100")], [pod(None, 8, "Pending")], 8),
        ([node("a", 8, model="H100")], [pod("a", 8, "Pending")], 0),
        ([node("a", 8, model="L4")], [], None),
        ([node("a", 8, product="NVIDIA-H100-80GB-HBM3")], [pod("a", 1)], 7),
    ],
)
def test_available_is_what_running_pods_leave_and_absent_is_not_none_free(nodes, pods, free):
    assert available(nodes_of(nodes, pods), "H100") == free


def test_a_pod_takes_its_containers_or_its_largest_init_container():
    def asks(**resources):
        return {"resources": {"requests": resources}}

    spec = {
        "initContainers": [asks(cpu="4"), {**asks(cpu="1"), "restartPolicy": "Always"}],
        "containers": [asks(cpu="500m"), {"resources": {"limits": {"cpu": 1}}}],
    }
    assert requests_of(spec) == {"cpu": 4}
    spec["initContainers"].pop(0)
    assert requests_of(spec) == {"cpu": Decimal("2.5")}


EIGHT_CPUS = [node("a", cpu=4), node("b", cpu=4)]
MIXED = [node("a", 4, model="A100"), node("b", 1, model="H100")]
TWO_AND_TWO = [node("a", 2, model="A100"), node("b", 2, model="H100")]


@pytest.mark.parametrize(
    ("asked", "nodes", "missing"),
    [
        (demand(5, cpu=2), EIGHT_CPUS, {"cpu": 2}),
        (demand(1, 2, "H100"), MIXED, {GPU: 1}),
        (demand(1, 3), TWO_AND_TWO, {}),
        (demand(1, 1, resource=GPU), [node("a", 8, AMD)], {GPU: 1}),
        (demand(4, cpu=2), EIGHT_CPUS, {}),
    ],
    ids=["cpu", "other-model", "sum-without-packing", "vendor", "fits"],
)
def test_the_sum_of_the_cluster_says_what_is_missing(asked, nodes, missing):
    assert short(asked, nodes_of(nodes)) == missing


@pytest.mark.parametrize(
    ("asked", "nodes", "answer", "says"),
    [
        (demand(5, cpu=2), EIGHT_CPUS, Answer.ABSENT, "missing 2 CPU"),
        (demand(1, 2, "H100"), MIXED, Answer.ABSENT, "missing 1 H100 GPU"),
        (demand(1, 3), TWO_AND_TWO, Answer.ABSENT, "0 fit on its nodes"),
        (demand(2, 2), TWO_AND_TWO, Answer.FITS, ""),
        (demand(1, 1), [node("a", 8, AMD)], Answer.ABSENT, "has no nvidia.com/gpu"),
        (demand(1, 1, "H200"), MIXED, Answer.ABSENT, "it has A100, H100"),
        (demand(), [node("a")], Answer.FITS, ""),
        (demand(1, 1, "H100"), [], Answer.ABSENT, "no GPUs that are ready"),
    ],
    ids=["cpu", "too-few", "three-on-two-and-two", "packs", "vendor", "absent", "unset", "empty"],
)
def test_the_verdict_packs_each_pod_onto_one_node(asked, nodes, answer, says):
    verdict = judge([asked], nodes_of(nodes))
    assert verdict.answer is answer
    assert says in verdict.reason


def test_busy_is_enough_that_is_not_free():
    nodes = nodes_of([node("a", 8, model="H100")], [pod("a", 7)])
    verdict = judge([demand(3, 1, "H100")], nodes)
    assert verdict.answer is Answer.BUSY
    assert verdict.reason == "Insufficient capacity for 3 replica(s); missing 2 H100 GPU"
    (line,) = verdict.lines
    assert (line.what, line.demanded, line.available, line.missing) == ("H100", 3, 1, 2)


def test_busy_says_when_only_the_packing_fails():
    nodes = nodes_of(
        [node("a", 4, model="H100"), node("b", 4, model="H100")], [pod("a", 2), pod("b", 2)]
    )
    verdict = judge([demand(1, 4, "H100")], nodes)
    assert verdict.answer is Answer.BUSY
    assert "enough in sum, but 0 of 1" in verdict.reason


def test_roles_that_fit_alone_may_not_fit_together():
    nodes = nodes_of([node("a", 8, model="H100")])
    assert judge([demand(1, 8, "H100"), demand(1, 1, "H100")], nodes).answer is Answer.ABSENT


def test_spread_puts_one_pod_on_a_node():
    nodes = nodes_of([node("a", 8, model="H100"), node("b", 8, model="H100")])
    assert judge([demand(2, 1, "H100")], nodes, spread=True).answer is Answer.FITS
    assert judge([demand(3, 1, "H100")], nodes, spread=True).answer is Answer.ABSENT


TAINT = {"key": GPU, "value": "present", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("toleration", "answer"),
    [
        ({"key": GPU, "operator": "Exists"}, Answer.FITS),
        ({"key": GPU, "value": "present"}, Answer.FITS),
        ({"operator": "Exists"}, Answer.FITS),
        ({"key": GPU, "value": "other"}, Answer.ABSENT),
        ({"key": GPU, "operator": "Exists", "effect": "NoExecute"}, Answer.ABSENT),
        ({"key": "team", "operator": "Exists"}, Answer.ABSENT),
    ],
)
def test_a_taint_keeps_away_what_does_not_tolerate_it(toleration, answer):
    nodes = nodes_of([node("a", 8, model="H100", taints=[TAINT])])
    asked = demand(1, 1, "H100", tolerations=(toleration,))
    assert judge([asked], nodes).answer is answer


def test_a_selector_picks_nodes():
    nodes = nodes_of([node("a", 8, model="H100", pool="x")])
    assert judge([demand(1, 1, "H100", selector={"pool": "x"})], nodes).answer is Answer.FITS
    assert judge([demand(1, 1, "H100", selector={"pool": "y"})], nodes).answer is Answer.ABSENT


def test_what_a_job_demands():
    job = Job(
        name="j", run="x", nodes=2, resources={"accelerators": "H100:8", "cpus": "4+", "memory": 2}
    )
    (one,) = demands_of(job)
    assert (one.replicas, one.gpus, one.model) == (2, 8, "H100")
    assert one.asks == {"cpu": 4, "memory": 2 * 2**30, GPU: 8}
    assert {"key": GPU, "operator": "Exists"} in one.tolerations


def test_replicas_that_nobody_said_are_one():
    job = Job(name="j", run="x", roles={"only": {}}, framework="custom")
    assert [one.replicas for one in demands_of(job)] == [1]


def test_a_smaller_gang_demands_only_its_pods():
    roles = {"a": {"replicas": 2}, "b": {"replicas": 4}}
    job = Job(name="j", run="x", framework="custom", roles=roles, policy={"gang": 3})
    assert [(one.role, one.replicas) for one in demands_of(job)] == [("a", 2), ("b", 1)]


def queues(nominal: str, borrow: str | None = None, cohort: str = "", used: str = "0"):
    row = {"name": GPU, "nominalQuota": nominal}
    row |= {"borrowingLimit": borrow} if borrow is not None else {}
    groups = [{"flavors": [{"name": "f", "resources": [row]}]}]
    cluster = {
        "metadata": {"name": "cq"},
        "spec": {"resourceGroups": groups, "cohortName": cohort},
        "status": {
            "flavorsReservation": [{"name": "f", "resources": [{"name": GPU, "total": used}]}]
        },
    }
    local = {"metadata": {"name": "q", "namespace": "team"}, "spec": {"clusterQueue": "cq"}}
    return [local], [cluster]


@pytest.mark.parametrize(
    ("made", "limit", "used"),
    [
        (queues("8"), 8, 0),
        (queues("8", "4"), 8, 0),
        (queues("8", "4", "all"), 12, 0),
        (queues("8", None, "all"), None, 0),
        (queues("8", used="5"), 8, 5),
    ],
)
def test_a_queue_admits_its_quota_and_what_it_may_borrow(made, limit, used):
    quota = quota_of(*made, "q", GPU, "team")
    assert quota is not None
    assert (quota.limit, quota.used) == (limit, used)


def test_a_queue_elsewhere_is_none():
    assert quota_of(*queues("8"), "q", GPU, "other") is None
    assert quota_of(*queues("8"), "q", AMD, "team") is None


@pytest.mark.parametrize(
    ("quota", "answer", "says"),
    [
        (Quota("cq", Decimal(4)), Answer.ABSENT, "admits 4 nvidia.com/gpu at most; asked for 8"),
        (Quota("cq", Decimal(8), used=Decimal(2)), Answer.BUSY, "has 6 nvidia.com/gpu left"),
        (Quota("cq", Decimal(8)), Answer.FITS, ""),
        (Quota("cq", Decimal(4), Decimal(4)), Answer.FITS, ""),
        (Quota("cq", Decimal(0), None), Answer.FITS, ""),
    ],
)
def test_quota_bounds_what_nodes_have(quota, answer, says):
    verdict = judge([demand(1, 8)], nodes_of([node("a", 8)]), quotas=[(GPU, quota)])
    assert verdict.answer is answer
    assert says in verdict.reason


ME = Waiter("me", "2026-01-01T10:00:05Z", "m", "east", "H100")


@pytest.mark.parametrize(
    ("other", "first"),
    [
        (Waiter("o", "2026-01-01T10:00:00Z", "o", "east", "H100"), True),
        (Waiter("o", "2026-01-01T10:00:09Z", "o", "east", "H100"), False),
        (Waiter("o", "2026-01-01T10:00:00Z", "o", "west", "H100"), False),
        (Waiter("o", "2026-01-01T10:00:00Z", "o", "east", "L4"), False),
        (Waiter("o", "2026-01-01T10:00:00Z", "o", "east", "H100", waiting=False), False),
        (Waiter("o", "2026-01-01T10:00:05Z", "a", "east", "H100"), True),
        (Waiter("o", "2026-01-01T10:00:05Z", "z", "east", "H100"), False),
        (ME, False),
    ],
    ids=["older", "younger", "elsewhere", "other-model", "not-waiting", "lower-uid", "higher-uid",
         "itself"],
)  # fmt: skip
def test_first_come_first_served(other, first):
    assert (before(ME, [other]) is not None) is first


def test_the_oldest_of_several_goes_first():
    others = [Waiter(str(n), f"2026-01-01T10:00:0{n}Z", str(n), "east", "H100") for n in (3, 1, 2)]
    chosen = before(ME, others)
    assert chosen is not None
    assert chosen.name == "1"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 8), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 8)), min_size=1, max_size=3),
)
def test_what_packs_fits_in_sum_and_each_role_alone(sizes, wanted):
    nodes = nodes_of([node(str(i), size) for i, size in enumerate(sizes)])
    demands = [demand(replicas, gpus) for replicas, gpus in wanted]
    if packs(demands, nodes):
        assert sum(d.gpus * d.replicas for d in demands) <= sum(sizes)
        assert all(room(d, nodes) >= d.replicas and not short(d, nodes) for d in demands)
    if len(demands) == 1:
        possible = sum(size // demands[0].gpus for size in sizes) >= demands[0].replicas
        assert packs(demands, nodes) is possible


def test_a_thousand_nodes_are_judged_at_once():
    nodes = nodes_of([node(str(i), 8, model="H100") for i in range(1000)])
    assert judge([demand(1000, 8, "H100")], nodes).answer is Answer.FITS
    assert judge([demand(1001, 8, "H100")], nodes).answer is Answer.ABSENT
