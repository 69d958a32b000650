"""The layers as data: one YAML file a layer, a pure loader, and the order they go in.

Adding a layer is adding a file. Knows nothing of Pulumi.
"""

from __future__ import annotations

from charts.model import (
    ChartError,
    Checked,
    Conditions,
    Extra,
    Health,
    Layer,
    Phase,
    Provides,
    Reason,
    Site,
    Variant,
    When,
)  # fmt: skip
from charts.registry import FOLDER, LOCK, choose, fits, load, names, ordered, reference
from charts.values import flat, merge, reasons, set_paths, values

__all__ = [
    "FOLDER", "LOCK", "ChartError", "Checked", "Conditions", "Extra", "Health", "Layer", "Phase",
    "Provides", "Reason", "Site", "Variant", "When", "choose", "fits", "flat", "load", "merge",
    "names", "ordered", "reasons", "reference", "set_paths", "values",
]  # fmt: skip
