"""The layers that a file's clusters would get, and what is refused of them, before any `up`.

Everything here is read from the file, the catalogue and the registry: no cluster is asked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from colony.documents import joined
from colony.kinds import Document
from colony.market.catalog import Catalog
from colony.market.place import place
from components.layer_report import report
from components.placement import Placement
from components.refusals import asked_too_much
from components.spec import Cloud, ColonySpec
from jobs.errors import InputError, NoOffer, NotSupported, Problem
from jobs.problems import NotHonoured
from jobs.spec import Job

__all__ = ["layers_of", "notes_of", "refused", "warned", "with_layer_checks"]

Report = dict[str, Any]
_JOB = re.compile(r"jobs\[(\d+)\]\.?")


def layers_of(spec: ColonySpec, placement: Placement) -> dict[str, Report]:
    """The stack of each cluster by its name. Raises InputError for choices that cannot be."""
    found = {}
    for cluster in placement.clusters:
        jobs = [job for job in spec.jobs if placement.jobs.get(job.name) == cluster.name]
        found[cluster.name] = report(spec, cluster, jobs)
    return found


def refused(reports: Iterable[Report]) -> list[Problem]:
    return [Problem(**each) for one in reports for each in one["errors"]]


def notes_of(spec: ColonySpec, placement: Placement) -> list[Problem]:
    """What to tell before clusters of our own are made; what stands on others is seen there."""
    reports = layers_of(spec, placement).values()
    return warned(each for each in reports if each["cloud"] != Cloud.EXISTING.value)


def warned(reports: Iterable[Report]) -> list[Problem]:
    return [Problem(**each) for one in reports for each in one["warnings"]]


def with_layer_checks(documents: list[Document]) -> list[Document]:
    """The documents of a file with what the checks say of the clusters that they describe.

    A file that is wrong already, or that no offer matches, is as it was: `colony plan` says why.
    """
    told = (problem for each in documents for problem in (*each.problems, *each.warnings))
    ours = [each for each in documents if isinstance(each.value, (ColonySpec, Job))]
    if not ours or any(not each.ok for each in documents):
        return documents
    if any(isinstance(problem, NotHonoured) for problem in told):
        return documents
    try:
        wrong, doubtful = _checked(joined(ours))
    except InputError as error:
        wrong, doubtful = error.problems, []
    for problem in wrong:
        owner, problem = _owned(problem, ours)
        owner.problems.append(problem)
    for problem in doubtful:
        owner, problem = _owned(problem, ours)
        owner.warnings.append(problem)
    return documents


def _checked(spec: ColonySpec) -> tuple[list[Problem], list[Problem]]:
    try:
        placement = place(spec, _catalog())
    except (NoOffer, NotSupported):
        return [], []
    reports = layers_of(spec, placement).values()
    wrong = asked_too_much(spec, placement, time.time())
    return [*wrong, *refused(reports)], warned(reports)


def _owned(problem: Problem, documents: list[Document]) -> tuple[Document, Problem]:
    """The document that a problem belongs to, and its path there."""
    colonies = [(each, each.value) for each in documents if isinstance(each.value, ColonySpec)]
    found = _JOB.match(problem.path)
    if found is None:
        return (colonies[0][0] if colonies else documents[0]), problem
    inside = [each for each, spec in colonies for _ in spec.jobs]
    alone = [each for each in documents if isinstance(each.value, Job)]
    place = int(found[1])
    if place < len(inside):
        return inside[place], problem
    return alone[place - len(inside)], replace(problem, path=problem.path[found.end() :])


@cache
def _catalog() -> Catalog:
    return Catalog.load(None)
