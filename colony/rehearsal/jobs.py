"""Moves the jobs of a world: admitted, pulled, running, ended; as their controllers would.

A job takes its modelled time, or is really run (`execute.py`) while that time passes. Times are
the world's; what the controllers write is in `statuses.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from colony.rehearsal.expand import KINDS, Plan, PlannedPod, expand, kind_of
from colony.rehearsal.expand_trainjob import as_jobset
from colony.rehearsal.measured import write_logs
from colony.rehearsal.statuses import Moment, Stage, status_of, suspended
from jobs.recovery import Recovery, Work

if TYPE_CHECKING:
    from colony.rehearsal.background import Background
    from colony.rehearsal.execute import ExecResult
    from colony.rehearsal.world import World

__all__ = [
    "ADMISSION", "EXPECTED", "PULL", "SimulatedJob", "manifests_of", "pulled_ahead", "workloads_of",
]  # fmt: skip

ADMISSION = 5.0
"""Seconds that a queue needs to admit a gang for which there is room."""
PULL = 120.0
"""Seconds to pull a CUDA PyTorch image (8 GB unpacked) on a new node; of the order that
https://skypilot.co users report for first starts."""
EXPECTED = "colony.dev/expected-run-seconds"
JOB_LABEL = "colony.dev/job"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
JOBSET = f"JobSet.{KINDS['JobSet']}"
HELD = float("inf")
BESIDE = ("ConfigMap", "Service", "TrainingRuntime.trainer.kubeflow.org")
"""What a workload refers to."""

Object = dict[str, Any]


def manifests_of(world: World, cluster: str, namespace: str, name: str) -> list[Object]:
    """The objects of one job as the cluster has them, and its namespace's ConfigMaps; the
    workload last."""
    beside = [each for kind in BESIDE for each in world.objects(cluster, kind, namespace)]
    return [*beside, *workloads_of(world, cluster, namespace, name)]


def workloads_of(world: World, cluster: str, namespace: str, name: str) -> list[Object]:
    """What the job became: one object, or one Job for each role."""
    for kind, group in KINDS.items():
        plain = kind.removeprefix("Volcano")
        found = world.objects(cluster, f"{plain}.{group}", namespace)
        own = [each for each in found if _belongs(each, name)]
        if own:
            return own
    return []


def pulled_ahead(world: World, job: SimulatedJob) -> bool:
    """Whether a DaemonSet pulls the images of all its pods: on nodes with accelerators alone."""
    found = world.objects(job.cluster, "DaemonSet.apps", job.namespace)
    pods = [each["spec"]["template"]["spec"] for each in found]
    images = {container["image"] for pod in pods for container in pod["containers"]}
    containers = [pod.container for pod in job.plan().pods]
    return all(each["image"] in images and _has_device(each) for each in containers)


@dataclass
class SimulatedJob:
    """One job on one cluster. `tick` brings it to where it is at `now`."""

    world: World
    cluster: str
    name: str
    namespace: str
    born: float
    start: Callable[[Object], Background] | None = None
    """Really runs the job, whose workload it is given; None = modelled."""
    work: Work = field(default_factory=lambda: Work(Recovery()))
    """What its earlier starts have left."""
    machines: float = 0.0
    """World time at which all of its machines are there."""
    pulled: float | None = None
    """World time at which they have its image, where they pull it without waiting for it."""
    stage: str = "new"
    uid: str = ""
    execution: Background | None = field(default=None, repr=False)

    def next_change(self) -> float:
        """World time at which `tick` will have something to do."""
        return self._times().get(self.stage, HELD)

    def tick(self, now: float) -> None:
        """Times count from the resumption of a job that was suspended by hand, and from the making
        of a workload that was made anew."""
        if self._made_anew():
            self.stage, self.born, self.execution = "new", now, None
        if self.stage in ("created", "admitted", "running") and self._workload() is None:
            self._gone()
        steps = {
            "new": self._created,
            "created": self._admitted,
            "admitted": self._running,
            "running": self._ended,
        }
        while self.stage in steps and self.next_change() <= now:
            steps[self.stage]()
        if self.stage == "created" and self._by_hand(self._workload()):
            self.born = now

    def take(self, at: float, back: float, notice: float) -> None:
        """A machine under it is taken `at` a time, and is there again `back` seconds later. Its
        pods were told to end `notice` seconds before; one that ended so explains its failure."""
        began, self.machines = self._times()["admitted"], at + back
        if self.pulled is not None:
            self.pulled = self.machines + PULL
        if self.stage not in ("admitted", "running"):
            return
        if self.execution is not None:
            self.execution.stop()
        if self.stage == "running":
            self.work.stop(max(0.0, at - began), notice)
        self.stage = "ended"
        self._put(self.plan().pods[0], _shut_down(at))
        self._write(Stage.FAILED, at)

    def stop(self, at_once: bool = False) -> None:
        """Whatever really runs is ended, and waited for."""
        if self.execution is not None:
            self.execution.stop(at_once)
        self._drop_child()

    @property
    def busy(self) -> bool:
        """Something really runs, and has not ended."""
        return self.execution is not None and not self.execution.done

    def _times(self) -> dict[str, float]:
        workload = self._workload()
        admitted = self.born + (ADMISSION if self._queued(workload) else 0.0)
        running = max(admitted, self.machines) + PULL
        if self.pulled is not None:
            running = max(admitted, self.pulled)
        return {
            "new": self.born,
            "created": HELD if self._by_hand(workload) else admitted,
            "admitted": running,
            "running": running + max(0.0, _expected(workload) - self.work.done),
        }

    def _created(self) -> None:
        workload = self._workload()
        if self._queued(workload) or self._by_hand(workload):
            self._write(Stage.SUSPENDED, self.born)
        self.stage = "created"

    def _admitted(self) -> None:
        self._write(Stage.STARTING, self._times()["created"])
        self.stage = "admitted"

    def _running(self) -> None:
        self._write(Stage.RUNNING, self._times()["admitted"])
        for pod in self._shown():
            self._put(pod, {"phase": "Running"})
        if self.start is not None and (workload := self._workload()):
            self.execution = self.start(workload)
        self.stage = "running"

    def _ended(self) -> None:
        at, self.stage = self._times()["running"], "ended"
        for pod in self._shown():
            self.world.delete_object(self.cluster, "Pod", self.namespace, pod.name)
        result = self.execution.result() if self.execution else None
        if result is None and (workload := self._workload()):
            write_logs(self.world, self.name, workload)
        if result is None or result.outcome == "succeeded":
            self._write(Stage.SUCCEEDED, at)
            return
        if result.first_failed:
            self._put_failed(result)
        self._write(Stage.FAILED, at, result.outcome == "timed_out")

    def _gone(self) -> None:
        """Somebody has deleted it: its pods go with it."""
        self.stop()
        self.stage = "ended"
        for pod in self.world.objects(self.cluster, "Pod", self.namespace):
            if (pod["metadata"].get("labels") or {}).get(JOB_LABEL) == self.name:
                name = pod["metadata"]["name"]
                self.world.delete_object(self.cluster, "Pod", self.namespace, name)

    def _made_anew(self) -> bool:
        workload = self._workload()
        uid = str(workload["metadata"].get("uid", "")) if workload else ""
        anew = self.stage == "ended" and bool(self.uid) and uid not in ("", self.uid)
        self.uid = uid or self.uid
        return anew

    def _put_failed(self, result: ExecResult) -> None:
        """The pod that explains it."""
        pod = next(each for each in self.plan().pods if each.key == result.first_failed)
        exit_code = result.exit_codes.get(pod.key, 1)
        terminated = {"exitCode": exit_code, "message": result.message}
        container = {"name": pod.container["name"], "state": {"terminated": terminated}}
        self._put(pod, {"phase": "Failed", "containerStatuses": [container]})

    def _put(self, pod: PlannedPod, status: Object) -> None:
        metadata = {"name": pod.name, "namespace": self.namespace, "labels": dict(pod.labels)}
        whole = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}
        self.world.put_object(self.cluster, whole)

    def _shown(self) -> list[PlannedPod]:
        """Of an elastic job no workload counts every pod, so they are there to be seen."""
        pods = self.plan().pods if self._workload() else []
        return pods if any(pod.by_agent for pod in pods) else []

    def plan(self) -> Plan:
        """The pods that its controller makes."""
        return expand(self._manifests())

    def _manifests(self) -> list[Object]:
        return manifests_of(self.world, self.cluster, self.namespace, self.name)

    def _write(self, stage: Stage, at: float, timed_out: bool = False) -> None:
        moment = Moment(stage, _stamp(at), timed_out)
        for workload in self._workloads():
            self._say(workload, moment)
            if kind_of(workload) == "TrainJob":
                self._write_child(workload, moment)

    def _say(self, workload: Object, moment: Moment) -> None:
        kind = kind_of(workload)
        name, place = workload["metadata"]["name"], f"{workload['kind']}.{KINDS[kind]}"
        status = status_of(kind, workload, moment)
        self.world.patch_status(self.cluster, place, self.namespace, name, status)

    def _write_child(self, trainjob: Object, moment: Moment) -> None:
        """Trainer's JobSet, which says how its roles fare; here it goes when the job has ended."""
        if moment.stage in (Stage.SUCCEEDED, Stage.FAILED):
            self._drop_child()
            return
        child, _, _ = as_jobset(trainjob, self._manifests())
        owner = {key: trainjob["metadata"].get(key, "") for key in ("name", "uid")}
        versions = {key: trainjob[key] for key in ("apiVersion", "kind")}
        child["metadata"] = {
            "name": self.name, "namespace": self.namespace,
            "labels": trainjob["metadata"].get("labels") or {},
            "ownerReferences": [{**versions, **owner, "controller": True}],
        }  # fmt: skip
        self.world.put_object(self.cluster, child)
        self._say(child, moment)

    def _drop_child(self) -> None:
        for each in self.world.objects(self.cluster, JOBSET, self.namespace):
            if each["metadata"]["name"] == self.name and each["metadata"].get("ownerReferences"):
                self.world.delete_object(self.cluster, JOBSET, self.namespace, self.name)

    def _workloads(self) -> list[Object]:
        return workloads_of(self.world, self.cluster, self.namespace, self.name)

    def _workload(self) -> Object | None:
        found = self._workloads()
        return found[-1] if found else None

    def _queued(self, workload: Object | None) -> bool:
        """Kueue's label, or a queue of Volcano's beside the default one."""
        if workload is None:
            return False
        if QUEUE_LABEL in (workload["metadata"].get("labels") or {}):
            return True
        volcano = kind_of(workload) == "VolcanoJob"
        return volcano and workload["spec"].get("queue", "default") != "default"

    def _by_hand(self, workload: Object | None) -> bool:
        if workload is None or self._queued(workload):
            return False
        return suspended(kind_of(workload), workload)


def _has_device(container: Object) -> bool:
    """Of a vendor, `nvidia.com/gpu`."""
    return any("/" in name for name in container.get("resources", {}).get("limits", {}))


def _shut_down(at: float) -> Object:
    """As a kubelet leaves a pod whose machine is taken:
    https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/"""
    text = "Pod was terminated in response to imminent node shutdown."
    target = {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet",
              "message": text, "lastTransitionTime": _stamp(at)}  # fmt: skip
    return {"phase": "Failed", "reason": "Terminated", "message": text, "conditions": [target]}


def _belongs(workload: Object, name: str) -> bool:
    """What a controller made is not what the user asked for."""
    metadata = workload["metadata"]
    if metadata.get("ownerReferences"):
        return False
    return metadata["name"] == name or (metadata.get("labels") or {}).get(JOB_LABEL) == name


def _expected(workload: Object | None) -> float:
    annotations = (workload or {}).get("metadata", {}).get("annotations") or {}
    return float(annotations.get(EXPECTED, 3600))


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
