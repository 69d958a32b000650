"""The working directory as one deterministic archive: same files, same bytes, same hash."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pathspec

from jobs.errors import InputError, Problem

__all__ = ["SECRET_LIMIT", "Archive", "pack", "unpack"]

SECRET_LIMIT = 900 * 1024
"""Bytes: a Kubernetes Secret holds at most 1 MiB, with room for its metadata."""
IGNORE_FILE = ".skyignore"
ALWAYS_IGNORED = (".git",)
CHUNK = 1 << 20


@dataclass(frozen=True)
class Archive:
    """A tar.gz and the SHA-256 of its bytes."""

    data: bytes
    sha256: str


def pack(folder: Path, limit: int | None = SECRET_LIMIT) -> Archive:
    """Pack a folder; `.skyignore` (in the syntax of .gitignore) says what stays out.

    `limit` in bytes of the archive; None where a bucket takes it. Raises InputError for a folder
    that is missing or too large, and for links and special files that cannot travel.
    """
    if not folder.is_dir():
        raise InputError(Problem("workdir", f"{folder} is not a folder"))
    root = folder.resolve()
    paths = list(_walk(root))
    sink = _Sink(limit, paths)
    with (
        gzip.GzipFile(filename="", fileobj=sink, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in paths:
            _add(tar, path, root)
    data = sink.getvalue()
    return Archive(data, hashlib.sha256(data).hexdigest())


def unpack(data: bytes, folder: Path) -> None:
    """Unpack into a folder, refusing whatever would land outside it (InputError)."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(Problem("workdir", f"the archive cannot be unpacked: {error}")) from error


class _Sink(io.BytesIO):
    """Stops at the limit, so that a huge folder is refused without being read whole."""

    def __init__(self, limit: int | None, paths: list[Path]) -> None:
        super().__init__()
        self._limit = limit
        self._paths = paths

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        written = super().write(data)
        if self._limit is not None and self.tell() > self._limit:
            raise _too_large(self._paths, self._limit)
        return written


def _walk(root: Path) -> Iterator[Path]:
    """Everything that travels, in one order on every machine."""
    ignored = _ignored(root)
    for parent, folders, files in os.walk(root):
        here = Path(parent)
        inside = here.relative_to(root)
        folders[:] = sorted(
            name for name in folders if not ignored.match_file(f"{(inside / name).as_posix()}/")
        )
        for name in sorted([*folders, *files]):
            if name in folders or not ignored.match_file((inside / name).as_posix()):
                yield here / name


def _ignored(root: Path) -> pathspec.GitIgnoreSpec:
    file = root / IGNORE_FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return pathspec.GitIgnoreSpec.from_lines([*lines, *ALWAYS_IGNORED])


def _add(tar: tarfile.TarFile, path: Path, root: Path) -> None:
    info = tarfile.TarInfo(path.relative_to(root).as_posix())
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, _target(path, root), 0o777
    elif stat.S_ISDIR(mode):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    elif stat.S_ISREG(mode):
        _add_file(tar, info, path, executable=bool(mode & stat.S_IXUSR))
        return
    else:
        raise InputError(Problem("workdir", f"{path} is not a file, folder or link"))
    tar.addfile(info)


def _add_file(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path, executable: bool) -> None:
    info.mode = 0o755 if executable else 0o644
    with path.open("rb") as file:
        info.size = os.fstat(file.fileno()).st_size
        tar.addfile(info, file)


def _target(link: Path, root: Path) -> str:
    target = os.readlink(link)
    if os.path.isabs(target) or not link.resolve().is_relative_to(root):
        raise InputError(
            Problem("workdir", f"the link {link} leads to {target}, outside the folder")
        )
    return target


def _too_large(paths: list[Path], limit: int) -> InputError:
    size = sum(path.lstat().st_size for path in paths if path.is_file())
    return InputError(
        Problem(
            "workdir",
            f"{size / 2**20:.1f} MiB of files make an archive of more than {limit / 1024:.0f} KiB",
            f"list what is not needed in {IGNORE_FILE}, or set storage.bucket",
        )
    )
