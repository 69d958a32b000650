"""Which accelerator a node has, by its labels. Data: labels.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from jobs.accelerators import Accelerator, find

__all__ = ["labels", "model_of", "same_model"]


@cache
def labels() -> Mapping[str, Any]:
    """The data; not to be changed by the caller."""
    text = Path(__file__).with_name("labels.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Any] = yaml.safe_load(text)
    return found


def model_of(value: str) -> Accelerator | None:
    """The accelerator that a label's value names: `NVIDIA-H100-80GB-HBM3` is an H100."""
    name = value.lower().replace("_", "-").replace(" ", "-")
    for candidate in _candidates(name):
        if found := find(candidate):
            return found
    return None


def same_model(asked: str, labelled: str) -> bool:
    """Whether a label's value is the model that is asked for, however they are spelled."""
    one, other = model_of(asked), model_of(labelled)
    return one is other if one and other else asked.lower() == labelled.lower()


def _candidates(name: str) -> Iterator[str]:
    """The name, as it is, without its maker, without noise, and then with fewer words."""
    noise = labels()["noise"]
    words = name.split("-")
    while words and words[0] in noise:
        yield "-".join(words)
        words = words[1:]
    yield "-".join(words)
    plain = [word for word in words if word not in noise]
    for length in range(len(plain), 0, -1):
        yield "-".join(plain[:length])
