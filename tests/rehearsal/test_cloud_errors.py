"""What a simulated cloud can say when it refuses, and what is made of it."""

import pytest

from colony.market.failures import Kind, classify
from colony.rehearsal.package import load_packages

CLOUDS = {"aws": "aws", "azure-native": "azure", "gcp": "gcp"}
UNDERSTOOD = {
    "capacity": Kind.CAPACITY,
    "reservation": Kind.CAPACITY,
    "spot": Kind.CAPACITY,
    "sku": Kind.CAPACITY,
    "quota": Kind.QUOTA,
    "spot_quota": Kind.QUOTA,
    "throttling": Kind.THROTTLE,
    "eventual": Kind.THROTTLE,
    "busy": Kind.THROTTLE,
    "internal": Kind.THROTTLE,
    "taken": Kind.REQUEST,
    "credentials": Kind.CREDENTIAL,
    "unauthorized": Kind.CREDENTIAL,
    "disabled": Kind.CLOUD,
    "unregistered": Kind.CLOUD,
}
EVERYWHERE = {"capacity", "quota", "throttling", "eventual", "taken", "credentials", "dependency"}
CASES = [
    (package, name, kind)
    for package in CLOUDS
    for name, kind in UNDERSTOOD.items()
    if name in load_packages()[package].errors
]


@pytest.mark.parametrize("package", CLOUDS)
def test_every_cloud_can_refuse_in_each_of_these_ways(package):
    assert EVERYWHERE <= load_packages()[package].errors.keys()


@pytest.mark.parametrize(("package", "name", "kind"), CASES)
def test_what_a_world_says_is_understood_as_what_it_was_asked_to_be(package, name, kind):
    error = load_packages()[package].errors[name]
    failure = classify(CLOUDS[package], error.message.replace("{code}", error.code))
    assert failure.kind is kind
    assert failure.code, "nobody knows it"
    assert failure.retry == (kind is Kind.THROTTLE)
