"""The state as the text of a ConfigMap, and back. What others write is read with care.

Keys of `<job>-elastic`, which the launcher sees as files:

    hosts, hostfile             `host:slots` a line; `host slots=N` a line
    awaited                     how many of them there should be (elastic.sh, `wait`)
    generation, leaving         what the launcher has to take notice of (elastic.sh, `probe`)
    hook, hook.id, hook.env, hook.pods, hook.timeout      while a script is to be run
    discover_hosts.sh, elastic.sh
    target, requests, scaling, history, high_water, status      JSON, for people and for us
"""

from __future__ import annotations

import json
import pkgutil
import shlex
from dataclasses import asdict, fields
from typing import Any, TypeVar

from colony.agent.model import DRAINING, SCRIPT, Departure, Outcome, Request, Scaling, Spec, State

__all__ = [
    "read_requests",
    "read_spec",
    "read_state",
    "write_request",
    "write_requests",
    "write_state",
]

T = TypeVar("T")

_APART = ("hosts", "target", "requests", "scaling", "history", "high_water", "departing")
"""Fields of the state with a key of their own, or a form of their own."""
_DISCOVERY = '#!/bin/sh\nexec cat "$(dirname "$0")/hosts"\n'


def read_spec(data: dict[str, str]) -> Spec:
    """Raises ValueError where it is not one of ours."""
    return _made(Spec, json.loads(data["spec"]))


def read_state(data: dict[str, str]) -> State:
    """Raises ValueError where somebody has damaged it."""
    rest = json.loads(data.get("status", "{}"))
    departing = {name: _made(Departure, each) for name, each in rest.pop("departing", {}).items()}
    state = _made(State, rest)
    state.departing = departing
    state.target = json.loads(data["target"])
    state.hosts = [line.split(".", 1)[0] for line in data.get("hosts", "").splitlines()]
    state.high_water = int(data["high_water"])
    state.requests = read_requests(data)
    state.scaling = _scaling(json.loads(data.get("scaling", "null")))
    state.history = [_made(Outcome, each) for each in json.loads(data.get("history", "[]"))]
    return state


def read_requests(data: dict[str, str]) -> list[Request]:
    """Those that can be read: whoever wrote another waits in vain, until the timeout."""
    try:
        given = json.loads(data.get("requests", "[]"))
    except ValueError:
        return []
    return [_request(each) for each in given if isinstance(each, dict) and "id" in each]


def write_request(data: dict[str, str], request: Request) -> dict[str, str]:
    """The data with one request more at the end; what was there is kept."""
    queued = [asdict(each) for each in read_requests(data) if each.id != request.id]
    return {**data, "requests": _json([*queued, asdict(request)])}


def write_requests(data: dict[str, str], without: str) -> dict[str, str]:
    """The data with one request less."""
    left = [asdict(each) for each in read_requests(data) if each.id != without]
    return {**data, "requests": _json(left)}


def write_state(spec: Spec, state: State) -> dict[str, str]:
    """All keys."""
    hosts = [spec.host(name) for name in state.hosts]
    rest = {field.name: getattr(state, field.name) for field in fields(State)}
    rest = {key: value for key, value in rest.items() if key not in _APART}
    rest["departing"] = {name: asdict(each) for name, each in state.departing.items()}
    return {
        "hosts": "".join(f"{host}:{spec.slots}\n" for host in hosts),
        "hostfile": "".join(f"{host} slots={spec.slots}\n" for host in hosts),
        "awaited": f"{len(state.target)}\n",
        "generation": f"{state.generation}\n",
        "leaving": "".join(f"{name}\n" for name in state.departing),
        "target": _json(state.target),
        "requests": _json([asdict(each) for each in state.requests]),
        "scaling": _json(asdict(state.scaling) if state.scaling else None),
        "history": _json([asdict(each) for each in state.history]),
        "high_water": str(state.high_water),
        "status": _json(rest),
        "discover_hosts.sh": _DISCOVERY,
        "elastic.sh": _script(),
        **_hook(spec, state),
    }


def _hook(spec: Spec, state: State) -> dict[str, str]:
    scaling = state.scaling
    if scaling is None or not scaling.request.script or scaling.stage not in (SCRIPT, DRAINING):
        return {}
    request = scaling.request
    exports = [f"export {key}={shlex.quote(value)}\n" for key, value in request.env.items()]
    return {
        "hook": _whole(request.script),
        "hook.id": f"{request.id}\n",
        "hook.env": "".join(exports),
        "hook.pods": ",".join(f"{name}:{spec.slots}" for name in scaling.names) + "\n",
        "hook.timeout": f"{request.timeout or spec.timeout}\n",
    }


def _whole(script: str) -> str:
    """A command line alone is given the workers as its last argument, as a script file is."""
    line = script.strip()
    return script if "\n" in line or line.startswith("#!") else f'{line} "$@"\n'


def _script() -> str:
    data = pkgutil.get_data("colony.agent", "elastic.sh")
    return (data or b"").decode()


def _scaling(data: dict[str, Any] | None) -> Scaling | None:
    if data is None:
        return None
    return _made(Scaling, {**data, "request": _request(data["request"])})


def _request(data: dict[str, Any]) -> Request:
    """Whatever was written, in the types that the plan relies on; it judges the values."""
    names, count, timeout = data.get("names"), data.get("count"), data.get("timeout")
    env = data.get("env")
    return Request(
        id=str(data["id"]),
        kind=str(data.get("kind", "")),
        count=count if isinstance(count, int) else None,
        names=[str(name) for name in names] if isinstance(names, list) else None,
        timeout=timeout if isinstance(timeout, int) and timeout > 0 else None,
        script=str(data.get("script") or ""),
        env={str(k): str(v) for k, v in env.items()} if isinstance(env, dict) else {},
    )


def _made(kind: type[T], data: Any) -> T:
    """Of the fields it knows: a newer agent may have written more."""
    if not isinstance(data, dict):
        raise ValueError(f"{kind.__name__} must be a mapping, not {data!r}")
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    try:
        return kind(**{key: value for key, value in data.items() if key in known})
    except TypeError as error:
        raise ValueError(str(error)) from None


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
