"""State deduction and rendering at scale: times, rates and memory, as ratios of one run.

`python tools/bench_jobs.py` prints the tables; `tables()` gives them to `tools/bench.py`.
"""

from __future__ import annotations

import argparse
import json
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from jobs.backends import render
from jobs.context import JobContext
from jobs.spec import Job, Resources
from jobs.state import observe
from jobs.tracking import Tracker

CONTEXT = JobContext(colony="bench", cluster="main", cloud="aws", region="us-east-1")
PHASES = ("Pending", "Running", "Succeeded")
Event = tuple[str, str]
T = TypeVar("T")


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pods", type=int, default=10_000)
    arguments.add_argument("--replicas", type=int, default=1_000)
    options = arguments.parse_args()
    for table in tables(options.pods, options.replicas):
        Console().print(table)


def tables(pods: int = 10_000, replicas: int = 1_000) -> list[Table]:
    """Deduction, memory against the number of events, rendering."""
    return [deduction(pods), memory(pods // 20), rendering(replicas)]


def deduction(pods: int) -> Table:
    """Beside reading the same JSON, which no watcher can do without."""
    job, lines = job_of(pods), list(watch(pods))
    events = [(kind, json.loads(line)) for kind, line in lines]
    parse, _ = timed(lambda: [json.loads(line) for _, line in lines])
    apply, tracker = timed(lambda: followed(job, events))
    state, found = timed(lambda: tracker.state(now=0.0))
    latest = {thing["metadata"]["uid"]: thing for _, thing in events}
    scratch, again = timed(lambda: observe(list(latest.values()), job, now=0.0))
    if found != again or found.roles["worker"].succeeded != pods:
        raise SystemExit(f"the two ways differ: {found} and {again}")
    table = Table("deduction", "objects", "CPU s", "per second", "x parsing their JSON")
    row(table, "parsing the JSON of the events", len(events), parse, parse)
    row(table, "Tracker.apply", len(events), apply, parse)
    row(table, "Tracker.state", 1, state, parse)
    row(
        table,
        f"observe from scratch, {pods:,} pods",
        len(latest),
        scratch,
        parse * len(latest) / len(events),
    )
    return table


def memory(pods: int) -> Table:
    """The same pods, once and ten times as many events; and pods that come and go."""
    table = Table("memory", "events", "live pods", "MiB", "bytes a live pod")
    for title, times, churn in (
        ("as they are", 1, 0),
        ("x10", 10, 0),
        ("and as many replaced", 10, 9),
    ):
        tracemalloc.start()
        tracker = Tracker(job_of(pods))
        count = 0
        for turn in range(times):
            generation = min(turn, churn)
            if churn and turn:
                for kind, line in deletes(pods, generation - 1):
                    tracker.apply(kind, json.loads(line))
                    count += 1
            for kind, line in watch(pods, generation, start=10 * turn * pods):
                tracker.apply(kind, json.loads(line))
                count += 1
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        table.add_row(title, f"{count:,}", f"{pods:,}", f"{used / 2**20:.1f}", f"{used / pods:.0f}")
    return table


def rendering(replicas: int) -> Table:
    """A job's manifests; their size does not grow with its pods."""
    table = Table("render", "CPU s", "peak MiB", "bytes", "x one replica")
    one, _ = timed(lambda: render(job_of(1), CONTEXT))
    for count in (1, replicas):
        tracemalloc.start()
        render(job_of(count), CONTEXT)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        seconds, manifests = timed(lambda count=count: render(job_of(count), CONTEXT))
        size = len(json.dumps(manifests))
        name = f"{count:,} replica{'s'[: count > 1]}"
        table.add_row(
            name, f"{seconds:.3f}", f"{peak / 2**20:.2f}", f"{size:,}", f"{seconds / one:.1f}"
        )
    return table


def followed(job: Job, events: list[tuple[str, Any]]) -> Tracker:
    tracker = Tracker(job)
    for kind, thing in events:
        tracker.apply(kind, thing)
    return tracker


def job_of(replicas: int) -> Job:
    return Job(name="bench", nodes=replicas, resources=Resources(accelerators="H100:8"), run="true")


def watch(pods: int, generation: int = 0, start: int = 0) -> Iterator[Event]:
    """The JobSet, then every pod pending, running, succeeded; pods shuffled in each phase."""
    yield "ADDED", json.dumps(workload(pods))
    order = list(range(pods))
    version = start
    for phase in PHASES:
        random.Random(version).shuffle(order)
        for index in order:
            version += 1
            thing = pod(index, phase, version, generation)
            yield "ADDED" if phase == PHASES[0] else "MODIFIED", json.dumps(thing)


def deletes(pods: int, generation: int) -> Iterator[Event]:
    for index in range(pods):
        yield "DELETED", json.dumps(pod(index, PHASES[-1], 10**9 + index, generation))


def workload(pods: int) -> dict[str, Any]:
    manifest: dict[str, Any] = render(job_of(pods), CONTEXT)[-1]
    manifest["metadata"]["uid"] = "workload"
    manifest["status"] = {"restarts": 0, "replicatedJobsStatus": []}
    return manifest


def pod(index: int, phase: str, version: int, generation: int) -> dict[str, Any]:
    """Of the size of a real one in what is read."""
    state = {
        "Pending": {"waiting": {"reason": "ContainerCreating"}},
        "Running": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        "Succeeded": {"terminated": {"exitCode": 0, "finishedAt": "2026-01-01T01:00:00Z"}},
    }[phase]
    conditions = (
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    )
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": f"bench-worker-0-{index}-abcde",
            "namespace": "default",
            "uid": f"5c1f2f0e-0000-4000-8000-{generation:04d}{index:08d}",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {
                "colony.dev/job": "bench",
                "colony.dev/role": "worker",
                "jobset.sigs.k8s.io/jobset-name": "bench",
                "jobset.sigs.k8s.io/restart-attempt": "0",
                "batch.kubernetes.io/job-completion-index": str(index),
            },
        },
        "spec": {"nodeName": f"node-{index // 8}", "containers": [{"name": "trainer"}]},
        "status": {
            "phase": phase,
            "conditions": [{"type": each, "status": "True"} for each in conditions],
            "containerStatuses": [{"name": "trainer", "image": "example.org/a:1", "state": state}],
        },
    }


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """(CPU seconds, result), the best of three: other work on the machine counts little."""
    best, result = float("inf"), None
    for _ in range(3):
        begun = time.process_time()
        result = work()
        best = min(best, time.process_time() - begun)
    return best, result  # type: ignore[return-value]


def row(table: Table, name: str, count: int, seconds: float, baseline: float) -> None:
    rate = f"{count / seconds:,.0f}"
    table.add_row(name, f"{count:,}", f"{seconds:.4f}", rate, f"{seconds / baseline:.2f}")


if __name__ == "__main__":
    main()
