"""`colony drift`: what was changed or deleted behind the engine's back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from colony.cli import show
from colony.cli.colonies import alive, ground_of

__all__ = ["drift"]

SAME = ("same", "refresh", "read")


def drift(name: str, world: Path | None, output: str) -> int:
    """The engine reads every resource, and writes nothing."""
    changed: dict[str, str] = {}

    def heard(event: Any) -> None:
        said = getattr(event, "res_outputs_event", None)
        op = getattr(said.metadata.op, "value", said.metadata.op) if said else "same"
        if said and op not in SAME:
            changed[said.metadata.urn] = str(op)

    with ground_of(world) as ground:
        alive(ground, name)
        ground.engine.drift(name, on_event=heard)
    rows = [{"urn": urn, "what": what} for urn, what in sorted(changed.items())]
    if output == "json":
        show.as_json(rows)
    elif not rows:
        show.console().print(f"{name}: the clouds have what was built")
    else:
        show.table("", ["changed", "resource"], [[row["what"], _short(row["urn"])] for row in rows])
    return 1 if rows else 0


def _short(urn: str) -> str:
    kind, _, name = urn.split("::", 2)[-1].rpartition("::")
    return f"{kind.rsplit('$', 1)[-1]} {name}"
