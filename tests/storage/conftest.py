"""Every kind of storage, against what stands in for its service."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from fake_azblob import ACCOUNT, FakeAzblob
from fake_gcs import FakeGcs
from fake_pulumi_cloud import TOKEN, FakePulumiCloud
from fake_s3 import s3_served, s3_url
from loopback import serving

from colony.storage.opening import open_storage

KINDS = ("folder", "s3", "gs", "azblob", "cloud")


@dataclass
class Kind:
    name: str
    url: str
    service: Any = None

    @cached_property
    def opened(self):
        return self.open()

    def open(self):
        return open_storage(self.url)


@pytest.fixture(params=KINDS)
def kind(request, tmp_path, monkeypatch):
    """A storage that is empty, and what serves it."""
    yield from _made(request.param, tmp_path, monkeypatch)


@pytest.fixture(params=KINDS[1:])
def served(request, tmp_path, monkeypatch):
    """Those that are asked over a network."""
    yield from _made(request.param, tmp_path, monkeypatch)


def _made(name, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AZURE_STORAGE_KEY", base64.b64encode(b"key").decode())
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", TOKEN)
    if name == "folder":
        yield Kind(name, f"file://{tmp_path}/backend")
    elif name == "s3":
        with s3_served() as address:
            yield Kind(name, s3_url(address, folder="team"))
    elif name == "gs":
        with _serving(FakeGcs("colonies")) as (service, address):
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
            yield Kind(name, "gs://colonies/team", service)
    elif name == "azblob":
        with _serving(FakeAzblob("colonies")) as (service, address):
            host = address.removeprefix("http://")
            asked = f"storage_account={ACCOUNT}&domain={host}&protocol=http"
            yield Kind(name, f"azblob://colonies/team?{asked}", service)
    else:
        with _serving(FakePulumiCloud()) as (service, address):
            service.stacks = {("colony", each): {} for each in ("demo", "other", "third")}
            yield Kind(name, address, service)


class _serving:
    """The service and its address; at the end it was asked nothing that it does not know."""

    def __init__(self, service):
        self.service, self._served = service, serving(service)

    def __enter__(self):
        return self.service, self._served.__enter__()

    def __exit__(self, *error):
        self._served.__exit__(*error)
        assert self.service.unknown == []
