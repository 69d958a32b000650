"""GKE clusters as they would be registered: golden plans, and what must hold in all of them."""

import json
import re
from pathlib import Path

import pytest
import yaml
from recording import JOB, colony_args, inputs, is_provider, record_program

from colony.rehearsal import schema
from components.clusters.gcp import data
from components.placement import ClusterPlacement, PoolPlacement
from jobs.errors import InputError, NotSupported

GOLDEN = Path(__file__).with_name("golden")
SYSTEM = {"name": "system", "instance_type": "e2-standard-4", "nodes": 2, "cpus": 4,
          "memory_gib": 16, "price_per_node_hour": 0.134}  # fmt: skip
UNLABELLED = {
    "gcp:projects/iAMMember:IAMMember",
    "gcp:serviceaccount/iAMMember:IAMMember",
    "gcp:storage/bucketIAMMember:BucketIAMMember",
    "gcp:compute/routerNat:RouterNat",
}
HERE = {"cidrs": ["203.0.113.7/32"]}


def gpus(name, machine, accelerator, count, nodes=1, **more):
    return {"name": name, "instance_type": machine, "accelerator": accelerator, "nodes": nodes,
            "accelerator_count": count, "zone": "us-central1-a", "price_per_node_hour": 1.0,
            "cpus": 96, "memory_gib": 1024, **more}  # fmt: skip


SPECS = {
    "l4": gpus("l4", "g2-standard-8", "L4", 1),
    "a100": gpus("a100", "a2-ultragpu-8g", "A100-80GB", 8, 2),
    "h100-cos": gpus("h100", "a3-highgpu-8g", "H100", 8, 2),
    "l4-spot-scaling": gpus("l4", "g2-standard-96", "L4", 8, 4, spot=True, min_nodes=0, disk=500),
    "h200-reserved": gpus(
        "h200", "a3-ultragpu-8g", "H200", 8, 4, reservation="res-1", compact=True
    ),
    "t4-ubuntu": gpus("t4", "n1-standard-8", "T4", 1, image="ubuntu"),
}


def job_for(pool):
    accelerators = f"{pool['accelerator']}:{pool['accelerator_count']}"
    plain = {k: v for k, v in JOB.items() if k not in ("queue", "priority")}
    return {**plain, "nodes": pool["nodes"], "resources": {"accelerators": accelerators}}


@pytest.fixture(scope="module")
def gke():
    """Registers a colony of one GKE cluster; the same is recorded once."""
    from components.colony import Colony

    known = {}

    def run(pool=SPECS["h100-cos"], job=None, access=HERE, **more):
        key = repr((pool, job, access, more))
        if key not in known:
            args = colony_args(
                cloud="gcp", region="us-central1", pools=[SYSTEM, pool],
                jobs=[{**job_for(pool), **(job or {})}], **more,
            )  # fmt: skip
            args["placement"]["clusters"][0]["access"] = access
            known[key] = record_program(lambda: Colony("demo", args))
        return known[key]

    return run


def whole(value):
    """Numbers travel as floats."""
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def of_cloud(recording):
    return [r for r in recording.custom() if r.type.startswith("gcp:")]


@pytest.mark.parametrize("name", SPECS)
def test_plans_are_golden(gke, name):
    found = [
        {"type": r.type, "name": r.name, "inputs": whole(inputs(r))}
        for r in of_cloud(gke(SPECS[name]))
    ]
    path = GOLDEN / f"gke-{name}.yaml"
    assert found == yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SPECS)
def test_every_property_is_one_that_the_sdk_knows(gke, name):
    for request in of_cloud(gke(SPECS[name])):
        assert schema.check(request.type, whole(inputs(request))) == [], request.name


@pytest.mark.parametrize("name", SPECS)
def test_a_cluster_is_few_resources(gke, name):
    recording = gke(SPECS[name])
    assert len([r for r in recording.requests if r.type != "colony:index:Colony"]) <= 40


def test_every_choice_names_the_vendors_page():
    def told(value):
        return any(key.endswith("source") for key in value) or all(
            isinstance(item, dict) and told(item) for item in value.values()
        )

    choices = {k: v for k, v in data.gke().items() if k != "timeouts"}
    assert [name for name, choice in choices.items() if not told(choice)] == []
    text = Path(data.__file__).with_name("gke.yaml").read_text(encoding="utf-8")
    pages = re.findall(r"source: (\S+)", text)
    assert len(pages) > 30
    assert all(page.startswith("https://") for page in pages)


def test_everything_that_takes_a_label_or_a_description_carries_the_lease(gke):
    recording = gke(job={"outputs": [{"path": "out", "to": "gs://results/runs"}]})
    for request in of_cloud(recording):
        if request.type in UNLABELLED:
            continue
        given = inputs(request)
        labels = given.get("resourceLabels") or given.get("nodeConfig", {}).get("resourceLabels")
        if labels is None:
            assert "colony-stack=demo" in given["description"], request.name
        else:
            assert (labels["colony-stack"], labels["colony-expires"]) == ("demo", "1767232800")
    provider = inputs(recording.one("pulumi:providers:gcp"))
    assert json.loads(provider["defaultLabels"])["colony-stack"] == "demo"


def test_labels_are_what_google_takes():
    from components.lease import Lease
    from components.tags import lease_tags

    lease = Lease(colony="c", stack="s", owner="Ada.Lovelace@Example.com", created=1, expires=2,
                  end="colony down c " + "x" * 80)  # fmt: skip
    for key, value in lease_tags(lease, "gcp").items():
        assert re.fullmatch(r"[a-z][-_a-z0-9]{0,62}", key)
        assert re.fullmatch(r"[-_a-z0-9]{0,63}", value)
    assert lease_tags(lease, "gcp")["colony-owner"] == "ada_lovelace_example_com"


@pytest.mark.parametrize(
    ("access", "private", "cidrs"),
    [(HERE, False, ["203.0.113.7/32"]), ({"private": True}, True, []), (None, True, [])],
)
def test_an_api_server_is_public_to_named_networks_only(gke, access, private, cidrs):
    given = inputs(gke(access=access).one("gcp:container/cluster:Cluster"))
    assert given["privateClusterConfig"]["enablePrivateEndpoint"] is private
    assert given["privateClusterConfig"]["enablePrivateNodes"] is True
    listed = given["masterAuthorizedNetworksConfig"].get("cidrBlocks", [])
    assert [each["cidrBlock"] for each in listed] == cidrs
    assert given["masterAuthorizedNetworksConfig"]["gcpPublicCidrsAccessEnabled"] is False


def test_nodes_have_no_rights_but_their_own_and_hide_their_metadata(gke):
    recording = gke()
    roles = {inputs(r)["role"] for r in recording.of("gcp:projects/iAMMember:IAMMember")}
    assert roles == {"roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader"}
    for pool in recording.of("gcp:container/nodePool:NodePool"):
        node = inputs(pool)["nodeConfig"]
        assert node["serviceAccount"].startswith("demo-main-node@")
        assert node["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}
        assert node["shieldedInstanceConfig"]["enableSecureBoot"] is True


def test_the_operators_own_driver_is_unsigned_and_googles_is_installed_by_a_daemon_set(gke):
    cos, ubuntu = gke(SPECS["l4"]), gke(SPECS["t4-ubuntu"])
    installer = cos.one("kubernetes:apps/v1:DaemonSet", "driver-installer")
    assert inputs(installer)["metadata"]["namespace"] == "kube-system"
    assert not [r for r in ubuntu.of("kubernetes:apps/v1:DaemonSet") if "driver" in r.name]
    boot = [
        inputs(r.one("gcp:container/nodePool:NodePool", name))["nodeConfig"][
            "shieldedInstanceConfig"
        ]["enableSecureBoot"]
        for r, name in ((cos, "l4"), (ubuntu, "t4"))
    ]
    assert boot == [True, False]


def test_the_operator_leaves_to_the_image_what_the_image_brings(gke):
    def values(pool):
        release = gke(SPECS[pool]).one("kubernetes:helm.sh/v3:Release", "gpu-operator")
        return inputs(release)["values"]

    cos, ubuntu = values("l4"), values("t4-ubuntu")
    assert cos["driver"]["enabled"] is False
    assert cos["toolkit"]["installDir"] == "/home/kubernetes/bin/nvidia"
    assert ubuntu.get("driver", {}).get("enabled", True)
    assert ubuntu["toolkit"]["env"] == [{"name": "RUNTIME_CONFIG_SOURCE", "value": "file"}]


def test_pods_of_the_systems_classes_have_room_before_the_operator_comes(gke):
    recording = gke()
    quota = recording.one("kubernetes:core/v1:ResourceQuota")
    assert inputs(quota)["metadata"]["namespace"] == "gpu-operator"
    release = recording.one("kubernetes:helm.sh/v3:Release", "gpu-operator")
    assert any("ResourceQuota" in dependency for dependency in release.dependencies)


def test_the_kubeconfig_asks_googles_plugin_and_holds_no_token(gke):
    provider = inputs(gke().one("pulumi:providers:kubernetes"))
    config = json.loads(provider["kubeconfig"]["value"])
    assert config["users"][0]["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
    assert set(config["users"][0]["user"]) == {"exec"}
    assert config["clusters"][0]["cluster"]["server"] == "https://203.0.113.9"
    assert provider["clusterIdentifier"].startswith("https://container.googleapis.com/v1/")


def test_everything_in_the_cluster_goes_with_it(gke):
    recording = gke()
    for request in recording.in_cluster():
        assert request.deletedWith.endswith("Cluster::demo-main-gke"), request.name
    assert not any(request.protect for request in recording.requests if not is_provider(request))
    assert inputs(recording.one("gcp:container/cluster:Cluster"))["deletionProtection"] is False


def test_pods_write_outputs_with_an_account_of_their_own(gke):
    recording = gke(job={"outputs": [{"path": "out", "to": "gs://results/runs"}]})
    pods = inputs(recording.one("gcp:serviceaccount/iAMMember:IAMMember"))
    assert pods["member"] == "serviceAccount:p.svc.id.goog[default/colony-outputs]"
    bucket = inputs(recording.one("gcp:storage/bucketIAMMember:BucketIAMMember"))
    assert (bucket["bucket"], bucket["role"]) == ("results", "roles/storage.objectUser")
    account = inputs(recording.one("kubernetes:core/v1:ServiceAccount"))["metadata"]
    assert account["annotations"] == {
        "iam.gke.io/gcp-service-account": bucket["member"].split(":")[1]
    }


def test_pods_may_only_read_what_they_copy_in(gke):
    inputs_ = [{"path": "/data", "source": "gs://corpus/v1"}]
    recording = gke(job={"inputs": inputs_})
    bucket = inputs(recording.one("gcp:storage/bucketIAMMember:BucketIAMMember"))
    assert (bucket["bucket"], bucket["role"]) == ("corpus", "roles/storage.objectViewer")


def place(**pool):
    pools = [PoolPlacement(**{**SPECS["l4"], **pool})]
    return ClusterPlacement(name="main", cloud="gcp", region="us-central1", pools=pools)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"instance_type": "e2-standard-8"}, NotSupported, "e2-standard-8 with L4"),
        ({"zone": "europe-west4-a"}, InputError, "no zone of us-central1"),
        ({"instance_type": "n1-standard-8", "accelerator": "T4", "compact": True},
         NotSupported, "side by side"),
        ({"compact": True, "nodes": 1501}, InputError, "at most 1500"),
    ],
)  # fmt: skip
def test_what_gke_cannot_build_is_refused_with_its_path(change, error, text):
    with pytest.raises(error, match=text) as caught:
        data.check(place(**change))
    assert caught.value.problems[0].path.startswith("placement.clusters.main.l4.")


def test_gpu_pools_of_two_images_are_refused():
    placement = place()
    other = placement.pools[0].model_copy(update={"name": "other", "image": "ubuntu"})
    placement = placement.model_copy(update={"pools": [*placement.pools, other]})
    with pytest.raises(InputError, match="different images"):
        data.check(placement)
