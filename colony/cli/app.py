"""Commands and their options. What they do is in the rooms; this file only reads arguments."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from colony.cli.backend import remembered
from colony.cli.groups import add_groups
from colony.cli.options import (
    AsFormat,
    BackendUrl,
    By,
    Catalog,
    Context,
    EnvFile,
    Envs,
    File,
    Files,
    Format,
    Kubernetes,
    LocalState,
    Name,
    On,
    ProvisionTimeout,
    Ranking,
    Secrets,
    Without,
    WorldDir,
    Yes,
    envs_of,
)
from jobs.errors import ColonyError, InputError, NoOffer

__all__ = ["app", "run_app"]

app = typer.Typer(
    name="colony",
    help="GPU Kubernetes environments that live exactly as long as the training they are for.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
add_groups(app)


@app.command()
def validate(
    files: Files,
    env: Envs = None,
    env_file: EnvFile = None,
    secret: Secrets = None,
    output: AsFormat = Format.TEXT,
) -> None:
    """Check files; nothing is created, nothing is asked of a cloud."""
    from colony.cli import files as commands

    raise typer.Exit(commands.validate(files, envs_of(env, env_file, secret), output.value))


@app.command()
def plan(
    file: File,
    catalog: Catalog = None,
    top: Annotated[int, typer.Option(min=1, help="How many offers to show.")] = 10,
    by: Ranking = By.EXPECTED,
    env: Envs = None,
    env_file: EnvFile = None,
    secret: Secrets = None,
    output: AsFormat = Format.TEXT,
) -> None:
    """Show the offers for a file's jobs, cheapest first, and why others were refused."""
    from colony.cli import plan as commands

    raise typer.Exit(
        commands.plan(file, catalog, top, by.value, envs_of(env, env_file, secret), output.value)
    )


@app.command()
def render(
    file: File,
    backend: Annotated[str | None, typer.Option(help="Which Kubernetes kind.")] = None,
    env: Envs = None,
    env_file: EnvFile = None,
    secret: Secrets = None,
) -> None:
    """Print the Kubernetes manifests of a file's jobs."""
    from colony.cli import files as commands

    raise typer.Exit(commands.render(file, backend, envs_of(env, env_file, secret)))


@app.command()
def schema() -> None:
    """Print the JSON schema of the file format."""
    from colony.cli import files as commands

    raise typer.Exit(commands.schema())


@app.command()
def rehearse(
    files: Files,
    seed: Annotated[int, typer.Option(help="Same seed, same run.")] = 0,
    faults: Annotated[Path | None, typer.Option(help="What goes wrong, as a file.")] = None,
    execute: Annotated[bool, typer.Option("--exec", help="Really run each rank, here.")] = False,
    catalog: Catalog = None,
    env: Envs = None,
    env_file: EnvFile = None,
    secret: Secrets = None,
    output: AsFormat = Format.TEXT,
    report: Annotated[Path | None, typer.Option(help="Keep the world in this folder.")] = None,
    world: WorldDir = None,
    kubernetes: Kubernetes = None,
    context: Context = None,
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="Take a cluster that is not on this machine.")
    ] = False,
    hosts: Annotated[
        bool, typer.Option("--hosts", help="Commands really run on the file's on-prem hosts.")
    ] = False,
    provision_timeout: ProvisionTimeout = None,
    helm: Annotated[
        Path | None, typer.Option(help="Helm 3, which really installs the layers there.")
    ] = None,
    without: Without = None,
) -> None:
    """Live a colony's whole life in a simulated world: $0, offline, the real engine."""
    from colony.cli import life as commands

    request = commands.Request(
        files, envs_of(env, env_file, secret), catalog, output.value, world=world or report,
        yes=True, without=without or [], simulated=True, kubernetes=kubernetes, context=context,
        anywhere=anywhere, helm=helm, provision_timeout=provision_timeout, hosts=hosts,
    )  # fmt: skip
    raise typer.Exit(commands.rehearse(request, seed, faults, execute))


@app.command()
def run(
    file: File,
    catalog: Catalog = None,
    env: Envs = None,
    env_file: EnvFile = None,
    secret: Secrets = None,
    yes: Yes = False,
    local_state: LocalState = False,
    execute: Annotated[
        bool, typer.Option("--exec", help="In a world: really run each rank, here.")
    ] = False,
    output: AsFormat = Format.TEXT,
    on: On = None,
    world: WorldDir = None,
    backend: BackendUrl = "",
    provision_timeout: ProvisionTimeout = None,
    without: Without = None,
) -> None:
    """Price, provision, train, destroy, prove: a file's whole life, attached."""
    from colony.cli import life as commands

    request = commands.Request(
        [file], envs_of(env, env_file, secret), catalog, output.value, world=world, yes=yes,
        local_state=local_state, without=without or [], on=on,
        provision_timeout=provision_timeout,
    )  # fmt: skip
    raise typer.Exit(commands.run(request, execute))


@app.command()
def up(
    file: File,
    catalog: Catalog = None,
    env: Envs = None,
    env_file: EnvFile = None,
    secret: Secrets = None,
    yes: Yes = False,
    local_state: LocalState = False,
    output: AsFormat = Format.TEXT,
    on: On = None,
    world: WorldDir = None,
    backend: BackendUrl = "",
    provision_timeout: ProvisionTimeout = None,
) -> None:
    """Bring a colony up, or up to date, and leave it; `colony reap` ends it by its lease."""
    from colony.cli import life as commands

    request = commands.Request(
        [file], envs_of(env, env_file, secret), catalog, output.value, world=world, yes=yes,
        local_state=local_state, on=on, provision_timeout=provision_timeout,
    )  # fmt: skip
    raise typer.Exit(commands.up(request))


@app.command()
def preview(
    file: File,
    catalog: Catalog = None,
    env: Envs = None,
    env_file: EnvFile = None,
    secret: Secrets = None,
    output: AsFormat = Format.TEXT,
) -> None:
    """Show what a new colony would create, and its price; no cloud is asked anything."""
    from colony.cli import life as commands

    request = commands.Request(
        [file], envs_of(env, env_file, secret), catalog, output.value, simulated=True
    )
    raise typer.Exit(commands.preview(request))


@app.command()
def down(
    name: Name,
    world: WorldDir = None,
    backend: BackendUrl = "",
    yes: Yes = False,
    without: Without = None,
) -> None:
    """End a colony: drain, destroy, sweep, receipt."""
    from colony.cli import colonies as commands

    raise typer.Exit(commands.down(name, world, yes, without or []))


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="One colony; default all.")] = None,
    world: WorldDir = None,
    backend: BackendUrl = "",
    output: AsFormat = Format.TEXT,
) -> None:
    """Show colonies: phase, lease, price."""
    from colony.cli import colonies as commands

    raise typer.Exit(commands.status(name, world, output.value))


@app.command()
def jobs(
    name: Name,
    world: WorldDir = None,
    backend: BackendUrl = "",
    output: AsFormat = Format.TEXT,
) -> None:
    """Show a colony's jobs."""
    from colony.cli import colonies as commands

    raise typer.Exit(commands.jobs(name, world, output.value))


@app.command()
def cancel(
    target: Annotated[str, typer.Argument(metavar="NAME[/JOB]", help="All jobs, or one of them.")],
    world: WorldDir = None,
    backend: BackendUrl = "",
    yes: Yes = False,
    output: AsFormat = Format.TEXT,
) -> None:
    """End jobs by hand, and wait until they are gone; with the last one the colony ends."""
    from colony.cli import cancel as commands

    raise typer.Exit(commands.cancel(target, world, yes, output.value))


@app.command()
def logs(
    target: Annotated[str, typer.Argument(metavar="NAME[/JOB]", help="A colony, or one job.")],
    rank: Annotated[int | None, typer.Option(min=0, help="Only this rank.")] = None,
    follow: Annotated[bool, typer.Option(help="Go on as lines are written.")] = False,
    world: WorldDir = None,
    backend: BackendUrl = "",
) -> None:
    """Print what the ranks wrote; works after the colony is gone."""
    from colony.cli import colonies as commands

    raise typer.Exit(commands.logs(target, rank, follow, world))


@app.command()
def kubeconfig(
    name: Name,
    cluster: Annotated[str | None, typer.Option(help="Which cluster, when several.")] = None,
    file: Annotated[Path | None, typer.Option("-o", help="Write it here, mode 0600.")] = None,
    world: WorldDir = None,
    backend: BackendUrl = "",
) -> None:
    """Print a colony's kubeconfig; it holds no token."""
    from colony.cli import colonies as commands

    raise typer.Exit(commands.kubeconfig(name, cluster, file, world))


@app.command()
def check(
    name: Name,
    cluster: Annotated[str | None, typer.Option(help="Only this one of its clusters.")] = None,
    timeout: Annotated[str, typer.Option(help="Until all pods of a pool run.")] = "15m",
    execute: Annotated[
        bool, typer.Option("--exec", help="In a world: really run each rank, here.")
    ] = False,
    world: WorldDir = None,
    backend: BackendUrl = "",
    output: AsFormat = Format.TEXT,
) -> None:
    """Measure an all-reduce over all GPUs, node by node; 1 where one fails or is slow."""
    from colony.cli import check as commands

    raise typer.Exit(commands.check(name, cluster, world, execute, timeout, output.value))


@app.command()
def extend(
    name: Name,
    by: Annotated[str, typer.Option(help="So much longer: 30m, 2h, …")],
    world: WorldDir = None,
    backend: BackendUrl = "",
    output: AsFormat = Format.TEXT,
) -> None:
    """Let a colony's lease end later."""
    from colony.cli import leases as commands

    raise typer.Exit(commands.extend(name, by, world, output.value))


@app.command()
def keep(
    name: Name,
    for_: Annotated[str, typer.Option("--for", help="So long from now: 30m, 2h, …")],
    world: WorldDir = None,
    backend: BackendUrl = "",
    output: AsFormat = Format.TEXT,
) -> None:
    """Hold a colony for a look at it, however its jobs end; its budget still bounds it."""
    from colony.cli import leases as commands

    raise typer.Exit(commands.keep(name, for_, world, output.value))


@app.command()
def drift(
    name: Name,
    world: WorldDir = None,
    backend: BackendUrl = "",
    output: AsFormat = Format.TEXT,
) -> None:
    """Say where the clouds differ from what was built; 1 = they do. Changes nothing."""
    from colony.cli import drift as commands

    raise typer.Exit(commands.drift(name, world, output.value))


@app.command()
def history(
    name: Annotated[str | None, typer.Argument(help="One colony's log; default: all.")] = None,
    world: WorldDir = None,
    backend: BackendUrl = "",
    output: AsFormat = Format.TEXT,
) -> None:
    """List the colonies that ended, how, and what they cost; of one, who did what and when."""
    from colony.cli import leases as commands

    raise typer.Exit(commands.history(name, world, output.value))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="`incident.jsonl` of a run.")],
    output: AsFormat = Format.TEXT,
) -> None:
    """Compute a run's decisions again from its incident file, offline; 1 = they differ."""
    from colony.cli import files as commands

    raise typer.Exit(commands.replay(file, output.value))


@app.command()
def reap(
    yes: Yes = False,
    world: WorldDir = None,
    backend: BackendUrl = "",
    output: AsFormat = Format.TEXT,
    without: Without = None,
) -> None:
    """End every colony whose lease is over, whose jobs are done, or whose run has died."""
    from colony.cli import colonies as commands

    raise typer.Exit(commands.reap(world, yes, output.value, without or []))


@app.command()
def sweep(
    name: Annotated[str | None, typer.Argument(help="One colony; default all.")] = None,
    expired: Annotated[bool, typer.Option(help="By tags alone: what is past its lease.")] = False,
    yes: Yes = False,
    world: WorldDir = None,
    backend: BackendUrl = "",
    output: AsFormat = Format.TEXT,
) -> None:
    """List what is left in the clouds, by tag; with --yes, delete it."""
    from colony.cli import sweeping as commands

    raise typer.Exit(commands.sweep(name, expired, world, yes, output.value))


@app.command()
def setup() -> None:
    """Find, install or build the Pulumi CLI."""
    from colony.cli import machine as commands

    raise typer.Exit(commands.setup())


@app.command()
def doctor(output: AsFormat = Format.TEXT) -> None:
    """Say what was found on this machine, and what to do about what is missing."""
    from colony.cli import machine as commands

    raise typer.Exit(commands.doctor(output.value))


def run_app() -> None:
    """Runs the app; errors of ours become one clear text and their exit code."""
    remembered("")
    try:
        app()
    except InputError as error:
        where = f"{error.file}: " if error.file else ""
        for problem in error.problems:
            _say(f"{where}{problem}")
        sys.exit(error.exit_code)
    except NoOffer as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except ColonyError as error:
        _say(str(error))
        sys.exit(error.exit_code)


def _say(text: str) -> None:
    typer.echo(f"error: {text}", err=True)
