"""`envs` and `secrets` of a task: inline values, and references to secrets kept elsewhere."""

from __future__ import annotations

from typing import Any

from jobs.errors import Problem
from jobs.importers.imported import Imported
from jobs.problems import NotHonoured, printable

__all__ = ["managed_name", "read_variables"]

_MANAGED = "secrets:"
_SCOPES = ("personal.", "workspace.", "global.")
_LOGIN = tuple(f"SKYPILOT_DOCKER_{part}" for part in ("USERNAME", "PASSWORD", "SERVER"))


def read_variables(result: Imported, task: dict[str, Any]) -> dict[str, Any]:
    """`envs` and `secrets` of the Job; names of secrets that are kept elsewhere are warned of."""
    data: dict[str, Any] = {}
    if "envs" in task:
        data["envs"] = _as_text(task["envs"])
    secrets = task.get("secrets")
    if isinstance(secrets, list):
        for index, item in enumerate(secrets):
            _listed(result, item, f"secrets[{index}]")
    elif secrets is not None:
        data["secrets"] = _inline(result, secrets)
    _login(result, data)
    return data


def managed_name(reference: str) -> str:
    """`secrets:workspace.TOKEN` -> `TOKEN`: what the variable is called."""
    name = reference.removeprefix(_MANAGED)
    scope = next((scope for scope in _SCOPES if name.startswith(scope)), "")
    return name[len(scope) :]


def _listed(result: Imported, item: object, path: str) -> None:
    if isinstance(item, str) and item.startswith(_MANAGED) and managed_name(item):
        _elsewhere(result, path, managed_name(item))
    else:
        hint = f"write `- {_MANAGED}NAME`, or a mapping of names and values"
        result.problems.append(Problem(path, f"must start with `{_MANAGED}`", hint))


def _inline(result: Imported, secrets: object) -> object:
    """Those that have a value."""
    if not isinstance(secrets, dict):
        return secrets
    values = {}
    for key, value in secrets.items():
        path = f"secrets.{printable(key)}"
        if key.startswith(_MANAGED) and value is not None:
            hint = "leave it empty, or leave out the prefix"
            result.problems.append(Problem(path, "a reference has no value of its own", hint))
        elif value is None:
            _elsewhere(result, path, managed_name(key))
        else:
            values[key] = value
    return _as_text(values)


def _elsewhere(result: Imported, path: str, name: str) -> None:
    hint = f"write `{name}:` under secrets, and give it with --env {name} (from your environment)"
    message = "not honoured: a secret that SkyPilot's API server keeps"
    result.warnings.append(NotHonoured(path, message, hint))


def _login(result: Imported, data: dict[str, Any]) -> None:
    """The three variables of a registry, which do not become variables of the job."""
    found = [(group, name) for group in ("envs", "secrets") for name in _LOGIN
             if isinstance(data.get(group), dict) and name in data[group]]  # fmt: skip
    for group, name in found:
        del data[group][name]
    groups = {group for group, _ in found}
    if found and (len(groups) > 1 or len(found) < len(_LOGIN)):
        message = f"must be all three: {', '.join(_LOGIN)}"
        hint = "all in envs, or all in secrets"
        result.problems.append(Problem(".".join(found[0]), message, hint))
    elif found:
        message = "not honoured: logging in to a registry"
        hint = "make the image public to the cluster, or pull it by the nodes' own identity"
        result.warnings.append(NotHonoured(".".join(found[0]), message, hint))


def _as_text(values: Any) -> Any:
    """SkyPilot turns every value but null into Python's text of it; here mappings stay wrong."""
    if not isinstance(values, dict):
        return values
    scalars = (bool, int, float)
    return {k: str(v) if isinstance(v, scalars) else v for k, v in values.items()}
