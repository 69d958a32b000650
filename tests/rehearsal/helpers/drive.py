"""Runs operations of the real engine on an inline program; one process, one program.

drive.py PROGRAM.py OPERATION...        with the environment of a world; prints JSON
"""

import json
import os
import runpy
import sys
from pathlib import Path

import pulumi.automation as auto


def main(program, *operations):
    stack = auto.create_or_select_stack(
        stack_name=os.environ.get("STACK", "first"),
        project_name="colony",
        program=lambda: runpy.run_path(program),
        work_dir=str(Path(os.environ["HOME"]).parent / "project"),
    )
    return [{"op": name, **operate(stack, name)} for name in operations]


def operate(stack, name):
    failures = {}
    if name == "outputs":
        return {"ok": True, "outputs": {k: v.value for k, v in stack.outputs().items()}}

    def listen(event):
        said = event.diagnostic_event
        if said and said.severity == "error":
            failures[said.urn or ""] = failures.get(said.urn or "", "") + said.message

    options = {"parallel": int(os.environ.get("PARALLEL", "64")), "on_event": listen}
    if name in ("up", "destroy"):
        options["continue_on_error"] = True
    try:
        result = getattr(stack, name)(**options)
    except auto.errors.CommandError as error:
        return {"ok": False, "failures": failures, "said": str(error)[-3000:]}
    summary = result.change_summary if name == "preview" else result.summary.resource_changes
    outputs = {k: v.value for k, v in stack.outputs().items()} if name == "up" else {}
    return {
        "ok": True,
        "changes": {getattr(op, "value", op): count for op, count in (summary or {}).items()},
        "outputs": outputs,
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
