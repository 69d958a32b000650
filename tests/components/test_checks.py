"""Each mistake, seeded into a stack that raises nothing by itself."""

import pytest
from recording import colony_args

from components import checks
from components.colony import check
from components.inputs import ColonyArgs, coerce
from components.layer_choice import chosen_layers
from components.placement import ClusterPlacement, PoolPlacement
from components.spec import ColonySpec
from jobs.errors import InputError
from stacks import STACKS, cluster_of

EFA = "vpc.amazonaws.com/efa"
KUEUE = "managerConfig.controllerManagerConfigYaml"


def gpu(**values):
    return {"layers": {"gpu-operator": {"values": values}}}


def kueue(**config):
    values = {"managerConfig": {"controllerManagerConfigYaml": config}}
    return {"kueue": {"values": values}}


def asking(count):
    resources = {"limits": {EFA: count}}
    template = {"spec": {"containers": [{"name": "main", "resources": resources}]}}
    return {"job": {"roles": {"worker": {"replicas": 2, "template": template}}}}


DRA = {"chart": "oci://x.io/dra-driver-nvidia-gpu", "version": "0.4.1"}
MIG = {"migManager": {"config": {"default": "all-1g.5gb"}}}
ELASTIC = {"queue": "q", "elastic": {"min": 1, "max": 4}}
BLIND = {"integrations": {"frameworks": ["jobset.x-k8s.io/jobset"]}}
BLIND_KUEUE = {"kueue": {"values": {"managerConfig": {"controllerManagerConfigYaml": BLIND}}}}

MISTAKES = [
    ("aks-a100-infiniband", {"layers": {"network-operator": {"enabled": False}}},
     "gpu-operator.values.driver.rdma.enabled", "NicClusterPolicy"),
    ("gke-a3-cos", gpu(driver={"enabled": True}), "driver.enabled", "cos brings the driver"),
    ("eks-h100-efa", gpu(driver={"enabled": True}), "driver.enabled", "al2023-nvidia brings"),
    ("eks-l4", gpu(toolkit={"enabled": True}), "toolkit.enabled", "brings the toolkit"),
    ("aks-a100-infiniband",
     {"image": "aks-ubuntu", **gpu(driver={"enabled": True})}, "driver.enabled", "aks-ubuntu"),
    ("onprem-k3s-a100", gpu(toolkit={"env": []}), "toolkit.env", "its own containerd"),
    ("eks-h100-efa", asking(33), "jobs[0].roles.worker.template", "p5.48xlarge has 32"),
    ("eks-h100-efa", asking(5), "jobs[0].roles.worker.template", "asks for 5"),
    ("eks-l4", asking(1), "jobs[0].roles.worker.template", "g6.12xlarge has 0"),
    ("eks-h100-efa", {"layers": {"aws-efa-k8s-device-plugin": {"enabled": False}}},
     "aws-efa-k8s-device-plugin", "is off"),
    ("eks-h100-efa", gpu(**MIG), "migManager.config.default", "has no MIG profile 1g.5gb"),
    ("eks-l4", gpu(**MIG), "migManager.config.default", "no MIG profile"),
    ("eks-l4", {"job": {"image": "repo/train:1-arm64"}}, "jobs[0].image", "is for arm64"),
    ("eks-l4", {"gpus": ("g5g.16xlarge", "T4G", 2), "job": {"image": "repo/train-amd64:1"}},
     "", ""),
    ("gke-l4", {"layers": {"kuberay": {"values": {"batchScheduler": {"name": "volcano"}}}}},
     "batchScheduler.name", "both hold"),
    ("aks-a100-infiniband",
     {"layers": kueue(manageJobsWithoutQueueName=True, integrations={"frameworks": ["pod"]})},
     KUEUE, "that Volcano schedules"),
    ("eks-l4", gpu(nfd={"enabled": True}), "gpu-operator.values.nfd.enabled",
     "owned by node-feature-discovery"),
    ("onprem-k3s-a100",
     {"layers": {"kubeflow-trainer": {"values": {"jobset": {"install": True}}}}},
     "kubeflow-trainer.values.jobset.install", "owned by jobset"),
    ("eks-l4", {"kubernetes": "1.33", **gpu(gpuCluster={"deployCR": True})},
     "gpuCluster.deployCR", "from Kubernetes 1.34"),
    ("eks-l4", {"kubernetes": "1.33", "layers": {"dra": {**DRA}}}, "layers.dra", "1.34"),
    ("eks-l4", {"job": ELASTIC, "layers": BLIND_KUEUE}, "jobs[0].queue", "`pod` integration"),
    ("gke-l4", {"layers": {"aws-efa-k8s-device-plugin": {"enabled": True}}},
     "aws-efa-k8s-device-plugin", "is for aws only"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "mistake", "path", "words"),
    [each for each in MISTAKES if each[2]],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_a_mistake_is_refused_by_name_before_anything_is_made(name, mistake, path, words):
    found = checks.errors(cluster_of(name, **mistake))
    assert [each for each in found if path in each.path and words in each.message], found
    with pytest.raises(InputError):
        checks.refuse_errors(cluster_of(name, **mistake))


def test_every_rule_has_a_mistake_that_it_catches():
    """A rule that nothing trips is a rule that cannot fail."""
    seeded = [cluster_of(name, **mistake) for name, mistake, path, _ in MISTAKES if path]
    seeded += [without_quota(), orphaned(), amd()]
    silent = [rule.__name__ for rule in checks._ERRORS if not any(list(rule(c)) for c in seeded)]
    assert silent == []


def changed(cluster, name, **changes):
    """The cluster with a layer's entry as it might be written tomorrow."""
    layers = [
        type(each)(**{**each.__dict__, **changes}) if each.name == name else each
        for each in cluster.layers
    ]
    return type(cluster)(cluster.site, layers, cluster.pools, cluster.jobs)


def without_quota():
    return changed(cluster_of("gke-a3-cos"), "gpu-operator", before=[])


def orphaned():
    """A custom resource beside a release that is not of its controller."""
    flavor = {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "ResourceFlavor",
        "metadata": {"name": "x"},
    }
    return changed(cluster_of("eks-l4"), "jobset", after=[flavor])


def amd():
    place = ClusterPlacement(
        name="train", cloud="azure", region="x", kubernetes="1.35",
        pools=[PoolPlacement(name="gpu", instance_type="Standard_ND96isr_MI300X_v5",
                             accelerator="MI300X", accelerator_count=8, nodes=1,
                             price_per_node_hour=10)],
    )  # fmt: skip
    from components.layer_report import checked_cluster

    spec = ColonySpec(name="lab")
    return checked_cluster(spec, place, [], chosen_layers(spec, place, [], None))


def test_gkes_quota_must_come_first():
    (found,) = checks.errors(without_quota())
    assert "only within a ResourceQuota" in found.message


def test_a_custom_resource_does_not_outlive_its_controller():
    (found,) = checks.errors(orphaned())
    assert found.path == "layers.jobset"
    assert "would outlive its controller kueue" in found.message


@pytest.mark.parametrize(
    ("group", "kind", "owner"),
    [
        ("nvidia.com/v1alpha1", "GPUCluster", "gpu-operator"),
        ("kueue.x-k8s.io/v1beta2", "ClusterQueue", "kueue"),
        ("ray.io/v1", "RayCluster", "kuberay"),
        ("trainer.kubeflow.org/v1alpha1", "TrainingRuntime", "kubeflow-trainer"),
        ("mellanox.com/v1alpha1", "NicClusterPolicy", "network-operator"),
    ],
)
def test_the_orders_that_made_others_hang_are_seen(group, kind, owner):
    """A finalizer of each, with its object beside another release."""
    on = {each: {"enabled": True} for each in ("kuberay", "kubeflow-trainer", "network-operator")}
    cluster = cluster_of("aks-a100-infiniband", layers=on)
    lost = {"apiVersion": group, "kind": kind, "metadata": {"name": "x"}}
    found = checks.errors(changed(cluster, "node-feature-discovery", after=[lost]))
    assert [each.message for each in found if f"outlive its controller {owner}" in each.message]
    kept = cluster.layer(owner)
    own = changed(cluster, owner, after=[*kept.after, lost])
    assert checks.errors(own) == []


def test_amd_gpus_need_an_operator_by_name():
    assert [each.message for each in checks.errors(amd())] == ["no layer serves AMD accelerators"]


def test_a_version_that_the_vendor_did_not_try_is_a_warning():
    found = checks.warnings(cluster_of("eks-l4", kubernetes="1.38"))
    assert [each.path for each in found] == ["layers.gpu-operator"]
    pinned = {"kueue": {"version": "0.19.1"}}
    found = checks.warnings(cluster_of("eks-l4", layers=pinned))
    assert [each.path for each in found] == ["layers.kueue.version"]


RDMA = {"gpu-operator": {"values": {"driver": {"rdma": {"enabled": True}}}},
        "network-operator": {"enabled": True}}  # fmt: skip
THERE = {"standing": "same", "release": "net", "namespace": "net", "version": "26.4.1"}


def existing(found):
    args = colony_args(
        cloud="existing",
        pools=(),
        spec={"layers": RDMA},
        found={"clusters": {"main": {"layers": found}}},
    )
    return coerce(ColonyArgs, args)


def test_a_cluster_is_checked_as_it_was_found():
    """The network operator is there: whoever made it made its policy too."""
    check(existing({"network-operator": {**THERE, "deed": "keep"}}))
    with pytest.raises(InputError, match="NicClusterPolicy"):
        check(existing({}))


def test_what_was_found_owns_its_crds():
    twice = {"kubeflow-trainer": {"values": {"jobset": {"install": True}}}}
    args = colony_args(
        cloud="existing", pools=(), spec={"layers": twice},
        found={"clusters": {"main": {"layers": {"jobset": {**THERE, "deed": "keep"}}}}},
    )  # fmt: skip
    with pytest.raises(InputError, match="owned by jobset already"):
        check(coerce(ColonyArgs, args))


@pytest.mark.parametrize("name", STACKS)
def test_the_checks_change_nothing(name):
    cluster = cluster_of(name)
    before = [each.values for each in cluster.layers]
    checks.errors(cluster)
    assert [each.values for each in cluster.layers] == before
