"""The options and arguments that several commands have."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from colony.cli.backend import remembered

__all__ = [
    "AsFormat", "BackendUrl", "By", "Catalog", "ClusterName", "Context", "EnvFile", "Envs",
    "File", "Files", "Format", "JobName", "Kubernetes", "LocalState", "Name", "NodeCount",
    "NodeNames", "On", "ProvisionTimeout", "Ranking", "ScaleScript", "ScaleTimeout", "Secrets",
    "Without", "WorldDir", "Yes", "envs_of",
]  # fmt: skip


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
EnvFile = Annotated[
    Path | None, typer.Option("--env-file", help="A file of K=V lines; --env wins over it.")
]
Secrets = Annotated[
    list[str] | None,
    typer.Option("--secret", help="As --env, for a secret of the file; K alone keeps it unseen."),
]
Catalog = Annotated[
    Path | None, typer.Option("--catalog", help="A folder of price files (SkyPilot v8 CSV).")
]
WorldDir = Annotated[
    Path | None,
    typer.Option("--world", envvar="COLONY_WORLD", help="Work on this simulated world."),
]
BackendUrl = Annotated[
    str,
    typer.Option(
        "--backend", envvar="COLONY_BACKEND", callback=remembered,
        help="Where states and leases are: file://, s3://, gs://, azblob://, https://.",
    ),
]  # fmt: skip
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
ProvisionTimeout = Annotated[
    str | None,
    typer.Option("--provision-timeout", help="How long to look for capacity; default 60m."),
]
LocalState = Annotated[
    bool, typer.Option("--local-state", help="Accept that only this machine can end the colony.")
]
Ranking = Annotated[By, typer.Option("--by", help="What to rank offers by.")]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", hidden=True, help="drain, sweep or lease: shows what each is for."),
]

JobName = Annotated[str, typer.Argument(metavar="NAME/JOB", help="A colony's elastic job.")]
ClusterName = Annotated[str, typer.Argument(metavar="NAME/CLUSTER", help="A colony's cluster.")]
NodeNames = Annotated[
    list[str],
    typer.Argument(metavar="HOST...", help="[USER@]ADDRESS[:PORT] on-prem; a pool on a cloud."),
]
NodeCount = Annotated[int, typer.Option("--count", min=1, help="So many in each named pool.")]
ScaleTimeout = Annotated[
    str | None, typer.Option("--timeout", help="60s, 5m, …; default: the job's own.")
]
ScaleScript = Annotated[
    Path | None, typer.Option("--script", help="Run where the launcher runs, with the workers.")
]


def envs_of(env: list[str] | None, file: Path | None, secret: list[str] | None) -> list[str]:
    """Later ones win: the file's, then --env, then --secret."""
    from colony.documents import SecretItem, env_file

    return [*(env_file(file) if file else []), *(env or []), *map(SecretItem, secret or [])]
