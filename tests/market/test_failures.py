import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colony.market.failures import Blocks, Kind, Reach, classify, known

CLOUDS = ("aws", "gcp", "azure", "onprem")


@dataclass(frozen=True)
class Offer:
    cloud: str = "aws"
    region: str = "us-east-1"
    zone: str = "us-east-1a"
    instance_type: str = "p5.48xlarge"
    accelerator: str = "H100"
    spot: bool = False


@pytest.mark.parametrize(
    ("cloud", "text", "kind", "reach"),
    [
        (
            "aws",
            "creating EKS Node Group: AsgInstanceLaunchFailures: Could not launch On-Demand "
            "Instances. InsufficientInstanceCapacity - We currently do not have sufficient "
            "p5.48xlarge capacity in the Availability Zone you requested (us-east-1a).",
            Kind.CAPACITY,
            Reach.OFFER,
        ),
        (
            "aws",
            "api error VcpuLimitExceeded: You have requested more vCPU capacity than your current "
            "vCPU limit of 0 allows for the instance bucket",
            Kind.QUOTA,
            Reach.FAMILY,
        ),
        (
            "aws",
            "creating EKS Node Group: AsgInstanceLaunchFailures: Could not launch On-Demand "
            "Instances. VcpuLimitExceeded - You have requested more vCPU capacity than allowed",
            Kind.QUOTA,
            Reach.FAMILY,
        ),
        ("aws", "Client.UnauthorizedOperation: not authorized", Kind.CREDENTIAL, Reach.CLOUD),
        ("aws", "ThrottlingException: Rate exceeded", Kind.THROTTLE, Reach.NOTHING),
        ("aws", "InvalidParameterValue: invalid value for DiskSize", Kind.REQUEST, Reach.ALL),
        (
            "gcp",
            "Error: ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS: The zone 'us-central1-a' does not "
            "have enough resources available to fulfill the request",
            Kind.CAPACITY,
            Reach.OFFER,
        ),
        (
            "gcp",
            "QUOTA_EXCEEDED: Quota 'GPUS_ALL_REGIONS' exceeded. Limit: 0.0 globally.",
            Kind.QUOTA,
            Reach.CLOUD,
        ),
        (
            "gcp",
            "QUOTA_EXCEEDED: Quota 'NVIDIA_H100_GPUS' exceeded. Limit: 8.0 in region us-east4.",
            Kind.QUOTA,
            Reach.FAMILY,
        ),
        ("gcp", "googleapi: Error 429: rateLimitExceeded", Kind.THROTTLE, Reach.NOTHING),
        (
            "azure",
            'Code="SkuNotAvailable" Message="The requested VM size Standard_ND96isr_H100_v5 for '
            "resource is currently not available in location 'eastus'\"",
            Kind.CAPACITY,
            Reach.TYPE,
        ),
        (
            "azure",
            'Code="OperationNotAllowed" Message="Operation could not be completed as it results in '
            'exceeding approved standardNDSH100v5Family Cores quota."',
            Kind.QUOTA,
            Reach.FAMILY,
        ),
        ("azure", "ReadOnlyDisabledSubscription", Kind.CLOUD, Reach.CLOUD),
        ("onprem", "dial tcp 10.0.0.2:22: connect: no route to host", Kind.HOST, Reach.OFFER),
        (
            "onprem",
            "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none "
            "publickey], no supported methods remain",
            Kind.CREDENTIAL,
            Reach.CLOUD,
        ),
        ("onprem", "ssh: handshake failed: ssh: host key mismatch", Kind.CREDENTIAL, Reach.OFFER),
        (
            "onprem",
            "read tcp 10.0.0.9:50122->10.0.0.2:22: read: connection reset by peer",
            Kind.THROTTLE,
            Reach.NOTHING,
        ),
        (
            "onprem",
            "Process exited with status 1: running: gpu1: the file says 8 GPUs, the host has 4",
            Kind.REQUEST,
            Reach.ALL,
        ),
        (
            "onprem",
            "Process exited with status 1: gpu1: k3s is already here, and Colony did not install "
            "it: remove it, or use another host",
            Kind.REQUEST,
            Reach.ALL,
        ),
        (
            "onprem",
            "[ERROR]  Download failed",
            Kind.HOST,
            Reach.REGION,
        ),
        (
            "onprem",
            "gpu1: the node did not become ready in 600 s",
            Kind.HOST,
            Reach.OFFER,
        ),
    ],
)
def test_a_refusal_is_understood_from_the_text_of_the_error(cloud, text, kind, reach):
    found = classify(cloud, text)
    assert (found.kind, found.reach) == (kind, reach)
    assert found.source.startswith("https://")


def test_what_the_scripts_on_hosts_say_is_known():
    scripts = Path(__file__).parents[2] / "components" / "clusters" / "onprem" / "scripts"
    said = re.findall(r'fail "([^"]+)"', "".join(each.read_text() for each in scripts.iterdir()))
    assert len(said) >= 7
    for text in said:
        assert classify("onprem", f"gpu1: {re.sub(r'[$]{?[A-Za-z]+}?', '4', text)}").code, text


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_code_alone_is_found_again_and_has_a_source(cloud):
    for failure in known(cloud):
        found = classify(cloud, f"error: {failure.code}: said the cloud")
        assert (found.code, found.kind) == (failure.code, failure.kind)
        assert failure.source.startswith("https://")
        assert failure.retry == (failure.kind is Kind.THROTTLE)
        assert (failure.reach is Reach.NOTHING) == failure.retry


def test_there_are_enough_codes_and_every_kind_has_some():
    codes = [failure for cloud in CLOUDS for failure in known(cloud)]
    assert len(codes) >= 60
    assert {failure.kind for failure in codes} == set(Kind)
    for cloud in CLOUDS:
        names = [failure.code for failure in known(cloud)]
        assert len(names) == len(set(names))


def test_a_part_of_a_word_is_no_code():
    assert classify("aws", "NotBlockedByAnything happened").code == ""


def test_what_nobody_knows_blocks_only_the_offer():
    found = classify("aws", "a new kind of trouble")
    assert (found.kind, found.reach, found.retry) == (Kind.CAPACITY, Reach.OFFER, False)


@pytest.mark.parametrize(
    ("code", "still_free"),
    [
        ("InsufficientInstanceCapacity", {"zone", "type", "spot", "region", "cloud"}),
        ("InsufficientFreeAddressesInSubnet", {"zone", "region", "cloud"}),
        ("VcpuLimitExceeded", {"spot", "accelerator", "region", "cloud"}),
        ("VpcLimitExceeded", {"region", "cloud"}),
        ("AuthFailure", {"cloud"}),
        ("InvalidParameterValue", set()),
        ("Throttling", {"same", "zone", "type", "accelerator", "spot", "region", "cloud"}),
    ],
)
def test_only_what_the_refusal_reaches_is_blocked(code, still_free):
    others = {
        "same": Offer(),
        "zone": Offer(zone="us-east-1b"),
        "type": Offer(instance_type="p5e.48xlarge"),
        "accelerator": Offer(accelerator="A100", instance_type="p4d.24xlarge"),
        "spot": Offer(spot=True),
        "region": Offer(region="us-west-2", zone="us-west-2a"),
        "cloud": Offer(cloud="gcp", region="us-east4", zone="us-east4-a"),
    }
    blocks = Blocks()
    blocks.add(classify("aws", code), Offer(), now=1000)
    free = {name for name, offer in others.items() if not blocks.blocked(offer, now=1000.5)}
    assert free >= still_free
    if code != "Throttling":
        assert "same" not in free
    if not still_free:
        assert not free


def test_a_block_ends_after_its_hold():
    blocks, failure = Blocks(), classify("aws", "InsufficientInstanceCapacity")
    blocks.add(failure, Offer(), now=0)
    assert blocks.free_at(Offer()) == failure.hold
    assert blocks.blocked(Offer(), now=failure.hold - 1)
    assert not blocks.blocked(Offer(), now=failure.hold)


@given(
    codes=st.lists(st.sampled_from([f.code for f in known("aws")]), max_size=6),
    times=st.lists(st.floats(0, 1e5), min_size=6, max_size=6),
)
def test_a_later_refusal_never_shortens_a_block(codes, times):
    blocks, before = Blocks(), float("-inf")
    for code, now in zip(codes, times, strict=False):
        blocks.add(classify("aws", code), Offer(), now)
        assert blocks.free_at(Offer()) >= before
        before = blocks.free_at(Offer())
