"""Pulumi Cloud, or one's own installation: it has no bucket, but stacks have tags.

What a reaper decides by is in the stack's own tags: lease, completion, runner, clusters, keep,
cancelled. They go with the stack. Everything else (receipts, the event log, archives, logs) is kept
on the machine that wrote it, under ~/.colony/cloud; so is a copy of those tags.

https://www.pulumi.com/docs/reference/cloud-rest-api/stack-tags
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from colony.storage.base import ABSENT, Conflict, Missing, Stored, Unavailable, seconds_of
from colony.storage.folder import Folder
from colony.storage.tags import latest, old, packed, tag_of
from colony.storage.urls import BackendUrl
from jobs.errors import ColonyError, InputError, NotReady, Problem, RunFailed

__all__ = ["PulumiCloud"]

TAGGED = ("lease", "completion", "runner", "clusters", "keep", "cancelled")
RECORDS = ".colony"
SECONDS = 30
ACCEPT = "application/vnd.pulumi+8"


class PulumiCloud:
    """The stacks of one organization: the user's default one."""

    durable = False
    remote = False

    def __init__(self, at: BackendUrl) -> None:
        self.url = at.url.rstrip("/")
        self.root = Path.home() / ".colony" / "cloud" / at.place
        self._local = Folder(self.root)
        self._date: str | None = None
        """Of its last answer."""

    def now(self) -> float | None:
        self._ask("GET", f"/api/user/stacks?{urlencode({'organization': self._organization})}")
        return seconds_of(self._date)

    def read(self, key: str) -> Stored | None:
        named = _named(key)
        if named is None:
            return self._local.read(key)
        project, stack, name = named
        try:
            tags = self._tags(project, stack)
        except Missing:
            return self._local.read(key)  # of a stack that is gone
        found = latest(tags, name)
        return Stored(found[1], str(found[0])) if found and found[1] else None

    def write(self, key: str, data: bytes, expected: str | None = None) -> None:
        named = _named(key)
        if named is None:
            self._local.write(key, data, expected)
            return
        for _ in range(1 if expected is not None else 20):
            try:
                self._next(*named, data, expected)
                self._local.write(key, data)
                return
            except Conflict:
                if expected is not None:
                    raise
        raise Conflict(f"{key} is written by others all the time")

    def keys(self, prefix: str) -> list[str]:
        """Of a record that is in tags, as if it were a file."""
        found = set(self._local.keys(prefix))
        for project, stack in self._stacks(prefix):
            here = f"{RECORDS}/{project}/{stack}/"
            if not (here.startswith(prefix) or prefix.startswith(here)):
                continue
            tags = self._tags(project, stack)
            found -= {f"{here}{name}.json" for name in TAGGED}
            found |= {
                f"{here}{name}.json" for name in TAGGED if (latest(tags, name) or (0, b""))[1]
            }
        return sorted(key for key in found if key.startswith(prefix))

    def folders(self, prefix: str) -> list[str]:
        """What has records here, or in the tags of its stack."""
        below = (key.removeprefix(prefix).partition("/") for key in self.keys(prefix))
        return sorted({name for name, slash, _ in below if slash})

    def delete(self, key: str) -> None:
        """An empty version: numbers are not used again, or an old writer could take one for his."""
        self._local.delete(key)
        named = _named(key)
        if named and self.read(key):
            self.write(key, b"")
            self._local.delete(key)

    def append(self, key: str, line: bytes) -> None:
        self._local.append(key, line)

    def lines(self, key: str) -> list[bytes]:
        return self._local.lines(key)

    def _next(self, project: str, stack: str, name: str, data: bytes, expected: str | None) -> None:
        """The next version. Raises Conflict where somebody has made it already."""
        tags = self._tags(project, stack)
        found = latest(tags, name)
        version = str(found[0]) if found and found[1] else ABSENT
        if expected is not None and version != expected:
            raise Conflict(f"{name} of {stack} was written by somebody else meanwhile")
        if found and found[1] == data:
            return
        value, parts = packed(name, data)
        for tag, text in parts.items():
            self._make(project, stack, tag, text, again=True)
        tag = tag_of(name, (found[0] if found else 0) + 1)
        self._make(project, stack, tag, value)
        for each in old({**tags, **parts, tag: value}, name):
            self._drop(project, stack, each)

    def _make(self, project: str, stack: str, tag: str, value: str, again: bool = False) -> None:
        """`again`: that it is there already is as well. The service says 400 then."""
        try:
            self._ask("POST", f"{self._path(project, stack)}/tags", {"name": tag, "value": value})
        except (Conflict, InputError):
            if tag not in self._tags(project, stack):
                raise
            if not again:
                raise Conflict(f"{tag} of {stack} was made by somebody else meanwhile") from None

    def _drop(self, project: str, stack: str, tag: str) -> None:
        try:
            self._ask("DELETE", f"{self._path(project, stack)}/tags/{quote(tag)}")
        except Missing:
            return

    def _tags(self, project: str, stack: str) -> dict[str, str]:
        """Raises Missing where there is no such stack."""
        return dict(self._ask("GET", self._path(project, stack)).get("tags") or {})

    def _path(self, project: str, stack: str) -> str:
        return f"/api/stacks/{quote(self._organization)}/{quote(project)}/{quote(stack)}"

    def _stacks(self, prefix: str) -> list[tuple[str, str]]:
        """(project, stack) of all that a prefix may mean."""
        words = prefix.split("/")
        if words[0] != RECORDS or len(words) < 3:
            return []
        asked, found = {"organization": self._organization, "project": words[1]}, []
        while True:
            answer = self._ask("GET", f"/api/user/stacks?{urlencode(asked)}")
            found += [(each["projectName"], each["stackName"]) for each in answer["stacks"]]
            if not (token := answer.get("continuationToken")):
                return found
            asked["continuationToken"] = token

    @cached_property
    def _organization(self) -> str:
        """As the CLI finds it: the user's choice, the service's opinion, the user."""
        chosen = _settings("config.json").get("backends", {}).get(self.url, {}).get("defaultOrg")
        if chosen:
            return str(chosen)
        try:
            found = _login(self._ask("GET", "/api/user/organizations/default"))
        except Missing:
            found = ""
        return found or _login(self._ask("GET", "/api/user"))

    @cached_property
    def _token(self) -> str:
        logins = _settings("credentials.json").get("accessTokens", {})
        token = os.environ.get("PULUMI_ACCESS_TOKEN") or logins.get(self.url)
        if not token:
            raise NotReady(
                f"not logged in to {self.url}: set PULUMI_ACCESS_TOKEN, or `pulumi login`"
            )
        return str(token)

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        request = urllib.request.Request(
            self.url + path, method=method, data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"token {self._token}", "Accept": ACCEPT,
                     "Content-Type": "application/json"},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                text, self._date = answer.read(), answer.headers.get("Date")
        except urllib.error.HTTPError as error:
            with error:
                raise _error(self.url, error, error.read().decode(errors="replace")) from None
        except (OSError, ValueError) as error:
            raise Unavailable(f"{self.url} does not answer: {error}") from None
        return dict(json.loads(text)) if text.strip() else {}


def _error(url: str, error: urllib.error.HTTPError, said: str) -> ColonyError:
    if error.code in (401, 403):
        return NotReady(f"{url} lets us not in: {said[:200]} (PULUMI_ACCESS_TOKEN, `pulumi login`)")
    if error.code == 404:
        return Missing(said[:200])
    if error.code == 409:
        return Conflict(f"{url}: somebody else has written meanwhile")
    if error.code == 400:
        return InputError(Problem("--backend", f"{url}: {said[:200]}"))
    if error.code >= 500 or error.code == 429:
        return Unavailable(f"{url}: {error.code} {said[:200]}")
    return RunFailed(f"{url}: {error.code} {said[:200]}")


def _named(key: str) -> tuple[str, str, str] | None:
    """(project, stack, record) of what is kept in tags."""
    words = key.removesuffix(".json").split("/")
    if len(words) != 4 or words[0] != RECORDS or words[3] not in TAGGED:
        return None
    return words[1], words[2], words[3]


def _login(answer: dict[str, Any]) -> str:
    """`gitHubLogin` and `githubLogin`: Go reads them alike."""
    return str(next((v for k, v in answer.items() if k.lower() == "githublogin"), ""))


def _settings(name: str) -> dict[str, Any]:
    """What `pulumi login` and `pulumi org set-default` have written."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        found = json.loads((home / name).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
