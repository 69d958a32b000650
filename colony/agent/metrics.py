"""What the colony costs, as Prometheus reads it: text of the exposition format 0.0.4.

Money is the recorded price times the age of the lease: an upper bound, as nodes come a little
later than the lease, and go a little earlier. The receipt has the exact sum.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["CONTENT_TYPE", "Bill", "Pool", "exposition", "read_bill", "serve"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
HOUR = 3600.0
IDLE_CONNECTION = 10.0
"""Seconds until a connection that says nothing is closed."""

Sample = tuple[dict[str, str], float]


@dataclass(frozen=True)
class Pool:
    """Machines of one kind in this cluster, or its control plane."""

    name: str
    usd_per_hour: float
    """All of them."""
    accelerator: str = ""
    accelerators: int = 0
    """All of them."""


@dataclass(frozen=True)
class Bill:
    """What was recorded before the first machine was made."""

    colony: str
    cluster: str
    created: float
    expires: float
    usd_per_hour: float
    """The whole colony, other clusters included."""
    budget_usd: float | None = None
    pools: list[Pool] = field(default_factory=list)

    def spent(self, now: float) -> float:
        return self.usd_per_hour * max(now - self.created, 0.0) / HOUR

    def projected(self, now: float) -> float:
        """By the end of the lease, or by now where that is over."""
        return self.spent(max(now, self.expires))


def read_bill(data: Mapping[str, Any]) -> Bill:
    """Raises KeyError, TypeError and ValueError where it is not one of ours."""
    budget = data.get("budget_usd")
    return Bill(
        colony=str(data["colony"]),
        cluster=str(data["cluster"]),
        created=float(data["created"]),
        expires=float(data["expires"]),
        usd_per_hour=float(data["usd_per_hour"]),
        budget_usd=None if budget is None else float(budget),
        pools=[Pool(**each) for each in data["pools"]],
    )


def exposition(bill: Bill, now: float) -> str:
    """All metrics at one moment."""
    lines = []
    for name, help_text, samples in _families(bill, now):
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels(labels)} {value!r}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def serve(
    address: tuple[str, int], read: Callable[[], Bill], clock: Callable[[], float] = time.time
) -> ThreadingHTTPServer:
    """Answers GET /metrics in threads of its own until `shutdown`.

    `read` is asked each time: a lease that was extended is seen without a restart.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = IDLE_CONNECTION

        def do_GET(self) -> None:
            status, text = _answer(self.path, read, clock)
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """A line each 30 seconds would bury what the agent says."""

    server = ThreadingHTTPServer(address, Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _answer(path: str, read: Callable[[], Bill], clock: Callable[[], float]) -> tuple[int, str]:
    if path.partition("?")[0] != "/metrics":
        return 404, "there is /metrics\n"
    try:
        return 200, exposition(read(), clock())
    except (OSError, ValueError, KeyError, TypeError) as error:
        return 500, f"the recorded prices cannot be read: {type(error).__name__}: {error}\n"


def _families(bill: Bill, now: float) -> Iterator[tuple[str, str, list[Sample]]]:
    whole = {"colony": bill.colony}
    here = {**whole, "cluster": bill.cluster}
    rates: list[Sample] = [({**here, "pool": p.name}, p.usd_per_hour) for p in bill.pools]
    chips: list[Sample] = [
        ({**here, "pool": p.name, "accelerator": p.accelerator}, float(p.accelerators))
        for p in bill.pools
        if p.accelerators
    ]
    yield "colony_usd_per_hour", "Recorded price of the colony.", [(whole, bill.usd_per_hour)]
    yield "colony_spent_usd", "Recorded price since the lease began.", [(whole, bill.spent(now))]
    yield "colony_projected_usd", "Cost by the end of the lease.", [(whole, bill.projected(now))]
    if bill.budget_usd is not None:
        yield "colony_budget_usd", "The most it may cost.", [(whole, bill.budget_usd)]
    yield "colony_lease_created_timestamp_seconds", "Begin of the lease.", [(whole, bill.created)]
    yield "colony_lease_expires_timestamp_seconds", "End of the lease.", [(whole, bill.expires)]
    yield "colony_pool_usd_per_hour", "Recorded price of the pool's machines.", rates
    yield "colony_pool_accelerators", "Accelerators that the pool was bought with.", chips


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
