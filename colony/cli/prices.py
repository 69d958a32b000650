"""`colony prices refresh`."""

from __future__ import annotations

from datetime import date

from colony.cli import show

__all__ = ["refresh"]


def refresh(source: str, regions: list[str], url: str, output: str) -> int:
    """0 when every cloud's prices were taken; 1 when any was refused."""
    from colony.prices.refresh import refresh as fetch

    tell = show.teller(None, stderr=output == "json")
    done = fetch(source, lambda text: tell(f"{source}: {text}"), date.today(), url=url,
                 regions=regions)  # fmt: skip
    for kept in done.kept:
        show.warn(kept.warnings[:20])
        if len(kept.warnings) > 20:
            tell(f"... and {len(kept.warnings) - 20} more warnings of {kept.cloud}")
    if output == "json":
        files = [{"cloud": k.cloud, "file": str(k.path), "rows": k.rows} for k in done.kept]
        show.as_json({"source": source, "kept": files, "refused": done.refused})
    else:
        for kept in done.kept:
            tell(f"{kept.cloud}: {kept.rows:,} prices in {kept.path}")
    for refused in done.refused:
        show.console(stderr=True).print(f"refused: {refused}; its old prices stay", markup=False)
    return 1 if done.refused else 0
