"""Google Cloud Storage. Conditions: an object's generation, 0 = where there is none
(https://cloud.google.com/storage/docs/request-preconditions)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from colony.storage.base import ABSENT, Bucket, Conflict, Missing, Stored, Unavailable
from colony.storage.urls import BackendUrl
from jobs.errors import InputError, NotReady, Problem

__all__ = ["Gcs"]

ACCESS = (
    "`gcloud auth application-default login`, GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_CREDENTIALS"
)
SECONDS = 30
CLOCK = ".colony/clock"
SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
AGAIN = 5
"""Reads of an object that others write all the time."""


class Gcs(Bucket):
    """One bucket, or a folder in it."""

    def __init__(self, at: BackendUrl) -> None:
        self.url = at.url
        self._at = at
        self._bucket = _bucket(at)
        self._seen = False

    def now(self) -> float | None:
        """Of an object that is written now: the client keeps no header."""
        with _explained(self._at):
            blob = self._bucket.blob(self._at.prefix + CLOCK)
            blob.upload_from_string(b"", **_limits())
        return float(blob.updated.timestamp()) if blob.updated else None

    def _get(self, key: str) -> Stored:
        for _ in range(AGAIN):
            with _explained(self._at):
                blob = self._bucket.get_blob(self._at.prefix + key, **_limits())
                if blob is None:
                    self._there()
                    raise Missing(key)
                generation = blob.generation
                try:
                    data = blob.download_as_bytes(if_generation_match=generation, **_limits())
                except _gone():
                    continue  # another version took its place between the two
                return Stored(data, str(generation))
        raise Unavailable(f"{self.url}: {key} changes faster than it can be read")

    def _put(self, key: str, data: bytes, expected: str | None) -> None:
        generation = None if expected is None else 0 if expected == ABSENT else int(expected)
        with _explained(self._at):
            self._bucket.blob(self._at.prefix + key).upload_from_string(
                data, "application/octet-stream", if_generation_match=generation, **_limits()
            )

    def _list(self, prefix: str) -> Iterable[str]:
        within = self._at.prefix
        with _explained(self._at):
            for blob in self._bucket.list_blobs(prefix=within + prefix, **_limits()):
                yield blob.name[len(within) :]

    def _list_folders(self, prefix: str) -> Iterable[str]:
        within = self._at.prefix
        with _explained(self._at):
            found = self._bucket.list_blobs(prefix=within + prefix, delimiter="/", **_limits())
            for _ in found.pages:  # they are known page by page
                pass
            yield from (each[len(within) :] for each in found.prefixes)

    def _remove(self, key: str) -> None:
        with _explained(self._at):
            self._bucket.delete_blob(self._at.prefix + key, **_limits())

    def _there(self) -> None:
        """An object that is missing and a bucket that is missing are the same answer."""
        if not self._seen:  # by listing: whoever may write objects need not see the bucket itself
            list(self._bucket.list_blobs(max_results=1, **_limits()))
        self._seen = True


def _bucket(at: BackendUrl) -> Any:
    from google.cloud import storage

    # Else threads ask for the bucket itself, for traces that nobody reads, for up to two minutes.
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    with _explained(at):
        if at.flag("anonymous"):
            return storage.Client.create_anonymous_client().bucket(at.place)
        return storage.Client(project=_project(), credentials=_given()).bucket(at.place)


def _project() -> str | None:
    """Buckets have their own; the client insists on one where the credentials name none."""
    return os.environ.get("GOOGLE_CLOUD_PROJECT") or os.environ.get("GOOGLE_PROJECT") or "none"


def _given() -> Any:
    """What Pulumi reads beside Google's own defaults; None = those."""
    from google.oauth2 import credentials, service_account

    user: Any = credentials.Credentials
    robot: Any = service_account.Credentials
    if text := os.environ.get("GOOGLE_CREDENTIALS"):
        if not text.lstrip().startswith("{"):
            return robot.from_service_account_file(text, scopes=[SCOPE])
        return robot.from_service_account_info(json.loads(text), scopes=[SCOPE])
    token = os.environ.get("GOOGLE_OAUTH_ACCESS_TOKEN")
    return user(token) if token else None


def _limits() -> dict[str, Any]:
    """Of one call: how long to wait, how long to try. A write that is tried again is either
    conditional or the same."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    return {"timeout": SECONDS, "retry": DEFAULT_RETRY.with_timeout(SECONDS)}


def _gone() -> tuple[type[Exception], ...]:
    from google.api_core import exceptions

    return exceptions.NotFound, exceptions.PreconditionFailed


@contextmanager
def _explained(at: BackendUrl) -> Iterator[None]:
    """Google's errors as ours."""
    from google.api_core import exceptions
    from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError
    from requests.exceptions import RequestException

    try:
        yield
    except exceptions.PreconditionFailed:
        raise Conflict(f"{at.url}: somebody else has written meanwhile") from None
    except exceptions.NotFound as error:
        if "bucket does not exist" in str(error):
            hint = "make it first"
            raise InputError(Problem("--backend", f"there is no bucket {at.place}", hint)) from None
        raise Missing(str(error)) from None
    except (
        DefaultCredentialsError, RefreshError, exceptions.Unauthorized, exceptions.Forbidden,
    ) as error:  # fmt: skip
        raise NotReady(f"{at.place} lets us not in: {error} ({ACCESS})") from None
    except exceptions.BadRequest as error:
        raise InputError(Problem("--backend", f"{at.url}: {error}")) from None
    except (exceptions.GoogleAPIError, TransportError, RequestException, OSError) as error:
        raise Unavailable(f"{at.url} does not answer: {error}") from None
