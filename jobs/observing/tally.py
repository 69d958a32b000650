"""The live pods of a job, counted as they come and go: a change costs the same at any number."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.observing.pods import Bucket, PodFacts

__all__ = ["Tally"]

Group = tuple[str, int | None]


class Tally:
    """Counts by role and attempt; those in trouble are kept apart."""

    def __init__(self) -> None:
        self.pods: dict[str, PodFacts] = {}
        self.troubled: dict[str, PodFacts] = {}
        self._counts: dict[Group, list[int]] = {}

    def put(self, key: str, pod: PodFacts) -> None:
        """A pod as it is now."""
        before = self.pods.get(key)
        if before is not None:
            self._count(before, -1)
        self.pods[key] = pod
        self._count(pod, 1)
        if pod.trouble is not None:
            self.troubled[key] = pod
        else:
            self.troubled.pop(key, None)

    def drop(self, key: str) -> None:
        """A pod that is gone."""
        pod = self.pods.pop(key, None)
        if pod is not None:
            self._count(pod, -1)
            self.troubled.pop(key, None)

    def counts(self, attempt: int) -> dict[str, list[int]]:
        """Role -> pods by bucket, of this attempt and later ones."""
        found: dict[str, list[int]] = {}
        for (role, of), counts in self._counts.items():
            if of is None or of >= attempt:
                sums = found.setdefault(role, [0] * len(Bucket))
                found[role] = [a + b for a, b in zip(sums, counts, strict=True)]
        return found

    def in_trouble(self, attempt: int) -> Iterator[PodFacts]:
        """Those of this attempt and later ones."""
        return (pod for pod in self.troubled.values() if _current(pod, attempt))

    def current(self, attempt: int) -> Iterator[PodFacts]:
        """All pods of this attempt and later ones."""
        return (pod for pod in self.pods.values() if _current(pod, attempt))

    def _count(self, pod: PodFacts, by: int) -> None:
        group = (pod.role, pod.attempt)
        counts = self._counts.setdefault(group, [0] * len(Bucket))
        counts[pod.bucket] += by
        if by < 0 and not any(counts):
            del self._counts[group]


def _current(pod: PodFacts, attempt: int) -> bool:
    return pod.attempt is None or pod.attempt >= attempt
