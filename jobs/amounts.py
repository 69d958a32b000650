"""Kubernetes' amounts: `500m`, `2`, `4Gi`, `1e3`."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

__all__ = ["gib", "plain", "quantity"]

_QUANTITY = re.compile(
    r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d+)?"
)
_BINARY = {suffix: Decimal(1024) ** (power + 1) for power, suffix in enumerate("KMGTPE")}
_DECIMAL = {suffix: Decimal(10) ** power for suffix, power in zip(
    ("n", "u", "m", "k", "M", "G", "T", "P", "E"), (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True
)}  # fmt: skip


def quantity(value: object) -> Decimal:
    """The number of an amount. Raises ValueError where it is none.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    match = _QUANTITY.fullmatch(str(value).strip())
    if not match or isinstance(value, bool):
        raise ValueError(f"{value!r} is not an amount")
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix.endswith("i"):
        return number * _BINARY[suffix[0]]
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        return number * Decimal(10) ** int(suffix[1:])
    return number * _DECIMAL[suffix] if suffix else number


def gib(value: object) -> str:
    """An amount of bytes in GiB, rounded up at the sixth digit. Raises ValueError."""
    return plain((quantity(value) / 2**30).quantize(Decimal("0.000001"), ROUND_CEILING))


def plain(number: Decimal) -> str:
    """Without exponent and trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
