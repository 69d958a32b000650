"""The Kubernetes API as far as the agent needs it: JSON over HTTP(S), one deadline a request."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

__all__ = ["ApiError", "Client", "Unreachable", "in_cluster"]

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT = 10.0
"""Seconds for one request."""
MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The server's no, with its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(f"{status}: {message}")


class Unreachable(Exception):
    """No answer."""


class Client:
    """One API server. The token is read anew for each request: Kubernetes renews the file."""

    def __init__(
        self,
        server: str,
        ca: Path | None = None,
        token: Path | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        parts = urlsplit(server)
        self._host, self._port = parts.hostname or "", parts.port
        self._tls = ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None
        self._token = token
        self._timeout = timeout
        self._connection: http.client.HTTPConnection | None = None

    def get(self, path: str, **query: str) -> dict[str, Any] | None:
        """None where there is none."""
        try:
            return self._ask("GET", path, query=query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def text(self, path: str, **query: str) -> str:
        """What is no JSON: a pod's log. Raises ApiError, 404 included."""
        return self._answer("GET", path, query=query).decode(errors="replace")

    def create(self, path: str, body: dict[str, Any]) -> bool:
        """False where there is one of that name."""
        try:
            self._ask("POST", path, body)
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        return True

    def replace(self, path: str, body: dict[str, Any]) -> None:
        """Raises ApiError 409 where somebody else changed it since it was read."""
        self._ask("PUT", path, body)

    def patch(self, path: str, body: dict[str, Any]) -> None:
        """A merge patch; of something that is gone, nothing."""
        try:
            self._ask("PATCH", path, body, MERGE)
        except ApiError as error:
            if error.status != 404:
                raise

    def delete(self, path: str) -> None:
        """Gone already is fine."""
        try:
            self._ask("DELETE", path)
        except ApiError as error:
            if error.status != 404:
                raise

    def close(self) -> None:
        """The next request opens it again."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        kind: str = "application/json",
        query: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        return dict(json.loads(self._answer(method, path, body, kind, query) or b"{}"))

    def _answer(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        kind: str = "application/json",
        query: dict[str, str] | None = None,
    ) -> bytes:
        where = f"{path}?{urlencode(query)}" if query else path
        text = None if body is None else json.dumps(body).encode()
        try:
            status, answer = self._exchange(method, where, text, self._headers(kind))
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(f"{method} {path}: {error}") from error
        if status >= 400:
            raise ApiError(status, _message(answer))
        return answer

    def _exchange(
        self, method: str, where: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        """On the connection that is open; once more where the server has closed it meanwhile."""
        for fresh in (self._connection is None, True):
            connection = self._connection or self._open()
            self._connection = connection
            try:
                connection.request(method, where, body, headers)
                response = connection.getresponse()
                return response.status, response.read()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.close()
                if fresh:
                    raise
        raise AssertionError("the second attempt returns or raises")

    def _open(self) -> http.client.HTTPConnection:
        if self._tls:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=self._tls
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)

    def _headers(self, kind: str) -> dict[str, str]:
        headers = {
            "Accept": "application/json, */*",
            "Content-Type": kind,
            "User-Agent": "colony-agent",
        }
        if self._token:
            headers["Authorization"] = f"Bearer {self._token.read_text().strip()}"
        return headers


def in_cluster() -> Client:
    """As a pod sees it. Raises Unreachable outside a cluster."""
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    if not (host and port):
        raise Unreachable("not in a cluster: give --server, --ca and --token-file")
    if ":" in host:
        host = f"[{host}]"
    return Client(f"https://{host}:{port}", ACCOUNT / "ca.crt", ACCOUNT / "token")


def _message(answer: bytes) -> str:
    try:
        return str(json.loads(answer).get("message", ""))
    except (ValueError, AttributeError):
        return answer[:200].decode(errors="replace")
