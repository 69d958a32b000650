"""Documents of other systems become our Jobs: which kinds, which versions, and what is said of it.

Three steps: the document is held against its format's own definition (formats/*.yaml): unknown
fields and wrong types end it here; one module a family turns it into the fields of a Job; the Job
is validated and completed like any other, and every problem is told at its place in the document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jobs.errors import InputError, Problem
from jobs.importers import ares, ddp, jobset, kubeflow, ray, trainer, training
from jobs.importers.draft import Draft
from jobs.importers.formats import format_of, kinds
from jobs.importers.holding import hold_against
from jobs.importers.imported import Imported
from jobs.importers.metadata import metadata
from jobs.importers.secrets import lift
from jobs.importers.shapes import without_null
from jobs.problems import did_you_mean, printable
from jobs.spec import Job
from jobs.wording import check

__all__ = ["import_document", "kinds", "version_problem"]

_CONVERTERS: Mapping[str, Callable[[Draft], None]] = {
    "AresJob": ares.convert,
    "DDPJob": ddp.convert,
    "JobSet": jobset.convert,
    "MPIJob": kubeflow.convert_mpi,
    "PyTorchJob": kubeflow.convert_pytorch,
    "RayJob": ray.convert,
    "TFJob": kubeflow.convert_tf,
    "TrainJob": trainer.convert,
    "TrainingJob": training.convert,
}

Finish = Callable[[dict[str, Any]], dict[str, Any]]


def import_document(document: dict[str, Any], finish: Finish = dict) -> Imported:
    """The Job of a document whose `kind` is in `kinds()`; never raises for what is in it.

    `finish` may change the Job's fields before they are validated.
    """
    found = format_of(document["kind"])
    draft = Draft(found, without_null(document))
    hold_against(draft)
    if draft.problems:
        return Imported(None, draft.problems, draft.warnings)
    metadata(draft)
    _CONVERTERS[found.kind](draft)
    lift(draft)
    return _validated(draft, finish)


def version_problem(kind: str, api: object) -> Problem | None:
    """What is wrong with the apiVersion of a kind in `kinds()`."""
    known = format_of(kind)
    if api in known.versions:
        return None
    versions = " or ".join(known.versions)
    if api is None:
        return Problem("apiVersion", "required", f"write `apiVersion: {known.versions[-1]}`")
    stale = known.facts.get("stale", {}).get(api)
    if stale:
        message = f"{api} is the shape {stale}, which is not read"
        return Problem("apiVersion", message, f"bring the document to {versions}")
    hint = did_you_mean(str(api), known.versions, f"{known.whose} has {versions}")
    return Problem("apiVersion", f"{printable(api)} is no version of {kind} that is read", hint)


def _validated(draft: Draft, finish: Finish) -> Imported:
    job, problems = check(Job, finish(draft.data))
    if job and not draft.problems:
        problems += _incomplete(job)
    found = [*draft.problems, *(draft.renamed(problem) for problem in problems)]
    return Imported(None if found else job, _once(found), _once(draft.warnings))


def _incomplete(job: Job) -> list[Problem]:
    from jobs.frameworks import complete

    try:
        complete(job)
    except InputError as error:
        return error.problems
    return []


def _once(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))
