"""Commands and their options. What they do is in the rooms; this file only reads arguments."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

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
prices = typer.Typer(help="The price catalogue.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(prices, name="prices")
scale = typer.Typer(help="Workers of an elastic job.", rich_markup_mode=None)
app.add_typer(scale, name="scale")


class Format(str, Enum):
    TEXT = "text"
    JSON = "json"


class By(str, Enum):
    EXPECTED = "expected"
    STICKER = "sticker"


Files = Annotated[list[Path], typer.Argument(help="A colony, a job, or a SkyPilot task.")]
File = Annotated[Path, typer.Argument(help="A colony, a job, or a SkyPilot task.")]
Name = Annotated[str, typer.Argument(help="The colony's name.")]
AsFormat = Annotated[Format, typer.Option("--format", help="For people or for programs.")]
Envs = Annotated[list[str] | None, typer.Option("--env", help="K=V; or K, from your environment.")]
Catalog = Annotated[
    Path | None, typer.Option("--catalog", help="A folder of price files (SkyPilot v8 CSV).")
]
WorldDir = Annotated[
    Path | None,
    typer.Option("--world", envvar="COLONY_WORLD", help="Work on this simulated world."),
]
On = Annotated[
    str | None, typer.Option("--on", help="A colony that is there already: its jobs join it.")
]
Kubernetes = Annotated[
    Path | None,
    typer.Option("--kubernetes", help="A test cluster's kubeconfig: objects really go there."),
]
Context = Annotated[
    str | None, typer.Option("--context", help="Of that kubeconfig; default its current one.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
LocalState = Annotated[
    bool, typer.Option("--local-state", help="Accept that only this machine can end the colony.")
]
Ranking = Annotated[By, typer.Option("--by", help="What to rank offers by.")]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", hidden=True, help="drain, sweep or lease: shows what each is for."),
]

JobName = Annotated[str, typer.Argument(metavar="NAME/JOB", help="A colony's elastic job.")]
ScaleTimeout = Annotated[
    str | None, typer.Option("--timeout", help="60s, 5m, …; default: the job's own.")
]
ScaleScript = Annotated[
    Path | None, typer.Option("--script", help="Run where the launcher runs, with the workers.")
]


@app.command()
def validate(files: Files, output: AsFormat = Format.TEXT) -> None:
    """Check files; nothing is created, nothing is asked of a cloud."""
    from colony.cli import files as commands

    raise typer.Exit(commands.validate(files, output.value))


@app.command()
def plan(
    file: File,
    catalog: Catalog = None,
    top: Annotated[int, typer.Option(min=1, help="How many offers to show.")] = 10,
    by: Ranking = By.EXPECTED,
    env: Envs = None,
    output: AsFormat = Format.TEXT,
) -> None:
    """Show the offers for a file's jobs, cheapest first, and why others were refused."""
    from colony.cli import files as commands

    raise typer.Exit(commands.plan(file, catalog, top, by.value, env or [], output.value))


@app.command()
def render(
    file: File,
    backend: Annotated[str | None, typer.Option(help="Which Kubernetes kind.")] = None,
    env: Envs = None,
) -> None:
    """Print the Kubernetes manifests of a file's jobs."""
    from colony.cli import files as commands

    raise typer.Exit(commands.render(file, backend, env or []))


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
    output: AsFormat = Format.TEXT,
    report: Annotated[Path | None, typer.Option(help="Keep the world in this folder.")] = None,
    world: WorldDir = None,
    kubernetes: Kubernetes = None,
    context: Context = None,
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="Take a cluster that is not on this machine.")
    ] = False,
    without: Without = None,
) -> None:
    """Live a colony's whole life in a simulated world: $0, offline, the real engine."""
    from colony.cli import life as commands

    request = commands.Request(
        files, env or [], catalog, output.value, world=world or report, yes=True,
        without=without or [], simulated=True, kubernetes=kubernetes, context=context,
        anywhere=anywhere,
    )  # fmt: skip
    raise typer.Exit(commands.rehearse(request, seed, faults, execute))


@app.command()
def run(
    file: File,
    catalog: Catalog = None,
    env: Envs = None,
    yes: Yes = False,
    local_state: LocalState = False,
    execute: Annotated[
        bool, typer.Option("--exec", help="In a world: really run each rank, here.")
    ] = False,
    output: AsFormat = Format.TEXT,
    on: On = None,
    world: WorldDir = None,
    without: Without = None,
) -> None:
    """Price, provision, train, destroy, prove: a file's whole life, attached."""
    from colony.cli import life as commands

    request = commands.Request(
        [file], env or [], catalog, output.value, world=world, yes=yes,
        local_state=local_state, without=without or [], on=on,
    )  # fmt: skip
    raise typer.Exit(commands.run(request, execute))


@app.command()
def up(
    file: File,
    catalog: Catalog = None,
    env: Envs = None,
    yes: Yes = False,
    local_state: LocalState = False,
    output: AsFormat = Format.TEXT,
    on: On = None,
    world: WorldDir = None,
) -> None:
    """Bring a colony up, or up to date, and leave it; `colony reap` ends it by its lease."""
    from colony.cli import life as commands

    request = commands.Request(
        [file], env or [], catalog, output.value, world=world, yes=yes,
        local_state=local_state, on=on,
    )  # fmt: skip
    raise typer.Exit(commands.up(request))


@app.command()
def preview(
    file: File, catalog: Catalog = None, env: Envs = None, output: AsFormat = Format.TEXT
) -> None:
    """Show what a new colony would create, and its price; no cloud is asked anything."""
    from colony.cli import life as commands

    request = commands.Request([file], env or [], catalog, output.value, simulated=True)
    raise typer.Exit(commands.preview(request))


@app.command()
def down(name: Name, world: WorldDir = None, yes: Yes = False, without: Without = None) -> None:
    """End a colony: drain, destroy, sweep, receipt."""
    from colony.cli import colonies as commands

    raise typer.Exit(commands.down(name, world, yes, without or []))


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="One colony; default all.")] = None,
    world: WorldDir = None,
    output: AsFormat = Format.TEXT,
) -> None:
    """Show colonies: phase, lease, price."""
    from colony.cli import colonies as commands

    raise typer.Exit(commands.status(name, world, output.value))


@app.command()
def jobs(name: Name, world: WorldDir = None, output: AsFormat = Format.TEXT) -> None:
    """Show a colony's jobs."""
    from colony.cli import colonies as commands

    raise typer.Exit(commands.jobs(name, world, output.value))


@app.command()
def logs(
    target: Annotated[str, typer.Argument(metavar="NAME[/JOB]", help="A colony, or one job.")],
    rank: Annotated[int | None, typer.Option(min=0, help="Only this rank.")] = None,
    follow: Annotated[bool, typer.Option(help="Go on as lines are written.")] = False,
    world: WorldDir = None,
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
) -> None:
    """Print a colony's kubeconfig; it holds no token."""
    from colony.cli import colonies as commands

    raise typer.Exit(commands.kubeconfig(name, cluster, file, world))


@app.command()
def history(world: WorldDir = None, output: AsFormat = Format.TEXT) -> None:
    """List the colonies that ended, how, and what they cost."""
    from colony.cli import colonies as commands

    raise typer.Exit(commands.history(world, output.value))


@app.command()
def reap(
    yes: Yes = False,
    world: WorldDir = None,
    output: AsFormat = Format.TEXT,
    without: Without = None,
) -> None:
    """End every colony whose lease is over, whose jobs are done, or whose run has died."""
    from colony.cli import colonies as commands

    raise typer.Exit(commands.reap(world, yes, output.value, without or []))


@app.command()
def sweep(
    name: Annotated[str | None, typer.Argument(help="One colony; default all.")] = None,
    expired: Annotated[bool, typer.Option(help="Only what is past its lease.")] = False,
    yes: Yes = False,
    world: WorldDir = None,
    output: AsFormat = Format.TEXT,
) -> None:
    """List what is left in the clouds, by tag; with --yes, delete it."""
    from colony.cli import colonies as commands

    raise typer.Exit(commands.sweep(name, expired, world, yes, output.value))


@scale.callback(invoke_without_command=True)
def scale_files(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Option("--file", "-f", help="ScaleIn and ScaleOut documents.")
    ] = None,
    on: Annotated[str | None, typer.Option(help="The job's colony.")] = None,
    world: WorldDir = None,
    output: AsFormat = Format.TEXT,
) -> None:
    """Let an elastic job grow or shrink while it runs, and wait until it has."""
    if context.invoked_subcommand:
        return
    if not files:
        typer.echo(context.get_help())
        raise typer.Exit(2)
    from colony.cli import scale as commands

    raise typer.Exit(commands.scale_by_files(files, on, world, output.value))


@scale.command("out")
def scale_out(
    target: JobName,
    count: Annotated[int | None, typer.Option(help="So many workers more.")] = None,
    names: Annotated[str | None, typer.Option(help="These new workers: a,b")] = None,
    timeout: ScaleTimeout = None,
    script: ScaleScript = None,
    world: WorldDir = None,
    output: AsFormat = Format.TEXT,
) -> None:
    """Add workers; all of them run before the job hears of one, or none is left."""
    from colony.cli import scale as commands

    wish = commands.Wish("out", target, count, names, timeout, script)
    raise typer.Exit(commands.scale_by_words(wish, world, output.value))


@scale.command("in")
def scale_in(
    target: JobName,
    count: Annotated[int | None, typer.Option(help="The newest so many.")] = None,
    names: Annotated[str | None, typer.Option(help="These workers: a,b")] = None,
    timeout: ScaleTimeout = None,
    script: ScaleScript = None,
    world: WorldDir = None,
    output: AsFormat = Format.TEXT,
) -> None:
    """Take workers away, when the job has let go of them."""
    from colony.cli import scale as commands

    wish = commands.Wish("in", target, count, names, timeout, script)
    raise typer.Exit(commands.scale_by_words(wish, world, output.value))


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


@prices.command("show")
def prices_show(
    accelerator: Annotated[str | None, typer.Argument(help="`H100`, `A100-80GB`, …")] = None,
    cloud: Annotated[str | None, typer.Option(help="Only this cloud.")] = None,
    region: Annotated[str | None, typer.Option(help="Only this region.")] = None,
    catalog: Catalog = None,
    output: AsFormat = Format.TEXT,
) -> None:
    """List the catalogue's prices, with their dates."""
    from colony.cli import files as commands

    raise typer.Exit(commands.prices(accelerator, cloud, region, catalog, output.value))


def run_app() -> None:
    """Runs the app; errors of ours become one clear text and their exit code."""
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
