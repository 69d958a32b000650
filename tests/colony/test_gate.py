"""The gate before an existing cluster: fail, wait in line, or go."""

from __future__ import annotations

from typing import Any

import pytest

from colony.gate import POLL, admit, read, verdict_of
from colony.gate_line import ClusterLine
from components.placement import Placement
from components.spec import ColonySpec
from jobs.errors import NoOffer
from jobs.gate.line import Waiter
from jobs.gate.verdict import Answer

GPU = "nvidia.com/gpu"


def node(name: str, gpus: int) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}},
        "status": {
            "allocatable": {"cpu": "96", "memory": "1Ti", GPU: str(gpus)},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod(gpus: int, **labels: str) -> dict[str, Any]:
    marks = {f"colony.dev/{key}": value for key, value in labels.items()}
    containers = [{"resources": {"limits": {GPU: gpus}}}]
    return {
        "metadata": {"name": "p", "labels": marks},
        "spec": {"nodeName": "a", "containers": containers},
        "status": {"phase": "Running"},
    }


class FakeCluster:
    """Objects by kind; `asked` says which kinds were read."""

    def __init__(self, **objects: list[dict[str, Any]]) -> None:
        self.by_kind, self.asked = objects, []

    def objects(self, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        self.asked.append(kind)
        return self.by_kind.get(kind.partition(".")[0], [])


class FakeClock:
    """`then` happens after so many waits."""

    def __init__(self, then: dict[int, Any] | None = None) -> None:
        self.time, self.waits, self.then = 1000.0, 0, then or {}

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float, until: float | None = None) -> None:
        self.time += seconds
        self.waits += 1
        self.then.get(self.waits, lambda: None)()


class FakeLine:
    def __init__(self, *others: Waiter) -> None:
        self.waiters, self.left, self.joined = list(others), 0, 0

    def join(self, wants: str, until: float) -> Waiter:
        self.joined += 1
        return Waiter("lab/train", "2026-01-01T00:00:05Z", "m", "east", wants)

    def others(self, now: float) -> list[Waiter]:
        return self.waiters

    def leave(self) -> None:
        self.left += 1


SPEC = ColonySpec(
    name="lab",
    clusters=[{"name": "east", "cloud": "existing"}],
    jobs=[{"name": "train", "run": "x", "resources": {"accelerators": "H100:8"}}],
)
PLACED = Placement(
    clusters=[{"name": "east", "cloud": "existing", "region": ""}], jobs={"train": "east"}
)


def enter(
    cluster: FakeCluster, clock: FakeClock, spec: ColonySpec = SPEC, **more: Any
) -> list[str]:
    said: list[str] = []
    admit(spec, PLACED, lambda name: cluster, clock, said.append, **more)
    return said


def queued() -> ColonySpec:
    (job,) = SPEC.jobs
    return SPEC.model_copy(update={"jobs": [job.model_copy(update={"queue": "team"})]})


def test_room_lets_a_job_in_without_waiting():
    clock = FakeClock()
    assert enter(FakeCluster(Node=[node("a", 8)]), clock) == []
    assert clock.waits == 0


def test_what_is_not_there_ends_at_once_with_what_there_is():
    clock = FakeClock()
    with pytest.raises(NoOffer, match="train on east: The cluster has no H100: it has no GPUs"):
        enter(FakeCluster(), clock)
    assert clock.waits == 0


def test_a_busy_cluster_is_waited_for_and_said_once():
    cluster = FakeCluster(Node=[node("a", 8)], Pod=[pod(1)])
    clock = FakeClock({3: lambda: cluster.by_kind.update(Pod=[])})
    said = enter(cluster, clock)
    assert clock.waits == 3
    assert said == [
        "train waits for east: Insufficient capacity for 1 replica(s); missing 1 H100 GPU"
    ]


def test_patience_ends():
    clock = FakeClock()
    with pytest.raises(NoOffer, match="still no room"):
        enter(FakeCluster(Node=[node("a", 8)], Pod=[pod(1)]), clock, patience=100)
    assert clock.time == 1100.0


def test_the_pods_of_an_earlier_up_are_not_in_the_way():
    mine = pod(8, colony="lab", job="train")
    seen = read(FakeCluster(Node=[node("a", 8)], Pod=[mine]))
    assert verdict_of(SPEC.jobs[0], SPEC, seen).answer is Answer.FITS
    other = read(FakeCluster(Node=[node("a", 8)], Pod=[pod(8, colony="lab", job="other")]))
    assert verdict_of(SPEC.jobs[0], SPEC, other).answer is Answer.BUSY


def test_who_came_first_goes_first_and_leaves_the_line():
    older = Waiter("other/job", "2026-01-01T00:00:00Z", "o", "east", "H100")
    line = FakeLine(older)
    clock = FakeClock({2: line.waiters.clear})
    cluster = FakeCluster(Node=[node("a", 8)])
    said = enter(cluster, clock, line_of=lambda name, job: line)
    assert said == ["train waits for east: other/job came first"]
    assert (clock.waits, line.joined, line.left) == (2, 3, 1)


def test_the_line_is_left_when_nothing_can_be_had():
    line = FakeLine()
    with pytest.raises(NoOffer):
        enter(FakeCluster(), FakeClock(), line_of=lambda name, job: line)
    assert line.left == 1


def test_a_queued_job_is_left_to_kueue_when_the_cluster_is_busy():
    cluster = FakeCluster(Node=[node("a", 8)], Pod=[pod(8)])
    clock = FakeClock()
    assert enter(cluster, clock, queued()) == []
    assert clock.waits == 0
    assert "ClusterQueue.kueue.x-k8s.io" in cluster.asked


def test_a_queue_that_never_admits_it_ends_at_once():
    rows = [{"name": GPU, "nominalQuota": 4}]
    cluster_queue = {
        "metadata": {"name": "cq"},
        "spec": {"resourceGroups": [{"flavors": [{"name": "f", "resources": rows}]}]},
    }
    local = {"metadata": {"name": "team", "namespace": "default"}, "spec": {"clusterQueue": "cq"}}
    cluster = FakeCluster(Node=[node("a", 8)], LocalQueue=[local], ClusterQueue=[cluster_queue])
    with pytest.raises(NoOffer, match="admits 4"):
        enter(cluster, FakeClock(), queued())


def test_a_cluster_that_is_made_for_the_job_is_not_asked():
    placed = Placement(clusters=[{"name": "e", "cloud": "aws", "region": "r"}], jobs={"train": "e"})
    cluster = FakeCluster()
    admit(SPEC, placed, lambda name: cluster, FakeClock(), print)
    assert cluster.asked == []


class FakeApi:
    """ConfigMaps by name, with the times of an API server."""

    def __init__(self) -> None:
        self.maps: dict[str, dict[str, Any]] = {}

    def resource(self, api_version: str, kind: str) -> str:
        return kind

    def apply(self, resource: Any, obj: dict[str, Any], manager: str, force: bool = False):
        name = obj["metadata"]["name"]
        age = len(self.maps)
        made = {"creationTimestamp": f"2026-01-01T00:00:0{age}Z", "uid": f"uid-{age}"}
        old = self.maps.get(name, {"metadata": made})
        self.maps[name] = {**obj, "metadata": {**old["metadata"], **obj["metadata"]}}
        return self.maps[name]

    def listed(self, resource: Any, namespace: str | None = None, selector: str = ""):
        assert selector == "colony.dev/waiting=true"
        return list(self.maps.values())

    def delete(self, resource: Any, namespace: str | None, name: str) -> None:
        self.maps.pop(name, None)


def test_the_line_is_kept_in_the_cluster_and_forgets_the_dead():
    api: Any = FakeApi()
    first = ClusterLine(api, "east", "lab", "train")
    second = ClusterLine(api, "east", "den", "tune")
    one, two = first.join("H100", 2000), second.join("H100", 1000 + POLL)
    assert (one.name, one.created < two.created) == ("lab/train", True)
    again = first.join("H100", 3000)
    assert again.created == one.created
    assert [each.name for each in second.others(1000)] == ["lab/train", "den/tune"]
    assert [each.name for each in second.others(2500)] == ["lab/train"]
    first.leave()
    assert [each.name for each in second.others(1000)] == ["den/tune"]
