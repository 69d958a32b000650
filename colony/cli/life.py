"""Commands that make colonies: rehearse, run, up, preview."""

from __future__ import annotations

import getpass
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colony.cli import show
from colony.contexts import kubeconfigs_of, with_contexts
from colony.documents import load_colony, parse_envs
from jobs.errors import Cancelled, InputError, NoOffer, Problem

if TYPE_CHECKING:
    from colony.lifecycle.ground import Ground
    from colony.lifecycle.prepare import Plan
    from colony.lifecycle.real import Real
    from colony.lifecycle.simulated import Simulated
    from colony.lifecycle.teardown import Safeties
    from colony.rehearsal.realcluster import RealCluster
    from colony.rehearsal.world import World
    from components.spec import ColonySpec

__all__ = ["Request", "preview", "rehearse", "run", "up"]

SAFETIES = ("lease", "drain", "sweep")


@dataclass(frozen=True)
class Request:
    """The options that all of these commands share."""

    files: list[Path]
    envs: list[str]
    catalog: Path | None
    output: str
    world: Path | None = None
    yes: bool = False
    local_state: bool = False
    without: list[str] = field(default_factory=list)
    simulated: bool = False
    kubernetes: Path | None = None
    """A kubeconfig: a new world's objects go to that real API server."""
    context: str | None = None
    on: str | None = None
    """A colony that is there already: the file's jobs join it."""
    anywhere: bool = False
    """Take an API server that is not on this machine."""

    @property
    def json(self) -> bool:
        return self.output == "json"


def rehearse(request: Request, seed: int, faults: Path | None, execute: bool) -> int:
    """`run --yes` on a new world; the world is thrown away unless a folder was named."""
    from colony.rehearsal.world import World

    safeties = _safeties(request.without)
    real = _real_cluster(request)
    plan = _planned(request, real)
    if plan is None:
        return NoOffer.exit_code
    with tempfile.TemporaryDirectory(prefix="colony-rehearsal-") as folder:
        place = request.world or Path(folder, "world")
        world = World.create(place, seed, faults, catalog=request.catalog, kubernetes=real)
        return _in_world(world, plan, request, execute, safeties)


def run(request: Request, execute: bool) -> int:
    from colony.rehearsal.world import World

    if request.on:
        return _join(request, execute, attached=True)
    safeties = _safeties(request.without)
    world = World.open(request.world) if request.world else None
    plan = _planned(request, world.kubernetes if world else None)
    if plan is None:
        return NoOffer.exit_code
    if world:
        return _in_world(world, plan, request, execute, safeties)
    if execute:
        raise InputError(Problem("--exec", "runs ranks here, which only a world does", "--world"))
    return _lived(_real(plan, request), plan, request, safeties)


def up(request: Request) -> int:
    from colony.lifecycle.prepare import prepare_again
    from colony.lifecycle.run import raise_colony
    from colony.rehearsal.world import World

    if request.on:
        return _join(request, execute=False, attached=False)
    world = World.open(request.world) if request.world else None
    plan = _planned(request, world.kubernetes if world else None)
    if plan is None:
        return NoOffer.exit_code
    with _opened(plan, request, world) as ground:
        tell = show.teller(None, stderr=request.json)
        plan = prepare_again(ground, plan)
        since = ground.now()
        raise_colony(ground, plan, tell)
        ground.settle_up(ground.engine.export(plan.spec.name), since)
        outputs = ground.engine.outputs(plan.spec.name)
    outputs.pop("kubeconfigs", None)
    if request.json:
        show.as_json(outputs)
    else:
        tell(f"{plan.spec.name} is up; `{plan.end}` ends it, `colony reap` does so by its lease")
    return 0


def preview(request: Request) -> int:
    """On a scratch world: nothing is asked of a cloud, nothing is kept."""
    from colony.lifecycle.prepare import prepare
    from colony.lifecycle.simulated import Simulated
    from colony.lifecycle.teardown import ALL
    from colony.rehearsal.world import World
    from components.program import build

    plan = _planned(request)
    if plan is None:
        return NoOffer.exit_code
    with tempfile.TemporaryDirectory(prefix="colony-preview-") as folder:
        with Simulated(World.create(Path(folder, "world"), catalog=request.catalog)) as ground:
            prepare(ground, plan, safeties=ALL, attached=False)
            counts = ground.engine.preview(plan.spec.name, build).counts
    if request.json:
        show.as_json({"changes": counts, "price_per_hour": plan.placement.price_per_hour})
    else:
        show.console().print(", ".join(f"{n} to {op}" for op, n in sorted(counts.items())))
    return 0


def _join(request: Request, execute: bool, attached: bool) -> int:
    """The file's jobs on a colony that is there already."""
    from colony.lifecycle.joining import join
    from colony.lifecycle.real import Real
    from colony.lifecycle.simulated import Simulated
    from colony.rehearsal.world import World

    assert request.on is not None
    loaded = load_colony(request.files, parse_envs(request.envs))
    show.warn(loaded.warnings)
    if loaded.spec.clusters:
        raise InputError(Problem("clusters", f"are those of {request.on}", "leave out the Colony"))
    tell = show.teller(None, stderr=request.json)
    where = World.open(request.world) if request.world else None
    with Simulated(where, execute=execute) if where else Real.open() as ground:
        jobs, folders = loaded.spec.jobs, loaded.folders
        watched = join(ground, request.on, jobs, folders, tell, attached=attached)
    if watched is None:
        tell(f"joined {request.on}; `colony jobs {request.on}` shows how far they are")
        return 0
    if request.json:
        show.as_json({"outcome": watched.outcome, "jobs": watched.outcomes})
    else:
        tell(f"outcome: {watched.outcome}" + (f" ({watched.reason})" if watched.reason else ""))
    return {"succeeded": 0, "cancelled": Cancelled.exit_code}.get(watched.outcome, 1)


def _planned(request: Request, real: RealCluster | None = None) -> Plan | None:
    """Validates and places; the money is shown before anything else happens.

    None when nothing matches, after saying so.
    """
    from colony.lifecycle.prepare import Plan
    from colony.market.catalog import Catalog
    from colony.market.place import place

    loaded = load_colony(request.files, parse_envs(request.envs))
    catalog = Catalog.load(request.catalog)
    show.warn([*loaded.warnings, *catalog.warnings])
    spec, notes = with_contexts(_on(loaded.spec, real))
    for note in notes:
        show.console(stderr=request.json).print(note, markup=False)
    try:
        placement = place(spec, catalog)
    except NoOffer as error:
        if not request.json:
            raise
        show.as_json(_unplaceable(loaded.spec.name, error))
        return None
    if not request.json:
        show.placement_text(placement)
    end = f"colony down {loaded.spec.name}"
    simulated = request.simulated or request.world is not None
    kubeconfigs = {} if simulated else kubeconfigs_of(spec, placement)
    return Plan(spec, placement, loaded.folders, _owner(request), end, kubeconfigs)


def _on(spec: ColonySpec, real: RealCluster | None) -> ColonySpec:
    """In a world with a real API server an existing cluster without a context is that one."""
    from components.spec import Cloud

    if real is None:
        return spec
    clusters = [
        each.model_copy(update={"context": real.context})
        if each.cloud is Cloud.EXISTING and not (each.context or each.kubeconfig)
        else each
        for each in spec.clusters
    ]
    return spec.model_copy(update={"clusters": clusters})


def _real_cluster(request: Request) -> RealCluster | None:
    from colony.rehearsal.realcluster import RealCluster

    if request.kubernetes is None:
        return None
    return RealCluster.of(request.kubernetes, request.context, request.anywhere)


def _in_world(world: World, plan: Plan, request: Request, execute: bool, safeties: Safeties) -> int:
    with _ground_in(world, plan, request, execute) as ground:
        return _lived(ground, plan, request, safeties)


def _ground_in(world: World, plan: Plan, request: Request, execute: bool = False) -> Simulated:
    from colony.lifecycle.simulated import Simulated

    if execute and world.kubernetes:
        message = "runs the ranks here, but in this world a real cluster runs them"
        raise InputError(Problem("--exec", message, "leave it out, or use a world without one"))
    for cluster in plan.placement.clusters:
        if cluster.cloud == "existing":
            world.add_cluster(f"existing/{cluster.context}")
    return Simulated(world, execute=execute, echo=_echo(request))


def _lived(ground: Ground, plan: Plan, request: Request, safeties: Safeties) -> int:
    from colony.lifecycle.run import run as live

    since = ground.now()
    tell = show.teller(lambda: ground.now() - since, stderr=request.json)
    try:
        receipt = live(ground, plan, tell, safeties=safeties)
    except NoOffer as error:
        if not request.json:
            raise
        show.as_json(_unplaceable(plan.spec.name, error))
        return NoOffer.exit_code
    if request.json:
        show.as_json(receipt.to_dict())
    else:
        show.receipt_text(receipt, kept=not request.simulated or request.world is not None)
    return receipt.exit_code


def _opened(plan: Plan, request: Request, world: World | None) -> Simulated | Real:
    return _ground_in(world, plan, request) if world else _real(plan, request)


def _real(plan: Plan, request: Request) -> Real:
    from colony.lifecycle.real import Real

    ground = Real.open()
    if ground.local and not request.local_state:
        raise InputError(
            Problem(
                "--local-state",
                f"the state is kept on this machine only ({ground.root}): nothing else could "
                "end the colony if this machine is lost",
                "accept that with --local-state, or set PULUMI_BACKEND_URL to a shared backend",
            )
        )
    if not request.yes:
        _confirm(plan)
    ground.check(plan.placement)
    return ground


def _confirm(plan: Plan) -> None:
    """Nothing is created on a real cloud before somebody has agreed to the price."""
    price = show.money(plan.placement.price_per_hour)
    if not sys.stdin.isatty():
        raise InputError(Problem("--yes", f"{price} per hour would be spent", "agree with --yes"))
    answer = input(f"spend {price} per hour? type the colony's name to go on: ")
    if answer.strip() != plan.spec.name:
        raise Cancelled("not confirmed: nothing was created")


def _safeties(without: list[str]) -> Safeties:
    from colony.lifecycle.teardown import Safeties

    for name in without:
        if name not in SAFETIES:
            raise InputError(Problem("--without", f"`{name}` is none of {', '.join(SAFETIES)}"))
    return Safeties.without(without)


def _echo(request: Request) -> Callable[[str], None]:
    """Where the ranks' own lines go."""
    out = show.console(stderr=request.json)
    return lambda line: out.print(line, markup=False)


def _owner(request: Request) -> str:
    """Who pays; fixed in a rehearsal, so that one seed gives one output."""
    if request.world or request.simulated:
        return "rehearsal"
    try:
        return os.environ.get("COLONY_OWNER") or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _unplaceable(name: str, error: NoOffer) -> dict[str, Any]:
    from colony.lifecycle.receipt import Receipt

    receipt = Receipt(colony=name, outcome="unplaceable", reason=str(error))
    return {**receipt.to_dict(), "refused": error.refused}
