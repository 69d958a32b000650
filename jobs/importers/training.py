"""et-operator's TrainingJob: a launcher, and workers that come and go (elastic Horovod).

ScaleIn and ScaleOut of the same group are no jobs: see scale.py and `colony scale -f`.
"""

from __future__ import annotations

from typing import Any

from jobs.importers.draft import Draft
from jobs.importers.launched import idle_worker
from jobs.importers.replicas import add_role
from jobs.importers.run_policy import clean_up, word

__all__ = ["convert"]

_SUSPENDED = "job-supervisor.kube-ai.io/job-suspended"


def convert(draft: Draft) -> None:
    """Fields of the Job."""
    spec = draft.spec
    draft.put("framework", "horovod", "spec")
    clean_up(draft, spec.get("cleanPodPolicy"), "spec.cleanPodPolicy")
    _restarts(draft)
    modes = draft.format.facts["attach_modes"]
    mode = word(draft, spec.get("launcherAttachMode"), "spec.launcherAttachMode", modes)
    draft.put("mpi.launch", modes.get(mode), "spec.launcherAttachMode")
    if draft.annotations.get(_SUSPENDED) == "true":
        draft.put("suspend", True, f"metadata.annotations.{_SUSPENDED}")
    _roles(draft, spec.get("etReplicaSpecs") or {})


def _restarts(draft: Draft) -> None:
    """The whole job starts again, where its own restart policy says so."""
    spec, facts = draft.spec, draft.format.facts
    policy = word(draft, spec.get("restartPolicy"), "spec.restartPolicy", ["Never", "OnFailure"])
    limit = spec.get("backoffLimit")
    if policy == "OnFailure":
        limit = facts["backoff_limit"] if limit is None else limit
        draft.put("policy.backoff_limit", limit, "spec.backoffLimit")
    else:
        draft.put("policy.backoff_limit", 0, "spec.restartPolicy")
        if limit:
            draft.warn("spec.backoffLimit", "not used: restartPolicy is Never")


def _roles(draft: Draft, replicas: dict[str, Any]) -> None:
    path = "spec.etReplicaSpecs"
    for name in ("launcher", "worker"):
        if not replicas.get(name):
            draft.refuse(f"{path}.{name}", "required")
    if draft.problems:
        return
    launcher = replicas["launcher"]
    add_role(draft, "launcher", launcher, f"{path}.launcher", default_restart="Never")
    worker = add_role(draft, "worker", replicas["worker"], f"{path}.worker", command=False)
    idle_worker(draft, worker, f"{path}.worker")
    _elastic(draft, replicas["worker"], worker, f"{path}.worker")


def _elastic(draft: Draft, given: dict[str, Any], worker: dict[str, Any], path: str) -> None:
    """At least what runs at the start; at most without end, which needs a number here."""
    most = given.get("maxReplicas")
    if most is None:
        most = max(draft.format.facts["max_replicas"], worker["replicas"])
        draft.warn(f"{path}.maxReplicas", f"without a limit in this format; here {most}")
    least = given.get("minReplicas")
    draft.put("elastic.min", worker["replicas"] if least is None else least, f"{path}.minReplicas")
    draft.put("elastic.max", most, f"{path}.maxReplicas")
    accelerators = worker.get("resources", {}).get("accelerators", ":1")
    slots = draft.spec.get("slotsPerWorker") or int(accelerators.partition(":")[2])
    draft.put("elastic.slots", slots, "spec.slotsPerWorker")
