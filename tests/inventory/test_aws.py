from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

from colony.inventory import inventory_of
from colony.inventory.aws import AwsInventory
from colony.inventory.aws_calls import facts, kind_of, words_of
from colony.lifecycle.ground import Thing
from jobs.errors import ColonyError, NotReady, NotSupported

REGION = "us-east-1"
TAGS = [{"Key": "colony-stack", "Value": "demo"}]


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.session.Session(region_name=REGION)


def volume(ec2, tags):
    spec = [{"ResourceType": "volume", "Tags": tags}]
    return ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, TagSpecifications=spec)


def test_finds_by_tag_and_deletes(session):
    ec2 = session.client("ec2")
    mine = volume(ec2, TAGS)["VolumeId"]
    other = volume(ec2, [{"Key": "colony-stack", "Value": "other"}])["VolumeId"]
    inventory = AwsInventory(session)
    found = inventory.find("colony-stack", "demo")
    assert [(each.type, each.id.rsplit("/", 1)[-1]) for each in found] == [("ec2:volume", mine)]
    inventory.delete(found[0])
    assert inventory.find("colony-stack", "demo") == []
    assert ec2.describe_volumes()["Volumes"][0]["VolumeId"] == other


def test_what_is_on_its_way_out_is_not_listed(session):
    ec2 = session.client("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    spec = [{"ResourceType": "instance", "Tags": TAGS}]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=spec)
    inventory = AwsInventory(session)
    assert "ec2:instance" in {each.type for each in inventory.find("colony-stack", "demo")}
    ec2.terminate_instances(InstanceIds=[made["Instances"][0]["InstanceId"]])
    assert "ec2:instance" not in {each.type for each in inventory.find("colony-stack", "demo")}


def test_what_has_no_rule_is_listed_and_its_delete_is_refused_by_name(session):
    strange = Thing("arn:aws:fsx:us-east-1:1:file-system/fs-1", "fsx:file-system")
    inventory = AwsInventory(session)
    assert inventory._seen(strange.id, {}).type == "fsx:file-system"
    with pytest.raises(ColonyError, match="no rule to delete a fsx:file-system"):
        inventory.delete(strange)


def test_aws_own_words_reach_the_user(session):
    thing = Thing("arn:aws:ec2:us-east-1:1:vpc/vpc-0", "ec2:vpc")
    with pytest.raises(ColonyError, match="InvalidVpcID"):
        AwsInventory(session).delete(thing)


@pytest.mark.parametrize("kind", sorted(facts()["kinds"]))
def test_every_rule_names_calls_that_the_sdk_has(session, kind):
    for rule in (facts()["kinds"][kind]["look"], facts()["kinds"][kind]["delete"]):
        assert hasattr(session.client(rule["client"]), rule["call"])


@pytest.mark.parametrize(
    "arn, kind, words",
    [
        ("arn:aws:ec2:us-east-1:1:volume/vol-1", "ec2:volume", {"id": "vol-1"}),
        ("arn:aws:eks:us-east-1:1:cluster/demo", "eks:cluster", {"id": "demo"}),
        (
            "arn:aws:eks:us-east-1:1:nodegroup/demo/gpu/uuid",
            "eks:nodegroup",
            {"cluster": "demo", "name": "gpu"},
        ),
    ],
)
def test_arns_are_read(arn, kind, words):
    assert kind_of(arn) == kind
    assert words.items() <= words_of(arn).items()


def test_a_cloud_without_an_inventory_is_refused_by_name():
    with pytest.raises(NotSupported, match="onprem"):
        inventory_of("onprem", "here")


def test_without_credentials_the_machine_is_not_ready(monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(NotReady, match="no AWS credentials"):
        inventory_of("aws", REGION).check()


def test_good_credentials_pass(session):
    AwsInventory(session).check()
