"""In processes of their own: what is imported once stays imported."""

import subprocess
import sys

import pytest

BEFORE = """
import sys
import pulumi_aws, pulumi_azure_native, pulumi_gcp, pulumi_kubernetes
from components.slim import slim
slim()
"""


def run(script):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BEFORE + script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("asked", "home", "neighbour"),
    [
        ("aws.ec2.RouteTable", "pulumi_aws.ec2.route_table", "pulumi_aws.ec2.ami"),
        ("gcp.compute.Network", "pulumi_gcp.compute.network", "pulumi_gcp.compute.autoscaler"),
        (
            "azure_native.authorization.get_client_config_output",
            "pulumi_azure_native.authorization.get_client_config",
            "pulumi_azure_native.authorization.role_assignment",
        ),
        (
            "kubernetes.core.v1.Secret",
            "pulumi_kubernetes.core.v1.Secret",
            "pulumi_kubernetes.core.v1.Pod",
        ),
    ],
)
def test_a_class_comes_without_its_neighbours(asked, home, neighbour):
    script = f"found = pulumi_{asked}; print(found.__module__, {neighbour!r} in sys.modules)"
    assert run(script) == [home, "False"]


def test_a_folder_that_is_needed_whole_is_whole_and_its_classes_are_the_same():
    script = """
first = pulumi_aws.iam.Role
print("pulumi_aws.iam.policy" in sys.modules, hasattr(pulumi_aws.iam, "no_such_thing"))
print("pulumi_aws.iam.policy" in sys.modules, pulumi_aws.iam.Role is first)
"""
    assert run(script) == ["False", "False", "True", "True"]


def test_outputs_that_are_objects_are_still_typed():
    script = """
from pulumi import _types
types = _types.resource_types(pulumi_gcp.compute.Subnetwork)
print("pulumi_gcp.compute.outputs" in sys.modules, types["secondaryIpRanges"])
"""
    assert "SubnetworkSecondaryIpRange" in " ".join(run(script))
