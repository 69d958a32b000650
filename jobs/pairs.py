"""Which framework runs on which back end (pairs.yaml): true, or the reason why not."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.data import load
from jobs.errors import InputError, Problem
from jobs.spec import Backend, Framework, Job

__all__ = ["ELASTIC_BACKENDS", "check_pair", "pair_problems", "published", "supported"]

ELASTIC_BACKENDS = (Backend.JOBSET, Backend.JOB)
"""Where the agent's single pods stand beside the workload."""


def supported(framework: Framework, backend: Backend) -> bool:
    """Whether the pair is in the published table."""
    return load("pairs.yaml")[backend.value][framework.value] is True


def published() -> list[tuple[Framework, Backend]]:
    """Every supported pair."""
    return [(f, b) for b in Backend for f in Framework if supported(f, b)]


def check_pair(job: Job) -> None:
    """Raises InputError for a pair that is not in the table, with the reason."""
    problems = list(pair_problems(job))
    if problems:
        raise InputError(*problems)


def pair_problems(job: Job) -> Iterator[Problem]:
    """What is wrong with the job's framework, elasticity and back end taken together."""
    if not supported(job.framework, job.backend):
        others = [b.value for b in Backend if supported(job.framework, b)]
        reason = load("pairs.yaml")[job.backend.value][job.framework.value]
        message = f"{job.backend.value} does not run {job.framework.value}: {reason}"
        yield Problem("backend", message, f"use {_either(others)}")
    elif job.elastic and job.backend not in ELASTIC_BACKENDS:
        others = [backend.value for backend in ELASTIC_BACKENDS]
        message = f"{job.backend.value} has a fixed number of pods"
        yield Problem("elastic", message, f"use the back end {_either(others)}")


def _either(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
