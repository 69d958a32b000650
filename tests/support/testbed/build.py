"""The test bed's programs: built once from the Go modules of tools/testbed, then from the cache.

    <cache>/testbed/<program>-<hash>/program    the binary, or a folder of several
    <cache>/testbed/<program>-<hash>/files/     what its project ships with it: CRDs, webhooks

The hash is of its modules' go.mod and go.sum, its own Go source, and its row in programs.yaml.
By hand: PYTHONPATH=tests/support python -m testbed [NAME...]
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from colony import gobuild
from colony.toolchain import cache_folder
from jobs.errors import NotReady

__all__ = ["CONTROL_PLANE", "NODE", "Screen", "files", "programs"]

TOOLS = Path(__file__).resolve().parents[3] / "tools" / "testbed"
LOCK_DEADLINE = 5400.0
KEPT = 2
"""Builds of a program that stay in the cache: this checkout's, and another's."""
NODE = ("containerd", "containerd-shim-runc-v2", "ctr", "runc", "cni", "coredns")

Progress = Callable[[str], object]


@cache
def _rows() -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = yaml.safe_load((TOOLS / "programs.yaml").read_text())
    return rows


CONTROL_PLANE = tuple(name for name in _rows() if name not in NODE)


def programs(*names: str, progress: Progress = print) -> dict[str, Path]:
    """The named programs, built if need be. Raises NotReady where one cannot be built."""
    missing = [name for name in names if not _is_made(name)]
    if missing:
        with _exclusive(progress):
            for name in missing:
                if not _is_made(name):  # by another process while we waited
                    _make(name, progress)
    return {name: _home(name) / "program" for name in names}


def files(name: str) -> Path:
    """What was kept of a program's module. Raises NotReady where it is not built."""
    if not _is_made(name):
        raise NotReady(f"the test bed's {name} is not built: run `make cluster-test`")
    return _home(name) / "files"


class Screen:
    """One line in place on a terminal; elsewhere a line every ten seconds."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, text: str) -> None:
        if sys.stdout.isatty():
            print(f"\r\033[K{text}", end="\n" if text.startswith("built") else "", flush=True)
        elif text.startswith("built") or time.monotonic() - self._last > 10:
            self._last = time.monotonic()
            print(text, flush=True)


def _is_made(name: str) -> bool:
    return (_home(name) / "program").exists()


def _home(name: str) -> Path:
    return cache_folder() / "testbed" / f"{name}-{_hash(name)}"


@cache
def _hash(name: str) -> str:
    row = _rows()[name]
    module = TOOLS / row["module"]
    sources = [module / "go.mod", module / "go.sum"]
    for package in row["packages"]:
        if package.startswith("./"):
            sources += sorted((module / package).glob("*.go"))
    for other in row.get("files_of", ()):
        sources.append(TOOLS / other / "go.mod")
    digest = hashlib.sha256(json.dumps(row, sort_keys=True).encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def _make(name: str, progress: Progress) -> None:
    row, home = _rows()[name], _home(name)
    _check_system(name, row)
    module, store = TOOLS / row["module"], home.parent
    go = gobuild.find_go(module, store, progress)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=store) as folder:
        fresh = Path(folder) / "fresh"
        fresh.mkdir()
        gobuild.compile_program(go, module, _program(name, row), fresh / "program", store, progress)
        for owner, several in {
            row["module"]: row.get("files", {}),
            **row.get("files_of", {}),
        }.items():
            for path, kept in several.items():
                _keep(gobuild.module_folder(go, TOOLS / owner, path, store), kept, fresh / "files")
        fresh.rename(home)
    _forget_old(name, home)


def _program(name: str, row: dict[str, Any]) -> gobuild.Program:
    return gobuild.Program(
        title=name,
        packages=tuple(row["packages"]),
        flags=f"-s -w {row.get('flags', '').format(**_version(row))}".strip(),
        tags=tuple(row.get("tags", ())),
        cgo=row.get("cgo", False),
    )


def _version(row: dict[str, Any]) -> dict[str, str]:
    """Of the module that the row's `stamp` names, in its go.mod."""
    if "stamp" not in row:
        return {}
    module = (TOOLS / row["module"] / "go.mod").read_text()
    match = re.search(
        rf"^\s*(?:require )?{re.escape(row['stamp'])} v((\d+)\.(\d+)\S*)", module, re.M
    )
    if not match:
        raise NotReady(f"{row['module']}/go.mod does not require {row['stamp']}")
    return dict(zip(("version", "major", "minor"), match.groups(), strict=True))


def _check_system(name: str, row: dict[str, Any]) -> None:
    for package, probe in row.get("system", {}).items():
        try:
            found = subprocess.run(probe, capture_output=True, timeout=30).returncode == 0
        except OSError:
            found = False
        if not found:
            raise NotReady(f"{name} cannot be built without {package}: apt-get install {package}")


def _keep(source: Path, kept: list[str], into: Path) -> None:
    for path in kept:
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / path).is_dir():
            # the module cache is read-only, and copies of its modes could not be removed again
            shutil.copytree(source / path, target, copy_function=shutil.copyfile)
            for folder in (target, *(each for each in target.rglob("*") if each.is_dir())):
                folder.chmod(0o755)
        else:
            shutil.copyfile(source / path, target)


def _forget_old(name: str, newest: Path) -> None:
    pattern = re.compile(rf"{re.escape(name)}-[0-9a-f]{{12}}")
    olds = [each for each in newest.parent.iterdir() if pattern.fullmatch(each.name)]
    olds.sort(key=lambda each: each.stat().st_mtime, reverse=True)
    for old in [each for each in olds if each != newest][KEPT - 1 :]:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _exclusive(progress: Progress) -> Iterator[None]:
    """One builder at a time; the lock goes with its process, however that ends."""
    store = cache_folder() / "testbed"
    try:
        store.mkdir(parents=True, exist_ok=True)
        lock = (store / ".lock").open("w")
    except OSError as error:
        raise NotReady(f"the cache cannot be written: {error}; set COLONY_CACHE") from None
    with lock:
        _take(lock.fileno(), progress)
        for left in store.glob(".making-*"):  # of a builder that was killed
            shutil.rmtree(left, ignore_errors=True)
        yield


def _take(descriptor: int, progress: Progress) -> None:
    deadline = time.monotonic() + LOCK_DEADLINE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise NotReady("another process builds the test bed for too long") from None
            progress("another process builds the test bed; waiting")
            time.sleep(1)
