"""What a pod asks of its node: GPUs of which model, CPUs, memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from jobs.accelerators import Accelerator
from jobs.amounts import gib, plain, quantity
from jobs.gate.models import labels, model_of
from jobs.importers.draft import Draft
from jobs.importers.formats import shared
from jobs.problems import printable

__all__ = ["ACCELERATORS", "resources_of"]

ACCELERATORS = "colony.dev/accelerators"
"""Annotation of the document or a pod that says which model its GPUs are."""


def resources_of(
    draft: Draft, path: str, template: Mapping[str, Any], container: dict[str, Any], where: str
) -> dict[str, Any]:
    """Fields of our Resources; what they say is taken out of the pod.

    `path` is that of the template, `where` that of the container's resources.
    """
    asked = container.get("resources") or {}
    limits, requests = asked.get("limits") or {}, asked.get("requests") or {}
    wanted = {**limits, **requests}
    data: dict[str, Any] = {}
    for name, convert in (("cpu", lambda v: plain(quantity(v))), ("memory", gib)):
        if name in wanted:
            field = "cpus" if name == "cpu" else name
            data |= _amount(draft, f"{where}.{_place(name, requests)}", field, convert, wanted)
    data |= _gpus(draft, path, template, wanted, where, "limits" if limits else "requests")
    draft.data |= _fabric(draft, wanted, where)
    _take_gpus(container)
    return data


def _amount(
    draft: Draft, where: str, field: str, convert: Any, wanted: Mapping[str, Any]
) -> dict[str, Any]:
    value = wanted["cpu" if field == "cpus" else field]
    try:
        return {field: f"{convert(value)}+"}
    except ValueError:
        draft.refuse(where, f"{printable(value)} is not an amount", "write it like 2, 500m or 4Gi")
        return {}


def _place(name: str, requests: Mapping[str, Any]) -> str:
    return f"{'requests' if name in requests else 'limits'}.{name}"


def _gpus(
    draft: Draft, path: str, template: Mapping[str, Any], wanted: Mapping[str, Any], where: str,
    block: str,
) -> dict[str, Any]:  # fmt: skip
    vendors = labels()["resources"]
    asked = [name for name in vendors if str(wanted.get(name, 0)) not in ("0", "")]
    if not asked:
        return {}
    place, value = f"{where}.{block}.{asked[0]}", wanted[asked[0]]
    try:
        count = quantity(value)
    except ValueError:
        count = Decimal(0)
    if len(asked) > 1 or count <= 0 or count != int(count):
        draft.refuse(place, f"{printable(value)} is not a whole number of one kind of GPU")
        return {}
    model = _model(draft, path, template, place, int(count))
    if model is None:
        return {}
    if model.resource != asked[0]:
        draft.refuse(place, f"{model.name} is no GPU of {asked[0]}", f"it is {model.resource}")
    return {"accelerators": f"{model.name}:{int(count)}"}


def _model(
    draft: Draft, path: str, template: Mapping[str, Any], place: str, count: int
) -> Accelerator | None:
    """From the annotation, or the labels that the pod's node must have; those are taken out."""
    said = [
        *_annotated(draft, path, template),
        *_selected(f"{path}.spec", template.get("spec") or {}),
    ]
    if not said:
        hint = (
            f"add the annotation `{ACCELERATORS}: H100` to metadata, or a nodeSelector such as "
            "`nvidia.com/gpu.product`"
        )
        draft.refuse(
            place, f"asks for {count} GPU{'s' * (count > 1)}, but not of which model", hint
        )
        return None
    where, value = said[0]
    found = model_of(value.partition(":")[0])
    if found is None:
        draft.refuse(where, f"{printable(value)} is no accelerator that is known", "H100, A100, …")
    return found


def _annotated(draft: Draft, path: str, template: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    own = (template.get("metadata") or {}).get("annotations") or {}
    for prefix, given in ((f"{path}.metadata", own), ("metadata", draft.annotations)):
        if ACCELERATORS in given:
            yield f"{prefix}.annotations.{ACCELERATORS}", given[ACCELERATORS]


def _selected(path: str, spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Node labels of the selector, and of a required affinity to exactly one value."""
    known = labels()["models"]
    selector = spec.get("nodeSelector") or {}
    for label in known:
        if label in selector:
            yield f"{path}.nodeSelector.{label}", selector.pop(label)
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or []:
        for expression in term.get("matchExpressions") or []:
            values = expression.get("values") or []
            if expression.get("key") in known and expression.get("operator") == "In" and values:
                yield f"{path}.affinity.nodeAffinity", values[0]


def _take_gpus(container: dict[str, Any]) -> None:
    """Colony writes them itself."""
    for block in ("limits", "requests"):
        asked = (container.get("resources") or {}).get(block) or {}
        for name in labels()["resources"]:
            asked.pop(name, None)


def _fabric(draft: Draft, wanted: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`rdma` where a fabric is asked for; other devices get a word."""
    facts, data = shared(), {}
    for name in wanted:
        if name in (*facts["plain_resources"], *labels()["resources"]):
            continue
        if name.startswith(tuple(facts["fabric_resources"])):
            data["rdma"] = True
        elif not name.startswith(tuple(facts["plain_prefixes"])):
            message = f"the device {name} is not counted when machines are chosen"
            draft.not_honoured(f"{where}.limits.{name}", message)
    return data
