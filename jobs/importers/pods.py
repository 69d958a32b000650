"""A PodTemplateSpec becomes a Role: what Colony has a word for moves there, the rest is laid
over Colony's own pod as it is (`template`), so that nothing is dropped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from jobs.importers.draft import Draft
from jobs.importers.formats import shared
from jobs.importers.hardware import ACCELERATORS, resources_of
from jobs.importers.shell import placeholder, script

__all__ = ["CONTAINER", "role_of", "words_of"]

CONTAINER = "trainer"
"""The name of the container that runs the job in every pod of ours."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PORT = re.compile(r"[a-z]([-a-z0-9]{0,13}[a-z0-9])?")
_SOURCES = {
    "persistentVolumeClaim": "claimName", "configMap": "name", "secret": "secretName",
}  # fmt: skip


def role_of(
    draft: Draft, ours: str, path: str, template: Mapping[str, Any] | None,
    main: Iterable[str] = (), command: bool = True, image: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Fields of a Role; `main` names the container that trains, else it is the first.

    Without `command` the framework knows what runs, and the pod need not say it.
    """
    pod = deepcopy(dict(template or {}))
    spec = pod.get("spec") or {}
    containers = spec.get("containers") or []
    if not containers:
        draft.refuse(f"{path}.spec.containers", "required: a pod has at least one container")
        return {}
    place = _main(containers, list(main))
    container, where = containers[place], f"{path}.spec.containers[{place}]"
    role: dict[str, Any] = {
        **_image(draft, ours, container, where, image),
        **_run(draft, ours, container, where, command),
        **_envs(draft, ours, container, where),
        **_ports(draft, ours, container, where),
    }
    resources = resources_of(draft, path, pod, container, f"{where}.resources")
    draft.paths |= {f"{ours}.resources": f"{where}.resources", f"{ours}.template": path}
    if resources:
        role["resources"] = resources
    if "hostNetwork" in spec:
        role["host_network"] = spec.pop("hostNetwork")
    spec.pop("restartPolicy", None)
    _needed(draft, f"{path}.spec", spec)
    if rest := _rest(pod, containers, place):
        role["template"] = rest
    return role


def words_of(draft: Draft, container: Mapping[str, Any], where: str) -> list[str]:
    """Command and arguments; placeholders are refused."""
    words = []
    for field in ("command", "args"):
        for index, word in enumerate(container.get(field) or []):
            if placeholder(word):
                message = f"{word} is a placeholder"
                draft.refuse(f"{where}.{field}[{index}]", message, "put the real value there")
            words.append(word)
    return words


def _main(containers: list[dict[str, Any]], names: list[str]) -> int:
    places = [i for i, each in enumerate(containers) if each.get("name") in names]
    return places[0] if places else 0


def _image(
    draft: Draft, ours: str, container: dict[str, Any], where: str, needed: bool
) -> dict[str, Any]:
    draft.paths[f"{ours}.image"] = f"{where}.image"
    image = container.pop("image", None)
    if needed and not image:
        draft.refuse(f"{where}.image", "required: the command is that of an image")
    return {"image": image} if image else {}


def _run(
    draft: Draft, ours: str, container: dict[str, Any], where: str, needed: bool
) -> dict[str, Any]:
    """Kubernetes starts an image's own entry point where a pod has no command; Colony cannot."""
    draft.paths[f"{ours}.run"] = f"{where}.command"
    words = words_of(draft, container, where)
    has_command, has_args = bool(container.get("command")), bool(container.get("args"))
    container.pop("command", None)
    container.pop("args", None)
    if has_command:
        return {"run": script(words)}
    if needed or has_args:
        what = "arguments alone are for the image's own entry point" if has_args else "none"
        message = f"{what}; Colony starts a command, never an image's own entry point"
        draft.not_honoured(f"{where}.command", message, "write the whole command")
    return {}


def _envs(draft: Draft, ours: str, container: dict[str, Any], where: str) -> dict[str, Any]:
    """Plain variables; those that refer to others, to Secrets or to the pod stay in the pod."""
    draft.paths[f"{ours}.envs"] = f"{where}.env"
    given = container.get("env") or []
    plain = {each["name"]: each.get("value") or "" for each in given if _is_plain(each)}
    stay = [each for each in given if not _is_plain(each)]
    container.pop("env", None)
    if stay:
        container["env"] = stay
    return {"envs": plain} if plain else {}


def _is_plain(entry: Mapping[str, Any]) -> bool:
    name, value = entry.get("name") or "", entry.get("value") or ""
    return bool(_VARIABLE.fullmatch(name)) and "valueFrom" not in entry and "$(" not in value


def _ports(draft: Draft, ours: str, container: dict[str, Any], where: str) -> dict[str, Any]:
    draft.paths[f"{ours}.ports"] = f"{where}.ports"
    given = container.get("ports") or []
    named = {each["name"]: each["containerPort"] for each in given if _is_named(each)}
    stay = [each for each in given if not _is_named(each)]
    container.pop("ports", None)
    if stay:
        container["ports"] = stay
    return {"ports": named} if named else {}


def _is_named(port: Mapping[str, Any]) -> bool:
    """A name and a number, and nothing that Colony has no word for."""
    more = {key: value for key, value in port.items() if key not in ("name", "containerPort")}
    name = port.get("name") or ""
    return (
        bool(_PORT.fullmatch(name))
        and "containerPort" in port
        and more in ({}, {"protocol": "TCP"})
    )


def _needed(draft: Draft, path: str, spec: dict[str, Any]) -> None:
    """What of the cluster the pod relies on."""
    for field, what in shared()["needed_in_cluster"].items():
        if spec.get(field) not in (None, "", {}, "default", "default-scheduler"):
            draft.warn(f"{path}.{field}", f"kept: the cluster must have {what}")
    for index, volume in enumerate(spec.get("volumes") or []):
        for source, name in _SOURCES.items():
            if volume.get(source):
                what = f"{source} {volume[source].get(name)}"
                where = f"{path}.volumes[{index}].{source}"
                draft.warn(where, f"kept: {what} must be in the job's namespace")


def _rest(pod: dict[str, Any], containers: list[dict[str, Any]], place: int) -> dict[str, Any]:
    """The pod without what became of it."""
    main = {key: value for key, value in containers[place].items() if key != "name"}
    main = _without_empty(main)
    others = [each for index, each in enumerate(containers) if index != place]
    spec = _without_empty({k: v for k, v in (pod.get("spec") or {}).items() if k != "containers"})
    if main or others:
        spec["containers"] = [{"name": CONTAINER, **main}, *others]
    metadata = _without_empty(_metadata(pod.get("metadata") or {}))
    return _without_empty({"metadata": metadata, "spec": spec})


def _metadata(given: Mapping[str, Any]) -> dict[str, Any]:
    """Labels and annotations: the rest is the pod's own."""
    annotations = {k: v for k, v in (given.get("annotations") or {}).items() if k != ACCELERATORS}
    return {"labels": given.get("labels"), "annotations": annotations}


def _without_empty(value: Mapping[str, Any]) -> dict[str, Any]:
    """Without absent parts, inside too; a memory volume is `emptyDir: {}` and stays in its list."""
    inner = {k: _without_empty(v) if isinstance(v, dict) else v for k, v in value.items()}
    return {k: v for k, v in inner.items() if v not in (None, {}, [])}
