"""Writes a run's incident file, `incident.jsonl` beside its other records, line by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from colony.lifecycle.receipt import Receipt
from colony.market.decision import Decision, Refused
from colony.market.failover import Failover
from colony.market.incident import (
    catalog_line,
    decision_line,
    placed_line,
    placement_line,
    quotas_of,
    refused_of,
    request_line,
    sealed,
)
from colony.market.settle import Settled
from colony.records import Records
from components.placement import Placement
from jobs.restarts import Next

__all__ = ["FILE", "Incident"]

FILE = "incident.jsonl"


class Incident:
    """One run's file. A run that is killed leaves whole lines."""

    def __init__(self, records: Records) -> None:
        self.path: Path = records.folder / FILE
        self._seal = ""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("")

    def asked(self, now: float, failover: Failover, settled: Settled, recorded: bool) -> None:
        """What is wanted, what is on offer, and what was chosen."""
        self._write("request", now, request_line(failover))
        self._write("catalog", now, catalog_line(failover.catalog))
        self._write("placed", now, placed_line(failover, settled, recorded))

    def attempt(self, now: float, placement: Placement, began: float) -> None:
        tried = {"placement": placement_line(placement), "began": began}
        self._write("attempt", now, {**tried, "usd_per_hour": placement.price_per_hour})

    def refused(
        self, now: float, errors: list[Refused], decision: Decision, failover: Failover
    ) -> None:
        line = {"errors": refused_of(errors), "decision": decision_line(decision)}
        self._write("refused", now, {**line, "quotas": quotas_of(failover)})

    def stopped(self, now: float, asked: dict[str, Any], following: Next) -> None:
        """A job that ended too early: what was asked of `decide_recovery`, and its answer."""
        self._write("stopped", now, {"asked": asked, "answer": following.to_dict()})

    def moved(self, now: float) -> None:
        """It is done as `taken` said."""
        self._write("moved", now, {})

    def taken(self, now: float, cluster: str, decision: Decision) -> None:
        """Where else such machines are."""
        self._write("taken", now, {"cluster": cluster, "decision": decision_line(decision)})

    def released(self, now: float, resources: int) -> None:
        self._write("released", now, {"resources": resources})

    def ended(self, now: float, receipt: Receipt) -> None:
        """The teardown, and the bill."""
        keys = ("outcome", "reason", "cost", "attempts", "failed_attempts", "recovery",
                "billable_left", "also_left", "swept", "notes")  # fmt: skip
        whole = receipt.to_dict()
        self._write("ended", now, {key: whole[key] for key in keys})

    def _write(self, what: str, at: float, content: dict[str, Any]) -> None:
        line = sealed({"what": what, "at": at, **content}, self._seal)
        line = json.loads(json.dumps(line))
        self._seal = line["seal"]
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, sort_keys=True) + "\n")
