"""From files to a validated colony: every problem with its path, nothing dropped in silence."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from colony.importers.foreign import SCALINGS
from colony.kinds import COLONY, TASK, UNKNOWN, Document, Overrides, is_task, parse, parse_several
from colony.reading import Page, pages, read_text
from components.idle_spec import Idle
from components.spec import Cloud, ClusterSpec, ColonySpec
from jobs.errors import InputError, NotSupported, Problem
from jobs.names import duplicates, slugify
from jobs.problems import NotHonoured, Unbuilt, did_you_mean, printable
from jobs.spec import Job
from jobs.wording import check

__all__ = [
    "Document", "Loaded", "SecretItem", "env_file", "joined", "load_colony", "load_pipeline",
    "parse_envs", "read_documents", "schema", "validation_report",
]  # fmt: skip

_NO_ENVS: Mapping[str, str] = {}


class SecretItem(str):
    """`K=V` or `K` of --secret: for `parse_envs`, among those of --env."""


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
    if any(document.tasks for document in documents):
        hint = "give it alone to plan, run or rehearse"
        raise NotSupported(Problem("", "a SkyPilot pipeline (several tasks in a file)", hint))
    several = len({document.file for document in documents}) > 1
    if several:
        documents = _once_each(documents)
        _raise_for(documents)
    spec = joined(documents)
    folder = Path(documents[0].file).parent
    folders = {job.name: Path(d.file).parent for d in documents for job in _jobs_of(d)}
    return Loaded(spec, [w for d in documents for w in d.warnings], folder, folders)


def load_pipeline(paths: Sequence[str | Path], envs: Mapping[str, str] = _NO_ENVS) -> list[Loaded]:
    """As `load_colony`; of a SkyPilot pipeline, a colony for each task, in their order."""
    if len(paths) != 1:
        return [load_colony(paths, envs)]
    documents = read_documents(paths[0], envs)
    if len(documents) != 1 or not documents[0].tasks:
        return [load_colony(paths, envs)]
    _raise_for(documents)
    (document,) = documents
    folder = Path(document.file).parent
    loaded = [
        Loaded(joined([replace(document, value=job)]), [], folder, {job.name: folder})
        for job in document.tasks
    ]
    return [replace(loaded[0], warnings=document.warnings), *loaded[1:]]


def validation_report(
    paths: Iterable[str | Path],
    envs: Mapping[str, str] = _NO_ENVS,
    also: Callable[[list[Document]], list[Document]] = list,
) -> list[dict[str, Any]]:
    """The JSON of `colony validate`: one entry a file, `ok` for each of its documents. `also`
    gives the documents of a file with what else is to be said of them."""
    return [
        {"file": str(path), "documents": [_report(d) for d in also(read_documents(path, envs))]}
        for path in paths
    ]


def parse_envs(
    items: Iterable[str], environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """`K=V`, or `K` to take it from the environment: so a secret is in no argument list.

    Raises InputError.
    """
    have = os.environ if environment is None else environment
    envs = Overrides()
    for item in items:
        key, equals, value = item.partition("=")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            raise InputError(Problem("--env", f"{printable(key)} is not a name", "write K=V"))
        if not equals and key not in have:
            raise InputError(Problem("--env", f"{key} is not in the environment", "write K=V"))
        envs[key] = value if equals else have[key]
        if isinstance(item, SecretItem):
            envs.hidden.add(key)
    return envs


def env_file(path: Path) -> list[str]:
    """The `K=V` lines of a file, for `parse_envs`: `export`, quotes, blank lines and comments are
    those of a shell. Raises InputError."""
    items, problems = [], []
    try:
        text = read_text(path)
    except InputError as error:
        raise InputError(*(replace(each, path=str(path)) for each in error.problems)) from None
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            problems.append(Problem(f"{path}:{number}", str(error), "close the quotes"))
            continue
        words = words[1:] if words[:1] == ["export"] else words
        if len(words) > 1 or any("=" not in word for word in words):
            problems.append(Problem(f"{path}:{number}", "is not K=V", "quote values with spaces"))
        items += words
    if problems:
        raise InputError(*problems)
    return items


def joined(documents: list[Document]) -> ColonySpec:
    """The one colony of documents without problems. Raises InputError."""
    colonies = [d.value for d in documents if isinstance(d.value, ColonySpec)]
    jobs = [d.value for d in documents if isinstance(d.value, Job)]
    if len(colonies) > 1:
        names = ", ".join(colony.name for colony in colonies)
        raise InputError(Problem("", f"more than one colony: {names}", "give one at a time"))
    base = colonies[0] if colonies else _made_for(jobs, [d.idle for d in documents])
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


def _made_for(jobs: list[Job], idles: list[dict[str, Any]]) -> ColonySpec:
    """The colony of jobs that came without one; `idles` as their documents have them."""
    names = list(dict.fromkeys(job.colony or job.name for job in jobs))
    if len(names) > 1:
        hint = "write `colony: NAME` into each, or add a Colony document"
        raise InputError(Problem("", f"these jobs need one colony each: {', '.join(names)}", hint))
    contexts = list(
        dict.fromkeys(job.resources.context for job in jobs if job.resources.cloud == "existing")
    )
    idle = next((each[names[0]] for each in idles if names[0] in each), None)
    clusters = [_existing(context) for context in contexts]
    return ColonySpec(name=names[0], clusters=clusters, idle=Idle(**idle) if idle else None)


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
