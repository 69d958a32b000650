"""Azure Blob Storage. Conditions: `If-None-Match: *` and `If-Match: ETAG`
(https://learn.microsoft.com/rest/api/storageservices/specifying-conditional-headers-for-blob-service-operations)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from colony.storage.base import (
    ABSENT,
    Bucket,
    Conflict,
    Missing,
    Stored,
    Unavailable,
    seconds_of,
)  # fmt: skip
from colony.storage.urls import BackendUrl
from jobs.errors import InputError, NotReady, Problem

__all__ = ["AzureBlob"]

ACCESS = "AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_CONNECTION_STRING or `az login`"
DOMAIN = "blob.core.windows.net"
HERE = ("127.0.0.1", "localhost")
LIMITS: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 30, "retry_total": 3}


class AzureBlob(Bucket):
    """One container, or a folder in it."""

    def __init__(self, at: BackendUrl) -> None:
        self.url = at.url
        self._at = at
        self._container = _container(at, os.environ)

    def now(self) -> float | None:
        dates: list[str | None] = []

        def seen(answer: Any) -> None:
            dates.append(answer.http_response.headers.get("Date"))

        with _explained(self._at):
            names = self._container.list_blob_names(
                name_starts_with=self._at.prefix or None, results_per_page=1, raw_response_hook=seen
            )
            next(iter(names), None)
        return seconds_of(dates[-1]) if dates else None

    def _get(self, key: str) -> Stored:
        with _explained(self._at):
            found = self._container.download_blob(self._at.prefix + key)
            return Stored(found.readall(), found.properties.etag)

    def _put(self, key: str, data: bytes, expected: str | None) -> None:
        from azure.core import MatchConditions

        condition: dict[str, Any] = {}
        if expected == ABSENT:
            condition = {"match_condition": MatchConditions.IfMissing}
        elif expected is not None:
            condition = {"etag": expected, "match_condition": MatchConditions.IfNotModified}
        with _explained(self._at):
            self._container.upload_blob(self._at.prefix + key, data, overwrite=True, **condition)

    def _list(self, prefix: str) -> Iterable[str]:
        within = self._at.prefix
        with _explained(self._at):
            for name in self._container.list_blob_names(name_starts_with=within + prefix):
                yield name[len(within) :]

    def _list_folders(self, prefix: str) -> Iterable[str]:
        within = self._at.prefix
        with _explained(self._at):
            for each in self._container.walk_blobs(name_starts_with=within + prefix):
                if each.name.endswith("/"):
                    yield each.name[len(within) :]

    def _remove(self, key: str) -> None:
        with _explained(self._at):
            self._container.delete_blob(self._at.prefix + key)


def _container(at: BackendUrl, environment: Mapping[str, str]) -> Any:
    from azure.storage.blob import ContainerClient

    known = environment.get("AZURE_STORAGE_CONNECTION_STRING")
    with _explained(at):
        if known:
            return ContainerClient.from_connection_string(known, at.place, **LIMITS)
        address = _address(at, environment)
        return ContainerClient(address, at.place, credential=_credential(environment), **LIMITS)


def _address(at: BackendUrl, environment: Mapping[str, str]) -> str:
    """Of the account: https://ACCOUNT.DOMAIN, of an emulator http://DOMAIN/ACCOUNT."""

    def said(name: str, variable: str, default: str = "") -> str:
        return at.parameters.get(name) or environment.get(variable) or default

    account = said("storage_account", "AZURE_STORAGE_ACCOUNT")
    if not account:
        hint = "add ?storage_account=NAME, or set AZURE_STORAGE_ACCOUNT"
        raise InputError(Problem("--backend", f"{at.url} does not say whose container", hint))
    domain = said("domain", "AZURE_STORAGE_DOMAIN", DOMAIN)
    protocol = said("protocol", "AZURE_STORAGE_PROTOCOL", "https")
    if domain.startswith(HERE) or at.flag("localemu"):
        return f"{protocol}://{domain}/{account}"
    return f"{protocol}://{domain}" if at.flag("cdn") else f"{protocol}://{account}.{domain}"


def _credential(environment: Mapping[str, str]) -> Any:
    for name in ("AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN"):
        if value := environment.get(name):
            return value
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


@contextmanager
def _explained(at: BackendUrl) -> Iterator[None]:
    """Azure's errors as ours."""
    from azure.core import exceptions

    try:
        yield
    except (exceptions.ResourceModifiedError, exceptions.ResourceExistsError):
        raise Conflict(f"{at.url}: somebody else has written meanwhile") from None
    except exceptions.ResourceNotFoundError as error:
        if getattr(error, "error_code", "") == "ContainerNotFound":
            message = f"there is no container {at.place}"
            raise InputError(Problem("--backend", message, "make it first")) from None
        raise Missing(str(error)) from None
    except exceptions.ClientAuthenticationError as error:
        raise NotReady(f"{at.place} lets us not in: {_first(error)} ({ACCESS})") from None
    except exceptions.HttpResponseError as error:
        if error.status_code in (401, 403):
            raise NotReady(f"{at.place} lets us not in: {_first(error)} ({ACCESS})") from None
        if error.status_code == 412:
            raise Conflict(f"{at.url}: somebody else has written meanwhile") from None
        raise Unavailable(f"{at.url}: {_first(error)}") from None
    except (exceptions.AzureError, OSError) as error:
        raise Unavailable(f"{at.url} does not answer: {_first(error)}") from None
    except ValueError as error:  # a key that is no base64, a connection string without an account
        raise NotReady(f"{at.place}: {_first(error)} ({ACCESS})") from None


def _first(error: Exception) -> str:
    """Azure says more in further lines: an id of the request, the whole answer."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
