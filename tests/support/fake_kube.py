"""A small Kubernetes API server on loopback: objects by path, optimistic concurrency, no schema."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Object = dict[str, Any]


class FakeKube:
    """`objects` by path. Pods go only when `settle` is called; everything else at once."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.logs: dict[str, str] = {}
        """What pods printed, by path."""
        self.writes: list[tuple[str, str]] = []
        self.forbidden: set[str] = set()
        """Paths that begin so are answered with 403."""
        self.room = 100
        self.url = ""
        self._version = 0
        self._lock = threading.RLock()

    def put(self, path: str, body: Object) -> Object:
        with self._lock:
            self._version += 1
            name = path.rsplit("/", 1)[-1]
            metadata = {"uid": f"uid-{self._version}", **body.get("metadata", {}), "name": name}
            metadata["resourceVersion"] = str(self._version)
            self.objects[path] = {**body, "metadata": metadata}
            return self.objects[path]

    def pods(self) -> dict[str, Object]:
        return {path.rsplit("/", 1)[-1]: o for path, o in self.objects.items() if "/pods/" in path}

    def settle(self) -> None:
        """What kubelets do: deleted pods go, pending ones run where there is room."""
        with self._lock:
            for path, pod in list(self.objects.items()):
                if "/pods/" in path and pod["metadata"].get("deletionTimestamp"):
                    del self.objects[path]
            running = sum(
                p.get("status", {}).get("phase") == "Running" for p in self.pods().values()
            )
            for path, pod in list(self.objects.items()):
                if "/pods/" in path and not pod.get("status") and running < self.room:
                    running += 1
                    self.put(path, {**pod, "status": ready("t1")})

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        with self._lock:
            if any(path.startswith(prefix) for prefix in self.forbidden):
                return 403, {"message": f"forbidden: {path}"}
            if method == "GET":
                return self._get(path, query.get("labelSelector", ""))
            self.writes.append((method, path))
            return getattr(self, f"_{method.lower()}")(path, body)  # type: ignore[no-any-return]

    def _get(self, path: str, selector: str) -> tuple[int, Any]:
        if path in self.objects:
            return 200, self.objects[path]
        if path.removesuffix("/log") in self.logs:
            return 200, self.logs[path.removesuffix("/log")]
        if path.rsplit("/", 1)[-1] not in ("pods", "configmaps", "jobs"):
            return 404, {"message": f"{path} not found"}
        wanted = dict(part.split("=") for part in selector.split(",") if part)
        items = [
            each
            for key, each in self.objects.items()
            if key.rsplit("/", 1)[0] == path
            and wanted.items() <= (each["metadata"].get("labels") or {}).items()
        ]
        return 200, {"items": items}

    def _post(self, path: str, body: Object) -> tuple[int, Any]:
        where = f"{path}/{body['metadata']['name']}"
        if where in self.objects:
            return 409, {"message": "already exists"}
        return 201, self.put(where, body)

    def _put(self, path: str, body: Object) -> tuple[int, Any]:
        if path not in self.objects:
            return 404, {"message": "not found"}
        given = body["metadata"].get("resourceVersion")
        if given and given != self.objects[path]["metadata"]["resourceVersion"]:
            return 409, {"message": "the object has been modified"}
        return 200, self.put(path, body)

    def _patch(self, path: str, body: Object) -> tuple[int, Any]:
        if path not in self.objects:
            return 404, {"message": "not found"}
        given = (body.get("metadata") or {}).get("resourceVersion")
        if given and given != self.objects[path]["metadata"]["resourceVersion"]:
            return 409, {"message": "the object has been modified", "reason": "Conflict"}
        return 200, self.put(path, merged(self.objects[path], body))

    def _delete(self, path: str, _body: Any) -> tuple[int, Any]:
        if path not in self.objects:
            return 404, {"message": "not found"}
        if "/pods/" in path:
            pod = self.objects[path]
            gone = {**pod["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
            self.put(path, {**pod, "metadata": gone})
        else:
            del self.objects[path]
        return 200, {}


def ready(since: str) -> Object:
    """The status of a pod that runs."""
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
    return {"phase": "Running", "conditions": conditions}


def merged(old: Any, change: Any) -> Any:
    """RFC 7386."""
    if not isinstance(change, dict) or not isinstance(old, dict):
        return change
    result = {key: merged(old.get(key), value) for key, value in change.items()}
    return {key: value for key, value in {**old, **result}.items() if value is not None}


@contextmanager
def fake_kube() -> Iterator[FakeKube]:
    """Served until the end of the block."""
    kube = FakeKube()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            status, answer = kube.answer(self.command, parts.path, query, body)
            text = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        kube.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield kube
        finally:
            server.shutdown()
            thread.join()
