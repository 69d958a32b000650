"""Where charts are published: Helm's HTTP repositories and OCI registries, read without a login.

https://helm.sh/docs/topics/chart_repository/ (index.yaml),
https://github.com/opencontainers/distribution-spec/blob/main/spec.md (manifests, blobs),
https://distribution.github.io/distribution/spec/auth/token/ (the token of an anonymous reader).
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from functools import cache
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import yaml

from charts import Layer
from jobs.errors import NotReady, RunFailed

__all__ = ["ChartMissing", "Published", "Store", "StoreUnreachable"]

SECONDS = 20
"""That a server may take for an answer."""
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ARCHIVE = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_NONE: Mapping[str, str] = {}


class ChartMissing(RunFailed):
    """The repository answers, and has no such chart or version, or another archive."""


class StoreUnreachable(NotReady):
    """The repository does not answer from this machine."""


@dataclass(frozen=True)
class Published:
    """One version of a chart as its repository has it."""

    digest: str
    """SHA-256 of the archive, in hex."""
    seen: str
    """Where, in words."""
    url: str
    token: str = field(default="", repr=False)


class Store:
    """All repositories. One that did not answer is not asked again."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._silent: dict[str, str] = {}
        self._index = cache(self._read_index)

    def published(self, layer: Layer) -> Published:
        """Raises ChartMissing, StoreUnreachable."""
        if layer.chart.startswith("oci://"):
            return self._in_registry(layer)
        return self._in_repository(layer)

    def archive(self, found: Published) -> bytes:
        """The chart itself. Raises ChartMissing where its digest is another one."""
        data, _ = self._get(found.url, _bearer(found.token))
        digest = hashlib.sha256(data).hexdigest()
        if digest != found.digest:
            raise ChartMissing(f"{found.url}: the archive is {digest}, not {found.digest}")
        return data

    def _in_repository(self, layer: Layer) -> Published:
        base = f"{(layer.repository or '').rstrip('/')}/"
        entries = self._index(base).get(layer.chart) or []
        for entry in entries:
            if str(entry.get("version")).lstrip("v") == layer.version.lstrip("v"):
                day = str(entry.get("created", ""))[:10]
                seen = f"index of the repository{f', {day}' if day else ''}"
                url = urljoin(base, str((entry.get("urls") or [""])[0]))
                digest = str(entry.get("digest") or "").removeprefix("sha256:")
                return Published(digest or self._digest(url), seen, url)
        newest = ", ".join(str(entry.get("version")) for entry in entries[:3]) or "no version"
        raise ChartMissing(f"{base} has no {layer.chart} {layer.version}; it has {newest}")

    def _digest(self, url: str) -> str:
        """Of an index that names none."""
        return hashlib.sha256(self._get(url, _NONE)[0]).hexdigest()

    def _read_index(self, base: str) -> dict[str, Any]:
        data, _ = self._get(urljoin(base, "index.yaml"), _NONE)
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # some are ten megabytes long
        try:
            return dict(yaml.load(data, loader)["entries"])
        except (yaml.YAMLError, TypeError, KeyError, ValueError) as error:
            raise ChartMissing(f"{base}index.yaml is no index of charts: {error}") from None

    def _in_registry(self, layer: Layer) -> Published:
        host, _, path = layer.chart.removeprefix("oci://").partition("/")
        base = f"{_scheme(host)}://{host}/v2/{path}"
        # A tag cannot hold `+`: Helm writes `_`.
        url = f"{base}/manifests/{layer.version.replace('+', '_')}"
        data, token = self._with_token(url)
        try:
            blobs = [b for b in json.loads(data)["layers"] if b["mediaType"] == ARCHIVE]
            digest = str(blobs[0]["digest"])
        except (ValueError, TypeError, KeyError, IndexError):
            raise ChartMissing(f"{url} is no Helm chart") from None
        seen = f"manifest sha256:{hashlib.sha256(data).hexdigest()[:12]} of the registry"
        return Published(digest.removeprefix("sha256:"), seen, f"{base}/blobs/{digest}", token)

    def _with_token(self, url: str) -> tuple[bytes, str]:
        """The answer, and the token that a registry gives to whoever asks."""
        data, headers = self._get(url, {"Accept": MANIFEST}, login=True)
        challenge = headers.get("WWW-Authenticate")
        if challenge is None:
            return data, ""
        asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = asked.pop("realm", "")
        if not realm:
            raise ChartMissing(f"{url}: the registry wants a login: {challenge}")
        answer, _ = self._get(f"{realm}?{urlencode(asked)}", _NONE)
        found = json.loads(answer)
        token = str(found.get("token") or found.get("access_token") or "")
        return self._get(url, {"Accept": MANIFEST, **_bearer(token)})[0], token

    def _get(
        self, url: str, headers: Mapping[str, str], login: bool = False
    ) -> tuple[bytes, Message]:
        """`login`: a 401 is an answer, which says where tokens are."""
        host = urlsplit(url).netloc
        if host in self._silent:
            raise StoreUnreachable(f"{host} cannot be reached: {self._silent[host]}")
        request = urllib.request.Request(url, headers={"User-Agent": "colony"})
        for name, value in headers.items():
            # Registries send to storage elsewhere, which must not see the token.
            request.add_unredirected_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=self._seconds) as answer:
                return answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            error.close()
            if login and error.code == 401:
                return b"", error.headers
            if error.code in (401, 404):
                raise ChartMissing(f"{url}: {error.code} {error.reason}") from None
            raise StoreUnreachable(f"{url}: {error.code} {error.reason}") from None
        except (OSError, ValueError) as error:
            self._silent[host] = str(getattr(error, "reason", error))
            raise StoreUnreachable(f"{host} cannot be reached: {self._silent[host]}") from None


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _scheme(host: str) -> str:
    """Plain HTTP on this machine only, as Docker does."""
    name = host.rpartition(":")[0] or host
    try:
        local = name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        local = False
    return "http" if local else "https"
