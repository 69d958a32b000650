"""PyTorchJob, TFJob and MPIJob of Kubeflow's Training Operator and MPI Operator."""

from __future__ import annotations

from typing import Any

from jobs.importers.draft import Draft
from jobs.importers.launched import idle_worker
from jobs.importers.replicas import add_role
from jobs.importers.run_policy import clean_up, run_policy, word
from jobs.problems import did_you_mean

__all__ = ["convert_mpi", "convert_pytorch", "convert_tf"]


def convert_pytorch(draft: Draft) -> None:
    """Master and Worker; with an elasticPolicy the workers come and go."""
    _start(draft)
    for name, spec, path in _replicas(draft):
        add_role(draft, name, spec, path)
    _processes(draft)
    if draft.spec.get("elasticPolicy") is not None:
        _elastic(draft, draft.spec["elasticPolicy"])


def convert_tf(draft: Draft) -> None:
    """Chief, Master, PS, Worker and Evaluator."""
    _start(draft)
    for name, spec, path in _replicas(draft):
        add_role(draft, name, spec, path)
    dynamic = draft.spec.get("enableDynamicWorker")
    draft.put("tensorflow.dynamic_workers", dynamic, "spec.enableDynamicWorker")
    policy = word(draft, draft.spec.get("successPolicy"), "spec.successPolicy", ["", "AllWorkers"])
    if policy == "AllWorkers":
        draft.put("policy.success", [["worker"]], "spec.successPolicy")


def convert_mpi(draft: Draft) -> None:
    """Launcher and Worker; the operator starts the workers' sshd, and so does Colony."""
    _only_of_version(draft)
    _start(draft)
    spec, facts = draft.spec, draft.format.facts
    if spec.get("cleanPodPolicy"):
        clean_up(draft, spec["cleanPodPolicy"], "spec.cleanPodPolicy")
    main = (spec["mainContainer"],) if spec.get("mainContainer") else ()
    launcher = facts["launcher_restart"].get(draft.document.get("apiVersion"), "")
    for name, replica, path in _replicas(draft):
        obeys = name == "worker"
        role = add_role(
            draft, name, replica, path, command=not obeys, main=main,
            default_restart="" if obeys else launcher,
        )  # fmt: skip
        if obeys:
            idle_worker(draft, role, path)
    _slots(draft)
    _implementation(draft)


def _start(draft: Draft) -> None:
    draft.put("framework", draft.format.facts["framework"], "spec")
    run_policy(draft)


def _replicas(draft: Draft) -> list[tuple[str, dict[str, Any], str]]:
    """(role, ReplicaSpec, path) in the format's own order; names are read in any case."""
    facts = draft.format.facts
    field, known = facts["replicas"], facts["roles"]
    aliases, found = facts.get("aliases", {}), {}
    for key, spec in (draft.spec.get(field) or {}).items():
        name = aliases.get(key.lower(), key.lower())
        path = f"spec.{field}.{key}"
        if name not in known:
            names = [each.capitalize() for each in known]
            draft.refuse(
                path, "unknown role", did_you_mean(key, names, f"known: {', '.join(names)}")
            )
        elif name in found:
            draft.refuse(path, f"the role {name} is there twice")
        else:
            found[name] = (name, spec or {}, path)
    if not found and not draft.problems:
        draft.refuse(f"spec.{field}", "required: it says what runs")
    return [found[name] for name in known if name in found]


def _processes(draft: Draft) -> None:
    """`auto` and `gpu` are our default: one a GPU."""
    elastic = draft.spec.get("elasticPolicy") or {}
    given, path = draft.spec.get("nprocPerNode"), "spec.nprocPerNode"
    if given is None and elastic.get("nProcPerNode") is not None:
        given, path = elastic["nProcPerNode"], "spec.elasticPolicy.nProcPerNode"
    text = str(given)
    if given is None or text in ("auto", "gpu"):
        return
    if text == "cpu":
        draft.not_honoured(path, "one process a CPU", "write a number")
    elif text.isdigit():
        draft.put("processes_per_node", int(text), path)
    else:
        draft.refuse(path, f"{given} is not auto, gpu, cpu or a number")


def _elastic(draft: Draft, policy: dict[str, Any]) -> None:
    """Torch's bounds count all nodes; ours only those that come and go beside the master."""
    path, roles = "spec.elasticPolicy", draft.data.get("roles", {})
    if "worker" not in roles:
        draft.refuse(path, "needs the replicas Worker", "they are what comes and goes")
        return
    workers = roles["worker"]["replicas"]
    least, most = policy.get("minReplicas"), policy.get("maxReplicas")
    least, most = least or most or workers, most or least or workers
    if word(draft, policy.get("rdzvBackend"), f"{path}.rdzvBackend", ["c10d", "etcd", "etcd-v2"]) \
            not in (None, "c10d"):  # fmt: skip
        draft.not_honoured(f"{path}.rdzvBackend", "the rendezvous is c10d on the first pod")
    if "master" not in roles:
        _first_stays(draft, roles, path)
        least, most = max(1, least - 1), most - 1
    draft.put("elastic.min", least, f"{path}.minReplicas")
    draft.put("elastic.max", most, f"{path}.maxReplicas")
    _options(draft, policy, path)


def _first_stays(draft: Draft, roles: dict[str, Any], path: str) -> None:
    worker = roles["worker"]
    if worker["replicas"] < 2:
        draft.refuse(path, "needs two workers at least: one is the rendezvous, and stays")
        return
    master = {**worker, "replicas": 1}
    draft.data["roles"] = {
        "master": master,
        "worker": {**worker, "replicas": worker["replicas"] - 1},
    }
    draft.paths["roles.master"] = draft.paths["roles.worker"]
    draft.warn(path, "the first worker is the rendezvous, and stays: it is the role master")


def _options(draft: Draft, policy: dict[str, Any], path: str) -> None:
    """Options of torchrun are variables."""
    for theirs, ours in (("rdzvId", "PET_RDZV_ID"), ("maxRestarts", "PET_MAX_RESTARTS")):
        if policy.get(theirs) is not None:
            draft.data.setdefault("envs", {})[ours] = str(policy[theirs])
            draft.paths[f"envs.{ours}"] = f"{path}.{theirs}"


def _only_of_version(draft: Draft) -> None:
    here = draft.document.get("apiVersion")
    for version, fields in draft.format.facts["only"].items():
        for field in fields:
            if version != here and draft.spec.get(field) is not None:
                draft.refuse(f"spec.{field}", f"is a field of MPIJob {version}, not of {here}")


def _slots(draft: Draft) -> None:
    roles = draft.data.get("roles", {})
    slots = draft.spec.get("slotsPerWorker")
    if slots is not None and "worker" in roles:
        roles["worker"]["processes"] = slots
        draft.paths["roles.worker.processes"] = "spec.slotsPerWorker"
    elif "worker" in roles:
        roles["worker"]["processes"] = 1
    if draft.spec.get("runLauncherAsWorker"):
        message = "the launcher only launches"
        draft.not_honoured("spec.runLauncherAsWorker", message, "add a worker instead")


def _implementation(draft: Draft) -> None:
    given, path = draft.spec.get("mpiImplementation"), "spec.mpiImplementation"
    if given is None:
        return
    known = draft.format.facts["implementations"]
    if given.lower() in known:
        draft.put("mpi.implementation", known[given.lower()], path)
    else:
        draft.not_honoured(path, f"{given} is none of OpenMPI and MPICH")
