"""Whether a colony outlives its jobs, by its teardown policy. Pure."""

from __future__ import annotations

from components.spec import ColonySpec, TeardownWhen

__all__ = ["keeps", "outlives"]


def keeps(spec: ColonySpec, outcome: str) -> bool:
    """Whether the colony outlives its run; a cancel always ends it."""
    teardown = spec.teardown
    if outcome == "cancelled":
        return False
    if outcome != "succeeded" and teardown.keep_on_failure:
        return True
    if teardown.when is TeardownWhen.SUCCESS:
        return outcome != "succeeded"
    if teardown.when is TeardownWhen.FAILURE:
        return outcome == "succeeded"
    return teardown.when is TeardownWhen.NEVER


def outlives(spec: ColonySpec, outcome: str) -> bool:
    """The same of what its agents say; a job that was lost has a policy of its own."""
    return spec.teardown.keep_lost if outcome == "lost" else keeps(spec, outcome)
