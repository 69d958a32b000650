"""Commands that only read: validate, render, schema, prices."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from colony.cli import show
from colony.documents import load_colony, parse_envs, validation_report
from colony.documents import schema as file_schema
from jobs.errors import InputError, Problem
from jobs.problems import did_you_mean, printable
from jobs.quantities import counted
from jobs.spec import Backend, Job

__all__ = ["prices", "render", "schema", "validate"]


def validate(files: list[Path], envs: list[str], output: str) -> int:
    from colony.layering import with_layer_checks

    report = validation_report(files, parse_envs(envs), with_layer_checks)
    ok = all(document["ok"] for entry in report for document in entry["documents"])
    if output == "json":
        show.as_json(report)
        return 0 if ok else 2
    for entry in report:
        for document in entry["documents"]:
            _print_document(entry["file"], document)
    return 0 if ok else 2


def render(file: Path, backend: str | None, envs: list[str]) -> int:
    """The manifests of every job, by its own back end or the named one."""
    from jobs.backends import render as render_job
    from jobs.context import JobContext

    loaded = load_colony([file], parse_envs(envs))
    context = JobContext(colony=loaded.spec.name, cluster="", cloud="", region="")
    manifests = [
        manifest for job in loaded.spec.jobs for manifest in render_job(_by(backend, job), context)
    ]
    yaml.dump_all(manifests, sys.stdout, Dumper=_Readable, sort_keys=False, width=100)
    return 0


def schema() -> int:
    show.as_json(file_schema())
    return 0


def prices(
    accelerator: str | None, cloud: str | None, region: str | None, folder: Path | None, output: str
) -> int:
    from colony.market.age import age_notes
    from colony.market.catalog import Catalog
    from colony.market.show import rows

    catalog = Catalog.load(folder)
    found = rows(catalog, accelerator=accelerator, cloud=cloud, region=region)
    if output == "json":
        show.as_json(found)
        return 0
    columns = list(found[0]) if found else []
    show.table("", columns, [list(row.values()) for row in found])
    show.warn(catalog.warnings)
    seen = [(str(row["cloud"]), str(row["date"])) for row in found]
    oldest = min((day for _, day in seen), default="")
    show.console().print(f"{counted(len(found), 'price')} of {oldest or 'an unknown date'}")
    for note in age_notes(seen, date.today()):
        show.console().print(f"note: {note}", markup=False)
    return 0


def replay(file: Path, output: str) -> int:
    from colony.market.replay import read_incident
    from colony.market.replay import replay as compute

    found = compute(read_incident(file))
    same = not found.difference
    if output == "json":
        result = {"same": same, "decisions": found.decisions, "difference": found.difference}
        show.as_json(result)
    elif same:
        show.console().print(f"{found.decisions} decisions, all the same")
    else:
        show.console().print(found.difference, markup=False)
    return 0 if same else 1


class _Readable(yaml.SafeDumper):
    """Scripts as blocks, the way a person would write them."""


def _by(backend: str | None, job: Job) -> Job:
    if backend is None:
        return job
    known = [each.value for each in Backend]
    if backend not in known:
        hint = did_you_mean(backend, known, f"known: {', '.join(known)}")
        raise InputError(Problem("--backend", f"unknown back end {printable(backend)}", hint))
    return job.model_copy(update={"backend": Backend(backend)})


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Readable.add_representer(str, _block)


def _print_document(file: str, document: dict[str, Any]) -> None:
    out = show.console()
    name = f"{document['kind']} {document['name']}".strip()
    out.print(f"{file}: {name}:", "ok" if document["ok"] else "not ok", markup=False)
    for severity, problems in (("error", document["errors"]), ("warning", document["warnings"])):
        for item in problems:
            problem = Problem(item["path"], item["message"], item["hint"])
            out.print(f"  {severity}: {problem}", markup=False)
