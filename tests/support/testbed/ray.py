"""Stands in for the dashboards of Ray clusters, which fake nodes do not run.

KubeRay asks `http://HEAD-SERVICE.NAMESPACE.svc…:8265/api/jobs/ID` by HTTP. It is started with us
as its HTTP proxy, so that every such question comes here. This is the one part of the test bed
that answers for a program that does not run.
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from testbed.plane import LOOPBACK

__all__ = ["Dashboards"]

JOBS = "/api/jobs/"
RUNS = 1.0
"""Seconds for which a job is RUNNING, from the first question on."""


class Dashboards:
    """Each job runs for a second and ends with its outcome: SUCCEEDED unless told otherwise."""

    def __init__(self) -> None:
        self._outcomes: dict[str, str] = {}
        self._asked: dict[str, float] = {}
        self._lock = threading.Lock()
        owner = self

        class Handler(_Handler):
            dashboards = owner

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def ends(self, rayjob: str, outcome: str) -> None:
        """How jobs of that RayJob end: SUCCEEDED, FAILED or STOPPED; RUNNING never ends."""
        with self._lock:
            self._outcomes[rayjob] = outcome

    def status(self, job: str) -> str:
        """Of a job by its id, which begins with its RayJob's name."""
        with self._lock:
            began = self._asked.setdefault(job, time.monotonic())
            if time.monotonic() - began < RUNS:
                return "RUNNING"
            named = [name for name in self._outcomes if job.startswith(f"{name}-")]
            return self._outcomes[max(named, key=len)] if named else "SUCCEEDED"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    dashboards: Dashboards
    timeout = 10

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        job = path.removeprefix(JOBS)
        if not path.startswith(JOBS) or not job:
            return self._say({"result": True} if not path.startswith(JOBS) else [])
        now = int(time.time() * 1000)
        status = self.dashboards.status(job)
        return self._say(
            {
                "job_id": job,
                "submission_id": job,
                "status": status,
                "message": f"{job} is {status}",
                "start_time": now,
                "end_time": 0 if status == "RUNNING" else now,
            }
        )

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/stop"):
            return self._say({"stopped": True})
        return self._say({"job_id": json.loads(asked or b"{}").get("submission_id", "")})

    def do_PUT(self) -> None:
        self._say({})

    def do_DELETE(self) -> None:
        self._say({})

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: questions come every few seconds."""

    def _say(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
