"""Taints that a cloud gives its spot nodes by itself: what serves GPUs must come onto them too."""

import pytest

import charts
from components.clusters.azure.data import spot_taint
from components.layer_choice import chosen_layers
from components.layer_report import checked_cluster, stack
from components.placement import ClusterPlacement, PoolPlacement
from components.site import spot_tolerations
from components.spec import ColonySpec

SPOT = {"key": "kubernetes.azure.com/scalesetpriority", "operator": "Equal", "value": "spot",
        "effect": "NoSchedule"}  # fmt: skip


def cluster(cloud, machine, spot, **layers):
    pool = PoolPlacement(
        name="gpu", instance_type=machine, accelerator="A100-80GB", accelerator_count=8, nodes=2,
        spot=spot, price_per_node_hour=1,
    )  # fmt: skip
    place = ClusterPlacement(name="main", cloud=cloud, region="x", kubernetes="1.35", pools=[pool])
    spec = ColonySpec(name="lab", layers=layers)
    return checked_cluster(spec, place, [], chosen_layers(spec, place, []))


def test_the_table_says_what_the_cluster_says():
    pool = PoolPlacement(name="a", instance_type="b", nodes=1, spot=True, price_per_node_hour=1)
    assert spot_tolerations("azure", [pool]) == (spot_taint().toleration,)
    assert spot_tolerations("azure", [pool.model_copy(update={"spot": False})]) == ()
    assert spot_tolerations("aws", [pool]) == ()


def test_on_spot_nodes_of_aks_the_operator_s_pods_tolerate_the_cloud_s_taint():
    own = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    found = cluster("azure", "Standard_ND96amsr_A100_v4", True)
    tolerated = found.value("gpu-operator", "daemonsets.tolerations")
    assert own in tolerated
    assert SPOT in tolerated
    assert found.value("node-feature-discovery", "worker.tolerations") == [{"operator": "Exists"}]
    (reason,) = [
        value["why"]
        for layer in stack(found)["layers"]
        for value in layer["values"]
        if (layer["name"], value["path"]) == ("gpu-operator", "daemonsets.tolerations")
    ]
    assert "spot pools one that the cloud gives" in reason


def test_the_user_s_own_tolerations_are_the_last_word():
    mine = {"values": {"daemonsets": {"tolerations": [{"operator": "Exists"}]}}}
    found = cluster("azure", "Standard_ND96amsr_A100_v4", True, **{"gpu-operator": mine})
    assert found.value("gpu-operator", "daemonsets.tolerations") == [{"operator": "Exists"}]


@pytest.mark.parametrize(
    ("cloud", "machine", "spot"),
    [("azure", "Standard_ND96amsr_A100_v4", False), ("aws", "p4de.24xlarge", True)],
)
def test_elsewhere_nothing_is_added(cloud, machine, spot):
    tolerated = cluster(cloud, machine, spot).value("gpu-operator", "daemonsets.tolerations")
    assert SPOT not in tolerated


@pytest.mark.parametrize("name", charts.names())
def test_pods_that_need_a_gpu_node_say_what_they_tolerate(name):
    """A layer that makes devices known runs where the devices are."""
    layer = charts.load()[name]
    if not layer.provides.resources or name == "network-operator":
        return  # its own pods are made by its NicClusterPolicy
    known = dict(charts.flat(layer.values))
    assert any(known.get(path) for path in layer.tolerations), name
