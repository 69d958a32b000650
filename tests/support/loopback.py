"""A small HTTP service on loopback: one request at a time; what it does not know is an error."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass
class Call:
    method: str
    path: str
    query: dict
    headers: dict
    body: bytes


@dataclass
class Answer:
    code: int = 200
    body: bytes = b""
    headers: dict = field(default_factory=dict)


class Service:
    """`answer(call)` says what comes back; None is 501, and is kept in `unknown`."""

    def __init__(self):
        self.calls, self.unknown, self.failing = [], [], 0
        self.clock = None  # unix seconds; None = this machine's

    def now(self):
        return time.time() if self.clock is None else self.clock

    def answer(self, call):
        raise NotImplementedError

    def take(self, call):
        self.calls.append(call)
        if self.failing:
            return Answer(self.failing)
        found = self.answer(call)
        if found is None:
            self.unknown.append(f"{call.method} {call.path}")
            return Answer(501, f"this fake does not know {call.method} {call.path}".encode())
        return found


@contextmanager
def serving(service):
    """Its URL, while it serves."""

    class Handler(BaseHTTPRequestHandler):
        def do(self):
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            headers = {key.lower(): value for key, value in self.headers.items()}
            said = service.take(Call(self.command, unquote(parts.path), query, headers, body))
            self.send_response(said.code)
            for key, value in {"content-length": str(len(said.body)), **said.headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(said.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do

        def date_time_string(self, timestamp=None):
            return super().date_time_string(service.now())

        def log_message(self, *_):
            return

    with running(HTTPServer(("127.0.0.1", 0), Handler)) as address:
        yield address


@contextmanager
def running(server):
    """The address of a server that serves in a thread."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
