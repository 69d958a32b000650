"""Webhooks that can be trusted: signed as Standard Webhooks say, checked by whoever receives them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
Needs the standard library alone; a receiver may take this file as it is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["Forged", "signed", "verified"]

TOLERANCE = 300.0
"""Seconds by which the clocks may differ, and for which an old message may be played again."""
PREFIX = "whsec_"


class Forged(Exception):
    """The message was not signed with this key, or not now."""


def signed(key: str, id: str, at: float, body: bytes) -> dict[str, str]:
    """The headers of a message."""
    stamp = str(int(at))
    return {
        "webhook-id": id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{_signature(key, id, stamp, body)}",
    }


def verified(
    key: str, headers: Mapping[str, str], body: bytes, now: float
) -> tuple[str, dict[str, Any]]:
    """(id, event). Whoever has seen the id before has nothing to do. Raises Forged."""
    found = {name.lower(): value for name, value in headers.items()}
    try:
        id, stamp = found["webhook-id"], found["webhook-timestamp"]
        given = found["webhook-signature"].split()
        age = abs(now - int(stamp))
    except (KeyError, ValueError) as error:
        raise Forged(f"it is not signed: {error}") from None
    if age > TOLERANCE:
        raise Forged(f"it was signed {age:.0f} s from now")
    wanted = f"v1,{_signature(key, id, stamp, body)}"
    if not any(hmac.compare_digest(each.encode(), wanted.encode()) for each in given):
        raise Forged("its signature is not of this key and this message")
    return id, dict(json.loads(body))


def _signature(key: str, id: str, stamp: str, body: bytes) -> str:
    message = b".".join([id.encode(), stamp.encode(), body])
    return base64.b64encode(hmac.new(_secret(key), message, hashlib.sha256).digest()).decode()


def _secret(key: str) -> bytes:
    """`whsec_` says that it is base64; any other text is the secret itself."""
    if key.startswith(PREFIX):
        return base64.b64decode(key.removeprefix(PREFIX))
    return key.encode()
