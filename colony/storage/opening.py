"""A backend's URL -> the storage of its records."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

from colony.storage.base import Storage
from colony.storage.folder import Folder
from colony.storage.urls import folder_of, read_url
from jobs.errors import InputError, NotReady, Problem

__all__ = ["credentials_of", "open_backend", "open_storage", "refuse_missing"]

KINDS: dict[str, tuple[str, str, str]] = {
    "s3": ("s3", "S3", "boto3"),
    "gs": ("gcs", "Gcs", "google.cloud.storage"),
    "azblob": ("azblob", "AzureBlob", "azure.storage.blob"),
    "https": ("pulumi_cloud", "PulumiCloud", ""),
    "http": ("pulumi_cloud", "PulumiCloud", ""),
}
"""Scheme: our file, its class, and the client library that it needs."""

PROBE = ".colony/colony/-/"
"""Nothing is there; whoever may list it may do the rest."""

VARIABLES: dict[str, tuple[str, ...]] = {
    "s3": ("AWS_",),
    "gs": ("GOOGLE_", "CLOUDSDK_", "GCLOUD_", "STORAGE_EMULATOR_HOST"),
    "azblob": ("AZURE_",),
    "https": ("PULUMI_ACCESS_TOKEN",),
    "http": ("PULUMI_ACCESS_TOKEN",),
}
"""What a backend's client and the engine read from the environment, by how it begins."""


def open_storage(url: str, where: str = "--backend") -> Storage:
    """Asks nobody yet. Raises InputError for a URL that is none of a backend's, NotReady where the
    client library is not installed. `where` is said to be wrong then."""
    at = read_url(url, where)
    if at.scheme == "file":
        return Folder(folder_of(url))
    module, name, library = KINDS[at.scheme]
    if library:
        _needed(library, at.scheme)
    kind: Callable[..., Any] = getattr(import_module(f"colony.storage.{module}"), name)
    opened: Storage = kind(at)
    return opened


def open_backend(url: str, where: str = "--backend") -> Storage:
    """The same, and asks at once: what is wrong is said before anything is begun."""
    storage = open_storage(url, where)
    if not url.startswith("file:"):
        storage.keys(PROBE)
    return storage


def refuse_missing(url: str, where: str = "--backend") -> None:
    """InputError for a folder that is not there: who looks for colonies makes none, and must not
    be told that there are none."""
    if url.startswith("file:") and not (path := folder_of(url)).is_dir():
        hint = "`colony up` and `colony run` make one"
        raise InputError(Problem(where, f"there is no folder {path}", hint))


def credentials_of(url: str, environment: dict[str, str]) -> dict[str, str]:
    """What of an environment a world needs whose backend is a real one; nothing for a folder."""
    begins = VARIABLES.get(url.partition(":")[0], ())
    return {key: value for key, value in environment.items() if begins and key.startswith(begins)}


def _needed(library: str, extra: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Google's: of Pythons that it will leave behind
            import_module(library)
    except ImportError as error:
        hint = f"install it: pip install 'colony[{extra}]'"
        raise NotReady(f"a {extra}:// backend needs {library}, which is missing: {hint}") from error
