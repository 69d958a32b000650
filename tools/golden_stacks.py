"""Write the stacks of tests/components/stacks/ anew; read the difference before it is committed."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from components.layer_report import stack  # noqa: E402
from stacks import STACKS, cluster_of  # noqa: E402

for name in STACKS:
    text = yaml.safe_dump(stack(cluster_of(name)), sort_keys=False, width=100)
    path = ROOT / "tests" / "components" / "stacks" / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
