"""Puts the measurement into a colony's clusters, waits, reads it, and takes it away again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from colony.bandwidth.targets import Target, bought, check_job, manifests, seen
from colony.bandwidth.verdict import Result, judge
from colony.lifecycle.ground import ClusterAccess, Ground, LiveCluster, Tell, deployment_of
from colony.lifecycle.interrupts import Interrupts
from colony.lifecycle.kinds import carries, rank_name
from colony.lifecycle.receipt import Marks
from colony.lifecycle.state import cluster_identifiers, live_clusters
from colony.lifecycle.watch import watch
from components.placement import ClusterPlacement, Placement
from components.spec import Cloud, ColonySpec
from jobs.errors import InputError, NotReady, Problem
from jobs.problems import did_you_mean
from jobs.spec import Job

__all__ = ["check_colony"]

NAMESPACE = "default"
GOING = 120.0
"""Seconds until what an earlier check left must be gone."""

Object = dict[str, Any]


class _Leave(Interrupts):
    """A signal ends the measurement, and nothing of the colony."""

    what = "cancelled: taking the check away"


def check_colony(
    ground: Ground, name: str, cluster: str | None, seconds: int, tell: Tell
) -> list[Result]:
    """Every node with GPUs of the colony, or of one of its clusters. `seconds`: until all pods of
    a pool must run.

    Raises InputError (no such cluster, no GPUs), NotReady (a cluster that is not up).
    """
    config = ground.engine.config(name)
    placement = Placement.model_validate_json(config["colony:placement"])
    chosen = _chosen(placement, cluster)
    deployment = deployment_of(ground, name)
    live = {each.identifier: each for each in live_clusters(deployment)}
    known, outputs = cluster_identifiers(deployment), ground.engine.outputs(name)
    results: list[Result] = []
    for place in chosen:
        found = live.get(known.get(place.name, ""))
        if found is None:
            raise NotReady(f"cluster {place.name} of {name} is not up: `colony status {name}`")
        shown = ((outputs.get("clusters") or {}).get(place.name) or {}).get("pools") or []
        access = ground.cluster(found)
        for target in _targets(place, shown, access):
            results += _measured(ground, name, target, found, access, seconds, tell)
    if not results:
        raise InputError(Problem("NAME", f"{name} has no nodes with GPUs to measure"))
    return results


def _chosen(placement: Placement, cluster: str | None) -> list[ClusterPlacement]:
    names = [each.name for each in placement.clusters]
    if cluster is not None and cluster not in names:
        hint = did_you_mean(cluster, names, f"there are {', '.join(names)}")
        raise InputError(Problem("--cluster", f"there is no cluster {cluster}", hint))
    return [each for each in placement.clusters if cluster in (None, each.name)]


def _targets(
    place: ClusterPlacement, shown: list[Mapping[str, Any]], access: ClusterAccess
) -> list[Target]:
    if place.cloud == Cloud.EXISTING.value:
        return seen(place, access.objects("Node"))
    return bought(place, shown)


def _measured(
    ground: Ground, colony: str, target: Target, cluster: LiveCluster, access: ClusterAccess,
    seconds: int, tell: Tell,
) -> list[Result]:  # fmt: skip
    job = check_job(target, seconds)
    what = f"{target.nodes} nodes of {target.accelerator}:{target.gpus}"
    tell(f"all-reduce over {what} on {target.cluster}")
    with _there(ground, access, manifests(job, target, colony)):
        why, logs = _run(ground, job, target, cluster, access, tell)
    results = judge(target.cluster, target.facts, logs)
    missing = target.nodes - len(results)
    if missing > 0 or (why and not any(each.problem for each in results)):
        problem = why or "its pod left no log"
        rest = f"{missing} more of {target.name}" if missing > 0 else target.name
        results.append(Result(target.cluster, rest, problem=problem))
    return results


def _run(
    ground: Ground, job: Job, target: Target, cluster: LiveCluster, access: ClusterAccess,
    tell: Tell,
) -> tuple[str, dict[str, str]]:  # fmt: skip
    """(why it did not end well, node -> log)"""
    spec = ColonySpec(name="check", jobs=[job])
    place = ClusterPlacement(name=target.cluster, cloud=target.cloud, region="")
    placement = Placement(clusters=[place], jobs={job.name: target.cluster})
    with _Leave(ground, tell) as interrupts:
        ground.start_jobs(spec, placement, [cluster])
        try:
            watched = watch(
                ground, spec, placement, {target.cluster: access}, Marks(), ground.now(),
                cancelled=lambda: interrupts.cancelled, tell=tell,
            )  # fmt: skip
        finally:
            ground.stop_jobs()
    good = watched.outcome == "succeeded"
    return "" if good else watched.reason or watched.outcome, _logs(job, access)


def _logs(job: Job, access: ClusterAccess) -> dict[str, str]:
    """By the node that the pod ran on; by the pod's rank where that is not known."""
    nodes = {
        rank_name(pod): (pod.get("spec") or {}).get("nodeName") or rank_name(pod)
        for pod in access.objects("Pod", NAMESPACE)
        if carries(pod, job.name)
    }
    with tempfile.TemporaryDirectory() as folder:
        kept = access.keep_logs(job.name, Path(folder), NAMESPACE)
        return {nodes.get(path.stem, path.stem): path.read_text(errors="replace") for path in kept}


@contextmanager
def _there(ground: Ground, access: ClusterAccess, objects: list[Object]) -> Iterator[None]:
    """Gone afterwards, however it ends; what a killed check left goes first."""
    _remove(access, objects)
    end = ground.now() + GOING
    while any(_is_there(access, each) for each in objects) or _pods(access, objects):
        if ground.now() >= end:
            raise NotReady(f"{_name(objects[-1])} of an earlier check does not go away")
        ground.wait(1.0)
    try:
        for each in objects:
            access.put(each)
        yield
    finally:
        _remove(access, objects)


def _remove(access: ClusterAccess, objects: list[Object]) -> None:
    for each in reversed(objects):
        if _is_there(access, each):
            access.delete(_kind(each), NAMESPACE, _name(each))
    for pod in _pods(access, objects):  # also where no garbage collector is
        access.delete("Pod", NAMESPACE, _name(pod))


def _pods(access: ClusterAccess, objects: list[Object]) -> list[Object]:
    """Of the job whose workload is the last of the objects."""
    job = objects[-1]["metadata"]["labels"]["colony.dev/job"]
    return [pod for pod in access.objects("Pod", NAMESPACE) if carries(pod, job)]


def _is_there(access: ClusterAccess, wanted: Object) -> bool:
    return any(_name(each) == _name(wanted) for each in access.objects(_kind(wanted), NAMESPACE))


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _kind(obj: Object) -> str:
    """`Job.batch`, `ConfigMap`."""
    group, slash, _ = obj["apiVersion"].partition("/")
    return f"{obj['kind']}.{group}" if slash else str(obj["kind"])
