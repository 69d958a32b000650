"""The real API server behind a world's clusters: which one, and why no other can be meant.

A rehearsal must not reach a real cluster by mistake. So only a loopback address is taken, without
proxy and without a program that fetches credentials, unless the world was made with `anywhere`;
and the address is written down, so that a kubeconfig that changes later is refused.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from jobs.errors import InputError, Problem

__all__ = ["OPTION", "RealCluster"]

OPTION = "--kubernetes"
HELM = "--helm"
LOCALHOST = "localhost"


@dataclass(frozen=True)
class RealCluster:
    """As `world.json` keeps it: no credential is copied."""

    path: str
    context: str
    server: str
    mark: str
    """What is unique to the world: the value of the label on all that it makes."""
    anywhere: bool = False
    helm: str = ""
    """The Helm program that carries out releases; empty = they are only recorded."""

    @classmethod
    def of(
        cls,
        path: Path,
        context: str | None = None,
        anywhere: bool = False,
        helm: Path | None = None,
    ) -> RealCluster:
        """The kubeconfig's context, by default its current one. Raises InputError."""
        content = _read(path)
        name = context or content.get("current-context") or ""
        cluster, user = _context(content, str(name), path)
        server = str(cluster.get("server") or "")
        program = _program(helm) if helm else ""
        mark = secrets.token_hex(4)
        found = cls(str(path.absolute()), str(name), server, mark, anywhere, program)
        found._check(cluster, user)
        return found

    @classmethod
    def stored(cls, value: dict[str, Any] | None) -> RealCluster | None:
        return cls(**value) if value else None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def kubeconfig(self) -> str:
        """The text, checked anew. Raises InputError where it names another server by now."""
        content = _read(Path(self.path))
        cluster, user = _context(content, self.context, Path(self.path))
        if cluster.get("server") != self.server:
            message = f"context {self.context} of {self.path} is {cluster.get('server')} by now"
            raise InputError(Problem(OPTION, message, f"the world was made for {self.server}"))
        self._check(cluster, user)
        return yaml.safe_dump({**content, "current-context": self.context})

    def _check(self, cluster: dict[str, Any], user: dict[str, Any]) -> None:
        if self.anywhere:
            return
        why = ""
        if not _loopback(self.server):
            why = f"{self.server or 'no server'} is not on this machine"
        elif cluster.get("proxy-url"):
            why = "it is reached through a proxy"
        elif "exec" in user or "auth-provider" in user:
            why = "its credentials come from a program"
        if why:
            hint = "a rehearsal takes only a test cluster on loopback"
            raise InputError(Problem(OPTION, f"context {self.context}: {why}", hint))


def _program(helm: Path) -> str:
    found = shutil.which(helm)
    if found is None:
        raise InputError(Problem(HELM, f"{helm} is no program", "name one, or put it on PATH"))
    return str(Path(found).absolute())


def _loopback(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    if host == LOCALHOST:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _context(
    content: dict[str, Any], name: str, path: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(cluster, user) of a context."""
    context = _named(content, "context", name)
    if context is None:
        names = ", ".join(str(each.get("name")) for each in content.get("contexts") or [])
        message = f"{path} has no context `{name}`" if name else f"{path} has no current context"
        raise InputError(Problem(OPTION, message, f"it has {names or 'none'}"))
    cluster = _named(content, "cluster", context.get("cluster")) or {}
    return cluster, _named(content, "user", context.get("user")) or {}


def _named(content: dict[str, Any], kind: str, name: Any) -> dict[str, Any] | None:
    for each in content.get(f"{kind}s") or []:
        if each.get("name") == name:
            return dict(each.get(kind) or {})
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise InputError(Problem(OPTION, f"cannot read {path}: {error}")) from None
    if not isinstance(content, dict):
        raise InputError(Problem(OPTION, f"{path} is no kubeconfig"))
    return content
