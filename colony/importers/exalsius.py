"""exalsius' Colony, in each of its three shapes, becomes a ColonySpec."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from colony.importers.clusters import add_cluster, add_deployed
from colony.importers.dependencies import additional, workload
from components.spec import ColonySpec
from jobs.errors import Problem
from jobs.importers.draft import Draft
from jobs.importers.formats import Format, shared, types
from jobs.importers.holding import hold_against
from jobs.importers.shapes import without_null
from jobs.wording import check

__all__ = ["API_PREFIX", "import_colony"]

API_PREFIX = "infra.exalsius.ai/"


def import_colony(
    document: dict[str, Any],
) -> tuple[ColonySpec | None, list[Problem], list[Problem]]:
    """(colony, problems, warnings) of a document of kind Colony; never raises for its content."""
    shape = _shape(document.get("spec"))
    draft = Draft(_format(shape), without_null(document))
    api = document.get("apiVersion")
    if api not in draft.format.versions:
        hint = f"there is {draft.format.versions[0]}"
        draft.refuse("apiVersion", f"{api} is no version of exalsius' Colony", hint)
    hold_against(draft)
    if draft.problems:
        return None, [_of_another_shape(problem, shape) for problem in draft.problems], []
    if shape != "deployed":
        name = _data()["shapes"][shape]["name"]
        draft.warn("spec", f"has the shape of exalsius-operator {name}; read as that")
    _convert(draft, shape)
    spec, problems = check(ColonySpec, draft.data)
    found = [*draft.problems, *(draft.renamed(problem) for problem in problems)]
    return None if found else spec, found, draft.warnings


def _shape(spec: Any) -> str:
    """By the fields that only one shape has."""
    if not isinstance(spec, dict):
        return "deployed"
    clusters = spec.get("colonyClusters")
    listed = (
        [each for each in clusters if isinstance(each, dict)] if isinstance(clusters, list) else []
    )
    if any("clusterDeploymentSpec" in each for each in listed):
        return "deployed"
    return "listed" if "colonyClusters" in spec else "flat" if "clusterName" in spec else "listed"


def _convert(draft: Draft, shape: str) -> None:
    spec, data = draft.spec, _data()
    draft.put("name", (draft.document.get("metadata") or {}).get("name") or "", "metadata.name")
    version = (spec.get("k8sVersion") or "").partition("+")[0] or None
    if shape == "flat":
        add_cluster(draft, data, spec, "spec", version)
    for index, cluster in enumerate(spec.get("colonyClusters") or []):
        path = f"spec.colonyClusters[{index}]"
        if shape == "listed":
            add_cluster(draft, data, cluster, path, version)
        else:
            add_deployed(draft, data, cluster, path)
    if shape == "listed" and not spec.get("colonyClusters"):
        draft.refuse("spec.colonyClusters", "required: a colony has at least one cluster")
    workload(draft, data)
    additional(draft, data)


def _of_another_shape(problem: Problem, shape: str) -> Problem:
    """An unknown field that the same kind has in another of its shapes."""
    field = problem.path.rpartition(".")[2]
    for name, facts in _data()["shapes"].items():
        if name == shape or problem.message != "unknown field":
            continue
        if any(field in _data()["types"][each] for each in _inside(facts["spec"])):
            here = _data()["shapes"][shape]["name"]
            message = (
                f"is a field of exalsius-operator {facts['name']}; this has the shape of {here}"
            )
            return Problem(problem.path, message, "write all of it in one shape")
    return problem


def _inside(spec: str) -> list[str]:
    cluster = spec.replace("Spec", "Cluster")
    return [each for each in (spec, cluster) if each in _data()["types"]]


def _format(shape: str) -> Format:
    data = _data()
    return Format(
        kind=data["kind"],
        whose=data["whose"],
        versions=tuple(data["versions"]),
        spec=data["shapes"][shape]["spec"],
        types=types(data["types"]),
        ignored={**shared()["ignored"], **data["ignored"]},
        not_honoured=data["not_honoured"],
        silent=frozenset(shared()["silent"]),
        facts={},
    )


@cache
def _data() -> dict[str, Any]:
    text = Path(__file__).with_name("exalsius.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return found
