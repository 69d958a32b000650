"""Which jobs of a colony were cancelled by hand: the record beside its state."""

from __future__ import annotations

from collections.abc import Mapping

from colony.records import Records

__all__ = ["cancelled_jobs", "note_cancelled"]

RECORD = "cancelled"


def cancelled_jobs(records: Records) -> Mapping[str, float]:
    """Job -> unix seconds; of this life of the colony."""
    return records.read(RECORD) or {}


def note_cancelled(records: Records, job: str, at: float) -> bool:
    """False where it was noted before."""
    known = cancelled_jobs(records)
    if job in known:
        return False
    records.write(RECORD, {**known, job: at})
    return True
