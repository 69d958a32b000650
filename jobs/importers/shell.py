"""A container's command and arguments become a shell script that starts the same process."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

__all__ = ["placeholder", "script"]

_REFERENCE = re.compile(r"\$(?:\$|\(([A-Za-z_][A-Za-z0-9_]*)\))")
_PLACEHOLDER = re.compile(r"<[A-Za-z][\w .-]*>|\$\{[A-Za-z_][A-Za-z0-9_]*\}")


def script(words: Sequence[str]) -> str:
    """The words, quoted. `$(NAME)` is replaced by the variable, as Kubernetes does, and stays as
    it is where there is none; `$$` is a `$`.

    https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/
    """
    return " ".join(_quoted(word) for word in words)


def placeholder(word: str) -> bool:
    """Whether a word is one that somebody should have replaced: `<script>`, `${IMAGE}`."""
    return bool(_PLACEHOLDER.fullmatch(word))


def _quoted(word: str) -> str:
    parts: list[str] = [""]
    position = 0
    for match in _REFERENCE.finditer(word):
        parts[-1] += word[position : match.start()]
        if match[1]:
            parts += [match[1], ""]
        else:
            parts[-1] += "$"
        position = match.end()
    parts[-1] += word[position:]
    texts = [_variable(part) if place % 2 else _literal(part) for place, part in enumerate(parts)]
    return "".join(texts) or "''"


def _literal(text: str) -> str:
    return shlex.quote(text) if text else ""


def _variable(name: str) -> str:
    return f'"${{{name}-\\$({name})}}"'
