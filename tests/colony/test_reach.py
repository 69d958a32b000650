"""Whom an API server lets in where the file does not say."""

import io

import pytest

from colony import reach
from components.access import Access
from components.placement import ClusterPlacement, Placement
from jobs.errors import NotReady

OWN = ["198.51.100.9/32"]
GIVEN = Access(cidrs=["203.0.113.0/24"])


def placement(**access):
    clusters = [
        ClusterPlacement(name=cloud, cloud=cloud, region="r", access=access.get(cloud))
        for cloud in ("aws", "azure", "existing")
    ]
    return Placement(clusters=clusters)


def let_in(found):
    return {each.name: each.access.cidrs if each.access else None for each in found.clusters}


def test_only_clusters_that_name_nobody_get_the_networks():
    found = reach.with_access(placement(aws=GIVEN), OWN)
    assert let_in(found) == {"aws": GIVEN.cidrs, "azure": OWN, "existing": None}


def test_without_networks_nothing_is_changed():
    assert reach.with_access(placement(), []) == placement()


def test_the_environment_goes_before_the_machines_own_address(monkeypatch):
    monkeypatch.setenv(reach.VARIABLE, "10.0.0.0/8, 192.0.2.0/24")
    assert reach.own_networks() == ["10.0.0.0/8", "192.0.2.0/24"]


def test_the_machines_own_address_is_one_network(monkeypatch):
    answers = io.BytesIO(b"198.51.100.9\n")
    monkeypatch.setattr(reach.urllib.request, "urlopen", lambda url, timeout: answers)
    assert reach.own_networks() == OWN


@pytest.mark.parametrize("answer", [b"<html>", b""])
def test_who_does_not_know_says_what_to_do(monkeypatch, answer):
    monkeypatch.setattr(reach.urllib.request, "urlopen", lambda url, timeout: io.BytesIO(answer))
    with pytest.raises(NotReady, match=r"access: \{cidrs.*COLONY_ACCESS"):
        reach.own_networks()
