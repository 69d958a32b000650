"""AresJob: named roles, what each waits for, and which of them decide."""

from __future__ import annotations

from typing import Any

from jobs.importers.draft import Draft
from jobs.importers.launched import idle_worker
from jobs.importers.replicas import add_role
from jobs.importers.run_policy import run_policy, word
from jobs.policy import Pods, RolePhase

__all__ = ["convert"]

_ANNOTATIONS = {"ares.io/ares-queue": "queue", "ares.io/job-priority": "priority"}
_PODS = [each.value for each in Pods]
_PHASES = [each.value for each in RolePhase]


def convert(draft: Draft) -> None:
    """Fields of the Job."""
    spec, facts = draft.spec, draft.format.facts
    framework = spec.get("frameworkType")
    if not framework:
        hint = f"one of {', '.join(facts['frameworks'])}"
        draft.refuse("spec.frameworkType", "required", hint)
    known = word(draft, framework, "spec.frameworkType", facts["frameworks"])
    draft.put("framework", known, "spec.frameworkType")
    run_policy(draft)
    for annotation, ours in _ANNOTATIONS.items():
        draft.put(ours, draft.annotations.get(annotation), f"metadata.annotations.{annotation}")
    for name, role in (spec.get("roleSpecs") or {}).items():
        _role(draft, name, role or {}, f"spec.roleSpecs.{name}")
    if not spec.get("roleSpecs"):
        draft.refuse("spec.roleSpecs", "required: it says what runs")
    _decides(draft, spec.get("jobPhasePolicy") or {})
    _framework(draft, spec.get("framework") or {})
    _ports(draft, spec.get("availablePorts") or [], known)


def _role(draft: Draft, name: str, given: dict[str, Any], path: str) -> None:
    """A role that MPI's launcher starts needs no command of its own."""
    obeys = draft.data.get("framework") == "mpi" and name == "worker"
    role = add_role(draft, name, given, path, command=not obeys)
    if obeys:
        idle_worker(draft, role, path)
    policy, ours = given.get("rolePhasePolicy") or {}, f"roles.{name}"
    for theirs in ("failed", "succeeded"):
        where = f"{path}.rolePhasePolicy.{theirs}"
        if said := word(draft, policy.get(theirs), where, _PODS):
            role[theirs] = said
    if "nodeDownAsFailed" in policy:
        role["node_down_as_failed"] = policy["nodeDownAsFailed"]
    if given.get("dependence") is not None:
        _dependence(draft, role, given["dependence"], f"{path}.dependence", ours)


def _dependence(
    draft: Draft, role: dict[str, Any], given: dict[str, Any], path: str, ours: str
) -> None:
    names, hostfile = given.get("roleNames") or [], given.get("mpiHostFile")
    if not names and hostfile is None:
        draft.refuse(f"{path}.roleNames", "required", "or an mpiHostFile")
    draft.put("mpi.hostfile", hostfile, f"{path}.mpiHostFile")
    phase = word(draft, given.get("rolePhase") or "Running", f"{path}.rolePhase", _PHASES)
    draft.paths[f"{ours}.depends_on"] = f"{path}.roleNames"
    if names:
        role["depends_on"] = [{"role": name, "phase": phase or "Running"} for name in names]
        for index in range(len(names)):
            draft.paths[f"{ours}.depends_on[{index}].phase"] = f"{path}.rolePhase"


def _decides(draft: Draft, policy: dict[str, Any]) -> None:
    for theirs, ours in (("failed", "failure"), ("succeeded", "success")):
        draft.put(f"policy.{ours}", policy.get(theirs), f"spec.jobPhasePolicy.{theirs}")


def _framework(draft: Draft, given: dict[str, Any]) -> None:
    path, bagua, mpi = "spec.framework", given.get("bagua") or {}, given.get("mpi") or {}
    if bagua.get("enableElastic"):
        workers = draft.data.get("roles", {}).get("worker", {}).get("replicas", 1)
        for theirs, ours in (("minReplicas", "min"), ("maxReplicas", "max")):
            draft.put(f"elastic.{ours}", bagua.get(theirs) or workers, f"{path}.bagua.{theirs}")
    implementations = draft.format.facts["implementations"]
    implementation = word(
        draft, mpi.get("implementation"), f"{path}.mpi.implementation", implementations
    )
    draft.put(
        "mpi.implementation", implementations.get(implementation), f"{path}.mpi.implementation"
    )
    processes = mpi.get("replicasPerNode") or None
    draft.put("processes_per_node", processes, f"{path}.mpi.replicasPerNode")
    dynamic = (given.get("tensorflow") or {}).get("enableDynamicWorker")
    draft.put("tensorflow.dynamic_workers", dynamic, f"{path}.tensorflow.enableDynamicWorker")


def _ports(draft: Draft, ports: list[int], framework: Any) -> None:
    """Bagua's pods share them out by index."""
    if not ports:
        return
    if framework != "bagua":
        message = "a role's ports are those of its containers"
        draft.not_honoured("spec.availablePorts", message)
        return
    for name, role in draft.data.get("roles", {}).items():
        if name != "etcd":
            role["ports"] = {f"port-{index}": port for index, port in enumerate(ports)}
            draft.paths[f"roles.{name}.ports"] = "spec.availablePorts"
