import os
from pathlib import Path

import pytest

from colony.toolchain import cache_folder, find_cli
from jobs.errors import NotReady

CHECKOUT = Path(__file__).resolve().parent.parent
FOREIGN = ("AWS_", "AZURE_", "ARM_", "GOOGLE_", "KUBE", "PULUMI_", "COLONY_")


def pytest_configure(config):
    # found before any test changes HOME; subprocesses of tests find it by the same variable
    os.environ["COLONY_CACHE"] = str(cache_folder())
    # catalogues that are loaded while tests are collected are the starter's
    os.environ["COLONY_PRICES"] = os.devnull


@pytest.fixture(autouse=True)
def closed_environment(monkeypatch, tmp_path_factory):
    """No test sees the machine's credentials, kubeconfig or home."""
    for name in os.environ:
        if name.startswith(FOREIGN) and name not in ("COLONY_CACHE", "COLONY_PULUMI"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture(scope="session")
def checkout():
    return CHECKOUT


@pytest.fixture(scope="session")
def cli():
    """The real Pulumi CLI."""
    try:
        return find_cli()
    except NotReady as error:
        pytest.fail(f"{error} (or `make setup`)")
