"""Secure by default: one claim a line, for every kind that we make, on what is registered.

A claim that a kind cannot make stands in docs/components.md.
"""

import json

import pytest
import yaml
from recording import colony_args, inputs, record_program

from components.clusters.aws.data import eks
from components.clusters.gcp.data import gke
from components.inputs import _whole

SYSTEM = {"aws": "m7i.large", "azure": "Standard_D4s_v5", "gcp": "e2-standard-4"}
GPU = {"aws": "g6.xlarge", "azure": "Standard_NC24ads_A100_v4", "gcp": "g2-standard-8"}
CARD = {"aws": "L4", "azure": "A100-80GB", "gcp": "L4"}
REGION = {"aws": "us-east-1", "azure": "eastus", "gcp": "us-central1"}
LISTED = {"cidrs": ["203.0.113.7/32"]}
BUCKET = {"aws": "s3://results/runs", "azure": "file:///x", "gcp": "gs://results/runs"}
STATIC = {
    "accessKey", "secretKey", "clientSecret", "token", "password", "clientCertificate",
    "credentials", "accessToken", "impersonateServiceAccount",
}  # fmt: skip


class Plan:
    """What one cluster registers, by type."""

    def __init__(self, recording):
        self._all = [(r.type, _whole(inputs(r))) for r in recording.requests]

    def of(self, kind):
        found = [given for type_, given in self._all if type_ == kind]
        assert found, f"no {kind}"
        return found

    def one(self, kind):
        (found,) = self.of(kind)
        return found

    def all(self, package):
        return [given for type_, given in self._all if type_.startswith(f"{package}:")]

    def kubeconfig(self):
        return self.one("pulumi:providers:kubernetes")["kubeconfig"]["value"]


def recorded(cloud, access=LISTED):
    from components.colony import Colony

    pools = [
        {"name": "system", "instance_type": SYSTEM[cloud], "nodes": 2, "cpus": 4,
         "memory_gib": 16, "price_per_node_hour": 0.2},
        {"name": "gpu", "instance_type": GPU[cloud], "nodes": 2, "cpus": 24, "memory_gib": 96,
         "accelerator": CARD[cloud], "accelerator_count": 1, "price_per_node_hour": 1.0},
    ]  # fmt: skip
    job = {"name": "train", "run": "true", "resources": {"accelerators": f"{CARD[cloud]}:1"},
           "outputs": [{"path": "out", "to": BUCKET[cloud]}]}  # fmt: skip
    args = colony_args(cloud=cloud, region=REGION[cloud], pools=pools, jobs=[job], code=False)
    args["placement"]["clusters"][0]["access"] = access
    return Plan(record_program(lambda: Colony("demo", args)))


@pytest.fixture(scope="module")
def plans():
    known = {}

    def of(cloud, access=LISTED):
        key = (cloud, repr(access))
        if key not in known:
            known[key] = recorded(cloud, access)
        return known[key]

    return of


EKS, AKS, GKE = (
    "aws:eks/cluster:Cluster",
    "azure-native:containerservice:ManagedCluster",
    "gcp:container/cluster:Cluster",
)
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
ATTACHED = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"


def aks_pools(plan):
    inline = plan.one(AKS)["agentPoolProfiles"]
    return inline + plan.of("azure-native:containerservice:AgentPool")


def gke_nodes(plan):
    pools = [pool["nodeConfig"] for pool in plan.of("gcp:container/nodePool:NodePool")]
    return [plan.one(GKE)["nodeConfig"], *pools]


def private_subnets(plan):
    return {id_ for pool in plan.of("aws:eks/nodeGroup:NodeGroup") for id_ in pool["subnetIds"]}


def statements(plan):
    texts = [each["policy"] for each in plan.of("aws:iam/rolePolicy:RolePolicy")]
    return [statement for text in texts for statement in json.loads(text)["Statement"]]


CLAIMS = [
    # The API server.
    ("aws", "listed networks alone reach it",
     lambda p: p.one(EKS)["vpcConfig"]["publicAccessCidrs"] == LISTED["cidrs"]),
    ("aws", "nodes reach it inside the network",
     lambda p: p.one(EKS)["vpcConfig"]["endpointPrivateAccess"] is True),
    ("azure", "listed networks alone reach it",
     lambda p: p.one(AKS)["apiServerAccessProfile"]["authorizedIPRanges"] == LISTED["cidrs"]),
    ("azure", "nobody runs commands in it through Azure",
     lambda p: p.one(AKS)["apiServerAccessProfile"]["disableRunCommand"] is True),
    ("gcp", "listed networks alone reach it",
     lambda p: [each["cidrBlock"] for each in
                p.one(GKE)["masterAuthorizedNetworksConfig"]["cidrBlocks"]] == LISTED["cidrs"]),
    ("gcp", "Google's own addresses do not",
     lambda p: p.one(GKE)["masterAuthorizedNetworksConfig"]["gcpPublicCidrsAccessEnabled"]
     is False),
    # No public address of a node.
    ("aws", "nodes are in private subnets",
     lambda p: all("-private-" in subnet for subnet in private_subnets(p))),
    ("aws", "private subnets give no public address",
     lambda p: {s["mapPublicIpOnLaunch"] for s in p.of("aws:ec2/subnet:Subnet")
                if s["cidrBlock"] in eks()["network"]["private"]} == {False}),
    ("azure", "nodes have no public address",
     lambda p: all(pool["enableNodePublicIP"] is False for pool in aks_pools(p))),
    ("gcp", "nodes have no public address",
     lambda p: p.one(GKE)["privateClusterConfig"]["enablePrivateNodes"] is True),
    # What pods could learn from a machine's metadata.
    ("aws", "metadata wants a session, one hop away",
     lambda p: all((t["metadataOptions"]["httpTokens"],
                    t["metadataOptions"]["httpPutResponseHopLimit"]) == ("required", 1)
                   for t in p.of(TEMPLATE))),
    ("gcp", "metadata is GKE's own server",
     lambda p: all(node["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}
                   and node["metadata"]["disable-legacy-endpoints"] == "true"
                   for node in gke_nodes(p))),
    # At rest.
    ("aws", "disks of nodes are encrypted",
     lambda p: all(mapping["ebs"]["encrypted"] == "true"
                   for t in p.of(TEMPLATE) for mapping in t["blockDeviceMappings"])),
    # As little as it takes.
    ("aws", "roles have the policies of the vendor's pages and no other",
     lambda p: sorted(each["policyArn"].rsplit("/", 1)[-1] for each in p.of(ATTACHED))
     == sorted(eks()["roles"]["cluster"]["policies"] + eks()["roles"]["node"]["policies"])),
    ("aws", "outputs may be written under their own prefix, and not read",
     lambda p: all("*" not in action and "Get" not in action.replace("GetBucketLocation", "")
                   for s in statements(p) for action in s["Action"])
     and all(resource.startswith("arn:aws:s3:::results") and resource != "*"
             for s in statements(p) for resource in s["Resource"])),
    ("aws", "access is by entries",
     lambda p: p.one(EKS)["accessConfig"]["authenticationMode"] == "API"),
    ("azure", "there are no local accounts",
     lambda p: p.one(AKS)["disableLocalAccounts"] is True),
    ("azure", "rights are Azure's own roles, on this cluster alone",
     lambda p: p.one(AKS)["aadProfile"]["enableAzureRBAC"] is True
     and all("ManagedCluster" in each["scope"] or each["scope"].endswith("-aks-id")
             for each in p.of("azure-native:authorization:RoleAssignment"))),
    ("azure", "pods have identities by federation",
     lambda p: p.one(AKS)["oidcIssuerProfile"]["enabled"]
     and p.one(AKS)["securityProfile"]["workloadIdentity"]["enabled"]),
    ("gcp", "nodes have an account of their own with two roles",
     lambda p: sorted(each["role"] for each in p.of("gcp:projects/iAMMember:IAMMember"))
     == sorted(gke()["identity"]["roles"])
     and all(node["serviceAccount"].startswith("demo-main-node@") for node in gke_nodes(p))),
    ("gcp", "outputs may be written into their own bucket",
     lambda p: {(each["bucket"], each["role"]) for each in
                p.of("gcp:storage/bucketIAMMember:BucketIAMMember")}
     == {("results", "roles/storage.objectUser")}),
    ("gcp", "no client certificate is issued",
     lambda p: p.one(GKE)["masterAuth"]["clientCertificateConfig"]
     == {"issueClientCertificate": False}),
    ("gcp", "nodes are shielded",
     lambda p: p.one(GKE)["enableShieldedNodes"] is True
     and all(node["shieldedInstanceConfig"]["enableIntegrityMonitoring"] for node in gke_nodes(p))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cloud", "holds"), [pytest.param(c, h, id=f"{c}: {text}") for c, text, h in CLAIMS]
)
def test_by_default(plans, cloud, holds):
    assert holds(plans(cloud))


@pytest.mark.parametrize("cloud", REGION)
def test_without_a_list_an_api_server_is_private(plans, cloud):
    plan = plans(cloud, None)
    if cloud == "aws":
        assert plan.one(EKS)["vpcConfig"]["endpointPublicAccess"] is False
    elif cloud == "azure":
        assert plan.one(AKS)["apiServerAccessProfile"]["enablePrivateCluster"] is True
    else:
        assert plan.one(GKE)["privateClusterConfig"]["enablePrivateEndpoint"] is True


@pytest.mark.parametrize("cloud", REGION)
def test_no_provider_and_no_kubeconfig_holds_a_credential(plans, cloud):
    plan = plans(cloud)
    provider = plan.one(f"pulumi:providers:{'azure-native' if cloud == 'azure' else cloud}")
    assert not STATIC & set(provider)
    (user,) = yaml.safe_load(plan.kubeconfig())["users"]
    assert set(user["user"]) == {"exec"}
    assert "hunter2" not in json.dumps(user)


@pytest.mark.parametrize("cloud", REGION)
def test_nothing_listens_to_everybody(plans, cloud):
    """No rule of ours lets the internet in; load balancers are Kubernetes' own to make."""
    package = {"aws": "aws", "azure": "azure-native", "gcp": "gcp"}[cloud]
    for given in plans(cloud).all(package):
        rules = given.get("ingress") or []
        assert not [rule for rule in rules if "0.0.0.0/0" in (rule.get("cidrBlocks") or [])]
        assert "0.0.0.0/0" not in (given.get("sourceRanges") or [])
