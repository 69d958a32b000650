"""Variables from Secrets that every role takes the same way become the job's own `env_from`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.importers.draft import Draft

__all__ = ["lift"]


def lift(draft: Draft) -> None:
    """Moves them from the roles' templates to the job."""
    mains = [_main(role) for role in draft.data.get("roles", {}).values()]
    if not mains or not all(mains):
        return
    keys = _common([_keys(main) for main in mains])
    whole = _common([_whole(main) for main in mains])
    secrets: dict[str, dict[str, str]] = {name: {} for name in whole}
    for name, (secret, key) in keys.items():
        secrets.setdefault(secret, {})[name] = key
    mixed = {name for name in whole if secrets[name]}
    if not secrets or mixed:
        return
    draft.data["env_from"] = [{"secret": name, "keys": each} for name, each in secrets.items()]
    for role in draft.data["roles"].values():
        _take(role, set(keys), set(whole))


def _main(role: Mapping[str, Any]) -> dict[str, Any]:
    containers = role.get("template", {}).get("spec", {}).get("containers") or [{}]
    found: dict[str, Any] = containers[0]
    return found


def _common(found: list[dict[str, Any]]) -> dict[str, Any]:
    first, *others = found
    return {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}


def _keys(main: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Variable -> (Secret, key), where nothing else is said."""
    found = {}
    for entry in main.get("env") or []:
        reference = (entry.get("valueFrom") or {}).get("secretKeyRef") or {}
        name = entry.get("name") or ""
        if set(reference) == {"name", "key"} and name.isidentifier():
            found[name] = (reference["name"], reference["key"])
    return found


def _whole(main: Mapping[str, Any]) -> dict[str, bool]:
    entries = main.get("envFrom") or []
    return {e["secretRef"]["name"]: True for e in entries if _is_whole(e)}


def _is_whole(entry: Mapping[str, Any]) -> bool:
    return set(entry) == {"secretRef"} and set(entry["secretRef"] or {}) == {"name"}


def _take(role: dict[str, Any], keys: set[str], whole: set[str]) -> None:
    main = _main(role)
    main["env"] = [e for e in main.get("env") or [] if e.get("name") not in keys]
    main["envFrom"] = [
        e
        for e in main.get("envFrom") or []
        if not (_is_whole(e) and e["secretRef"]["name"] in whole)
    ]
    for field in ("env", "envFrom"):
        if not main[field]:
            del main[field]
    if set(main) == {"name"} and len(role["template"]["spec"]["containers"]) == 1:
        del role["template"]["spec"]["containers"]
        if not role["template"]["spec"]:
            del role["template"]["spec"]
        if not role["template"]:
            del role["template"]
