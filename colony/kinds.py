"""One YAML document becomes a Colony, a Job, or a list of what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import charts
from colony.importers.foreign import foreign_kinds, read_foreign
from colony.secret_refs import Opened, open_references
from components.spec import ColonySpec
from jobs.data import load
from jobs.errors import InputError, Problem
from jobs.frameworks import complete
from jobs.importers.sky.several import import_several
from jobs.importers.skypilot import Imported, import_task
from jobs.names import NAME_LENGTH, duplicates, slugify
from jobs.problems import did_you_mean, printable, unbuilt
from jobs.role import SecretEnv
from jobs.spec import Job
from jobs.wording import at, check

__all__ = [
    "API_VERSION", "COLONY", "JOB", "TASK", "UNKNOWN", "Document", "Overrides", "is_task", "parse",
    "parse_several",
]  # fmt: skip

API_VERSION = "colony/v1"
COLONY, JOB, TASK, UNKNOWN = "Colony", "Job", "SkyPilot", "unknown"

_TELLTALE = {
    COLONY: (
        "clusters",
        "layers",
        "queues",
        "budget",
        "ttl",
        "idle",
        "teardown",
        "storage",
        "jobs",
    ),
    JOB: ("roles", "framework", "backend", "policy", "max_run_time"),
}
"""Fields that no SkyPilot task has: what a file without a kind was meant to be."""


class Overrides(dict[str, str]):
    """Variables given on the command line; `hidden` are those given as secrets."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[str] = set()


@dataclass(frozen=True)
class Document:
    """One document of a file: `value` is None where there are problems."""

    file: str
    kind: str
    """Colony, Job, SkyPilot, the kind of another system, or unknown."""
    name: str = ""
    value: ColonySpec | Job | None = None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    tasks: list[Job] = field(default_factory=list)
    """Of a pipeline, one after the other; each is a colony of its own."""
    idle: dict[str, Any] = field(default_factory=dict)
    """Name of a colony made for a task -> when it is idle, where the task says so."""

    @property
    def ok(self) -> bool:
        return not self.problems


def is_task(data: object) -> bool:
    """Whether this is a document of SkyPilot: a mapping without a kind."""
    return isinstance(data, dict) and not {"kind", "apiVersion"} & set(data)


def parse(data: Any, file: Path, envs: Mapping[str, str]) -> Document:
    """The document in `data`, with `envs` over its own; never raises for bad content."""
    where = str(file)
    if not isinstance(data, dict) or not data:
        what = "an empty mapping" if data == {} else _shape(data)
        message = f"must hold fields (`key: value` lines), not {what}"
        return Document(where, UNKNOWN, problems=[Problem("", message)])
    if is_task(data):
        return _task(data, file, envs)
    kind = data.get("kind")
    if data.get("apiVersion") != API_VERSION:
        if found := read_foreign(data, lambda body: _with_envs(body, envs)):
            value = None if found.problems else found.value
            named = _name(data)
            return Document(where, str(kind), named, value, found.problems, found.warnings)
    problem = _kind_problem(kind, data.get("apiVersion"))
    if problem and not _is_ours(kind, data.get("apiVersion")):
        known = kind if isinstance(kind, str) else UNKNOWN
        return Document(where, printable(known), _name(data), problems=[problem])
    body = {key: value for key, value in data.items() if key not in ("apiVersion", "kind")}
    read = _colony(body, file, envs) if kind == COLONY else _job(body, file, envs)
    return replace(read, value=None, problems=[problem, *read.problems]) if problem else read


def parse_several(tasks: list[dict[str, Any]], file: Path, envs: Mapping[str, str]) -> Document:
    """The one document of a SkyPilot pipeline or job group."""

    def read(task: dict[str, Any], stem: str) -> Imported:
        return _read_task(task, stem, file, envs)

    found = import_several(tasks, read, file.stem)
    name = found.header.name or file.stem
    made = _document(TASK, {"name": name}, file, None, found.problems, found.warnings)
    if found.problems:
        return made
    jobs = _colonies([task.job for task in found.tasks if task.job])
    pairs = zip(jobs, found.tasks, strict=True)
    return replace(made, tasks=jobs, idle={str(job.colony): t.idle for job, t in pairs if t.idle})


def _colonies(jobs: list[Job]) -> list[Job]:
    """Each with the name of its colony: its own, with a number where another has it."""
    twice = {place for place, _ in duplicates([job.name for job in jobs])}
    names = [
        slugify(f"{job.name[: NAME_LENGTH - 6]}-{place}") if place in twice else job.name
        for place, job in enumerate(jobs)
    ]
    return [job.model_copy(update={"colony": name}) for job, name in zip(jobs, names, strict=True)]


def _kind_problem(kind: object, api: object) -> Problem | None:
    foreign = load("unbuilt.yaml")
    if not isinstance(kind, str):
        return Problem("kind", "required", f"{COLONY} or {JOB}")
    if kind in foreign["kinds"]:
        return unbuilt(f"{kind} ({foreign['kinds'][kind]})", "kind")
    if kind not in (COLONY, JOB):
        known = (COLONY, JOB, *foreign["kinds"], *foreign_kinds())
        hint = did_you_mean(kind, known, f"{COLONY} or {JOB}")
        return Problem("kind", f"unknown kind {printable(kind)}", hint)
    if api == API_VERSION:
        return None
    for prefix, whose in foreign["namesakes"].items():
        if str(api).startswith(prefix):
            return unbuilt(f"{whose} ({printable(api)})", "kind")
    given = "required" if api is None else f"must be {API_VERSION}, not {printable(api)}"
    return Problem("apiVersion", given, f"write `apiVersion: {API_VERSION}`")


def _is_ours(kind: object, api: object) -> bool:
    """Whether a document is meant for us though its version is missing or wrong: then all that is
    wrong in it is said at once."""
    return kind in (COLONY, JOB) and (api is None or str(api).startswith("colony"))


def _colony(body: dict[str, Any], file: Path, envs: Mapping[str, str]) -> Document:
    jobs = body.get("jobs")
    listed = jobs if isinstance(jobs, list) else []
    unread: list[Problem] = []
    if listed:
        opened = [_opened(job, file, envs) for job in listed]
        body = {**body, "jobs": [each.body for each in opened]}
        unread = [at(f"jobs[{n}]", p) for n, each in enumerate(opened) for p in each.problems]
    spec, problems = check(ColonySpec, body)
    problems = unread or problems
    problems += _layers(body.get("layers"))
    warnings = list(_recorded_only(spec)) if spec else []
    for index, valid in enumerate(spec.jobs if spec else []):
        problems += [at(f"jobs[{index}]", problem) for problem in _crossed(valid)]
    for index, job in enumerate(listed):
        problems += _workdir(job, file, f"jobs[{index}].")
        warnings += _nothing_to_run(job, f"jobs[{index}].")
    return _document(COLONY, body, file, spec, problems, warnings)


def _recorded_only(spec: ColonySpec) -> Iterator[Problem]:
    """What is understood and kept, and not acted upon yet."""
    if spec.storage.bucket:
        yield Problem("storage.bucket", "not honoured yet", "a workdir may have up to 900 KiB")


def _layers(layers: Any) -> Iterator[Problem]:
    names = layers if isinstance(layers, dict) else {}
    known = charts.names() if names else []
    for name, choice in names.items():
        own = isinstance(choice, dict) and "chart" in choice
        if name not in known and not own:
            hint = did_you_mean(name, known, f"known: {', '.join(known)}")
            yield Problem(f"layers.{printable(name)}", "unknown layer", hint)


def _job(body: dict[str, Any], file: Path, envs: Mapping[str, str]) -> Document:
    opened = _opened(body, file, envs)
    job, problems = check(Job, opened.body)
    problems = opened.problems or problems
    problems += _crossed(job) if job else []
    problems += _workdir(body, file, "")
    return _document(JOB, body, file, job, problems, list(_nothing_to_run(body, "")))


def _crossed(job: Job) -> list[Problem]:
    """What does not fit together in a job whose fields are all valid."""
    try:
        complete(job)
    except InputError as error:
        return error.problems
    return []


def _task(data: dict[str, Any], file: Path, envs: Mapping[str, str]) -> Document:
    for kind, fields in _TELLTALE.items():
        found = [name for name in fields if name in data]
        if found:
            hint = f"write `apiVersion: {API_VERSION}` and `kind: {kind}`"
            problem = Problem("kind", f"required beside `{found[0]}`", hint)
            return Document(str(file), UNKNOWN, _name(data), problems=[problem])
    result = _read_task(data, file.stem, file, envs)
    name = result.job.name if result.job else _name(data) or file.stem
    made = _document(TASK, {"name": name}, file, result.job, result.problems, result.warnings)
    return replace(made, idle={name: result.idle} if result.idle else {})


def _read_task(data: dict[str, Any], stem: str, file: Path, envs: Mapping[str, str]) -> Imported:
    """A task, and what does not fit together in it; its workdir with the variables put in."""
    opened = open_references(data, file.parent, envs)
    result = import_task(_with_envs(opened.body, envs), stem)
    result.problems = opened.problems or result.problems
    if result.job and opened.env_from:
        read = [check(SecretEnv, each) for each in opened.env_from]
        result.problems += [at("secrets", problem) for _, found in read for problem in found]
        sources = [source for source, _ in read if source]
        result.job = result.job.model_copy(update={"env_from": sources})
    workdir = result.job.workdir if result.job else data.get("workdir")
    crossed = _crossed(result.job) if result.job else []
    result.problems += [*crossed, *_workdir({"workdir": workdir}, file, "")]
    return result


def _document(
    kind: str,
    body: dict[str, Any],
    file: Path,
    value: ColonySpec | Job | None,
    problems: list[Problem],
    warnings: list[Problem],
) -> Document:
    valid = None if problems else value
    return Document(str(file), kind, _name(body), valid, problems, warnings)


def _opened(body: Any, file: Path, envs: Mapping[str, str]) -> Opened:
    """A job's body with all its variables in it."""
    opened = open_references(body, file.parent, envs)
    opened.body = _with_envs(opened.body, envs)
    own = body.get("env_from") if isinstance(body, dict) else None
    if opened.env_from and isinstance(own or [], list):
        opened.body = {**opened.body, "env_from": [*(own or []), *opened.env_from]}
    return opened


def _with_envs(body: Any, envs: Mapping[str, str]) -> Any:
    """The body of a job with `envs` in it: a secret of that name gets the value, else an env."""
    if not isinstance(body, dict) or not envs:
        return body
    secrets, roles = body.get("secrets"), body.get("roles")
    if isinstance(secrets, list):  # references: a mapping may hold them too
        secrets = {item: None for item in secrets if isinstance(item, str)}
    own = secrets if isinstance(secrets, dict) else {}
    hidden = {*own, *(envs.hidden if isinstance(envs, Overrides) else ())}
    result = dict(body)
    if hidden & set(envs):
        given = {key: envs[key] for key in envs if key in hidden}
        replaced = {f"secrets:{key}" for key in given}
        kept = {key: value for key, value in own.items() if key not in replaced}
        result["secrets"] = {**kept, **given}
    plain = {key: value for key, value in envs.items() if key not in hidden}
    if plain and isinstance(body.get("envs") or {}, dict):
        result["envs"] = {**(body.get("envs") or {}), **plain}
    if isinstance(roles, dict):
        result["roles"] = {name: _role_with_envs(role, plain) for name, role in roles.items()}
    return result


def _role_with_envs(role: Any, envs: Mapping[str, str]) -> Any:
    """A role keeps its own variables; those it names itself are overridden too."""
    own = role.get("envs") if isinstance(role, dict) else None
    if not isinstance(own, dict):
        return role
    return {**role, "envs": {key: envs.get(key, value) for key, value in own.items()}}


def _workdir(body: Any, file: Path, prefix: str) -> Iterator[Problem]:
    """The working directory must be there; it is relative to the file's folder."""
    workdir = body.get("workdir") if isinstance(body, dict) else None
    if not isinstance(workdir, str) or not workdir:
        return
    try:
        folder = file.parent / Path(workdir).expanduser()
        there, is_folder = folder.exists(), folder.is_dir()
    except (OSError, ValueError, RuntimeError):
        there = is_folder = False
    if not is_folder:
        message = "is not a directory" if there else "no such directory"
        hint = "it is relative to the file's folder"
        yield Problem(f"{prefix}workdir", f"{printable(workdir)}: {message}", hint)


def _nothing_to_run(body: Any, prefix: str) -> Iterator[Problem]:
    if not isinstance(body, dict) or str(body.get("run") or "").strip():
        return
    roles = body.get("roles")
    named = roles.items() if isinstance(roles, dict) else ()
    idle = [name for name, role in named if not (isinstance(role, dict) and role.get("run"))]
    for path in [f"roles.{name}.run" for name in idle] or ([] if named else ["run"]):
        yield Problem(f"{prefix}{path}", "nothing to run", "the job ends after its setup")


def _name(data: dict[str, Any]) -> str:
    metadata = data.get("metadata")
    name = data.get("name") or (metadata.get("name") if isinstance(metadata, dict) else "")
    return printable(name) if isinstance(name, str) and name else ""


def _shape(data: object) -> str:
    return "a list" if isinstance(data, (list, set)) else "one value"
