"""exalsius' DDPJob: `parallelism` pods of torchrun with `nprocPerNode` processes each.

Theirs starts torchrun without a rank, so that every pod trains alone; ours is one world.
"""

from __future__ import annotations

from jobs.gate.models import model_of
from jobs.importers.draft import Draft
from jobs.importers.shell import placeholder, script
from jobs.problems import printable

__all__ = ["convert"]

_KEY = "WANDB_API_KEY"


def convert(draft: Draft) -> None:
    """Fields of the Job."""
    spec = draft.spec
    draft.put("framework", "pytorch", "spec")
    for theirs, ours in (("image", "image"), ("targetColony", "colony")):
        draft.put(ours, spec.get(theirs) or None, f"spec.{theirs}")
    draft.put("nodes", spec.get("parallelism", 1), "spec.parallelism")
    processes = spec.get("nprocPerNode")
    draft.put("processes_per_node", 1 if processes is None else processes, "spec.nprocPerNode")
    if not spec.get("image"):
        draft.refuse("spec.image", "required: the script is in it")
    _script(draft)
    _gpus(draft)
    _key(draft)


def _script(draft: Draft) -> None:
    spec = draft.spec
    words = [("spec.scriptPath", spec.get("scriptPath") or "")]
    words += [(f"spec.args[{i}]", word) for i, word in enumerate(spec.get("args") or [])]
    if not words[0][1]:
        draft.refuse("spec.scriptPath", "required")
    for path, word in words:
        if placeholder(word):
            draft.refuse(path, f"{word} is a placeholder", "put the real value there")
    draft.put("run", script(["torchrun", *(word for _, word in words)]), "spec.scriptPath")


def _gpus(draft: Draft) -> None:
    """The first of several types: which is the cheapest is not asked yet."""
    spec, types = draft.spec, draft.spec.get("gpuTypes") or []
    if spec.get("cpuJob"):
        if types:
            draft.warn("spec.gpuTypes", "not used: with cpuJob the job has no GPUs")
        return
    if not types:
        hint = "name it there, or write `cpuJob: true`"
        draft.refuse("spec.gpuTypes", "required: each process has a GPU, but of which model", hint)
        return
    known = []
    for index, name in enumerate(types):
        found = model_of(name)
        if found is None:
            draft.refuse(f"spec.gpuTypes[{index}]", f"unknown accelerator {printable(name)}")
        else:
            known.append(found.name)
    if not known:
        return
    if len(types) > 1:
        others = ", ".join(types[1:])
        hint = "put the one that you want first"
        draft.warn("spec.gpuTypes", f"{types[0]} is taken, {others} not yet compared with it", hint)
    draft.put(
        "resources.accelerators", f"{known[0]}:{spec.get('nprocPerNode', 1)}", "spec.gpuTypes[0]"
    )


def _key(draft: Draft) -> None:
    key = draft.spec.get("wandbApiKey")
    if not key:
        return
    draft.put("secrets", {_KEY: key}, "spec.wandbApiKey")
    message = f"a key in plain text in the file; it is kept as the secret {_KEY}"
    draft.warn("spec.wandbApiKey", message, f"leave it out, and give `--env {_KEY}`")
