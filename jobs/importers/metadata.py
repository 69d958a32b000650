"""`metadata` of a foreign document: the job's name, its labels, queue and priority."""

from __future__ import annotations

from jobs.importers.draft import Draft

__all__ = ["metadata"]

_LABELS = {
    "kueue.x-k8s.io/queue-name": "queue",
    "kueue.x-k8s.io/priority-class": "priority",
}


def metadata(draft: Draft) -> None:
    """Fields of the Job."""
    given = draft.document.get("metadata") or {}
    if given.get("generateName") and not given.get("name"):
        hint = "a job that is run again finds itself by its name"
        draft.refuse("metadata.name", "required; generateName is not enough", hint)
    else:
        draft.put("name", given.get("name") or "", "metadata.name")
    labels = dict(given.get("labels") or {})
    for label, ours in _LABELS.items():
        draft.put(ours, labels.get(label), f"metadata.labels.{label}")
    if labels:
        draft.put("resources.labels", labels, "metadata.labels")
