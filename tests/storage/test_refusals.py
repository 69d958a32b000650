"""What is wrong with a backend is said by name: its URL, bucket, credentials, answer."""

from __future__ import annotations

import sys

import pytest

from colony.storage.base import Unavailable
from colony.storage.opening import KINDS, credentials_of, open_storage
from colony.storage.urls import read_url
from jobs.errors import InputError, NotReady

LEASE = ".colony/colony/demo/lease.json"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/srv/state", "a folder is file://FOLDER"),
        ("", "is no URL"),
        ("azblb://bucket", "did you mean `azblob`?"),
        ("gcs://bucket", "did you mean `gs://`?"),
        ("azure://bucket", "did you mean `azblob://`?"),
        ("ftp://host/x", "there are file://, s3://"),
        ("s3://", "does not name a bucket (like s3://BUCKET"),
        ("s3:///folder", "does not name a bucket"),
        ("https://", "does not name a host"),
        ("s3://bucket?regoin=eu-west-1", "did you mean `region`?"),
        ("gs://bucket?region=x", "gs:// has no parameter `region`"),
        ("https://app.pulumi.com/acme", "use https://api.pulumi.com"),
        ("s3://id:hunter2@bucket", "it holds credentials"),
    ],
)
def test_a_url_that_is_no_backends_is_refused_with_what_it_may_have_meant(url, said):
    with pytest.raises(InputError, match=r"^--backend: ") as refused:
        open_storage(url)
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_relative_folder_is_below_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_storage("file://states").url == f"file://{tmp_path}/states"
    assert open_storage("file://./states").url == f"file://{tmp_path}/states"


def test_a_url_is_read_as_the_engine_reads_it():
    found = read_url("s3://bucket/a/b%20c?region=eu-west-1&disableSSL=true")
    assert (found.place, found.prefix, found.parameters["region"]) == (
        "bucket",
        "a/b c/",
        "eu-west-1",
    )
    assert found.flag("disable_https", "disableSSL")
    assert read_url("gs://bucket").prefix == ""


@pytest.mark.parametrize("scheme", [each for each, kind in KINDS.items() if kind[2]])
def test_a_client_that_is_not_installed_is_named_with_its_extra(monkeypatch, scheme):
    monkeypatch.setitem(sys.modules, KINDS[scheme][2], None)
    with pytest.raises(NotReady, match=rf"pip install 'colony\[{scheme}\]'"):
        open_storage(f"{scheme}://bucket")


def test_a_bucket_that_is_not_there_is_the_inputs_mistake(served):
    if served.name == "cloud":
        pytest.skip("it has none")
    storage = open_storage(served.url.replace("//colonies", "//colony"))
    for do in (
        lambda: storage.read(LEASE),
        lambda: storage.write(LEASE, b"{}"),
        lambda: storage.keys(".colony/"),
    ):
        with pytest.raises(InputError, match=r"there is no (bucket|container) colony"):
            do()


def test_missing_credentials_are_this_machines_lack(served, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "PULUMI_ACCESS_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_STORAGE_KEY", "bm9ib2R5J3M=")
    if served.service:
        served.service.failing = 403
    with pytest.raises(NotReady, match=r"AWS_PROFILE|gcloud auth|az login|PULUMI_ACCESS_TOKEN"):
        served.open().read(LEASE)


def test_a_backend_that_does_not_answer_is_unavailable_and_not_empty(served, monkeypatch):
    if served.service is None:
        storage = open_storage("s3://colonies?region=us-east-1&endpoint=http://127.0.0.1:9")
    else:
        monkeypatch.setattr("colony.storage.gcs.SECONDS", 1)
        storage = served.open()
        served.service.failing = 503
    _at_once(monkeypatch)
    for do in (
        lambda: storage.read(LEASE),
        lambda: storage.write(LEASE, b"{}"),
        lambda: storage.keys(".colony/colony/"),
    ):
        with pytest.raises(Unavailable):
            do()


def test_a_world_on_a_bucket_is_given_that_buckets_credentials_and_no_others():
    mine = {"AWS_PROFILE": "a", "AZURE_STORAGE_KEY": "b", "HOME": "/", "PULUMI_ACCESS_TOKEN": "c"}
    assert credentials_of("s3://bucket", mine) == {"AWS_PROFILE": "a"}
    assert credentials_of("https://api.pulumi.com", mine) == {"PULUMI_ACCESS_TOKEN": "c"}
    assert credentials_of("file:///srv", mine) == {}


def _at_once(monkeypatch):
    """Retries of the clients wait for nothing."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
