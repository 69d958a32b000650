"""Leaks of every kind in a simulated account: all listed with a price, all removed, and nothing of
a neighbour's touched."""

from __future__ import annotations

from contextlib import contextmanager
from unittest import mock

import boto3
import pytest
from aws_leaks import Leaks
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from colony.inventory.aws import AwsInventory
from colony.lifecycle.sweep import Estate, sweep_estate

REGION = "us-east-1"
MINE = {"colony-stack": "demo", "colony-expires": "1"}


@contextmanager
def keys():
    wrong = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with mock.patch.dict("os.environ", wrong):
        yield


@pytest.fixture
def session():
    with keys(), mock_aws():
        yield boto3.session.Session(region_name=REGION)


DELETE = AwsInventory.delete


class Account:
    """What a sweep of one colony sees, and everything that is there, whoever's it is."""

    def __init__(self, session):
        self.inventory = AwsInventory(session)

    def sweep(self, clusters=()):
        clock = [0.0]

        def wait(seconds):
            clock[0] += seconds

        estate = Estate(lambda: self.seen(clusters), self.inventory.delete, wait)
        return sweep_estate(
            estate, lambda thing: True, lambda: clock[0], lambda text: None, delete=True
        )

    def seen(self, clusters=()):
        found = self.inventory.find("colony-stack", "demo")
        for name in clusters:
            found += self.inventory.find(f"kubernetes.io/cluster/{name}")
        return list({thing.id: thing for thing in found}.values())

    def there(self):
        """By the services' own lists, without a look at any tag."""
        search, of = self.inventory.calls.search, self.inventory.calls.of
        return {name for client, call, path in LISTS for name in search(path, of(client, call))}


LISTS = [
    ("ec2", "describe_vpcs", "Vpcs[].VpcId"),
    ("ec2", "describe_subnets", "Subnets[].SubnetId"),
    ("ec2", "describe_internet_gateways", "InternetGateways[].InternetGatewayId"),
    ("ec2", "describe_route_tables", "RouteTables[].RouteTableId"),
    ("ec2", "describe_security_groups", "SecurityGroups[].GroupId"),
    ("ec2", "describe_addresses", "Addresses[].AllocationId"),
    ("ec2", "describe_nat_gateways", "NatGateways[?State!='deleted'].NatGatewayId"),
    ("ec2", "describe_network_interfaces",
     "NetworkInterfaces[?!Attachment.InstanceId].NetworkInterfaceId"),
    ("ec2", "describe_launch_templates", "LaunchTemplates[].LaunchTemplateId"),
    ("ec2", "describe_instances",
     "Reservations[].Instances[?State.Name!='terminated'].InstanceId | []"),
    ("ec2", "describe_volumes", "Volumes[].VolumeId"),
    ("ec2", "describe_snapshots", "Snapshots[].SnapshotId"),
    ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups[].AutoScalingGroupName"),
    ("elbv2", "describe_load_balancers", "LoadBalancers[].LoadBalancerArn"),
    ("elbv2", "describe_target_groups", "TargetGroups[].TargetGroupArn"),
    ("elb", "describe_load_balancers", "LoadBalancerDescriptions[].LoadBalancerName"),
    ("eks", "list_clusters", "clusters"),
    ("iam", "list_roles", "Roles[].RoleName"),
    ("iam", "list_instance_profiles", "InstanceProfiles[].InstanceProfileName"),
    ("logs", "describe_log_groups", "logGroups[].logGroupName"),
]  # fmt: skip


def test_a_leak_of_every_kind_is_listed_with_its_price_and_removed(session):
    account = Account(session)
    empty = account.there()
    made = Leaks(session, MINE).seed()
    listed = account.seen()
    for kind, name in made.items():
        assert any(name in thing.id for thing in listed), kind
    assert all(thing.usd_per_hour is not None for thing in listed), listed
    prices = {thing.type: thing.usd_per_hour for thing in listed}
    assert prices["ec2:instance"] > 0.5
    assert prices["ec2:volume"] > 0
    assert prices["eks:cluster"] == 0.10
    assert [thing.stage for thing in listed] == sorted(thing.stage for thing in listed)
    done = account.sweep()
    assert done.left == account.seen() == []
    assert {thing.type for thing in done.deleted} >= {thing.type for thing in listed}
    assert account.there() == empty


def test_a_group_goes_before_its_machines_which_it_would_make_anew(session):
    account = Account(session)
    made = Leaks(session, MINE)
    made.seed(["groups"])
    listed = [thing.id for thing in account.seen()]
    (group,) = [n for n, id_ in enumerate(listed) if made.made["group"] in id_]
    machines = [n for n, id_ in enumerate(listed) if ":instance/" in id_]
    assert len(machines) == 2 and group < min(machines)
    asked = []
    with mock.patch.object(
        AwsInventory, "delete", lambda self, thing: asked.append(thing.id) or DELETE(self, thing)
    ):
        assert account.sweep().left == []
    assert made.made["group"] in asked[0]
    of = account.inventory.calls.of
    assert of("autoscaling", "describe_auto_scaling_groups")["AutoScalingGroups"] == []


def test_what_controllers_made_is_found_by_the_cluster_and_what_is_shared_is_not(session):
    ec2 = session.client("ec2")
    network = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    owned = Leaks(session, {"kubernetes.io/cluster/demo-main": "owned"})._group(network)
    karpenter = Leaks(session, {"eks:eks-cluster-name": "demo-main"})._group(network)
    shared = Leaks(session, {"kubernetes.io/cluster/demo-main": "shared"})._group(network)
    other = Leaks(session, {"kubernetes.io/cluster/demo-main-2": "owned"})._group(network)
    account = Account(session)
    assert account.sweep(["demo-main"]).left == []
    assert account.there() & {owned, karpenter, shared, other} == {shared, other}


def test_what_an_interface_left_in_a_network_of_ours_is_seen_without_any_tag(session):
    account = Account(session)
    made = Leaks(session, MINE)
    made._network()
    ec2, subnet = session.client("ec2"), made.made["subnet"]
    plain = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    spec = [{"ResourceType": "network-interface", "Tags": [{"Key": "team", "Value": "vision"}]}]
    theirs = ec2.create_network_interface(SubnetId=subnet, TagSpecifications=spec)
    theirs = theirs["NetworkInterface"]["NetworkInterfaceId"]
    seen = {thing.id.rsplit("/", 1)[-1] for thing in account.seen()}
    assert plain["NetworkInterfaceId"] in seen
    assert theirs not in seen


def test_only_what_holds_nothing_is_idle(session):
    made = Leaks(session, {"kubernetes.io/cluster/demo-main": "owned"})
    made.seed(["machines", "load_balancers"])
    idle = {t.type for t in Account(session).seen(["demo-main"]) if t.idle}
    assert idle == {"ec2:network-interface", "ec2:security-group"}


similar = st.sampled_from(
    [{}, {"colony": "demo"}, {"colony-stack": "Demo"}, {"colony-stack": "demo-2"},
     {"colony-stack": "dem"}, {"colony-stack": "*"}, {"colony-stack": "demo "},
     {"Name": "demo", "colony-owner": "demo"}, {"colony-stackk": "demo"},
     {"kubernetes.io/cluster/demo-main": "shared"}, {"kubernetes.io/cluster/demo": "owned"}]
)  # fmt: skip
names = st.sampled_from(["demo", "demo-main", "demo-2", "dem"])


sorts = st.sets(
    st.sampled_from(["machines", "groups", "load_balancers", "eks", "identity", "logs"])
)


@pytest.mark.timeout(900)
@settings(max_examples=4, deadline=None)
@given(st.lists(st.tuples(similar, names, sorts), min_size=1, max_size=2))
def test_nothing_of_a_neighbour_is_ever_touched(neighbours):
    with keys(), mock_aws():
        session = boto3.session.Session(region_name=REGION)
        account = Account(session)
        for tags, name, some in neighbours:
            Leaks(session, tags, name).seed(some)
        before = account.there()
        Leaks(session, MINE).seed()
        account.sweep(["demo-main"])
        assert account.there() == before
