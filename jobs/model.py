"""The base of every model: unknown fields are errors, values are immutable once validated."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Strict"]


class Strict(BaseModel):
    """A model that refuses what it does not know.

    Annotations stay plain (no unions but `X | None`, no Literal, no Annotated): Pulumi's
    component analyzer reads the same classes and refuses the rest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
