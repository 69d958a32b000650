"""From files to a validated colony: every problem with its path, nothing dropped in silence."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from colony.importers.foreign import SCALINGS
from colony.kinds import COLONY, TASK, UNKNOWN, Document, is_task, parse, parse_several
from colony.reading import Page, pages, read_text
from components.spec import Cloud, ClusterSpec, ColonySpec
from jobs.errors import InputError, NotSupported, Problem
from jobs.names import duplicates, slugify
from jobs.problems import NotHonoured, Unbuilt, did_you_mean, printable
from jobs.spec import Job
from jobs.wording import check

__all__ = [
    "Document", "Loaded", "load_colony", "parse_envs", "read_documents", "schema",
    "validation_report",
]  # fmt: skip

_NO_ENVS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Loaded:
    """A colony with all its jobs. A job's `workdir` is relative to its folder."""

    spec: ColonySpec
    warnings: list[Problem] = field(default_factory=list)
    folder: Path = Path()
    """Of the first file."""
    folders: dict[str, Path] = field(default_factory=dict)
    """Job name -> folder of its file."""


def read_documents(path: str | Path, envs: Mapping[str, str] = _NO_ENVS) -> list[Document]:
    """The documents of a file, at least one; never raises for what is in it.

    A file that cannot be read or parsed is one document with a problem.
    """
    file = Path(path)
    try:
        return documents_of(read_text(file), file, envs)
    except InputError as error:
        return [Document(str(file), UNKNOWN, problems=error.problems)]


def documents_of(text: str, file: Path, envs: Mapping[str, str] = _NO_ENVS) -> list[Document]:
    """The documents of a text. Raises InputError where it is not YAML, or empty."""
    found = pages(text)
    if not found:
        raise InputError(Problem("", "empty: no document in it", "see `colony schema`"))
    if sum(is_task(page.data) for page in found) > 1:
        return [_several(found, file, envs)]
    documents = [
        Document(str(file), UNKNOWN, problems=page.problems)
        if page.problems
        else parse(page.data, file, envs)
        for page in found
    ]
    return _once_each(documents)


def load_colony(paths: Sequence[str | Path], envs: Mapping[str, str] = _NO_ENVS) -> Loaded:
    """The one colony that the files describe, with the jobs that join it.

    Jobs that name no colony join the Colony document; without one they get a colony of their
    own name. Raises InputError with every problem, NotSupported where all is only not built.
    """
    documents = [document for path in paths for document in read_documents(path, envs)]
    if not documents:
        raise InputError("no file given")
    _raise_for(documents)
    several = len({document.file for document in documents}) > 1
    if several:
        documents = _once_each(documents)
        _raise_for(documents)
    spec = _joined(documents)
    folder = Path(documents[0].file).parent
    folders = {job.name: Path(d.file).parent for d in documents for job in _jobs_of(d)}
    return Loaded(spec, [w for d in documents for w in d.warnings], folder, folders)


def validation_report(
    paths: Iterable[str | Path], envs: Mapping[str, str] = _NO_ENVS
) -> list[dict[str, Any]]:
    """The JSON of `colony validate`: one entry a file, `ok` for each of its documents."""
    return [
        {"file": str(path), "documents": [_report(d) for d in read_documents(path, envs)]}
        for path in paths
    ]


def parse_envs(
    items: Iterable[str], environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """`K=V`, or `K` to take it from the environment: so a secret is in no argument list.

    Raises InputError.
    """
    have = os.environ if environment is None else environment
    envs: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            raise InputError(Problem("--env", f"{printable(key)} is not a name", "write K=V"))
        if not equals and key not in have:
            raise InputError(Problem("--env", f"{key} is not in the environment", "write K=V"))
        envs[key] = value if equals else have[key]
    return envs


def schema() -> dict[str, Any]:
    """The JSON schema of the two kinds; its module is loaded only here."""
    from colony.schema import file_schema

    return file_schema()


def _several(found: list[Page], file: Path, envs: Mapping[str, str]) -> Document:
    """A pipeline or a job group of SkyPilot is one document: its tasks belong together."""
    problems = [problem for page in found for problem in page.problems]
    strangers = [place for place, page in enumerate(found) if not is_task(page.data)]
    if not problems and strangers:
        message = f"document {strangers[0] + 1} is no task, and stands among tasks of SkyPilot"
        problems.append(Problem("", message, "put it into a file of its own"))
    if problems:
        return Document(str(file), TASK, problems=problems)
    return parse_several([page.data for page in found], file, envs)


def _once_each(documents: list[Document]) -> list[Document]:
    """The same documents, with a problem on each whose name was there before."""
    keys = [f"{_sort(d)}/{d.name or index}" for index, d in enumerate(documents)]
    result = list(documents)
    for index, _ in duplicates(keys):
        one = documents[index]
        problem = Problem("name", f"`{one.name}` is there twice", "give each document its own name")
        result[index] = replace(one, value=None, problems=[*one.problems, problem])
    return result


def _sort(document: Document) -> str:
    """What shares its names: colonies, the jobs of all formats, scalings of a job."""
    return document.kind if document.kind in (COLONY, *SCALINGS) else "job"


def _raise_for(documents: list[Document]) -> None:
    """Raise for the problems, and for what is valid but would have no effect."""
    refused = [
        (document, problem)
        for document in documents
        for problem in (*document.problems, *document.warnings)
        if problem in document.problems or isinstance(problem, NotHonoured)
    ]
    if not refused:
        return
    files = {document.file for document, _ in refused}
    problems = [problem if len(files) == 1 else _filed(d, problem) for d, problem in refused]
    later = all(isinstance(problem, (Unbuilt, NotHonoured)) for problem in problems)
    kind = NotSupported if later else InputError
    raise kind(*problems, file=files.pop() if len(files) == 1 else "")


def _filed(document: Document, problem: Problem) -> Problem:
    path = f"{document.file}: {problem.path}" if problem.path else document.file
    return type(problem)(path, problem.message, problem.hint)


def _joined(documents: list[Document]) -> ColonySpec:
    colonies = [d.value for d in documents if isinstance(d.value, ColonySpec)]
    jobs = [d.value for d in documents if isinstance(d.value, Job)]
    if len(colonies) > 1:
        names = ", ".join(colony.name for colony in colonies)
        raise InputError(Problem("", f"more than one colony: {names}", "give one at a time"))
    base = colonies[0] if colonies else _made_for(jobs)
    for job in jobs:
        if job.colony not in (None, base.name):
            hint = did_you_mean(str(job.colony), [base.name], f"the colony is {base.name}")
            raise InputError(Problem("colony", f"`{job.colony}` is not in these files", hint))
    spec, problems = check(ColonySpec, {**dict(base), "jobs": [*base.jobs, *jobs]})
    if spec is None:
        raise InputError(*problems)
    if not (spec.clusters or spec.jobs):
        raise InputError(Problem("", "a colony without clusters and jobs", "add a Job"))
    return spec


def _made_for(jobs: list[Job]) -> ColonySpec:
    """The colony of jobs that came without one."""
    names = list(dict.fromkeys(job.colony or job.name for job in jobs))
    if len(names) > 1:
        hint = "write `colony: NAME` into each, or add a Colony document"
        raise InputError(Problem("", f"these jobs need one colony each: {', '.join(names)}", hint))
    contexts = list(
        dict.fromkeys(job.resources.context for job in jobs if job.resources.cloud == "existing")
    )
    return ColonySpec(name=names[0], clusters=[_existing(context) for context in contexts])


def _existing(context: str | None) -> ClusterSpec:
    name = slugify(context or "", 30) or "existing"
    return ClusterSpec(name=name, cloud=Cloud.EXISTING, context=context)


def _jobs_of(document: Document) -> list[Job]:
    if isinstance(document.value, ColonySpec):
        return document.value.jobs
    return [document.value] if document.value else []


def _report(document: Document) -> dict[str, Any]:
    return {
        "kind": document.kind,
        "name": document.name,
        "ok": document.ok,
        "errors": [_plain(problem) for problem in document.problems],
        "warnings": [_plain(problem) for problem in document.warnings],
    }


def _plain(problem: Problem) -> dict[str, str]:
    return {"path": problem.path, "message": problem.message, "hint": problem.hint}
