"""The real Pulumi engine, through the CLI and the Automation API.

    find_cli() / ensure_cli()   the CLI: found, installed or built (`colony.toolchain`)
    Engine                      one project on one backend; its methods take the stack's name

Importing this module is light; pulumi is imported when an inline program is run. One process runs
one inline program at a time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from colony import folder
from colony.command import CliFailed, Result, Runner
from colony.folder import Lock
from colony.outcome import PATIENCE, Changes, OnEvent, Watcher, explained
from colony.records import PROJECT
from colony.stack_files import StackFiles, plain_config
from colony.storage.base import Storage
from colony.storage.opening import open_storage
from colony.toolchain import Cli, ensure_cli, find_cli
from jobs.errors import Cancelled

if TYPE_CHECKING:
    from colony.automation import Stack

__all__ = [
    "Changes",
    "Cli",
    "Engine",
    "Lock",
    "Pending",
    "ensure_cli",
    "find_cli",
    "passphrase_needed",
]

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a value that it does not know."""

Program = Callable[[], Any]

DEADLINE = 2 * 3600.0
"""Seconds of an operation that was given no other: after that its lock is taken to be stale."""
_ARGUMENT_MAX = 16 * 1024  # one argument may have 128 KiB on Linux, all together 2 MiB
_DIY = ("file", "s3", "gs", "azblob")


@dataclass(frozen=True)
class Pending:
    """An operation that was under way when the engine died. A `creating` one may have leaked."""

    urn: str
    type: str
    operation: str


def passphrase_needed(environment: Mapping[str, str]) -> bool:
    """True if the environment holds no passphrase for the secrets of a self-managed backend."""
    return not any(
        key in environment for key in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
    )


class Engine:
    """One Pulumi project on one backend.

    `project_dir` holds Pulumi.yaml. `backend_url` "" means the backend the user is logged in to.
    With `closed`, `environment` is all the environment there is (a rehearsal's); otherwise it is
    laid over this process's own.

    Every operation raises `ProvisioningFailed` with the providers' own words by URN, `Cancelled`
    after an interrupt (the engine has finished or given up what was under way; things may be
    left), or `StackLocked`. None waits for ever: `timeout` (else two hours) stops it, or `patience`
    seconds in which an engine that has met an error does nothing any more.
    """

    def __init__(
        self,
        project_dir: Path,
        backend_url: str,
        environment: Mapping[str, str],
        cli: Cli,
        parallel: int = 64,
        closed: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        self.project_dir = Path(project_dir)
        self.backend_url = backend_url
        self.parallel, self.patience = parallel, patience
        self._root = folder.root_of(backend_url)
        self._runner = Runner(
            cli.path, cli.version, _environment(cli, backend_url, environment, closed)
        )

    @property
    def pid(self) -> int | None:
        """The process id of the CLI while an operation runs."""
        return self._runner.pid

    def select(self, stack: str) -> bool:
        """Makes the stack where it is missing. True if it was made."""
        if self._files:
            self._files.fetch(stack)
        try:
            self._run("stack", "init", self.qualified(stack), "--no-select")
        except CliFailed as failure:
            if "already exists" in failure.result.stderr:
                return False
            raise
        return True

    def qualified(self, stack: str) -> str:
        """The stack's full name; the organization of a self-managed backend is a fixed word."""
        return f"organization/{PROJECT}/{stack}" if self._self_managed() else stack

    def configure(
        self, stack: str, values: Mapping[str, str], secrets: Mapping[str, str] | None = None
    ) -> None:
        """Writes what is new in the config. Secret values go through a pipe, never through
        arguments."""
        known = self._plain_config(stack) or {}
        values = {key: text for key, text in values.items() if known.get(key) != text}
        small = {key: value for key, value in values.items() if len(value) < _ARGUMENT_MAX}
        pairs = [word for key in small for word in ("--plaintext", f"{key}={small[key]}")]
        if pairs:
            self._run("config", "set-all", *pairs, stack=stack)
        for key in values.keys() - small.keys():
            self._run("config", "set", "--plaintext", key, stack=stack, stdin=values[key])
        for key, value in (secrets or {}).items():
            self._run("config", "set", "--secret", key, stack=stack, stdin=value)
        if self._files:
            self._files.keep(stack)

    def config(self, stack: str) -> dict[str, str]:
        """The stack's config, secrets as plain values in memory."""
        plain = self._plain_config(stack)
        if plain is not None:
            return plain
        found = json.loads(self._run("config", "--json", "--show-secrets", stack=stack).stdout)
        return {key: entry.get("value", "") for key, entry in found.items()}

    def preview(
        self,
        stack: str,
        program: Program | None = None,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
    ) -> Changes:
        """What `up` would do."""
        with self._operation("preview", on_event, timeout) as watcher:
            self._handle(stack, program).preview(
                parallel=self.parallel, color="never", on_event=watcher
            )
        return watcher.changes

    def up(
        self,
        stack: str,
        program: Program | None = None,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
        continue_on_error: bool = False,
    ) -> Changes:
        """Builds what the stack config says. Without `program`, the project's own is run."""
        with self._operation("up", on_event, timeout) as watcher:
            self._handle(stack, program).up(
                parallel=self.parallel,
                color="never",
                suppress_outputs=True,
                suppress_progress=True,
                continue_on_error=continue_on_error,
                on_event=watcher,
            )
        return watcher.changes

    def drift(
        self,
        stack: str,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
    ) -> Changes:
        """What a refresh would change: where the clouds differ from the state. Changes nothing."""
        with self._operation("refresh", on_event, timeout) as watcher:
            self._handle(stack, None).preview_refresh(
                parallel=self.parallel,
                color="never",
                suppress_outputs=True,
                suppress_progress=True,
                on_event=watcher,
            )
        return watcher.changes

    def destroy(
        self,
        stack: str,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
        continue_on_error: bool = True,
        only: Sequence[str] | None = None,
    ) -> Changes:
        """Deletes all that the state knows, or `only` these URNs, which nothing else needs.
        Success is no proof that nothing is left."""
        with self._operation("destroy", on_event, timeout) as watcher:
            self._handle(stack, None).destroy(
                parallel=self.parallel,
                color="never",
                suppress_outputs=True,
                suppress_progress=True,
                continue_on_error=continue_on_error,
                target=list(only) if only else None,
                on_event=watcher,
            )
        return watcher.changes

    def interrupt(self) -> None:
        """Stops the running operation: once gracefully, a second time at once."""
        self._runner.interrupt()

    def export(self, stack: str, secrets: bool = False) -> dict[str, Any]:
        """The deployment (version 3 or 4's `deployment`), secrets encrypted or, in memory, open."""
        if self._root and not secrets:
            found = folder.deployment(self._root, PROJECT, stack)
            if found is not None:
                return found
        shown = ["--show-secrets"] if secrets else []
        deployment = json.loads(self._run("stack", "export", *shown, stack=stack).stdout)[
            "deployment"
        ]
        return dict(deployment or {})

    def outputs(self, stack: str) -> dict[str, Any]:
        """The outputs that are known, secrets as plain values in memory."""
        found = json.loads(
            self._run("stack", "output", "--json", "--show-secrets", stack=stack).stdout
        )
        return {key: _known(value) for key, value in found.items() if value != UNKNOWN}

    def pending(self, stack: str) -> list[Pending]:
        """Operations that were under way when an engine died."""
        return _pending(self.export(stack))

    def clear_pending(self, stack: str) -> list[Pending]:
        """Forgets pending operations, and returns them: what was `creating` must be swept.

        By export and import: a refresh would call every provider, and a cluster that cannot be
        reached any more would fail it.
        """
        whole = json.loads(self._run("stack", "export", stack=stack).stdout)
        pending = _pending(whole.get("deployment") or {})
        if pending:
            whole["deployment"]["pending_operations"] = []
            self._run("stack", "import", stack=stack, stdin=json.dumps(whole))
        return pending

    def remove(self, stack: str, force: bool = False) -> None:
        """Removes an empty stack, its config and its backups; with `force`, a full one too."""
        more = ["--force"] if force else []
        if self._self_managed():
            more.append("--remove-backups")
        self._run("stack", "rm", "--yes", *more, stack=stack)
        if self._files:
            self._files.forget(stack)

    def stacks(self) -> list[str]:
        """The names of the project's stacks."""
        found = folder.stacks(self._root, PROJECT) if self._root else None
        if found is not None:
            return found
        return [entry["name"] for entry in json.loads(self._run("stack", "ls", "--json").stdout)]

    def locks(self, stack: str) -> list[Lock]:
        """The locks on a stack; Pulumi Cloud keeps its own, and ends those of the dead."""
        return folder.locks(self._storage, PROJECT, stack) if self._self_managed() else []

    def release(self, lock: Lock) -> None:
        """Takes this one lock away, whoever holds others: make sure that its holder is dead."""
        self._storage.delete(lock.key)

    @cached_property
    def _storage(self) -> Storage:
        return open_storage(self.backend_url)

    @cached_property
    def _files(self) -> StackFiles | None:
        """Where this machine's folder is not all that there is."""
        if self._self_managed() and self._storage.remote:
            return StackFiles(self.project_dir, self._storage)
        return None

    def _plain_config(self, stack: str) -> dict[str, str] | None:
        if self._files:
            self._files.fetch(stack)
        return plain_config(self.project_dir, stack)

    def _self_managed(self) -> bool:
        return urlsplit(self.backend_url).scheme in _DIY

    def _run(self, *args: str, stack: str = "", stdin: str | None = None) -> Result:
        named = ["--stack", self.qualified(stack)] if stack else []
        self._runner.timeout, self._runner.stalled = 300.0, None
        if self._root:
            folder.mend(self._root)
        if stack and self._files:
            self._files.fetch(stack)
        try:
            return self._runner.run([*args, *named], str(self.project_dir), {}, stdin=stdin)
        except CliFailed as failure:
            raise explained(failure) from None

    def _handle(self, stack: str, program: Program | None) -> Stack:
        from pulumi.automation import LocalWorkspaceOptions

        from colony.automation import Stack, Workspace

        if self._files:
            self._files.fetch(stack)
        options = LocalWorkspaceOptions(
            work_dir=str(self.project_dir),
            program=program,
            pulumi_command=self._runner,  # type: ignore[arg-type]  # it calls `run` and `version`
        )
        return Stack.attach(self.qualified(stack), Workspace(**vars(options)))

    @contextmanager
    def _operation(
        self, name: str, on_event: OnEvent | None, timeout: float | None
    ) -> Iterator[Watcher]:
        from colony.automation import quiet_failure

        watcher = Watcher(on_event, patience=self.patience)
        self._runner.timeout, self._runner.stalled = timeout or DEADLINE, watcher.stalled
        if self._root:
            folder.mend(self._root)
        try:
            with quiet_failure():
                yield watcher
        except CliFailed as failure:
            raise explained(failure, name, watcher.failures) from None
        except KeyboardInterrupt:
            raise Cancelled(f"{name} was interrupted") from None
        if watcher.error:
            raise watcher.error


def _environment(
    cli: Cli, backend_url: str, environment: Mapping[str, str], closed: bool
) -> dict[str, str]:
    merged = dict(environment) if closed else {**os.environ, **environment}
    # the plugins beside the CLI are of its own version: they come first
    merged["PATH"] = os.pathsep.join([str(cli.path.parent), merged.get("PATH", os.defpath)])
    if backend_url:
        merged["PULUMI_BACKEND_URL"] = backend_url
    merged |= {
        "PULUMI_AUTOMATION_API": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "NO_COLOR": "1",
    }
    merged.setdefault("GOGC", "400")  # most of a short call was collecting a few megabytes
    return merged


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items() if item != UNKNOWN}
    if isinstance(value, list):
        return [_known(item) for item in value if item != UNKNOWN]
    return value


def _pending(deployment: Mapping[str, Any]) -> list[Pending]:
    return [
        Pending(entry["resource"]["urn"], entry["resource"]["type"], entry["type"])
        for entry in deployment.get("pending_operations") or []
    ]
