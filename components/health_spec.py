"""What is done about nodes whose hardware is at fault. Plain values."""

from __future__ import annotations

import re

from pydantic import Field, GetJsonSchemaHandler, field_validator, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from jobs import fields
from jobs.errors import Problem
from jobs.model import Strict
from jobs.problems import printable, refuse

__all__ = ["Health"]


class Health(Strict):
    """`on`, `off`, or `on` with settings."""

    enabled: bool = Field(default=True, strict=True)
    """False = nothing is watched."""
    allow: list[str] = Field(default_factory=list)
    """Faults that are borne: xid-63, sxid-12028."""
    lift_after: int | None = Field(default=None, json_schema_extra=fields.DURATION_OR_NULL)
    """Seconds without another fault after which a node is well again; absent = it has to be
    restarted, or the taint taken off by hand."""

    _duration = field_validator("lift_after", mode="before")(fields.optional(fields.duration))

    @model_validator(mode="before")
    @classmethod
    def _switch(cls, data: object) -> object:
        """YAML 1.1 reads `off` as false."""
        named = {"off": False, "on": True, False: False, True: True}
        if isinstance(data, (bool, str)) and data in named:
            return {"enabled": named[data]}
        return data

    @field_validator("allow")
    @classmethod
    def _names(cls, names: list[str]) -> list[str]:
        problems = [
            Problem(
                f"[{index}]", f"{printable(name)} is no fault", "write it like xid-63, sxid-12028"
            )
            for index, name in enumerate(names)
            if not re.fullmatch(r"s?xid-[1-9]\d{0,5}", name)
        ]
        if problems:
            raise refuse(*problems)
        return names

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        own = handler.resolve_ref_schema(handler(core))
        switch = {"enum": [True, False, "on", "off"]}
        return {"description": own.pop("description", ""), "anyOf": [switch, own]}
