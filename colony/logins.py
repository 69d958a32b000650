"""Passwords of private chart repositories: read by the command line, never at program time."""

from __future__ import annotations

import os
from pathlib import Path

from components.layer_spec import Login
from components.spec import ColonySpec
from jobs.errors import InputError, Problem

__all__ = ["logins_of"]

NOT_ASKED = "rehearsed"
"""What a simulated repository is told where there is no password."""


def logins_of(spec: ColonySpec, *, simulated: bool) -> dict[str, str]:
    """Layer -> its repository's password. InputError where it is nowhere, but in a simulated
    world, whose repositories let everybody in."""
    found, problems = {}, []
    for name, choice in spec.layers.items():
        if choice.login is None or not choice.enabled:
            continue
        text = _password(choice.login, f"layers.{name}.login")
        if isinstance(text, Problem) and not simulated:
            problems.append(text)
        found[name] = NOT_ASKED if isinstance(text, Problem) else text
    if problems:
        raise InputError(*problems)
    return found


def _password(login: Login, where: str) -> str | Problem:
    if login.password_env:
        text = os.environ.get(login.password_env, "")
        hint = f"export {login.password_env}=..."
        where = f"{where}.password_env"
        return text or Problem(where, f"{login.password_env} is not set, or empty", hint)
    path, where = Path(login.password_file or "").expanduser(), f"{where}.password_file"
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        return Problem(where, f"cannot read {path}: {error}")
    return text or Problem(where, f"{path} is empty")
