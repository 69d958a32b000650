"""Documents of other systems: which there are, and what becomes of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from components.spec import ColonySpec
from jobs.errors import InputError, Problem
from jobs.importers.formats import kinds
from jobs.importers.scale import API_VERSION as SCALE_API
from jobs.importers.scale import KINDS as SCALINGS
from jobs.importers.scale import import_scale
from jobs.problems import NotHonoured
from jobs.spec import Job

__all__ = ["SCALINGS", "Foreign", "foreign_kinds", "read_foreign"]

_COLONY_API = "infra.exalsius.ai/"


@dataclass(frozen=True)
class Foreign:
    """`value` is None where there are problems, and of a document that is no job."""

    value: ColonySpec | Job | None = None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def foreign_kinds() -> list[str]:
    """Every kind that is read, but Colony."""
    return [*kinds(), *SCALINGS]


def read_foreign(
    document: dict[str, Any], finish: Callable[[dict[str, Any]], dict[str, Any]]
) -> Foreign | None:
    """None where the document is not of a kind that is read here. Never raises for its content.

    `finish` may change the fields of a Job before they are validated.
    """
    kind, api = document.get("kind"), document.get("apiVersion")
    if kind == "Colony" and str(api).startswith(_COLONY_API):
        return _colony(document)
    if kind in SCALINGS:
        return _scaling(document)
    if isinstance(kind, str) and kind in kinds():
        return _job(document, finish)
    return None


def _job(document: dict[str, Any], finish: Callable[[dict[str, Any]], dict[str, Any]]) -> Foreign:
    from jobs.importers.foreign import import_document, version_problem

    if problem := version_problem(document["kind"], document.get("apiVersion")):
        return Foreign(problems=[problem])
    found = import_document(document, finish)
    return Foreign(found.job, found.problems, found.warnings)


def _colony(document: dict[str, Any]) -> Foreign:
    from colony.importers.exalsius import import_colony

    return Foreign(*import_colony(document))


def _scaling(document: dict[str, Any]) -> Foreign:
    if document.get("apiVersion") != SCALE_API:
        message = f"must be {SCALE_API}"
        return Foreign(
            problems=[Problem("apiVersion", message, f"write `apiVersion: {SCALE_API}`")]
        )
    try:
        scale = import_scale(document)
    except InputError as error:
        return Foreign(problems=error.problems)
    message = f"a change of the running job {scale.job}, and no job"
    word = NotHonoured("kind", message, "`colony scale -f FILE` does it")
    return Foreign(warnings=[word, *scale.warnings])
