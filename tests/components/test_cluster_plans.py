"""What each kind of cluster registers for a placement: golden plans, right by the typed SDKs.

WRITE_GOLDEN=1 writes the plans anew; read the difference before it is committed.
"""

import enum
import json
import os
from pathlib import Path

import pytest
import yaml
from recording import GPUS, LEASE, SYSTEM, inputs, record_program

from colony.rehearsal import schema
from components.clusters.aws.data import eks
from components.clusters.azure.data import aks
from components.clusters.base import ClusterRequest
from components.inputs import _whole
from components.lease import Lease
from components.placement import ClusterPlacement
from components.tags import lease_tags

GOLDEN = Path(__file__).with_name("golden") / "plans"
LISTED = {"cidrs": ["203.0.113.7/32"]}
CPU = {**SYSTEM, "instance_type": "Standard_D4s_v5", "cpus": 4, "memory_gib": 16}
H100 = {**GPUS, "instance_type": "Standard_ND96isr_H100_v5", "zone": None}
A100 = {
    **H100, "name": "a100", "accelerator": "A100-80GB", "accelerator_count": 1,
    "instance_type": "Standard_NC24ads_A100_v4", "cpus": 24, "memory_gib": 220,
}  # fmt: skip
L4 = {
    **GPUS, "name": "l4", "accelerator": "L4", "accelerator_count": 1, "zone": None,
    "instance_type": "g6.xlarge", "cpus": 4, "memory_gib": 16,
}  # fmt: skip
P4D = {**GPUS, "name": "a100", "accelerator": "A100", "instance_type": "p4d.24xlarge"}
CASES = {
    "eks-listed": ("aws", [SYSTEM, L4], {"access": LISTED}),
    "eks-private": ("aws", [SYSTEM], {"access": {"private": True}, "zones": ["us-east-1c"]}),
    "eks-spot": ("aws", [SYSTEM, {**L4, "spot": True, "disk": 500}], {"access": LISTED}),
    "eks-efa": ("aws", [SYSTEM, P4D], {"access": LISTED}),
    "eks-block": (
        "aws",
        [SYSTEM, {**P4D, "reservation": "cr-0123", "reserved_until": "2026-03-01T00:00:00Z"}],
        {"access": LISTED},
    ),
    "eks-reservation": ("aws", [SYSTEM, {**L4, "reservation": "cr-0456"}], {"access": LISTED}),
    "eks-moved": (
        "aws",
        [SYSTEM, {**L4, "zone": "us-east-1d"}, {**P4D, "zone": "us-east-1b"}],
        {"access": LISTED, "spans": ["us-east-1a", "us-east-1b", "us-east-1c"]},
    ),
    "aks-listed": ("azure", [CPU, A100], {"access": LISTED}),
    "aks-private": ("azure", [CPU], {"access": {"private": True}, "kubernetes": "1.34"}),
    "aks-infiniband": ("azure", [CPU, H100], {"access": LISTED, "zones": ["eastus-1"]}),
    "aks-spot": ("azure", [CPU, {**A100, "spot": True}], {"access": LISTED}),
    "aks-from-zero": (
        "azure",
        [CPU, {**A100, "min_nodes": 0, "nodes": 8, "image": "ubuntu-no-driver"}],
        {"access": LISTED},
    ),
    "aks-reservation": (
        "azure",
        [CPU, {**A100, "reservation": "/subscriptions/s/g", "disk": 512}],
        {"access": LISTED},
    ),
}
REGION = {"aws": "us-east-1", "azure": "eastus"}
KIND = {"aws": "EksCluster", "azure": "AksCluster"}


def placed(case):
    cloud, pools, more = CASES[case]
    more = {"region": REGION[cloud], "kubernetes": "1.35", **more}
    return ClusterPlacement(name="main", cloud=cloud, pools=pools, **more)


@pytest.fixture(scope="module")
def plan():
    from components.clusters.base import kind

    known = {}

    def record(case):
        if case not in known:
            placement = placed(case)
            tags = lease_tags(Lease(**LEASE), placement.cloud)
            built = kind(placement.cloud)
            built.check(placement)

            def program():
                built("demo-main", ClusterRequest("demo", placement, tags=tags))

            known[case] = record_program(program)
        return known[case]

    return record


def told(request):
    """Type, name and inputs without the tags, which all have."""
    given = {
        k: v for k, v in _whole(inputs(request)).items() if k not in ("tags", "tagSpecifications")
    }
    if request.type.startswith("pulumi:providers:"):
        given.pop("kubeconfig", None)
        given.pop("defaultTags", None)
    options = {
        "deleted_with": request.deletedWith.split("::")[-1],
        "ignores": list(request.ignoreChanges),
    }
    shown = {"type": request.type, "name": request.name, "inputs": given}
    return {**shown, **{key: value for key, value in options.items() if value}}


@pytest.mark.parametrize("case", CASES)
def test_a_plan_is_the_golden_one(plan, case):
    found = [told(request) for request in plan(case).custom() + providers(plan(case))]
    text = yaml.safe_dump(json.loads(json.dumps(found)), sort_keys=True, width=100)
    path = GOLDEN / f"{case}.yaml"
    if os.environ.get("WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def providers(recording):
    return [r for r in recording.requests if r.type.startswith("pulumi:providers:")]


@pytest.mark.parametrize("case", CASES)
def test_every_input_is_right_by_the_typed_sdk(plan, case):
    for request in plan(case).custom():
        assert schema.check(request.type, _whole(inputs(request))) == [], request.name
        assert schema.knows(request.type), request.type


@pytest.mark.parametrize("case", CASES)
def test_a_cluster_is_at_most_forty_resources(plan, case):
    assert len(plan(case).requests) <= 40


@pytest.mark.parametrize("case", CASES)
def test_nothing_depends_on_credentials_in_the_config(plan, case):
    for provider in providers(plan(case)):
        secretive = ("accessKey", "secretKey", "clientSecret", "token", "password")
        assert not set(inputs(provider)) & set(secretive)
        assert "hunter2" not in json.dumps(inputs(provider))


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("aks")])
def test_what_goes_after_the_cluster_was_there_before_it(plan, case):
    """A pool without accelerators is deleted with its cluster, one with them before it: a placement
    group has to outlive both."""
    recording = plan(case)
    cluster = recording.one("azure-native:containerservice:ManagedCluster")
    groups = recording.of("azure-native:compute:ProximityPlacementGroup")
    for group in groups:
        assert any(each.endswith(f"::{group.name}") for each in cluster.dependencies)
    for pool in recording.of("azure-native:containerservice:AgentPool"):
        dear = bool(inputs(pool).get("gpuProfile"))
        assert pool.deletedWith.endswith("::demo-main-aks") != dear
        assert any(each.endswith("::demo-main-aks") for each in pool.dependencies)
    assert bool(groups) == (case == "aks-infiniband")


def test_the_choices_of_the_aks_data_are_words_that_azure_knows():
    from pulumi_azure_native import containerservice as service

    data, nodes = aks(), aks()["nodes"]
    chosen = [
        (service.ManagedClusterSKUName, data["tier"]["name"]),
        (service.ManagedClusterSKUTier, data["tier"]["tier"]),
        (service.ResourceIdentityType, data["identity"]["kind"]),
        (service.KubernetesSupportPlan, data["kubernetes"]["support"]),
        (service.NetworkPlugin, data["network"]["plugin"]),
        (service.NetworkPluginMode, data["network"]["mode"]),
        (service.OutboundType, data["network"]["outbound"]),
        (service.LoadBalancerSku, data["network"]["balancer"]),
        (service.UpgradeChannel, data["upgrades"]["cluster"]),
        (service.NodeOSUpgradeChannel, data["upgrades"]["nodes"]),
        (service.AgentPoolType, nodes["kind"]),
        (service.OSType, nodes["system"]),
        (service.OSSKU, nodes["image"]),
        (service.ScaleSetPriority, nodes["spot"]["priority"]),
        (service.ScaleSetEvictionPolicy, nodes["spot"]["eviction"]),
        *((service.GPUDriver, image["driver"]) for image in nodes["images"].values()),
    ]
    for words, word in chosen:
        assert issubclass(words, enum.Enum)
        assert word in {each.value for each in words}, words


@pytest.mark.parametrize(("name", "data"), [("eks", eks()), ("aks", aks())])
def test_every_choice_names_the_vendors_page(name, data):
    for section, content in data.items():
        pages = [value for key, value in content.items() if key.endswith("source")]
        inner = [v["source"] for v in content.values() if isinstance(v, dict) and "source" in v]
        if section != "timeouts":
            assert pages or inner, f"{name}.{section}"
        assert all(page.startswith("https://") for page in [*pages, *inner]), section


def test_a_gang_on_aks_is_one_pod_a_node_with_stable_names_and_a_way_to_rank_0():
    from recording import colony_args

    from components.colony import Colony

    job = {
        "name": "train", "framework": "pytorch", "run": "torchrun train.py", "nodes": 4,
        "resources": {"accelerators": "A100-80GB:1"},
    }  # fmt: skip
    pools = [CPU, {**A100, "nodes": 4, "spot": True}]
    args = colony_args(cloud="azure", pools=pools, jobs=[job], code=False)
    recording = record_program(lambda: Colony("demo", args))
    objects = [r for r in recording.in_cluster() if "-train-" in r.name]
    found = [
        {"type": request.type, "manifest": _whole(inputs(request))}
        for request in objects
        if "ConfigMap" not in request.type
    ]
    text = yaml.safe_dump(json.loads(json.dumps(found)), sort_keys=True, width=100)
    path = GOLDEN / "aks-gang.yaml"
    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()
    spec = inputs(recording.one("kubernetes:jobset.x-k8s.io/v1alpha2:JobSet"))["spec"]
    (gang,) = [each["template"]["spec"] for each in spec["replicatedJobs"]]
    pod = gang["template"]["spec"]
    assert (gang["parallelism"], gang["completions"], gang["completionMode"]) == (4, 4, "Indexed")
    spot = {"key": "kubernetes.azure.com/scalesetpriority", "value": "spot"}
    assert any(spot.items() <= each.items() for each in pod["tolerations"])
    assert pod["nodeSelector"] == {"colony.dev/accelerator": "A100-80GB"}
    (service,) = recording.of("kubernetes:core/v1:Service")
    service = inputs(service)["spec"]
    assert service.get("clusterIP") != "None"
    assert "0" in service["selector"].values()
