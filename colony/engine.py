"""The real Pulumi engine, through the CLI and the Automation API.

    find_cli() / ensure_cli()   the CLI: found, installed or built (`colony.toolchain`)
    Engine                      one project on one backend; its methods take the stack's name

Importing this module is light; pulumi is imported when an inline program is run. One process runs
one inline program at a time.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from colony.command import CliFailed, Result, Runner
from colony.toolchain import Cli, ensure_cli, find_cli
from jobs.errors import Cancelled, NotReady, ProvisioningFailed, RunFailed

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent

    from colony.automation import Stack

__all__ = [
    "Changes",
    "Cli",
    "Engine",
    "Lock",
    "Pending",
    "StackLocked",
    "ensure_cli",
    "find_cli",
    "passphrase_needed",
]

PROJECT = "colony"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a value that it does not know."""

Program = Callable[[], Any]
OnEvent = Callable[["EngineEvent"], object]

_ARGUMENT_MAX = 16 * 1024  # one argument may have 128 KiB on Linux, all together 2 MiB
_COUNT = re.compile(r"\d+ errors? occurred:")
_MARKUP = re.compile(r"<\{%[^%]*%\}>")
_EPILOGUE = re.compile(r"\w+ (failed|canceled)")  # the engine's last word: `update failed`
_DIY = ("file", "s3", "gs", "azblob")


@dataclass(frozen=True)
class Changes:
    """What an operation did: `{"create": 12, "same": 3}`, and how long it took."""

    counts: dict[str, int]
    seconds: float

    @property
    def any(self) -> bool:
        """True if anything was created, updated, replaced or deleted."""
        return any(count for op, count in self.counts.items() if op not in ("same", "read"))


@dataclass(frozen=True)
class Lock:
    """Who holds a stack's lock (file backends only)."""

    host: str
    pid: int
    user: str
    timestamp: float
    """Unix seconds."""
    path: Path


@dataclass(frozen=True)
class Pending:
    """An operation that was under way when the engine died. A `creating` one may have leaked."""

    urn: str
    type: str
    operation: str


class StackLocked(RunFailed):
    """Another update holds the stack's lock, or one that died left it."""


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
    left), or `StackLocked`.
    """

    def __init__(
        self,
        project_dir: Path,
        backend_url: str,
        environment: Mapping[str, str],
        cli: Cli,
        parallel: int = 64,
        closed: bool = False,
    ) -> None:
        self.project_dir = Path(project_dir)
        self.backend_url = backend_url
        self.parallel = parallel
        self._runner = Runner(
            cli.path, cli.version, _environment(cli, backend_url, environment, closed)
        )

    @property
    def pid(self) -> int | None:
        """The process id of the CLI while an operation runs."""
        return self._runner.pid

    def select(self, stack: str) -> bool:
        """Makes the stack where it is missing. True if it was made."""
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
        """Writes config. Secret values go through a pipe, never through arguments."""
        small = {key: value for key, value in values.items() if len(value) < _ARGUMENT_MAX}
        pairs = [word for key in small for word in ("--plaintext", f"{key}={small[key]}")]
        if pairs:
            self._run("config", "set-all", *pairs, stack=stack)
        for key in values.keys() - small.keys():
            self._run("config", "set", "--plaintext", key, stack=stack, stdin=values[key])
        for key, value in (secrets or {}).items():
            self._run("config", "set", "--secret", key, stack=stack, stdin=value)

    def config(self, stack: str) -> dict[str, str]:
        """The stack's config, secrets as plain values in memory."""
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

    def destroy(
        self,
        stack: str,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
        continue_on_error: bool = True,
    ) -> Changes:
        """Deletes all that the state knows. Success is no proof that nothing is left."""
        with self._operation("destroy", on_event, timeout) as watcher:
            self._handle(stack, None).destroy(
                parallel=self.parallel,
                color="never",
                suppress_outputs=True,
                suppress_progress=True,
                continue_on_error=continue_on_error,
                on_event=watcher,
            )
        return watcher.changes

    def interrupt(self) -> None:
        """Stops the running operation: once gracefully, a second time at once."""
        self._runner.interrupt()

    def export(self, stack: str, secrets: bool = False) -> dict[str, Any]:
        """The deployment (version 3 or 4's `deployment`), secrets encrypted or, in memory, open."""
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

    def cancel(self, stack: str) -> None:
        """Takes the lock away from whoever holds it: make sure that it is dead first."""
        self._run("cancel", "--yes", stack=stack)

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

    def stacks(self) -> list[str]:
        """The names of the project's stacks."""
        return [entry["name"] for entry in json.loads(self._run("stack", "ls", "--json").stdout)]

    def locks(self, stack: str) -> list[Lock]:
        """The locks on a stack; none can be seen on a backend that is not a folder."""
        url = urlsplit(self.backend_url)
        if url.scheme != "file":
            return []
        root = Path(unquote(url.netloc + url.path)).expanduser()
        folder = root / ".pulumi" / "locks" / "organization" / PROJECT / stack
        return [lock for path in sorted(folder.glob("*.json")) if (lock := _lock(path))]

    def _self_managed(self) -> bool:
        return urlsplit(self.backend_url).scheme in _DIY

    def _run(self, *args: str, stack: str = "", stdin: str | None = None) -> Result:
        named = ["--stack", self.qualified(stack)] if stack else []
        self._runner.timeout = 300.0
        try:
            return self._runner.run([*args, *named], str(self.project_dir), {}, stdin=stdin)
        except CliFailed as failure:
            raise _explained(failure) from None

    def _handle(self, stack: str, program: Program | None) -> Stack:
        from pulumi.automation import LocalWorkspaceOptions

        from colony.automation import Stack, Workspace

        options = LocalWorkspaceOptions(
            work_dir=str(self.project_dir),
            program=program,
            pulumi_command=self._runner,  # type: ignore[arg-type]  # it calls `run` and `version`
        )
        return Stack.attach(self.qualified(stack), Workspace(**vars(options)))

    @contextmanager
    def _operation(
        self, name: str, on_event: OnEvent | None, timeout: float | None
    ) -> Iterator[_Watcher]:
        from colony.automation import quiet_failure

        watcher = _Watcher(on_event)
        self._runner.timeout = timeout
        try:
            with quiet_failure():
                yield watcher
        except CliFailed as failure:
            raise _explained(failure, name, watcher.failures) from None
        except KeyboardInterrupt:
            raise Cancelled(f"{name} was interrupted") from None
        if watcher.error:
            raise watcher.error


@dataclass
class _Watcher:
    """Takes the engine's events: keeps failures and the summary, passes all on."""

    on_event: OnEvent | None
    failures: dict[str, str] = field(default_factory=dict)
    changes: Changes = field(default_factory=lambda: Changes({}, 0.0))
    error: Exception | None = None
    began: float = field(default_factory=time.monotonic)

    def __call__(self, event: EngineEvent) -> None:
        """Called on a thread of the SDK's, which would swallow an error."""
        self._keep(event)
        if not self.on_event or self.error:
            return
        try:
            self.on_event(event)
        except Exception as error:
            self.error = error

    def _keep(self, event: EngineEvent) -> None:
        if (said := event.diagnostic_event) and said.severity == "error":
            self._failed(said.urn or "", _MARKUP.sub("", said.message).strip())
        if failed := event.res_op_failed_event:
            self.failures.setdefault(failed.metadata.urn, "")
        if summary := event.summary_event:
            counts = {
                str(getattr(op, "value", op)): n for op, n in summary.resource_changes.items()
            }
            self.changes = Changes(counts, round(time.monotonic() - self.began, 3))

    def _failed(self, urn: str, text: str) -> None:
        if not urn and _EPILOGUE.fullmatch(text):
            return
        before = self.failures.get(urn)
        self.failures[urn] = f"{before}\n{text}" if before else text


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
    return merged


def _explained(
    failure: CliFailed, operation: str = "", failures: Mapping[str, str] | None = None
) -> Exception:
    said = failure.result.stderr + failure.result.stdout
    if failure.stopped == "interrupted":
        return Cancelled(f"{operation or 'the command'} was interrupted")
    if "currently locked by" in said or "Another update is currently in progress" in said:
        return StackLocked(str(failure))
    if "passphrase must be set" in said or "incorrect passphrase" in said:
        return NotReady(
            "the passphrase of this backend is missing or wrong: set PULUMI_CONFIG_PASSPHRASE_FILE"
        )
    if not operation:
        return failure
    named = dict(failures or {})
    return ProvisioningFailed(_headline(operation, failure, named), named)


def _headline(operation: str, failure: CliFailed, failures: Mapping[str, str]) -> str:
    if failure.stopped:
        return f"{operation} {failure.stopped}"
    named = {u: text for u, text in failures.items() if u and "::pulumi:pulumi:Stack::" not in u}
    if not named:
        said = next((text for text in failures.values() if text), str(failure))
        return f"{operation} failed: {said.splitlines()[0]}"
    urn, said = next(((urn, text) for urn, text in named.items() if text), ("", "failed"))
    more = f" (and {len(named) - 1} more)" if len(named) > 1 else ""
    return f"{operation} failed: {urn.rsplit('::', 1)[-1]}: {_first_line(said)}{more}"


def _first_line(said: str) -> str:
    """The engine counts what a provider said before it says it."""
    lines = [line.strip(" \t*") for line in said.splitlines() if line.strip(" \t*")]
    return next((line for line in lines if not _COUNT.fullmatch(line)), said)


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


def _unix(text: str) -> float:
    """`2026-11-22T17:17:42.970178291Z` → seconds; 0 (long ago) for what cannot be read."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$", text)
    if not match:
        return 0.0
    zone = "+00:00" if match[2] == "Z" else match[2]
    return datetime.fromisoformat(match[1] + zone).timestamp()


def _lock(path: Path) -> Lock | None:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):  # released or half-written while we looked
        return None
    return Lock(
        host=str(found.get("hostname", "")),
        pid=int(found.get("pid", 0)),
        user=str(found.get("username", "")),
        timestamp=_unix(str(found.get("timestamp", ""))),
        path=path,
    )
