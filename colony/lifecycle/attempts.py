"""The attempts of a colony, and what those that failed were billed. Seconds are the run's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from colony.lifecycle.ground import Ground, Span
from colony.market.decision import Understood
from components.placement import ClusterPlacement, Placement, PoolPlacement

__all__ = ["Attempt", "Attempts"]


@dataclass
class Attempt:
    """One `up`, from its begin until what was refused had been released."""

    number: int
    start: float
    placement: Placement
    end: float = 0.0
    refused: list[Understood] = field(default_factory=list)
    offset: float = 0.0
    """What the decision's clock is ahead of the run's."""
    result: str = "provisioned"
    reason: str = ""


@dataclass
class Attempts:
    """In order; they do not overlap."""

    all: list[Attempt] = field(default_factory=list)

    def begin(self, now: float, placement: Placement) -> None:
        self.all.append(Attempt(len(self.all) + 1, now, placement))

    def refuse(self, understood: Sequence[Understood], since: float) -> None:
        self.all[-1].refused = list(understood)
        self.all[-1].offset = since
        self.all[-1].result = "failed"

    def end(self, now: float) -> None:
        self.all[-1].end = now

    def succeed(self, now: float) -> None:
        self.end(now)

    def fail(self, now: float, reason: str) -> None:
        self.end(now)
        self.all[-1].result, self.all[-1].reason = "failed", reason

    def spans(self, ground: Ground, stack: str, placement: Placement, since: float) -> list[Span]:
        """What was billed. A ground that knows only what was planned is asked attempt by attempt:
        the last one's placement lives until now."""
        if ground.simulated or len(self.all) < 2:
            return ground.spans(stack, placement, since)
        found = []
        for attempt in self.all:
            end = ground.now() if attempt is self.all[-1] else attempt.end
            for span in ground.spans(stack, attempt.placement, since):
                start, stop = max(span.start, attempt.start), min(span.end, end)
                if start < stop:
                    found.append(replace(span, start=start, end=stop))
        return found

    def lines(self, spans: Sequence[Span], colony: str) -> list[dict[str, Any]]:
        """For the receipt: one line for each pool that was refused, else for each cluster."""
        return [line for attempt in self.all for line in _lines(attempt, spans, colony)]

    def wasted(self, spans: Sequence[Span], colony: str) -> dict[str, float]:
        """What all failed attempts together were billed."""
        failed = [line for line in self.lines(spans, colony) if line["result"] == "failed"]
        return {
            "node_seconds": round(sum(line["node_seconds"] for line in failed), 3),
            "usd": round(sum(line["usd"] for line in failed), 4),
        }


def _lines(attempt: Attempt, spans: Sequence[Span], colony: str) -> list[dict[str, Any]]:
    clusters = {cluster.name: cluster for cluster in attempt.placement.clusters}
    billed: set[str] = set()
    lines = []
    for each in attempt.refused:
        cluster = clusters[each.cluster]
        pool = next((p for p in cluster.pools if p.name == each.pool), None)
        failure = each.failure
        until = None if each.until is None else round(each.until - attempt.offset, 3)
        said = {"code": failure.code, "kind": failure.kind.value, "reach": failure.reach.value,
                "until": until, "text": failure.text, "reason": failure.text}  # fmt: skip
        bill = _bill(attempt, spans, colony, cluster, each.cluster in billed)
        billed.add(each.cluster)
        lines.append({**_asked(attempt, cluster, pool), **said, **bill})
    if attempt.refused:
        return lines
    said = {"code": "", "kind": "", "reach": "", "until": None, "text": "",
            "reason": attempt.reason}  # fmt: skip
    for cluster in clusters.values():
        bill = _bill(attempt, spans, colony, cluster, False)
        lines.append({**_asked(attempt, cluster, _main(cluster)), **said, **bill})
    return lines


def _asked(
    attempt: Attempt, cluster: ClusterPlacement, pool: PoolPlacement | None
) -> dict[str, Any]:
    return {
        "attempt": attempt.number,
        "at": round(attempt.start, 3),
        "result": attempt.result,
        "cluster": cluster.name,
        "where": [f"{cluster.cloud}/{cluster.region}"],
        "cloud": cluster.cloud,
        "region": cluster.region,
        "zone": pool.zone if pool else None,
        "instance_type": pool.instance_type if pool else "",
        "nodes": pool.nodes if pool else 0,
    }


def _main(cluster: ClusterPlacement) -> PoolPlacement | None:
    """The pool that the cluster is there for."""
    return max(
        cluster.pools, key=lambda p: (p.accelerator_count * p.nodes, p.name != "system"),
        default=None,
    )  # fmt: skip


def _bill(
    attempt: Attempt, spans: Sequence[Span], colony: str, cluster: ClusterPlacement, told: bool
) -> dict[str, float]:
    """What the cluster was billed while the attempt lasted, once."""
    seconds = usd = 0.0
    for span in [] if told else spans:
        lasted = min(span.end, attempt.end) - max(span.start, attempt.start)
        if lasted > 0 and _owner(span, colony, attempt.placement) == cluster.name:
            seconds += lasted * span.nodes
            usd += lasted / 3600 * span.usd_per_hour
    return {"node_seconds": round(seconds, 3), "usd": round(usd, 4)}


def _owner(span: Span, colony: str, placement: Placement) -> str:
    """The cluster that a span is of, by the longest name that fits."""
    name = span.urn.rsplit("::", 1)[-1] if span.urn else span.id
    fitting = [
        cluster.name
        for cluster in placement.clusters
        if name.split("/")[0] == cluster.name or name.startswith(f"{colony}-{cluster.name}-")
    ]
    return max(fitting, key=len, default="")
