"""Reading YAML that anyone may have written: bounded, strict, and never executed."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from jobs.errors import InputError, Problem
from jobs.problems import printable

__all__ = ["MAX_BYTES", "Page", "pages", "read_text"]

MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 100
_MAX_ITEMS = 50_000

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NOT_YAML = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What PyYAML's constructors raise for scalars such as `!!int ""`, beside its own errors."""

_WORDS = (
    ("tab character", "a tab: indent with spaces"),
    ("cannot start any token", "a tab, `@` or backtick at the start: quote it"),
    ("mapping values are not allowed", "a `:` where none can be: put the text in quotes"),
    ("found unhashable key", "a mapping or list as a key: put `{...}` in quotes"),
    ("could not determine a constructor", "a tag we do not know"),
)


class _Loader(_Base):  # type: ignore[misc]
    """YAML as PyYAML reads it, but dates and `1:30` stay text."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [pair for pair in pairs if pair[0].rpartition(":")[2] not in ("int", "timestamp")]
        for first, pairs in _Base.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)$"),
    list("-+0123456789"),
)


@dataclass(frozen=True)
class Page:
    """One YAML document: its data, and what was wrong with it that parsers let pass."""

    data: Any
    problems: list[Problem]


def read_text(path: Path) -> str:
    """The text of a small regular file. Raises InputError saying why not."""
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise InputError(Problem("", _kind(info.st_mode), "give a YAML file"))
        if info.st_size > MAX_BYTES:
            size = f"{info.st_size / MAX_BYTES:.1f} MiB"
            raise InputError(Problem("", f"too large ({size})", "a file has at most 1 MiB"))
        data = path.read_bytes()[: MAX_BYTES + 1]
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(Problem("", "no such file", "check the path")) from None
    except UnicodeDecodeError:
        raise InputError(Problem("", "not text in UTF-8", "give a YAML file")) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(Problem("", f"cannot be read: {reason}")) from None
    if "\0" in text:
        raise InputError(Problem("", "not text (it has NUL bytes)", "give a YAML file"))
    return text


def pages(text: str) -> list[Page]:
    """The documents of a YAML text, without empty ones. Raises InputError where it is not YAML."""
    try:
        _bounded(text)
        found = [_page(node) for node in yaml.compose_all(text, Loader=_Loader)]
    except _NOT_YAML as error:
        raise InputError(_not_yaml(error)) from None
    return [page for page in found if page.data is not None or page.problems]


def _kind(mode: int) -> str:
    return "a directory, not a file" if stat.S_ISDIR(mode) else "not a regular file"


def _bounded(text: str) -> None:
    """Refuse nesting that would exhaust the stack, before any parser recurses into it."""
    try:
        _count(text)
    except yaml.MarkedYAMLError as error:
        if "nesting" not in str(error.problem):
            raise
        raise InputError(Problem("", "nested too deep")) from None  # PyYAML has a limit, too


def _count(text: str) -> None:
    depth = count = 0
    for event in yaml.parse(text, Loader=_Loader):
        count += 1
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH or count > _MAX_ITEMS:
            where = f"line {event.start_mark.line + 1}" if event.start_mark else ""
            what = "nested too deep" if depth > _MAX_DEPTH else "too many values"
            raise InputError(Problem(where, what))


def _page(node: Node) -> Page:
    _no_bomb(node)
    problems = list(_key_problems(node, "", set()))
    return Page(None, problems) if problems else Page(_construct(node), problems)


def _construct(node: Node) -> Any:
    loader = _Loader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _no_bomb(root: Node) -> None:
    """Refuse aliases that make a value much larger or deeper than its text, or part of itself."""
    measured: dict[int, tuple[int, int]] = {}
    open_nodes: set[int] = set()

    def measure(node: Node) -> tuple[int, int]:
        if id(node) in open_nodes:
            raise InputError(Problem(_line(node), "an alias that contains itself"))
        if id(node) not in measured:
            open_nodes.add(id(node))
            inner = [measure(child) for child in _children(node)]
            size, depth = sum(s for s, _ in inner), max((d for _, d in inner), default=0)
            measured[id(node)] = (size + 1, depth + 1)
            open_nodes.discard(id(node))
        return measured[id(node)]

    size, depth = measure(root)
    if size > _MAX_ITEMS or depth > _MAX_DEPTH:
        raise InputError(Problem(_line(root), "aliases that expand to too many values"))


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, SequenceNode):
        yield from node.value
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield key
            yield value


def _key_problems(node: Node, path: str, seen: set[int]) -> Iterator[Problem]:
    """Keys that are there twice (parsers keep the last), and keys that are not text."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield from _key_problems(item, f"{path}[{index}]", seen)
    if isinstance(node, MappingNode):
        yield from _mapping_problems(node, path, seen)


def _mapping_problems(node: MappingNode, path: str, seen: set[int]) -> Iterator[Problem]:
    first: dict[str, Node] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode):
            yield Problem(path, f"{_line(key)}: a mapping or list as a key", "put it in quotes")
            continue
        inner = f"{path}.{printable(key.value)}" if path else printable(key.value)
        yield from _key_problem(key, inner, first)
        first.setdefault(key.value, key)
        yield from _key_problems(value, inner, seen)


def _key_problem(key: ScalarNode, path: str, first: dict[str, Node]) -> Iterator[Problem]:
    kind = key.tag.rpartition(":")[2]
    if kind not in ("str", "merge"):
        hint = f'put it in quotes: "{key.value}"'
        yield Problem(path, f"{_line(key)}: a key must be text, this is read as {kind}", hint)
    if key.value in first:
        lines = f"{_line(first[key.value])} and {_line(key)}"
        yield Problem(path, f"is there twice: {lines}", "keep one")


def _line(node: Node) -> str:
    return f"line {node.start_mark.line + 1}"


def _not_yaml(error: Exception) -> Problem:
    if not isinstance(error, yaml.YAMLError):
        return Problem("", "not YAML: a value that cannot be read", "check numbers and `!!` tags")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be parsed"
    words = next((ours for theirs, ours in _WORDS if theirs in said), said)
    return Problem(where, f"not YAML: {words}")
