"""One YAML document becomes a Colony, a Job, or a list of what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import charts
from colony.importers.foreign import foreign_kinds, read_foreign
from components.spec import ColonySpec
from jobs.data import load
from jobs.errors import InputError, Problem
from jobs.frameworks import complete
from jobs.importers.sky.several import import_several
from jobs.importers.skypilot import Imported, import_task
from jobs.problems import did_you_mean, printable, unbuilt
from jobs.spec import Job
from jobs.wording import at, check

__all__ = [
    "API_VERSION", "COLONY", "JOB", "TASK", "UNKNOWN", "Document", "is_task", "parse",
    "parse_several",
]  # fmt: skip

API_VERSION = "colony/v1"
COLONY, JOB, TASK, UNKNOWN = "Colony", "Job", "SkyPilot", "unknown"

_TELLTALE = {
    COLONY: ("clusters", "layers", "queues", "budget", "ttl", "teardown", "storage", "jobs"),
    JOB: ("roles", "framework", "backend", "policy", "max_run_time"),
}
"""Fields that no SkyPilot task has: what a file without a kind was meant to be."""


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
    if problem:
        known = kind if isinstance(kind, str) else UNKNOWN
        return Document(where, printable(known), _name(data), problems=[problem])
    body = {key: value for key, value in data.items() if key not in ("apiVersion", "kind")}
    return _colony(body, file, envs) if kind == COLONY else _job(body, file, envs)


def parse_several(tasks: list[dict[str, Any]], file: Path, envs: Mapping[str, str]) -> Document:
    """The one document of a SkyPilot pipeline or job group."""

    def read(task: dict[str, Any], stem: str) -> Imported:
        return _read_task(task, stem, file, envs)

    found = import_several(tasks, read, file.stem)
    name = found.header.name or file.stem
    return _document(TASK, {"name": name}, file, None, found.problems, found.warnings)


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


def _colony(body: dict[str, Any], file: Path, envs: Mapping[str, str]) -> Document:
    jobs = body.get("jobs")
    listed = jobs if isinstance(jobs, list) else []
    if listed:
        body = {**body, "jobs": [_with_envs(job, envs) for job in listed]}
    spec, problems = check(ColonySpec, body)
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
    if spec.budget:
        message = "recorded in the lease and on every resource, and not enforced yet"
        yield Problem("budget", message, "ttl is enforced, by `colony reap`")
    if spec.storage.bucket:
        yield Problem("storage.bucket", "not honoured yet", "a workdir may have up to 900 KiB")


def _layers(layers: Any) -> Iterator[Problem]:
    names = layers if isinstance(layers, dict) else {}
    known = charts.names() if names else []
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, f"known: {', '.join(known)}")
            yield Problem(f"layers.{printable(name)}", "unknown layer", hint)


def _job(body: dict[str, Any], file: Path, envs: Mapping[str, str]) -> Document:
    job, problems = check(Job, _with_envs(body, envs))
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
    return _document(TASK, {"name": name}, file, result.job, result.problems, result.warnings)


def _read_task(data: dict[str, Any], stem: str, file: Path, envs: Mapping[str, str]) -> Imported:
    """A task, and what does not fit together in it; its workdir with the variables put in."""
    result = import_task(_with_envs(data, envs), stem)
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


def _with_envs(body: Any, envs: Mapping[str, str]) -> Any:
    """The body of a job with `envs` in it: a secret of that name gets the value, else an env."""
    if not isinstance(body, dict) or not envs:
        return body
    secrets, roles = body.get("secrets"), body.get("roles")
    hidden = set(secrets) if isinstance(secrets, dict) else set()
    result = dict(body)
    if hidden & set(envs):
        result["secrets"] = {**body["secrets"], **{k: envs[k] for k in envs if k in hidden}}
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
