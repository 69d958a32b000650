"""Commands that only read: validate, plan, render, schema, prices."""

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
from jobs.spec import Backend, Job

__all__ = ["plan", "prices", "render", "schema", "validate"]


def validate(files: list[Path], output: str) -> int:
    report = validation_report(files)
    ok = all(document["ok"] for entry in report for document in entry["documents"])
    if output == "json":
        show.as_json(report)
        return 0 if ok else 2
    for entry in report:
        for document in entry["documents"]:
            _print_document(entry["file"], document)
    return 0 if ok else 2


def plan(file: Path, catalog: Path | None, top: int, by: str, envs: list[str], output: str) -> int:
    """Offers per job; the JSON of one job is the object itself, of several a list."""
    from colony.market.catalog import Catalog
    from colony.market.plan import plan as make_plan
    from colony.market.request import request_of

    loaded = load_colony([file], parse_envs(envs))
    known = Catalog.load(catalog)
    show.warn([*loaded.warnings, *known.warnings])
    plans = [
        make_plan(request_of(job), known, top=top, by=by, today=date.today())
        for job in loaded.spec.jobs
    ]
    if not plans:
        raise InputError(Problem("jobs", "nothing to plan: the file has no job"), file=str(file))
    if output == "json":
        documents = [made.to_dict() for made in plans]
        show.as_json(documents[0] if len(documents) == 1 else documents)
    else:
        for job, made in zip(loaded.spec.jobs, plans, strict=True):
            _print_plan(job.name, made.to_dict(), top)
    return 0 if all(made.chosen for made in plans) else 2


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
    show.console().print(f"{len(found)} prices of {oldest or 'an unknown date'}")
    for note in age_notes(seen, date.today()):
        show.console().print(f"note: {note}", markup=False)
    return 0


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


def _bill(expected: dict[str, float]) -> str:
    """All terms of what the chosen offer is expected to cost."""
    terms = [f"{name.replace('_', ' ')} {usd:,.2f}" for name, usd in expected.items()]
    return f"expected until done: ${expected['total']:,.2f} = {' + '.join(terms[:-1])}"


def _print_plan(job: str, plan: dict[str, Any], top: int) -> None:
    offers = [
        [f"{o['cloud']}/{o['region']}", o["instance_type"], f"{o['accelerators']}:{o['count']}"
         if o["accelerators"] else "-", o["nodes"], "spot" if o["spot"] else "on-demand",
         o["price_per_node_hour"], o["price_per_hour"], f"{o['expected']['total']:,.2f}",
         "<- chosen" if o == plan["chosen"] else ""]
        for o in plan["offers"][:top]
    ]  # fmt: skip
    columns = [
        "where",
        "instance",
        "GPUs",
        "nodes",
        "capacity",
        "$/node/h",
        "$/h",
        "$ to finish",
        "",
    ]
    if offers:
        show.table(f"job {job}", columns, offers)
        show.console().print(_bill(plan["chosen"]["expected"]), markup=False)
    for refusal in plan["refused"]:
        near = f"; near: {', '.join(map(str, refusal['near']))}" if refusal["near"] else ""
        show.console().print(f"refused {refusal['count']}: {refusal['reason']}{near}", markup=False)
    for note in plan["notes"]:
        show.console().print(f"note: {note}", markup=False)
    if not plan["chosen"]:
        show.console(stderr=True).print(f"error: no offer matches job {job}", markup=False)
