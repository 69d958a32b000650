"""The agent as one file: a zipapp of `colony/agent`, the same bytes each time.

It is taken as data, as it lies beside this package: no part of `colony` is imported here.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

__all__ = ["LIMIT", "build_zipapp"]

LIMIT = 900 * 1024
"""Bytes: a ConfigMap holds one MiB, and base64 is not counted."""
_SOURCE = Path(__file__).resolve().parents[1] / "colony" / "agent"
_KINDS = (".py", ".sh", ".json")
_MAIN = "from colony.agent.__main__ import main\n\nraise SystemExit(main())\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build_zipapp() -> bytes:
    """What `python FILE` runs; needs the standard library alone. ValueError above the limit."""
    files = {"__main__.py": _MAIN.encode(), "colony/__init__.py": b""}
    for path in sorted(_SOURCE.iterdir()):
        if path.suffix in _KINDS:
            files[f"colony/agent/{path.name}"] = path.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            archive.writestr(_entry(name), files[name])
    if packed.tell() > LIMIT:
        raise ValueError(f"the agent has {packed.tell()} bytes, and may have {LIMIT}")
    return packed.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    entry.create_system = 3
    return entry
