"""Real Helm, for the releases of a world that has a real API server.

Helm 3, since pulumi-kubernetes carries out `helm.v3.Release` with Helm 3: the same storage, the
same hooks, the same three-way merge. It runs as a process with an environment made from nothing;
values go by a private file, never by an argument.
https://helm.sh/docs/helm/helm_install/
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from colony.rehearsal.calls import Refusal

__all__ = ["Helm"]

DEFAULT_TIMEOUT = 300
"""Seconds that Helm waits unless the release says otherwise."""
SLACK = 60.0
"""Seconds that the process may take longer: an atomic install takes back what it made."""
FLAGS = {
    "atomic": "--atomic", "cleanupOnFail": "--cleanup-on-fail", "dependencyUpdate":
    "--dependency-update", "disableOpenapiValidation": "--disable-openapi-validation",
    "devel": "--devel", "forceUpdate": "--force", "waitForJobs": "--wait-for-jobs",
    "disableWebhooks": "--no-hooks", "skipCrds": "--skip-crds",
}  # fmt: skip
ONLY = {"forceUpdate": "upgrade", "cleanupOnFail": "upgrade"}
REPOSITORY = {"repo": "--repo", "caFile": "--ca-file", "certFile": "--cert-file",
              "keyFile": "--key-file"}  # fmt: skip
LOGIN = ("username", "password")
ELSEWHERE = {
    "name", "namespace", "chart", "version", "values", "timeout", "repositoryOpts", "skipAwait",
    "createNamespace", "compat", "resourceNames", "status", "manifest", "checksum",
}  # fmt: skip

Inputs = Mapping[str, Any]


class Helm:
    """One program for one API server. `home` is a folder for its caches."""

    def __init__(self, program: Path, kubeconfig: Path, context: str, home: Path) -> None:
        self._program, self._home = program, home
        self._where = [f"--kubeconfig={kubeconfig}", f"--kube-context={context}"]

    def install(self, inputs: Inputs, stopped: threading.Event) -> dict[str, Any]:
        """What Helm says of the new release. Raises Refusal in Helm's words."""
        return self._make("install", inputs, stopped)

    def upgrade(self, inputs: Inputs, stopped: threading.Event) -> dict[str, Any]:
        """The same for a release that is there."""
        return self._make("upgrade", inputs, stopped)

    def uninstall(
        self, inputs: Inputs, stopped: threading.Event, hooks: bool = True, seconds: float = 0
    ) -> None:
        """Waits until what it made is gone; gone already is fine."""
        limit = seconds or float(inputs.get("timeout") or DEFAULT_TIMEOUT)
        argv = ["uninstall", str(inputs["name"]), f"--namespace={inputs['namespace']}"]
        argv += ["--ignore-not-found", "--wait", f"--timeout={limit:.0f}s"]
        self._run([*argv, *([] if hooks else ["--no-hooks"])], limit, stopped)

    def status(self, namespace: str, name: str) -> dict[str, Any] | None:
        """None where there is no such release."""
        argv = ["status", name, f"--namespace={namespace}", "--output=json"]
        try:
            return dict(json.loads(self._run(argv, SLACK, threading.Event())))
        except Refusal as refused:
            if "release: not found" in refused.message:
                return None
            raise

    def definitions(self, inputs: Inputs, stopped: threading.Event) -> list[str]:
        """Names of the CRDs in the chart's `crds/`, which Helm installs and never removes."""
        with self._chart(inputs) as chart:
            text = self._run(["show", "crds", *chart], SLACK, stopped)
        found = (each for each in yaml.safe_load_all(text) if each)
        return sorted(str(each["metadata"]["name"]) for each in found)

    def render(self, inputs: Inputs, *more: str) -> list[dict[str, Any]]:
        """`helm template`: the objects of a chart, its CRDs too."""
        argv = ["--include-crds", f"--namespace={inputs['namespace']}", *more]
        with self._chart(inputs) as chart:
            argv = ["template", str(inputs["name"]), *chart, *argv]
            text = self._with_values(argv, inputs, SLACK, threading.Event())
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return [each for each in yaml.load_all(text, loader) if each]

    def _make(self, verb: str, inputs: Inputs, stopped: threading.Event) -> dict[str, Any]:
        limit = int(inputs.get("timeout") or DEFAULT_TIMEOUT)
        argv = [f"--namespace={inputs['namespace']}", f"--timeout={limit}s", "--output=json"]
        argv += [] if inputs.get("skipAwait") else ["--wait"]
        argv += _flags(verb, inputs)
        with self._chart(inputs) as chart:
            argv = [verb, str(inputs["name"]), *chart, *argv]
            return dict(json.loads(self._with_values(argv, inputs, limit, stopped)))

    @contextmanager
    def _chart(self, inputs: Inputs) -> Iterator[list[str]]:
        """The arguments that name it."""
        version = [f"--version={inputs['version']}"] if inputs.get("version") else []
        repository = dict(inputs.get("repositoryOpts") or {})
        login = {key: repository.pop(key) for key in LOGIN if repository.get(key)}
        if unknown := set(repository) - set(REPOSITORY):
            raise Refusal("NotSupported", f"repositoryOpts.{sorted(unknown)[0]} is not simulated")
        if not login:
            found = [f"{REPOSITORY[key]}={repository[key]}" for key in sorted(repository)]
            yield [str(inputs["chart"]), *version, *found]
            return
        with self._private(repository, login) as flags:
            yield [f"private/{inputs['chart']}", *version, *flags]

    @contextmanager
    def _private(self, repository: dict[str, Any], login: Mapping[str, Any]) -> Iterator[list[str]]:
        """A repository named `private`, for as long as it is used: its password is in no argument,
        and in a file only meanwhile."""
        with tempfile.TemporaryDirectory(dir=self._home) as folder:
            flags = [f"--repository-config={folder}/repositories.yaml",
                     f"--repository-cache={folder}"]  # fmt: skip
            url = str(repository.pop("repo"))
            files = [f"{REPOSITORY[key]}={repository[key]}" for key in sorted(repository)]
            argv = ["repo", "add", "private", url, f"--username={login['username']}"]
            argv += ["--password-stdin", *files, *flags]
            self._run(argv, SLACK, threading.Event(), str(login["password"]))
            yield flags

    def _with_values(
        self, argv: Sequence[str], inputs: Inputs, limit: float, stopped: threading.Event
    ) -> str:
        with tempfile.NamedTemporaryFile("w", dir=self._home, suffix=".json") as file:
            json.dump(inputs.get("values") or {}, file)
            file.flush()
            return self._run([*argv, f"--values={file.name}"], limit, stopped)

    def _run(
        self, argv: Sequence[str], limit: float, stopped: threading.Event, given: str | None = None
    ) -> str:
        """`given` goes to its standard input."""
        process = subprocess.Popen(
            [str(self._program), *argv, *self._where],
            stdin=subprocess.PIPE if given else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self._home)}, cwd=self._home,
        )  # fmt: skip
        until = time.monotonic() + limit + SLACK
        while True:
            try:
                out, error = process.communicate(given, timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                given = None  # was handed over
                _end_if(process, stopped.is_set(), time.monotonic() - until)
        if process.returncode:
            message = error.strip().splitlines()[-1:] or [f"Helm ended with {process.returncode}"]
            raise Refusal("Helm", message[0].removeprefix("Error: "))
        return out


def _flags(verb: str, inputs: Inputs) -> list[str]:
    """What is asked for and cannot be carried out here is refused by name."""
    given = {key for key, value in inputs.items() if value not in (None, False, "", [], {})}
    unknown = sorted(key for key in given - set(FLAGS) - ELSEWHERE if not key.startswith("__"))
    if unknown:
        raise Refusal("NotSupported", f"a release's {unknown[0]} is not simulated")
    return [FLAGS[key] for key in sorted(given & set(FLAGS)) if ONLY.get(key, verb) == verb]


def _end_if(process: subprocess.Popen[str], asked: bool, late: float) -> None:
    """At first kindly: Helm then takes back an atomic install."""
    if late > SLACK:
        process.kill()
    elif asked or late > 0:
        process.terminate()
