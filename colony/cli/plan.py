"""`colony plan`: the offers of a file's jobs, and the stack that their clusters would get; of a
colony without jobs its clusters, at the lowest prices, and their stacks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colony.cli import show
from colony.cli.offers import offers_text
from colony.documents import load_pipeline, parse_envs
from jobs.errors import InputError, Problem

if TYPE_CHECKING:
    from colony.market.own import Terms
    from colony.market.settle import Settled
    from colony.market.survey import Survey
    from components.spec import ColonySpec

__all__ = ["plan"]


@dataclass(frozen=True)
class _Stacks:
    """Of one colony; empty where something of it has no offer."""

    spec: ColonySpec
    settled: Settled | None = None
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    wrong: list[Problem] = field(default_factory=list)
    """What the clusters cannot have."""

    def of(self, job: str) -> dict[str, Any]:
        """The cluster of the job and its layers, as the JSON has them."""
        if self.settled is None:
            return {"cluster": None, "layers": [], "checks": {"errors": [], "warnings": []}}
        facts = dict(self.reports[self.settled.placement.jobs[job]])
        layers, name = facts.pop("layers"), facts.pop("cluster")
        checks = {kind: facts.pop(kind) for kind in ("errors", "warnings")}
        return {"cluster": {"name": name, **facts}, "layers": layers, "checks": checks}

    def whole(self) -> dict[str, Any]:
        """The JSON of a colony that has no jobs yet."""
        placement = self.settled.placement if self.settled else None
        return {
            "colony": self.spec.name,
            "placement": placement.model_dump(mode="json") if placement else None,
            "price_per_hour": placement.price_per_hour if placement else None,
            "clusters": list(self.reports.values()),
        }


def plan(file: Path, catalog: Path | None, top: int, by: str, envs: list[str], output: str) -> int:
    """The JSON of one job is the object itself, of several a list; without jobs, of the colony."""
    from colony.layering import refused, warned
    from colony.market.catalog import Catalog
    from colony.market.own import Terms

    parts = load_pipeline([file], parse_envs(envs))
    known = Catalog.load(catalog)
    show.warn([*(warning for loaded in parts for warning in loaded.warnings), *known.warnings])
    if not any(loaded.spec.jobs or loaded.spec.clusters for loaded in parts):
        message = "nothing to plan: the file has no job and no cluster"
        raise InputError(Problem("jobs", message), file=str(file))
    terms = Terms(known, by, top, date.today())
    surveys, placed = _surveyed([loaded.spec for loaded in parts], terms)
    stacks = [_stacks(loaded.spec, each) for loaded, each in zip(parts, placed, strict=True)]
    reports = [report for stack in stacks for report in stack.reports.values()]
    plans = [made.to_dict() for each in surveys for made in each.plans]
    if output == "json":
        own = [stack.of(job.name) for stack in stacks for job in stack.spec.jobs]
        documents = [{**made, **more} for made, more in zip(plans, own, strict=True)]
        documents += [stack.whole() for stack in stacks if not stack.spec.jobs]
        show.as_json(documents[0] if len(documents) == 1 else documents)
    else:
        offers_text(plans, together=len(parts) > 1)
        _print_stacks(stacks)
    show.warn(warned(reports))
    problems = [*(each for stack in stacks for each in stack.wrong), *refused(reports)]
    wrong = [*(each.failed for each in surveys if each.failed), *map(str, problems)]
    for problem in wrong:
        show.console(stderr=True).print(f"error: {problem}", markup=False)
    return InputError.exit_code if wrong else 0


def _surveyed(
    specs: Sequence[ColonySpec], terms: Terms
) -> tuple[list[Survey], list[Settled | None]]:
    """What each colony can be, and will be: tasks that hand data on are placed together."""
    from colony.free import asking
    from colony.market.pipeline import bound, moves_data, plan_together, with_egress
    from colony.market.settle import settle
    from colony.market.survey import survey

    surveys = [survey(spec, replace(terms, free_of=asking(spec, _told))) for spec in specs]
    placed = [each.settled for each in surveys]
    if not moves_data(specs):
        return surveys, placed
    together = plan_together(specs, terms)
    for each, spec in zip(surveys, specs, strict=True):
        with_egress(each.plans[0], together, spec.jobs[0])
    if together.offers:
        placed = [settle(spec, terms.catalog, terms.by) for spec in bound(specs, together)]
    return surveys, placed


def _told(text: str) -> None:
    show.console(stderr=True).print(f"note: {text}", markup=False)


def _stacks(spec: ColonySpec, settled: Settled | None) -> _Stacks:
    """Raises InputError for layers that cannot be. Why there is no offer is said above."""
    from colony.layering import layers_of
    from components.refusals import asked_too_much

    if settled is None:
        return _Stacks(spec)
    wrong = asked_too_much(settled.spec, settled.placement, time.time())
    return _Stacks(spec, settled, layers_of(settled.spec, settled.placement), wrong)


def _print_stacks(stacks: Sequence[_Stacks]) -> None:
    for stack in stacks:
        if stack.settled and not stack.spec.jobs:
            show.placement_text(stack.settled.placement)
    for stack in stacks:
        for report in stack.reports.values():
            _print_stack(report)
    for stack in stacks:
        if stack.settled:
            show.money_text(stack.settled.spec, stack.settled.placement)


def _print_stack(report: dict[str, Any]) -> None:
    image, driver = report["node_image"], report["driver"]
    facts = [report["cloud"], f"Kubernetes {report['kubernetes'] or 'of its own'}"]
    if driver:
        facts += [image["title"], f"driver {driver['version'] or 'unknown'} by the {driver['by']}"]
    rows = [[each["name"], each["version"], each["why"], each["namespace"],
             ", ".join(each["needs"]) or "-"] for each in report["layers"]]  # fmt: skip
    title = f"layers of cluster {report['cluster']}: {', '.join(facts)}"
    show.table(title, ["layer", "version", "because of", "namespace", "after"], rows)
