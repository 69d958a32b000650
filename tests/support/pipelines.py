"""The shell steps of a CI pipeline, taken from its file and run as its runner would."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
SECONDS = 400


@dataclass
class Shell:
    """A checkout, and programs that stand in for what is not under test (pip, gh, curl)."""

    checkout: Path
    stubs: Path
    world: Path
    python: Path
    output: str = ""

    def run(self, script, env):
        """As `bash -e` does on GitHub and GitLab; returns the exit code."""
        path = os.pathsep.join([str(self.stubs), str(self.python.parent), "/usr/bin", "/bin"])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.checkout, text=True, capture_output=True, timeout=SECONDS,
            env={**os.environ, **env, "PATH": path, "COLONY_WORLD": str(self.world)},
        )  # fmt: skip
        self.output += done.stdout + done.stderr
        return done.returncode

    def stub(self, name):
        """Keeps what it was called with, and the files that it was given."""
        path = self.stubs / name
        path.write_text(
            f'#!/bin/sh\necho "{name} $@" >> {self.stubs}/calls\n'
            f"cat comment.md >> {self.stubs}/comments 2>/dev/null || true\n"
        )
        path.chmod(0o755)

    def calls(self):
        path = self.stubs / "calls"
        return path.read_text() if path.exists() else ""


def github(shell, path, job, context):
    """The steps of one job with a `run`; `context` says what expressions mean."""
    workflow = yaml.safe_load(path.read_text())
    body = workflow["jobs"][job]
    shared = {**workflow.get("env", {}), **body.get("env", {})}
    code = 0
    for step in body["steps"]:
        if "run" not in step or (code and step.get("if") != "always()"):
            continue
        assert not EXPRESSION.search(step["run"]), "an expression in a script is an injection"
        env = {**shared, **step.get("env", {}), "GITHUB_STEP_SUMMARY": str(shell.stubs / "summary")}
        code = shell.run(step["run"], _filled(env, context)) or code
    return code


def gitlab(shell, path, job, context):
    """The lines of one job's script, in one shell."""
    pipeline = yaml.safe_load(path.read_text())
    body = pipeline[job]
    lines = [*pipeline["default"]["before_script"], *body["script"]]
    variables = {**pipeline["variables"], **body.get("variables", {}), **context}
    return shell.run("\n".join(lines), {key: str(value) for key, value in variables.items()})


def dockerfile(path):
    """(instruction, the rest), with lines that go on joined."""
    text = re.sub(r"\\\n\s*", " ", path.read_text())
    plain = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(verb, rest) for verb, _, rest in (line.partition(" ") for line in plain)]


def image_command(path, container):
    """What a container of that image runs."""
    [entry] = [json.loads(rest) for verb, rest in dockerfile(path) if verb == "ENTRYPOINT"]
    return shlex.join([*container.get("command", entry), *container.get("args", [])])


def container_environment(container, secrets, places):
    """Its variables; `places`: the folder of this machine for each path that is mounted."""
    found = {}
    for each in container["env"]:
        value = each.get("value")
        if value is None:
            reference = each["valueFrom"]["secretKeyRef"]
            value = secrets[reference["name"]][reference["key"]]
        for mounted, folder in places.items():
            folder.mkdir(exist_ok=True)
            value = re.sub(rf"(^|//){mounted}(?=/|$)", rf"\g<1>{folder}", value)
        found[each["name"]] = value
    return found


def _filled(env, context):
    def meant(match):
        return context[match[1]]

    return {key: EXPRESSION.sub(meant, str(value)) for key, value in env.items()}
