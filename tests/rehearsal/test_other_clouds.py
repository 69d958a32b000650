"""The rules of the simulated Azure and Google Cloud: names, and what stands in whose way."""

import pytest

from colony.rehearsal.calls import Refusal

GROUP = "azure-native:resources:ResourceGroup"
AKS = "azure-native:containerservice:ManagedCluster"
POOL = "azure-native:containerservice:AgentPool"
PLACEMENT = "azure-native:compute:ProximityPlacementGroup"
NETWORK = "gcp:compute/network:Network"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
ROUTER = "gcp:compute/router:Router"
ACCOUNT = "gcp:serviceaccount/account:Account"
GKE = "gcp:container/cluster:Cluster"
NODES = "gcp:container/nodePool:NodePool"
GPUS = {"agentPoolName": "gpus", "resourceGroupName": "demo", "resourceName": "main", "count": 1,
        "vmSize": "Standard_NC24ads_A100_v4"}  # fmt: skip
SYSTEM = {"name": "system", "mode": "System", "vmSize": "Standard_D4s_v5", "count": 1}


def refused(do, *args, **more):
    with pytest.raises(Refusal) as caught:
        do(*args, **more)
    return caught.value


def failures(bench, type_, inputs):
    return {
        found.path for found in bench.simulation.check(bench.call("create", type_, "x", inputs))[1]
    }


def aks(bench, **more):
    bench.region = "eastus"
    group = bench.create(GROUP, "group", {"resourceGroupName": "demo", "location": "eastus"})
    inputs = {"resourceGroupName": "demo", "location": "eastus", "dnsPrefix": "demo",
              "agentPoolProfiles": [SYSTEM], **more}  # fmt: skip
    return group, bench.create(AKS, "main", {**inputs, "resourceName": "main"})


def gke(bench):
    bench.region = "us-central1"
    network = bench.create(NETWORK, "net", {"name": "net", "autoCreateSubnetworks": False})
    inputs = {"name": "sub", "network": network.id, "ipCidrRange": "10.0.0.0/20"}
    subnet = bench.create(SUBNET, "sub", inputs)
    inputs = {"name": "main", "location": "us-central1", "network": network.id,
              "subnetwork": subnet.id, "initialNodeCount": 1}  # fmt: skip
    return network, subnet, bench.create(GKE, "main", inputs)


@pytest.mark.parametrize(
    ("type_", "inputs", "path"),
    [
        (POOL, {"agentPoolName": "a100-spot", "resourceGroupName": "g", "resourceName": "c"},
         "agentPoolName"),
        (POOL, {"agentPoolName": "x" * 13, "resourceGroupName": "g", "resourceName": "c"},
         "agentPoolName"),
        (GROUP, {"resourceGroupName": "ends-in-a-dot."}, "resourceGroupName"),
        (ACCOUNT, {"accountId": "four"}, "accountId"),
        (NETWORK, {"name": "Upper"}, "name"),
        (NODES, {"name": "x" * 41, "cluster": "c"}, "name"),
    ],
)  # fmt: skip
def test_a_name_that_the_cloud_does_not_take_is_refused(bench, type_, inputs, path):
    assert path in failures(bench, type_, inputs)


def test_aks_needs_a_system_pool(bench):
    bench.create(GROUP, "group", {"resourceGroupName": "demo", "location": "eastus"})
    error = refused(bench.create, AKS, "main", {"resourceGroupName": "demo", "resourceName": "x"})
    assert (error.code, "at least one agent pool" in error.message) == ("InvalidParameter", True)


def test_a_resource_group_takes_with_it_all_that_is_in_it(bench):
    group, cluster = aks(bench)
    bench.create(POOL, "gpus", GPUS)
    assert sorted(bench.types()).count(GROUP) == 2, "the nodes' own group"
    bench.delete(AKS, "main", cluster)
    assert bench.types() == [GROUP]
    bench.delete(GROUP, "group", group)
    assert bench.types() == []


def test_a_placement_group_stays_while_machines_are_in_it(bench):
    aks(bench)
    inputs = {"proximityPlacementGroupName": "close", "resourceGroupName": "demo"}
    close = bench.create(PLACEMENT, "close", inputs)
    pool = bench.create(POOL, "gpus", {**GPUS, "proximityPlacementGroupID": close.id})
    assert refused(bench.delete, PLACEMENT, "close", close).code == "OperationNotAllowed"
    bench.delete(POOL, "gpus", pool)
    bench.delete(PLACEMENT, "close", close)
    assert PLACEMENT not in bench.types()


def test_a_network_stays_while_anything_is_in_it(bench):
    network, subnet, cluster = gke(bench)
    router = bench.create(ROUTER, "router", {"name": "router", "network": network.id})
    for type_, name, thing in [(NETWORK, "net", network), (SUBNET, "sub", subnet)]:
        error = refused(bench.delete, type_, name, thing)
        assert error.code == "resourceInUseByAnotherResource"
    bench.delete(GKE, "main", cluster)
    bench.delete(SUBNET, "sub", subnet)
    assert refused(bench.delete, NETWORK, "net", network).code == "resourceInUseByAnotherResource"
    bench.delete(ROUTER, "router", router)
    bench.delete(NETWORK, "net", network)
    assert bench.types() == []


def test_gke_gives_gpu_pools_a_taint_of_its_own_and_takes_them_with_it(bench):
    _, _, cluster = gke(bench)
    pool = bench.create(NODES, "l4", {
        "name": "l4", "cluster": cluster.id, "location": "us-central1", "nodeCount": 1,
        "nodeConfig": {"machineType": "g2-standard-8",
                       "guestAccelerators": [{"type": "nvidia-l4", "count": 1}]},
    })  # fmt: skip
    (taint,) = pool.outputs["nodeConfig"]["effectiveTaints"]
    assert (taint["key"], taint["effect"]) == ("nvidia.com/gpu", "NO_SCHEDULE")
    bench.delete(GKE, "main", cluster)
    assert NODES not in bench.types()


def test_a_cluster_whose_name_is_taken_is_refused(bench):
    gke(bench)
    error = refused(bench.create, GKE, "other", {"name": "main", "location": "us-central1"})
    assert error.code == "alreadyExists"
    aks(bench)
    inputs = {"resourceGroupName": "demo", "resourceName": "main", "agentPoolProfiles": [SYSTEM]}
    assert refused(bench.create, AKS, "other", inputs).code == "ResourceAlreadyExists"
