"""The small language of the package data: `{...}` in a string is an expression.

    {inputs.name | name | 'cluster'}      the first that is there; quotes make a literal
    {inputs.subnetId -> inputs.vpcId}     the input of the thing that the first input names; a list
                                          where that is one
    {hash(17)}  {hash(17, salt)}          hex digits that follow from the seed and the URN
    {upper(hash(32))}                     functions nest

A string that is one expression keeps the value's type; otherwise values are put into the text.
Functions: hash, digits, ipv4, upper, basename, strip, number, given.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Context", "TemplateError", "digest", "lookup", "render"]

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine sends for a value that is not known yet."""

Context = Mapping[str, Any]

_WHOLE = re.compile(r"^\{([^{}]+)\}$")
_PART = re.compile(r"\{([^{}]+)\}")
_CALL = re.compile(r"^(\w+)\((.*)\)$")
_UNITS = {"Ki": 2**-20, "Mi": 2**-10, "Gi": 1.0, "Ti": 1024.0}


class TemplateError(ValueError):
    """A template names what is not there."""


def render(template: Any, context: Context) -> Any:
    """Fills a template of any shape. Raises TemplateError where a value is missing."""
    if isinstance(template, dict):
        return {render(key, context): render(value, context) for key, value in template.items()}
    if isinstance(template, list):
        return [render(value, context) for value in template]
    if not isinstance(template, str):
        return template
    if whole := _WHOLE.match(template):
        return evaluate(whole[1], context)
    return _PART.sub(lambda part: _text(evaluate(part[1], context)), template)


def evaluate(expression: str, context: Context) -> Any:
    """The first alternative that is there. Raises TemplateError if none is."""
    for alternative in _split(expression, "|"):
        value = _term(alternative.strip(), context)
        if value is not None:
            return value
    raise TemplateError(f"nothing in {{{expression}}} is there")


def lookup(value: Any, path: str) -> Any:
    """`a.0.b` of nested dicts and lists; None where it ends early, unknown where it is unknown."""
    for step in path.split("."):
        if value == UNKNOWN:
            return UNKNOWN
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.lstrip("-").isdigit():
            index = int(step)
            value = value[index] if -len(value) <= index < len(value) else None
        else:
            return None
    return value


def digest(*parts: object) -> str:
    """Hex digits that follow from the parts alone."""
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()


def _term(term: str, context: Context) -> Any:
    if term[:1] == "'" and term[-1:] == "'":
        return term[1:-1]
    if re.fullmatch(r"-?\d+(\.\d+)?", term):
        return float(term) if "." in term else int(term)
    if call := _CALL.match(term):
        return _function(call[1], _split(call[2], ","), context)
    if "->" in term:
        return _hop(term, context)
    return lookup(context, term)


def _hop(term: str, context: Context) -> Any:
    name, _, rest = term.partition("->")
    reference = _term(name.strip(), context)
    follow: Callable[[str, Any], Context | None] = context["follow"]

    def reached(each: Any) -> Any:
        if each is None or each == UNKNOWN:
            return each
        found = follow(name.strip(), each)
        return _term(rest.strip(), {**context, **found}) if found else None

    many = isinstance(reference, list)
    return [reached(each) for each in reference] if many else reached(reference)


def _function(name: str, arguments: list[str], context: Context) -> Any:
    if name not in _FUNCTIONS:
        raise TemplateError(f"no function {name}(): there are {', '.join(sorted(_FUNCTIONS))}")
    words = [argument.strip() for argument in arguments if argument.strip()]
    return _FUNCTIONS[name](words, context)


def _hash(words: list[str], context: Context) -> str:
    return digest(context["key"], *words[1:])[: int(words[0])]


def _digits(words: list[str], context: Context) -> str:
    number = int(digest(context["key"], "digits", *words[1:]), 16)
    return str(number).zfill(60)[-int(words[0]) :]


def _ipv4(words: list[str], context: Context) -> Any:
    """An address in a CIDR block, away from the first few, which the clouds keep."""
    block = _term(words[0], context)
    if not isinstance(block, str) or block == UNKNOWN:
        return block
    network = ipaddress.ip_network(block)
    offset = int(digest(context["key"], "ipv4", *words[1:]), 16) % max(network.num_addresses - 8, 1)
    return str(network[min(offset + 5, network.num_addresses - 1)])


def _upper(words: list[str], context: Context) -> Any:
    value = _term(words[0], context)
    return value.upper() if isinstance(value, str) and value != UNKNOWN else value


def _basename(words: list[str], context: Context) -> Any:
    value = _term(words[0], context)
    return value.rsplit("/", 1)[-1] if isinstance(value, str) else value


def _strip(words: list[str], context: Context) -> Any:
    prefix, value = _term(words[0], context), _term(words[1], context)
    return value.removeprefix(prefix) if isinstance(value, str) else value


def _number(words: list[str], context: Context) -> Any:
    """GiB of a Kubernetes quantity, or the number that a text holds."""
    value = _term(words[0], context)
    if not isinstance(value, str) or value == UNKNOWN:
        return value
    unit = value[-2:]
    return float(value[:-2]) * _UNITS[unit] if unit in _UNITS else float(value)


def _given(words: list[str], context: Context) -> Any:
    """The second, where the first is there and not empty."""
    return _term(words[1], context) if _term(words[0], context) else None


_FUNCTIONS: dict[str, Callable[[list[str], Context], Any]] = {
    "hash": _hash,
    "digits": _digits,
    "ipv4": _ipv4,
    "upper": _upper,
    "basename": _basename,
    "strip": _strip,
    "number": _number,
    "given": _given,
}


def _split(text: str, separator: str) -> list[str]:
    """Splits outside of quotes and parentheses."""
    parts, depth, quoted, start = [], 0, False, 0
    for index, letter in enumerate(text):
        if letter == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        elif letter == separator and not depth:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
