"""Kubernetes objects as plain values. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from colony.rehearsal.templates import lookup

__all__ = [
    "CRD", "SECRET_PATHS", "defines", "group_of", "is_kind", "is_secret", "live", "place_of",
    "said", "spelled",
]  # fmt: skip

CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")
SECRET_PATHS = frozenset({("data",), ("stringData",)})


def group_of(obj: Mapping[str, Any]) -> str:
    return str(obj.get("apiVersion", "")).rpartition("/")[0]


def defines(obj: Mapping[str, Any], crd: Mapping[str, Any]) -> bool:
    spec = crd["spec"]
    return bool(group_of(obj) == spec["group"] and obj.get("kind") == spec["names"]["kind"])


def is_kind(obj: Mapping[str, Any], kind: str) -> bool:
    """`Kind.group`, or `Kind` of whatever group."""
    name, dot, group = kind.partition(".")
    return obj.get("kind") == name and (not dot or group_of(obj) == group)


def is_secret(obj: Mapping[str, Any]) -> bool:
    return obj.get("kind") == "Secret" and obj.get("apiVersion") == "v1"


def said(obj: Mapping[str, Any], what: str) -> str:
    group = f".{group_of(obj)}" if group_of(obj) else ""
    return f'{str(obj["kind"]).lower()}s{group} "{obj["metadata"]["name"]}" {what}'


def live(whole: dict[str, Any]) -> dict[str, Any]:
    """As the API server has it: a Secret's stringData is data there."""
    if not is_secret(whole):
        return whole
    texts = whole.get("stringData") or {}
    encoded = {name: base64.b64encode(str(text).encode()).decode() for name, text in texts.items()}
    kept = {key: value for key, value in whole.items() if key != "stringData"}
    return {**kept, "data": {**(whole.get("data") or {}), **encoded}}


def place_of(obj: Mapping[str, Any]) -> tuple[str, str]:
    return str(lookup(obj, "metadata.namespace") or ""), str(obj["metadata"]["name"])


def spelled(value: Any) -> Any:
    """A definition as Kubernetes writes it: Pulumi's names hold no hyphens."""
    if isinstance(value, list):
        return [spelled(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        name.replace("_", "-") if name.startswith("x_kubernetes_") else name: spelled(item)
        for name, item in value.items()
    }
