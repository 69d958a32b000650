"""A document is held against its format: unknown fields, wrong types, fields without effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.errors import Problem
from jobs.importers.draft import Draft
from jobs.importers.formats import Format
from jobs.importers.shapes import Found, walk

__all__ = ["hold_against"]


def hold_against(draft: Draft) -> None:
    """Problems of the shape, and a word for every field that is read in vain."""
    known, types = draft.format, draft.format.types
    top = {"apiVersion": "text", "kind": "text", "metadata": "ObjectMeta", "spec": known.spec,
           "status": "any"}  # fmt: skip
    told: list[str] = []
    for found in walk(draft.document, "Document", {**types, "Document": top}, Found("")):
        if found.problem:
            draft.problems.append(_older(known, draft.document, found.problem))
        elif not any(found.path.startswith(f"{path}{end}") for path in told for end in ".["):
            told += _word(draft, found)
    if not draft.spec and not draft.problems:
        draft.refuse("spec", "required")


def _word(draft: Draft, found: Found) -> list[str]:
    """Warns of a field without effect; its path, so that nothing inside is told again."""
    known, names = draft.format, (found.literal, found.pattern)
    if found.value in (None, False, "", [], {}) or known.silent & set(names):
        return [found.path]
    for name in names:
        if name in known.not_honoured:
            draft.not_honoured(found.path, known.not_honoured[name])
            return [found.path]
        if name in known.ignored:
            draft.warn(found.path, f"not used: {known.ignored[name]}")
            return [found.path]
    return []


def _older(known: Format, document: Mapping[str, Any], problem: Problem) -> Problem:
    """An unknown field that an earlier or later version of the format has."""
    field = problem.path.removeprefix("spec.")
    moved, gone = known.facts.get("moved", {}), known.facts.get("gone", {})
    if field in moved:
        message = f"stands here in the shape of {known.kind} before kubeflow.org/v1"
        return Problem(problem.path, message, f"write it as spec.{moved[field]}")
    if field in gone:
        return Problem(problem.path, f"is a field {gone[field]}, not of {document['apiVersion']}")
    return problem
