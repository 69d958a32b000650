"""The nodes of a simulated cluster: the machines of its pools, and what the layers make of them.

A device is allocatable once the release whose layer makes it known is there (and later, where a
fault says so: an operator's own pods start after Helm has called its release ready).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import charts
from colony.rehearsal.faults import Faults
from colony.rehearsal.prices import gpus_of
from colony.rehearsal.state import Store, Thing
from components.clusters.nodes import ACCELERATOR_LABEL, GPU_RESOURCE, POOL_LABEL
from jobs.accelerators import find
from jobs.rdma import rdma_for

__all__ = ["nodes_of"]

RELEASE = "kubernetes:helm.sh/v3:Release"


def nodes_of(store: Store, faults: Faults, cluster: str) -> list[dict[str, Any]]:
    """Node objects of the pools that carry our labels; none where no machine is simulated."""
    there = _served(store, faults, cluster)
    return [
        node
        for thing in sorted(_pools(store, cluster), key=lambda thing: thing.key)
        for node in _nodes(thing, there)
    ]


def _pools(store: Store, cluster: str) -> Iterator[Thing]:
    things = store.world.things
    owners = {thing.key for thing in things.values() if thing.cluster == cluster}
    for thing in things.values():
        if thing.nodes and owners.intersection([*thing.blocks, *thing.goes_with, *thing.part_of]):
            yield thing


def _nodes(pool: Thing, there: set[str]) -> Iterator[dict[str, Any]]:
    labels = {**_labels(pool.inputs), "node.kubernetes.io/instance-type": pool.machine}
    devices = {name: str(n) for name, n in _devices(pool.machine, labels).items() if name in there}
    status = {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": devices}
    for number in range(int(pool.nodes)):
        metadata = {"name": f"{pool.name}-{number}", "labels": labels}
        yield {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": status}


def _devices(machine: str, labels: Mapping[str, str]) -> dict[str, int]:
    """What the machine has."""
    found = find(labels.get(ACCELERATOR_LABEL, ""))
    devices = {found.resource: gpus_of(machine)} if found else {}
    rdma = rdma_for(machine)
    return {**devices, **rdma.devices, **rdma.shared} if rdma else devices


def _served(store: Store, faults: Faults, cluster: str) -> set[str]:
    """Resources that the releases on the cluster make known by now."""
    made = {layer.chart.rsplit("/", 1)[-1]: layer for layer in charts.load().values()}
    found: set[str] = set()
    for record in store.world.objects.get(cluster, {}).values():
        if record["object"].get("kind") != "Release":
            continue
        layer = made.get(str(record["object"].get("chart", "")).rstrip("/").rsplit("/", 1)[-1])
        if store.world.clock >= _since(store, faults, record["urn"]):
            # A chart of the user's own is taken to be the operator that they left out of ours.
            found |= set(layer.provides.resources) if layer else {GPU_RESOURCE}
    return found


def _since(store: Store, faults: Faults, urn: str) -> float:
    """When the release's pods run: with the end of the `up` that made it, or so much later."""
    late = max((each.late for each in faults.faults if each.delays(RELEASE, urn)), default=0.0)
    if not late:
        return 0.0
    made = False
    for entry in store.entries:
        made = made or (entry.get("urn") == urn and entry["op"] == "create")
        if made and entry["op"] == "advance":
            return float(entry["changes"][0][1]) + late
    return float("inf")


def _labels(inputs: Any) -> dict[str, str]:
    """Those with ours among them, whatever the cloud calls them."""
    if isinstance(inputs, list):
        inputs = dict(enumerate(inputs))
    if not isinstance(inputs, dict):
        return {}
    if POOL_LABEL in inputs:
        return {str(key): str(value) for key, value in inputs.items()}
    return next(filter(None, map(_labels, inputs.values())), {})
