"""Who may reach a cluster's API server. Pure: no pulumi."""

from __future__ import annotations

from ipaddress import ip_network

from pydantic import Field, field_validator, model_validator

from jobs.errors import Problem
from jobs.model import Strict
from jobs.problems import printable, refuse

__all__ = ["Access"]


class Access(Strict):
    """Public to the named networks alone, or private: reached from within its own network."""

    cidrs: list[str] = Field(default_factory=list)
    """IPv4 networks that may reach a public address, `203.0.113.7/32`."""
    private: bool = Field(default=False, strict=True)
    """No public address at all: whoever ends the colony must be inside its network."""

    @field_validator("cidrs")
    @classmethod
    def _networks(cls, cidrs: list[str]) -> list[str]:
        return list(dict.fromkeys(_network(cidr) for cidr in cidrs))

    @model_validator(mode="after")
    def _one_way(self) -> Access:
        if self.private and self.cidrs:
            raise refuse(Problem("cidrs", "a private API server has no public address to list for"))
        if not self.private and not self.cidrs:
            raise refuse(Problem("cidrs", "required unless private", "e.g. [203.0.113.7/32]"))
        return self


def _network(cidr: str) -> str:
    try:
        network = ip_network(cidr)
    except ValueError as error:
        hint = "write it like 203.0.113.7/32"
        raise refuse(Problem("", f"{printable(cidr)} is no network: {error}", hint)) from None
    if network.version != 4:
        raise refuse(Problem("", f"{cidr} is not IPv4: the clouds' lists take no other"))
    return str(network)
