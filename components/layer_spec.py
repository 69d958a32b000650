"""What the user says about a layer, or about a chart of the user's own. Pure: no pulumi."""

from __future__ import annotations

from enum import Enum
from typing import Any

from pydantic import Field, GetJsonSchemaHandler, field_validator, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from jobs import fields
from jobs.errors import Problem
from jobs.model import Strict
from jobs.names import check_name
from jobs.problems import refuse

__all__ = ["Existing", "LayerChoice", "Login"]

_OWN = ("repository", "login", "namespace", "needs")
_SCHEMES = ("https://", "http://")


class Existing(str, Enum):
    """What is done with a layer that a cluster of the user's has already."""

    ADOPT = "adopt"
    REFUSE = "refuse"
    KEEP = "keep"


class Login(Strict):
    """At a private chart repository. The file says where the password is, never what it is."""

    username: str = Field(min_length=1)
    """Who logs in."""
    password_env: str | None = None
    """The variable that holds it."""
    password_file: str | None = None
    """The file that holds it, and nothing else."""

    _words = field_validator("username", "password_env")(fields.optional(fields.word))

    @model_validator(mode="after")
    def _one(self) -> Login:
        if bool(self.password_env) == bool(self.password_file):
            message = "one of them is required: where the password is"
            raise refuse(Problem("", f"password_env, password_file: {message}"))
        return self


class LayerChoice(Strict):
    """`off`, overrides of a layer's pin and values, or a chart of the user's own (`chart`)."""

    enabled: bool = Field(default=True, strict=True)
    """False = not installed."""
    version: str | None = None
    """Chart version; absent = our pin. Required for a chart of your own."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Chart values, merged over ours."""
    chart: str | None = None
    """A chart of your own: a name in `repository`, or `oci://...`."""
    repository: str | None = None
    """URL of the Helm repository; own charts only."""
    login: Login | None = None
    """Of a private repository; own charts only."""
    namespace: str | None = None
    """Of the release; absent = named like the layer. Own charts only."""
    needs: list[str] = Field(default_factory=list)
    """Layers that go in before; own charts only."""
    wait: bool = Field(default=True, strict=True)
    """False = do not wait until its pods are ready."""
    atomic: bool = Field(default=True, strict=True)
    """False = keep what a failed install made."""
    timeout: int | None = Field(default=None, json_schema_extra=fields.DURATION_OR_NULL)
    """Seconds that Helm waits; absent = the layer's own, 10 minutes for your own chart."""
    skip_crds: bool = Field(default=False, strict=True)
    """True = the chart's CRDs are there already."""
    create_namespace: bool = Field(default=True, strict=True)
    """False = the namespace is there already."""

    existing: Existing | None = None
    """On a cluster that has it: adopt = ours from now on, refuse, or keep = use it as it is.
    Absent = keep the same or a newer one, refuse others."""

    _words = field_validator("version", "chart", "repository")(fields.optional(fields.word))
    _timeout = field_validator("timeout", mode="before")(fields.optional(fields.duration))

    @model_validator(mode="before")
    @classmethod
    def _switch(cls, data: object) -> object:
        """YAML 1.1 reads `off` as false."""
        named = {"off": False, "on": True, None: True}
        if isinstance(data, bool):
            return {"enabled": data}
        if data is None or (isinstance(data, str) and data in named):
            return {"enabled": named[data]}
        return data

    @field_validator("namespace")
    @classmethod
    def _names(cls, name: str | None) -> str | None:
        return None if name is None else check_name(name)

    @model_validator(mode="after")
    def _consistent(self) -> LayerChoice:
        problems = self._chart() if self.chart else self._no_chart()
        if self.timeout is not None and self.timeout > 3600:
            problems.append(Problem("timeout", "at most one hour", "3600"))
        if self.atomic and not self.wait:
            problems.append(Problem("wait", "cannot be off while `atomic` is on", "atomic: false"))
        if problems:
            raise refuse(*problems)
        return self

    def _chart(self) -> list[Problem]:
        """An own chart is pinned, and it is known where it comes from."""
        problems = []
        if not self.version:
            message = "required: without it the chart is whatever is newest on that day"
            problems.append(Problem("version", message))
        oci = (self.chart or "").startswith("oci://")
        if oci and self.repository:
            problems.append(Problem("repository", "has no meaning with an `oci://` chart"))
        if oci and self.login:
            host = str(self.chart).removeprefix("oci://").partition("/")[0]
            message = "has no effect on an `oci://` chart: Helm's own file has its logins"
            problems.append(Problem("login", message, f"helm registry login {host}"))
        if not oci and not (self.repository or "").startswith(_SCHEMES):
            problems.append(Problem("repository", "required: an http(s) URL, or an `oci://` chart"))
        return problems

    def _no_chart(self) -> list[Problem]:
        return [
            Problem(name, "has a meaning only with `chart`, for a chart of your own")
            for name in _OWN
            if getattr(self, name)
        ]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        own = handler.resolve_ref_schema(handler(core))
        switch = {"enum": [True, False, "on", "off", None]}
        return {"description": own.pop("description", ""), "anyOf": [switch, own]}
