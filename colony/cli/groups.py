"""The commands of two words: `scale out`, `node add`, `prices show`, `charts check`, …"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from colony.cli.options import (
    AsFormat,
    BackendUrl,
    Catalog,
    ClusterName,
    Format,
    JobName,
    NodeCount,
    NodeNames,
    ScaleScript,
    ScaleTimeout,
    WorldDir,
    Yes,
)

__all__ = ["add_groups"]

prices = typer.Typer(help="The price catalogue.", no_args_is_help=True, rich_markup_mode=None)
scale = typer.Typer(help="Workers of an elastic job.", rich_markup_mode=None)
node = typer.Typer(
    help="Machines of a colony that is up.", no_args_is_help=True, rich_markup_mode=None
)
pins = typer.Typer(help="The layers' charts.", no_args_is_help=True, rich_markup_mode=None)


def add_groups(app: typer.Typer) -> None:
    for name, group in {"prices": prices, "scale": scale, "node": node, "charts": pins}.items():
        app.add_typer(group, name=name)


@scale.callback(invoke_without_command=True)
def scale_files(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Option("--file", "-f", help="ScaleIn and ScaleOut documents.")
    ] = None,
    on: Annotated[str | None, typer.Option(help="The job's colony.")] = None,
    world: WorldDir = None,
    backend: BackendUrl = "",
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
    backend: BackendUrl = "",
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
    backend: BackendUrl = "",
    output: AsFormat = Format.TEXT,
) -> None:
    """Take workers away, when the job has let go of them."""
    from colony.cli import scale as commands

    wish = commands.Wish("in", target, count, names, timeout, script)
    raise typer.Exit(commands.scale_by_words(wish, world, output.value))


@node.command("add")
def node_add(
    target: ClusterName,
    names: NodeNames,
    accelerators: Annotated[
        str | None, typer.Option(help="What each host has, A100:8; default: asked of it.")
    ] = None,
    count: NodeCount = 1,
    yes: Yes = False,
    world: WorldDir = None,
    backend: BackendUrl = "",
    output: AsFormat = Format.TEXT,
) -> None:
    """Join hosts, one by one, or make a cloud's pool larger."""
    from colony.cli import nodes as commands

    code = commands.add(target, names, accelerators, count, world, yes, output.value)
    raise typer.Exit(code)


@node.command("remove")
def node_remove(
    target: ClusterName,
    names: NodeNames,
    count: NodeCount = 1,
    yes: Yes = False,
    world: WorldDir = None,
    backend: BackendUrl = "",
    output: AsFormat = Format.TEXT,
) -> None:
    """Drain hosts and give them back, one by one, or make a cloud's pool smaller."""
    from colony.cli import nodes as commands

    raise typer.Exit(commands.remove(target, names, count, world, yes, output.value))


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


@prices.command("refresh")
def prices_refresh(
    source: Annotated[str, typer.Option("--from", help="gpuhunt, aws, azure or gcp.")] = "gpuhunt",
    region: Annotated[
        list[str] | None, typer.Option(help="Only this region (of aws, azure, gcp); repeat it.")
    ] = None,
    url: Annotated[str, typer.Option(help="A mirror of the source.")] = "",
    output: AsFormat = Format.TEXT,
) -> None:
    """Fetch newer prices into your own folder (COLONY_PRICES, ~/.colony/prices)."""
    from colony.cli import prices as commands

    raise typer.Exit(commands.refresh(source, region or [], url, output.value))


@pins.command("lock")
def charts_lock(output: AsFormat = Format.TEXT) -> None:
    """Write the digest of each pinned chart, as its repository has it, into the lock file."""
    from colony.cli import charts as commands

    raise typer.Exit(commands.lock(output.value))


@pins.command("check")
def charts_check(output: AsFormat = Format.TEXT) -> None:
    """Compare entries, lock file, repositories, and the charts' own values."""
    from colony.cli import charts as commands

    raise typer.Exit(commands.check(output.value))
