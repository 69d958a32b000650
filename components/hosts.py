"""The user's own machines: what they are, and how they are reached. Pure: no pulumi."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, GetJsonSchemaHandler, field_validator, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from jobs import fields
from jobs.errors import Problem
from jobs.model import Strict
from jobs.problems import printable, refuse

__all__ = ["HostSpec", "Ssh", "node_name"]

_SHORT = re.compile(
    r"(?:(?P<user>[a-z_][\w.-]*)@)?(?P<address>\[[0-9a-fA-F:]+\]|[^\s@:]+)(?::(?P<port>\d+))?"
)
_ADDRESS = re.compile(
    r"(?=.{1,253}$)(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?|[0-9a-fA-F:]*:[0-9a-fA-F:.]*"
)
_USER = re.compile(r"[a-z_][\w.-]{0,31}")


class HostSpec(Strict):
    """One machine; `USER@ADDRESS:PORT` is short for its first three fields."""

    address: str
    """A name or an IP address that all hosts and you can reach."""
    user: str | None = None
    """Root, or able to `sudo` without a password; absent = `ssh.user`."""
    port: int | None = Field(default=None, ge=1, le=65535, strict=True)
    """Of its sshd; absent = `ssh.port`."""
    accelerators: str | None = None
    """What it has, `A100:8`; None = none. It is compared with what the machine says."""
    cpus: float = Field(default=0, ge=0, allow_inf_nan=False)
    """0 = not known."""
    memory: float = Field(default=0, ge=0, allow_inf_nan=False)
    """GiB; 0 = not known."""
    price: float = Field(default=0, ge=0, allow_inf_nan=False)
    """USD per hour, for plan, budget and receipt."""

    _accelerators = field_validator("accelerators", mode="before")(
        fields.optional(fields.accelerators)
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: object) -> object:
        if not isinstance(data, str):
            return data
        found = _SHORT.fullmatch(data)
        if found is None:
            raise refuse(f"{printable(data)} is not a host: write [USER@]ADDRESS[:PORT]")
        given: dict[str, Any] = {k: v for k, v in found.groupdict().items() if v}
        given["address"] = given["address"].strip("[]")
        return {**given, "port": int(given["port"])} if "port" in given else given

    @field_validator("address")
    @classmethod
    def _address(cls, address: str) -> str:
        if not _ADDRESS.fullmatch(address):
            raise refuse(f"{printable(address)} is neither a host name nor an IP address")
        return address

    @field_validator("user")
    @classmethod
    def _user(cls, user: str | None) -> str | None:
        return _checked_user(user) if user is not None else None

    @field_validator("accelerators")
    @classmethod
    def _whole(cls, accelerators: str | None) -> str | None:
        if accelerators and "." in accelerators:
            raise refuse(f"a host has whole accelerators, not {accelerators}")
        return accelerators

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        own = handler.resolve_ref_schema(handler(core))
        return {"description": own.pop("description", ""), "anyOf": [{"type": "string"}, own]}


class Ssh(Strict):
    """How hosts are reached. Host keys must be known: an unknown machine gets no secret."""

    user: str = "root"
    """Of hosts that name none."""
    port: int = Field(default=22, ge=1, le=65535, strict=True)
    """Of hosts that name none."""
    key: str | None = Field(default=None, min_length=1)
    """Path of the private key; absent = the running ssh agent's keys."""
    known_hosts: str = "~/.ssh/known_hosts"
    """Path of the file with the hosts' keys."""

    @field_validator("user")
    @classmethod
    def _user(cls, user: str) -> str:
        return _checked_user(user)


def check_installer(text: str) -> str:
    """An https address, or an absolute path on the hosts."""
    if urlsplit(text).scheme == "https" or PurePosixPath(text).is_absolute():
        return text
    raise refuse(
        Problem(
            "", f"{printable(text)} is no installer", "an https:// address, or a path on the hosts"
        )
    )


def node_name(address: str) -> str:
    """The Kubernetes name of the host's node: stays when other hosts come and go."""
    name = re.sub(r"[^a-z0-9.-]+", "-", address.lower()).strip("-.")
    return f"host-{name.replace('.', '-')}" if re.fullmatch(r"[\d.:a-f-]+", name) else name


def _checked_user(user: str) -> str:
    if not _USER.fullmatch(user):
        raise refuse(f"{printable(user)} is not a user name")
    return user
