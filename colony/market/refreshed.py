"""The user's own prices: `<folder>/<cloud>/<date>.<source>.csv`, as `colony prices refresh` keeps
them. The newest of a cloud counts; of one day, the cloud's own list, not a collection."""

from __future__ import annotations

import os
import re
from pathlib import Path

from colony.market.facts import known_clouds

__all__ = ["newest", "prices_folder", "sources_of"]

_NAME = re.compile(r"(?P<date>\d{4}-\d\d-\d\d)\.(?P<source>[a-z0-9]+)\.csv")


def prices_folder() -> Path:
    """COLONY_PRICES, else ~/.colony/prices."""
    return Path(os.environ.get("COLONY_PRICES") or "~/.colony/prices").expanduser()


def newest(folder: Path | None = None) -> dict[str, tuple[Path, str]]:
    """Cloud -> its newest file and the date of that."""
    folder = folder or prices_folder()
    found = {cloud: sources_of(folder, cloud) for cloud in sorted(known_clouds())}
    return {cloud: (files[-1], files[-1].name[:10]) for cloud, files in found.items() if files}


def sources_of(folder: Path, cloud: str, source: str = "") -> list[Path]:
    """The files of a cloud, of one source or of all, the newest last."""
    named = [(path, _NAME.fullmatch(path.name)) for path in (folder / cloud).glob("*.csv")]
    ranked = sorted(
        (match["date"], match["source"] == cloud, match["source"], path)
        for path, match in named
        if match and source in ("", match["source"])
    )
    return [path for *_, path in ranked]
