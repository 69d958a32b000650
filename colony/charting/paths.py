"""An entry of `charts/` against its chart: is every path that it sets there, and every CRD?

A path must be in the chart's values.yaml, below a mapping that is free there (`{}`), or used by a
template. The CRDs that the entry says it provides must be those of the chart.
"""

from __future__ import annotations

import difflib
import hashlib
import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import charts

__all__ = ["Found", "check", "unpack", "write"]

CRD_NAME = re.compile(r"^  name: [\"']?([a-z0-9-]+(?:\.[a-z0-9-]+)+)[\"']?\s*$", re.M)
USED = re.compile(r"\.Values((?:\.[A-Za-z_][\w-]*)+)")
FREE = {
    "resources", "nodeSelector", "tolerations", "affinity", "securityContext", "grafana.ini",
}  # fmt: skip
"""Kubernetes' own types, and whole configurations, which charts hand on as they are."""
BLOCK = re.compile(r"^checked:\n(?:[ \t].*\n)+", re.M)


@dataclass(frozen=True)
class Found:
    """What of an entry is in its chart."""

    paths: list[str]
    unknown: list[str]
    """In words."""
    values_sha256: str


_NONE: Mapping[str, Path] = {}


def check(layer: charts.Layer, chart: Path, subcharts: Mapping[str, Path] = _NONE) -> Found:
    """`chart` is its folder. `subcharts` are those that the folder does not hold, by alias."""
    tree, used = _facts(chart)
    for alias, folder in {**_vendored(chart), **subcharts}.items():
        own, more = _facts(folder)
        tree[alias] = charts.merge(own, tree.get(alias) or {})
        used |= {f"{alias}.{path}" for path in more}
    wanted = sorted({*charts.set_paths(layer), *layer.node_selectors, *layer.tolerations})
    missing = [path for path in wanted if not _known(tree, used, _parts(path))]
    every = [path for path, _ in charts.flat(tree)]
    unknown = [f"{path} is not in the chart{_near(path, every)}" for path in missing]
    digest = hashlib.sha256((chart / "values.yaml").read_bytes()).hexdigest()
    return Found(wanted, [*unknown, *_crds(layer, chart)], digest)


def unpack(data: bytes, folder: Path) -> Path:
    """The chart's folder, and the archives of its subcharts beside it. ValueError: no chart."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(folder, filter="data")
        chart = next(folder.glob("*/Chart.yaml")).parent
    except (tarfile.TarError, OSError, StopIteration) as error:
        raise ValueError(f"no archive of a chart: {error}") from None
    for packed in chart.glob("charts/*.tgz"):
        unpack(packed.read_bytes(), chart / "charts")
    return chart


def write(path: Path, tag: str, found: Found) -> None:
    """The block `checked:` anew, and nothing else of the file."""
    lines = [f"  - {_quoted(each)}" for each in found.paths]
    listed = "\n".join(["  paths:", *lines]) if lines else "  paths: []"
    block = f'checked:\n  tag: "{tag}"\n  values_sha256: {found.values_sha256}\n{listed}\n'
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    path.write_text(text.replace("\nsources:\n", f"\n{block}sources:\n", 1), encoding="utf-8")


def _facts(chart: Path) -> tuple[dict[str, Any], set[str]]:
    """Its values, and the paths that its templates use."""
    values = chart / "values.yaml"
    tree = yaml.safe_load(values.read_text(encoding="utf-8")) or {}
    # Some charts keep templates among their values.
    files = [values, *(path for path in chart.glob("templates/**/*") if path.is_file())]
    texts = [path.read_text(encoding="utf-8") for path in files]
    return tree, {match[1:] for text in texts for match in USED.findall(text)}


def _vendored(chart: Path) -> dict[str, Path]:
    """By the name that the chart's values give them."""
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8")) or {}
    aliases = {each["name"]: each.get("alias") for each in about.get("dependencies") or []}
    folders = [path.parent for path in chart.glob("charts/*/values.yaml")]
    return {aliases.get(each.name) or each.name: each for each in folders}


def _known(tree: Any, used: set[str], parts: list[str]) -> bool:
    """In the values, below a free mapping there, or used by a template as it stands."""
    head = ".".join(parts)
    if head in used or any(head.startswith(f"{path}.") for path in used if path.count(".")):
        return True
    for part in parts:
        if part in FREE:
            return True
        if not isinstance(tree, dict):
            return tree is None
        if not tree:
            return True
        if part not in tree:
            return False
        tree = tree[part]
    return True


def _crds(layer: charts.Layer, chart: Path) -> Iterator[str]:
    """Those in `crds/` are always made, those among the templates perhaps."""
    always = _crd_names(chart, "crds/*") | _crd_names(chart, "crds/**/*")
    perhaps = always | _crd_names(chart, "**/*")
    claimed = set(layer.provides.crds)
    yield from (f"provides.crds: {each} is not in the chart" for each in sorted(claimed - perhaps))
    yield from (f"provides.crds: lacks {each}" for each in sorted(always - claimed))


def _crd_names(chart: Path, pattern: str) -> set[str]:
    texts = (path.read_text(encoding="utf-8") for path in chart.glob(f"{pattern}.yaml"))
    crds = (text for text in texts if "kind: CustomResourceDefinition" in text)
    return {name for text in crds for name in CRD_NAME.findall(text)}


def _parts(path: str) -> list[str]:
    return [part.replace("\0", ".") for part in path.replace("\\.", "\0").split(".")]


def _quoted(path: str) -> str:
    return path if re.fullmatch(r"[\w.-]+", path) else f"'{path}'"


def _near(path: str, every: list[str]) -> str:
    near = difflib.get_close_matches(path, every, n=1)
    return f", did you mean {near[0]}?" if near else ""
