"""What an organisation may forbid: each rule alone, and on what the clusters really register."""

import json

import pytest
from recording import colony_args, inputs, record_program

from components.inputs import _whole
from components.policy import elsewhere, open_server, over_price, strange, unleased

LEASED = {"colony": "a", "colony-stack": "a", "colony-owner": "ada", "colony-expires": "1767232800"}
EVERYBODY = ["203.0.113.7/32", "0.0.0.0/0"]
PLACEMENT = {
    "clusters": [
        {
            "name": "main", "cloud": "aws", "region": "us-east-1", "control_plane_per_hour": 0.1,
            "pools": [
                {"name": "system", "nodes": 2, "price_per_node_hour": 0.2},
                {"name": "h100", "nodes": 2, "price_per_node_hour": 50.0},
            ],
        },
        {"name": "lab", "cloud": "onprem", "region": ""},
    ]
}  # fmt: skip


def said(problems):
    return [str(problem).partition(" (")[0] for problem in problems]


@pytest.mark.parametrize(
    ("kind", "properties", "paths"),
    [
        ("aws:ec2/vpc:Vpc", {"tags": LEASED}, []),
        ("aws:ec2/vpc:Vpc", {"tagsAll": LEASED}, []),
        ("aws:ec2/vpc:Vpc", {"tags": {**LEASED, "colony-expires": ""}}, ["tags.colony-expires"]),
        ("aws:s3/bucket:Bucket", {}, [f"tags.{tag}" for tag in LEASED]),
        ("azure-native:resources:ResourceGroup", {"tags": {"colony": "a"}},
         ["tags.colony-stack", "tags.colony-owner", "tags.colony-expires"]),
        ("gcp:container/cluster:Cluster", {"resourceLabels": LEASED}, []),
        ("gcp:container/nodePool:NodePool", {"nodeConfig": {"resourceLabels": LEASED}}, []),
        ("gcp:compute/network:Network",
         {"description": "colony=a, colony-stack=a, colony-owner=ada"},
         ["description.colony-expires"]),
        ("aws:iam/rolePolicy:RolePolicy", {}, []),
        ("kubernetes:core/v1:Service", {}, []),
        ("command:remote:Command", {}, []),
    ],
)  # fmt: skip
def test_what_a_cloud_bills_carries_the_lease(kind, properties, paths):
    assert [problem.path for problem in unleased(kind, properties)] == paths


EKS, AKS, GKE = (
    "aws:eks/cluster:Cluster",
    "azure-native:containerservice:ManagedCluster",
    "gcp:container/cluster:Cluster",
)


@pytest.mark.parametrize(
    ("kind", "properties", "path"),
    [
        (EKS, {"vpcConfig": {"endpointPublicAccess": False}}, None),
        (EKS, {"vpcConfig": {"endpointPublicAccess": True, "publicAccessCidrs": ["10.0.0.0/8"]}},
         None),
        (EKS, {"vpcConfig": {"endpointPublicAccess": True}}, "vpcConfig.publicAccessCidrs"),
        (EKS, {}, "vpcConfig.publicAccessCidrs"),
        (EKS, {"vpcConfig": {"publicAccessCidrs": EVERYBODY}}, "vpcConfig.publicAccessCidrs[1]"),
        (EKS, {"vpcConfig": {"publicAccessCidrs": ["0.0.0.0/1", "128.0.0.0/1"]}},
         "vpcConfig.publicAccessCidrs[0]"),
        (AKS, {"apiServerAccessProfile": {"enablePrivateCluster": True}}, None),
        (AKS, {}, "apiServerAccessProfile.authorizedIPRanges"),
        (AKS, {"apiServerAccessProfile": {"authorizedIPRanges": EVERYBODY}},
         "apiServerAccessProfile.authorizedIPRanges[1]"),
        (GKE, {"privateClusterConfig": {"enablePrivateEndpoint": True}}, None),
        (GKE, {"privateClusterConfig": {"enablePrivateEndpoint": False}},
         "masterAuthorizedNetworksConfig.cidrBlocks"),
        (GKE, {"masterAuthorizedNetworksConfig": {"cidrBlocks": [{"cidrBlock": "::/0"}]}},
         "masterAuthorizedNetworksConfig.cidrBlocks[0]"),
        ("aws:ec2/vpc:Vpc", {}, None),
    ],
)  # fmt: skip
def test_a_public_api_server_has_a_list_that_is_one(kind, properties, path):
    found = [problem.path for problem in open_server(kind, properties)]
    assert found[:1] == ([path] if path else [])


@pytest.mark.parametrize(
    ("usd", "says"),
    [
        (100.5, []),
        (100.49, ["clusters.main.pools.h100: 100.00 of 100.50 USD/h in all, which may be 100.49"]),
        (0, ["clusters.main.pools.h100: 100.00 of 100.50 USD/h in all, which may be 0.00"]),
    ],
)
def test_a_colony_costs_at_most_what_is_allowed(usd, says):
    assert said(over_price(PLACEMENT, usd)) == says


@pytest.mark.parametrize(
    ("clouds", "regions", "says"),
    [
        (None, None, []),
        (["aws", "onprem"], {"aws": ["us-east-1"]}, []),
        (["aws"], None, ["clusters.lab.cloud: 'onprem' is not allowed here"]),
        ([], None, ["clusters.main.cloud: 'aws' is not allowed here",
                    "clusters.lab.cloud: 'onprem' is not allowed here"]),
        (None, {"aws": ["us-east-2"]}, ["clusters.main.region: 'us-east-1' is not allowed here"]),
        (None, {"azure": []}, []),
    ],
)  # fmt: skip
def test_clusters_are_where_they_may_be(clouds, regions, says):
    assert said(elsewhere(PLACEMENT, clouds, regions)) == says


def test_a_near_match_is_named():
    (problem,) = elsewhere(PLACEMENT, None, {"aws": ["us-east-2"]})
    assert "did you mean `us-east-2`?" in str(problem)


def test_a_limit_that_would_hold_nothing_is_named():
    assert said(strange({"usd": 1}, ["usd"])) == []
    assert said(strange({"usd_": 1}, ["usd"])) == ["config.usd_: this rule has no such limit"]
    found = elsewhere(PLACEMENT, ["aws", "onprem", "azur"], {"aw": ["us-east-1"]})
    assert said(found) == ["config.clouds: 'azur' is no cloud", "config.regions: 'aw' is no cloud"]
    assert "did you mean `azure`?" in str(found[0])


@pytest.mark.parametrize(
    ("cloud", "region"), [("aws", "us-east-1"), ("azure", "eastus"), ("gcp", "us-central1")]
)
def test_clusters_of_ours_break_no_rule_and_without_a_list_are_private(cloud, region):
    from components.colony import Colony

    machine = {"aws": "m7i.large", "azure": "Standard_D4s_v5", "gcp": "e2-standard-4"}[cloud]
    pool = {"name": "system", "instance_type": machine, "nodes": 2, "cpus": 4, "memory_gib": 16,
            "price_per_node_hour": 0.2}  # fmt: skip
    job = {"name": "train", "run": "true"}
    args = colony_args(cloud=cloud, region=region, pools=[pool], jobs=[job], code=False)
    recording = record_program(lambda: Colony("demo", args))
    seen = 0
    for request in recording.custom():
        given = _whole(json.loads(json.dumps(inputs(request))))
        assert unleased(request.type, given) == [], request.name
        assert open_server(request.type, given) == [], request.name
        seen += request.type in (EKS, AKS, GKE)
    assert seen == 1
