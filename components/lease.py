"""The promise that a colony ends: recorded, and on every billable resource, before the first."""

from __future__ import annotations

from jobs.model import Strict

__all__ = ["Lease"]


class Lease(Strict):
    """Who, what, until when, for how much, and the command that ends it."""

    colony: str
    stack: str
    owner: str
    created: int
    """Unix seconds."""
    expires: int
    """Unix seconds."""
    budget_usd: float | None = None
    end: str
    """The command that ends it."""

    def tags(self) -> dict[str, str]:
        """The tags of every billable resource (`interfaces.md`, Names)."""
        tags = {
            "colony": self.colony,
            "colony-stack": self.stack,
            "colony-owner": self.owner,
            "colony-expires": str(self.expires),
            "colony-end": self.end,
        }
        if self.budget_usd is not None:
            tags["colony-budget-usd"] = f"{self.budget_usd:g}"
        return tags
