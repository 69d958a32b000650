"""Commands that make colonies: rehearse, run, up, preview."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colony.cli import show
from colony.cli.backend import chosen
from colony.cli.durations import seconds_of
from colony.contexts import kubeconfigs_of, with_contexts
from colony.documents import Loaded, load_colony, load_pipeline, parse_envs
from colony.hardware import with_hardware
from colony.logins import logins_of
from colony.reach import DOCUMENTATION, lets_nobody_in, own_networks
from colony.sshkeys import ssh_keys_of, with_host_keys
from jobs.errors import Cancelled, InputError, NoOffer, Problem

if TYPE_CHECKING:
    from colony.lifecycle.ground import Ground
    from colony.lifecycle.prepare import Plan
    from colony.lifecycle.real import Real
    from colony.lifecycle.simulated import Simulated
    from colony.lifecycle.teardown import Safeties
    from colony.market.decision import Policy
    from colony.market.quotas import Lookup
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
    helm: Path | None = None
    """A kubeconfig: a new world's objects go to that real API server."""
    context: str | None = None
    on: str | None = None
    """A colony that is there already: the file's jobs join it."""
    anywhere: bool = False
    """Take an API server that is not on this machine."""
    hosts: bool = False
    """A world's commands really run on the hosts of the file."""
    answers: list[dict[str, Any]] | None = None
    """Of a pipeline: the JSON of its tasks, printed together."""
    provision_timeout: str | None = None
    """How long to look for capacity."""

    @property
    def json(self) -> bool:
        return self.output == "json"


def rehearse(request: Request, seed: int, faults: Path | None, execute: bool) -> int:
    """`run --yes` on a new world; the world is thrown away unless a folder was named."""
    from colony.rehearsal.world import World

    safeties = _safeties(request.without)
    real = _real_cluster(request)
    plans = _all_planned(request, real, _told_by_file(faults))
    if not plans:
        return NoOffer.exit_code
    with tempfile.TemporaryDirectory(prefix="colony-rehearsal-") as folder:
        place = request.world or Path(folder, "world")
        world = World.create(place, seed, faults, catalog=request.catalog, kubernetes=real,
                             hosts=request.hosts)  # fmt: skip
        code = _in_turn(
            plans, request, lambda plan, each: _in_world(world, plan, each, execute, safeties)
        )
        for plan in plans:
            _keep_incident(world, plan.spec.name)
        return code


def run(request: Request, execute: bool) -> int:
    from colony.rehearsal.world import World

    if request.on:
        return _join(request, execute, attached=True)
    safeties = _safeties(request.without)
    world = World.open(request.world) if request.world else None
    request = _as_in(world, request)
    plans = _all_planned(request, world.kubernetes if world else None, _told_by(world))
    if not plans:
        return NoOffer.exit_code
    if world:
        return _in_turn(
            plans, request, lambda plan, each: _in_world(world, plan, each, execute, safeties)
        )
    if execute:
        raise InputError(Problem("--exec", "runs ranks here, which only a world does", "--world"))
    return _in_turn(plans, request, lambda plan, each: _on_a_cloud(plan, each, safeties))


def _on_a_cloud(plan: Plan, request: Request, safeties: Safeties) -> int:
    ground = _real(plan, request)
    return _lived(ground, _reachable(plan, request), request, safeties)


def up(request: Request) -> int:
    from colony.lifecycle.clusters import raise_clusters
    from colony.lifecycle.prepare import prepare_again
    from colony.rehearsal.world import World

    if request.on:
        return _join(request, execute=False, attached=False)
    world = World.open(request.world) if request.world else None
    request = _as_in(world, request)
    plan = _planned(request, world.kubernetes if world else None, _told_by(world))
    if plan is None:
        return NoOffer.exit_code
    with _opened(plan, request, world) as ground:
        tell = show.teller(None, stderr=request.json)
        plan = prepare_again(ground, plan if world else _reachable(plan, request), tell)
        status = raise_clusters(ground, plan, tell)
        outputs = ground.engine.outputs(plan.spec.name) if request.json else {}
    outputs.pop("kubeconfigs", None)
    if request.json:
        show.as_json(outputs)
    else:
        said = f"{plan.spec.name} is up: {status.summary}"
        tell(f"{said}; `{plan.end}` ends it, `colony reap` does so by its lease")
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
    from colony.lifecycle.opening import open_ground

    assert request.on is not None
    loaded = load_colony(request.files, parse_envs(request.envs))
    show.warn(loaded.warnings)
    if loaded.spec.clusters:
        raise InputError(Problem("clusters", f"are those of {request.on}", "leave out the Colony"))
    tell = show.teller(None, stderr=request.json)
    with open_ground(request.world, chosen(), execute=execute) as ground:
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


def _as_in(world: World | None, request: Request) -> Request:
    """Hosts are as real as they were when the world was made."""
    return replace(request, hosts=world.hosts) if world else request


def _in_turn(plans: list[Plan], request: Request, live: Callable[[Plan, Request], int]) -> int:
    """One life, or those of a pipeline: the next when the one before has succeeded, each to its
    end. The JSON of several is a list."""
    if len(plans) == 1:
        return live(plans[0], request)
    answers: list[dict[str, Any]] = []
    code = 0
    for plan in plans:
        code = live(plan, replace(request, answers=answers))
        if code:
            break
    if request.json:
        show.as_json(answers)
    elif code:
        rest = ", ".join(plan.spec.name for plan in plans[plans.index(plan) + 1 :])
        if rest:
            show.console(stderr=True).print(f"not run after that: {rest}", markup=False)
    return code


def _answer(request: Request, answer: dict[str, Any]) -> None:
    if request.answers is None:
        show.as_json(answer)
    else:
        request.answers.append(answer)


def _all_planned(request: Request, real: RealCluster | None, quota: Lookup | None) -> list[Plan]:
    """Every task of a pipeline has an offer before the first is bought; empty when one has none,
    after saying so."""
    plans = []
    for loaded in _together(load_pipeline(request.files, parse_envs(request.envs)), request):
        plan = _planned(request, real, quota, loaded)
        if plan is None:
            return []
        plans.append(plan)
    return plans


def _together(parts: list[Loaded], request: Request) -> list[Loaded]:
    """Tasks that hand data on are where the common plan has them: what `colony plan` shows."""
    from colony.market.catalog import Catalog
    from colony.market.own import Terms
    from colony.market.pipeline import bound, moves_data, plan_together

    specs = [loaded.spec for loaded in parts]
    if not moves_data(specs):
        return parts
    together = plan_together(specs, Terms(Catalog.load(request.catalog)))
    held = bound(specs, together)
    return [replace(loaded, spec=spec) for loaded, spec in zip(parts, held, strict=True)]


def _planned(
    request: Request,
    real: RealCluster | None = None,
    quota: Lookup | None = None,
    loaded: Loaded | None = None,
) -> Plan | None:
    """Validates and places; the money is shown before anything else happens.

    None when nothing matches, after saying so.
    """
    from colony.layering import notes_of
    from colony.lifecycle.prepare import Plan
    from colony.market.catalog import Catalog
    from colony.market.failover import Failover

    loaded = loaded or load_colony(request.files, parse_envs(request.envs))
    catalog = Catalog.load(request.catalog)
    show.warn([*loaded.warnings, *catalog.warnings])
    spec, notes = with_contexts(_on(loaded.spec, real))
    for note in notes:
        show.console(stderr=request.json).print(note, markup=False)
    if _reached(request):
        spec = with_hardware(spec)
    policy = _policy(request)
    failover = Failover(spec, catalog, policy=policy, quota=quota or _lookup(request))
    try:
        settled = failover.first()
    except NoOffer as error:
        if not request.json:
            raise
        show.as_json(_unplaceable(loaded.spec.name, error))
        return None
    spec, placement = settled.spec, settled.placement
    show.warn(notes_of(spec, placement))
    if not request.json:
        show.placement_text(placement)
        show.money_text(spec, placement)
        show.quota_text(failover, real=not (request.simulated or request.world))
    end = f"colony down {loaded.spec.name}"
    simulated = request.simulated or request.world is not None
    plan = Plan(
        spec, placement, loaded.folders, _owner(request), end, failover=failover,
        networks=DOCUMENTATION if simulated else [],
        logins=logins_of(spec, simulated=simulated and not request.helm),
    )  # fmt: skip
    if not simulated:
        plan = replace(plan, kubeconfigs=kubeconfigs_of(spec, placement))
    if _reached(request):
        known = with_host_keys(spec, placement)
        plan = replace(plan, placement=known, ssh_keys=ssh_keys_of(spec))
    return plan


def _reached(request: Request) -> bool:
    """Whether the hosts of the file are real ones."""
    return request.hosts or not (request.simulated or request.world)


def _policy(request: Request) -> Policy:
    from colony.market.decision import Policy

    if request.provision_timeout is None:
        return Policy()
    return Policy(deadline=float(seconds_of("--provision-timeout", request.provision_timeout)))


def _lookup(request: Request) -> Lookup:
    """On real clouds they are asked; a rehearsal asks nobody but its own world."""
    from colony.market.quotas import unknown
    from colony.quotas import lookup

    return unknown if request.simulated or request.world else lookup


def _told_by_file(faults: Path | None) -> Lookup:
    """What a world with these faults will tell."""
    from colony.rehearsal.faults import Faults, load_faults
    from colony.rehearsal.quotas import told

    return told(load_faults(faults) if faults else Faults())


def _told_by(world: World | None) -> Lookup | None:
    from colony.rehearsal.quotas import told

    return told(world.faults) if world else None


def _keep_incident(world: World, name: str) -> None:
    """A copy on top of the report's folder, where it is found at once."""
    from colony.lifecycle.incident import FILE
    from colony.records import Records
    from colony.storage.folder import Folder

    path = Records(Folder(world.dir / "state"), name).folder / FILE
    if path.exists():
        shutil.copy(path, world.dir / FILE)


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
        if request.helm:
            raise InputError(Problem("--helm", "needs a cluster: give --kubernetes too"))
        return None
    return RealCluster.of(request.kubernetes, request.context, request.anywhere, request.helm)


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
    return Simulated(world, execute=execute, echo=_echo(request), backend=chosen())


def _lived(ground: Ground, plan: Plan, request: Request, safeties: Safeties) -> int:
    from colony.lifecycle.run import run as live

    since = ground.now()
    tell = show.teller(lambda: ground.now() - since, stderr=request.json)
    try:
        receipt = live(ground, plan, tell, safeties=safeties)
    except NoOffer as error:
        if not request.json:
            raise
        _answer(request, _unplaceable(plan.spec.name, error))
        return NoOffer.exit_code
    if request.json:
        _answer(request, receipt.to_dict())
    else:
        show.receipt_text(receipt, kept=not request.simulated or request.world is not None)
    return receipt.exit_code


def _opened(plan: Plan, request: Request, world: World | None) -> Simulated | Real:
    return _ground_in(world, plan, request) if world else _real(plan, request)


def _real(plan: Plan, request: Request) -> Real:
    from colony.lifecycle.real import Real

    ground = Real.open(chosen())
    if ground.local and not request.local_state:
        raise InputError(
            Problem(
                "--local-state",
                f"the state is kept on this machine only ({ground.url}): nothing else could "
                "end the colony if this machine is lost",
                "accept that with --local-state, or name a shared one with --backend",
            )
        )
    if not request.yes:
        _confirm(plan)
    ground.check(plan.placement)
    return ground


def _reachable(plan: Plan, request: Request) -> Plan:
    """Whoever runs the colony reaches its clusters; what was let in is said."""
    from dataclasses import replace

    if not any(lets_nobody_in(each) for each in plan.placement.clusters):
        return plan
    networks = own_networks()
    show.console(stderr=request.json).print(f"API servers let in {', '.join(networks)} alone")
    return replace(plan, networks=networks)


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
