"""Records as a stack's tags. Pure.

A tag takes 40 characters of name and 256 of value
(https://www.pulumi.com/docs/iac/concepts/stacks/#stack-tags), and is made once: to make one that
is there already fails. So each version of a record is a tag of its own, `colony.lease.0003`:
whoever makes it first has written that version. What is longer than a value lies in parts, named by
their content, which are made before.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Mapping

from jobs.errors import RunFailed

__all__ = ["KEPT", "latest", "old", "packed", "tag_of"]

VALUE_MAX = 256
PLAIN, PACKED, PARTS = "=", "z", "p"
PART = "colony.part."
NAMES = 12
"""Characters of a part's name; a value of 256 names 19 of them: some 4 KB, packed."""
KEPT = 8
"""Versions of a record. A writer who has read an older one would not see that it is old: so many
others would have to write between his look and his write."""
_RECORD = re.compile(r"colony\.([a-z]+)\.(\d{4,})")


def latest(tags: Mapping[str, str], name: str) -> tuple[int, bytes] | None:
    """The highest version of a record, and its value; None where there is none."""
    versions = _versions(tags, name)
    if not versions:
        return None
    return versions[-1], _value(tags, tags[tag_of(name, versions[-1])])


def packed(name: str, data: bytes) -> tuple[str, dict[str, str]]:
    """The value of its tag, and the parts that have to be there before it."""
    text = data.decode()
    if len(text) < VALUE_MAX:
        return PLAIN + text, {}
    small = base64.b85encode(zlib.compress(data, 9)).decode()
    if len(small) < VALUE_MAX:
        return PACKED + small, {}
    pieces = [small[i : i + VALUE_MAX] for i in range(0, len(small), VALUE_MAX)]
    parts = {PART + hashlib.sha256(each.encode()).hexdigest()[:NAMES]: each for each in pieces}
    names = [PART + hashlib.sha256(each.encode()).hexdigest()[:NAMES] for each in pieces]
    value = PARTS + ",".join(each.removeprefix(PART) for each in names)
    if len(value) > VALUE_MAX:
        raise RunFailed(f"the record `{name}` is too large for the tags of a stack")
    return value, parts


def old(tags: Mapping[str, str], name: str) -> list[str]:
    """Tags that nobody needs any more: versions long past, with the parts that only they name."""
    gone = [tag_of(name, version) for version in _versions(tags, name)[:-KEPT]]
    needed = {part for tag, value in tags.items() if tag not in gone for part in _parts(value)}
    return gone + sorted({part for tag in gone for part in _parts(tags[tag])} - needed)


def tag_of(name: str, version: int) -> str:
    return f"colony.{name}.{version:04}"


def _versions(tags: Mapping[str, str], name: str) -> list[int]:
    found = (_RECORD.fullmatch(tag) for tag in tags)
    return sorted(int(match[2]) for match in found if match and match[1] == name)


def _value(tags: Mapping[str, str], value: str) -> bytes:
    kind, text = value[:1], value[1:]
    if kind == PLAIN:
        return text.encode()
    if kind == PARTS:
        text = "".join(tags.get(part, "") for part in _parts(value))
    try:
        return zlib.decompress(base64.b85decode(text))
    except (ValueError, zlib.error) as error:
        raise RunFailed(f"a tag of the stack was changed by hand: {error}") from None


def _parts(value: str) -> list[str]:
    return [PART + each for each in value[1:].split(",")] if value[:1] == PARTS else []
