"""Answers of a price list's server: whole or not at all."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from colony.prices.errors import Refused

__all__ = ["Tell", "Web"]

Tell = Callable[[str], None]

_TRIES = 4
_CHUNK = 1 << 20
_BUSY = (429, 500, 502, 503, 504)
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True)
class Web:
    """GET over HTTP. A server that is busy is asked again, a little later each time."""

    tell: Tell
    pause: Callable[[float], None] = time.sleep
    timeout: float = 60

    def read(self, url: str, headers: Mapping[str, str] = _NONE) -> bytes:
        """The whole answer. Raises Refused."""
        return b"".join(self._chunks(url, headers))

    def json(self, url: str, headers: Mapping[str, str] = _NONE) -> dict[str, Any]:
        """An answer that is a JSON object. Raises Refused."""
        data = self.read(url, headers)
        try:
            answer = json.loads(data)
        except ValueError as error:
            raise Refused(f"{_plain(url)}: not JSON, or cut off: {error}") from None
        if not isinstance(answer, dict):
            raise Refused(f"{_plain(url)}: not what it was: no JSON object")
        return answer

    def lines(self, url: str) -> Iterator[str]:
        """A long text, line by line as it comes. Raises Refused at its end if it was cut off."""
        rest, seen, told = b"", 0, 0
        for chunk in self._chunks(url, _NONE):
            seen += len(chunk)
            if seen - told > 32 * _CHUNK:
                told = seen
                self.tell(f"{_plain(url)}: {seen >> 20} MiB")
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in whole)
        if rest:
            yield rest.decode("utf-8", "replace")

    def _chunks(self, url: str, headers: Mapping[str, str]) -> Iterator[bytes]:
        with self._opened(url, headers) as answer:
            length, seen = answer.headers.get("Content-Length"), 0  # type: ignore[attr-defined]
            try:
                while chunk := answer.read(_CHUNK):
                    seen += len(chunk)
                    yield chunk
            except (OSError, http.client.HTTPException) as error:
                raise Refused(f"{_plain(url)}: cut off after {seen} bytes: {error}") from None
            if length is not None and seen != int(length):
                raise Refused(f"{_plain(url)}: cut off: {seen} of {length} bytes came")

    @contextmanager
    def _opened(self, url: str, headers: Mapping[str, str]) -> Iterator[IO[bytes]]:
        request = urllib.request.Request(url, headers={"User-Agent": "colony", **headers})
        for left in reversed(range(_TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                    yield answer
                return
            except urllib.error.HTTPError as error:
                error.close()
                if not left or error.code not in _BUSY:
                    raise Refused(f"{_plain(url)}: {error.code} {error.reason}") from None
                self.tell(f"{_plain(url)}: {error.code}, asked again")
                self.pause(2.0 ** (_TRIES - left))
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                reason = getattr(error, "reason", error)
                raise Refused(f"{_plain(url)}: cannot be reached: {reason}") from None


def _plain(url: str) -> str:
    return url.partition("?")[0]
