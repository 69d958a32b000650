import pytest

from colony.rehearsal.calls import Config, Refusal
from colony.rehearsal.ledger import left

SERVICE = "kubernetes:core/v1:Service"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
RELEASE = "kubernetes:helm.sh/v3:Release"
JOBSET = "kubernetes:jobset.x-k8s.io/v1alpha2:JobSet"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
DISK = "aws:ebs/volume:Volume"


@pytest.fixture
def cluster(bench):
    bench.made = bench.kubernetes()
    return bench


def refused(do, *args, **more):
    with pytest.raises(Refusal) as caught:
        do(*args, **more)
    return caught.value


def service(bench, name="web", kind="LoadBalancer"):
    return bench.object(
        SERVICE, name, metadata={"name": name}, spec={"type": kind, "ports": [{"port": 80}]}
    )


def claim(bench):
    spec = {"resources": {"requests": {"storage": "100Gi"}}, "accessModes": ["ReadWriteOnce"]}
    return bench.object(CLAIM, "data", metadata={"name": "data"}, spec=spec)


def ingress(bench, name, controller):
    spec = {"ingressClassName": controller}
    return bench.object(INGRESS, name, metadata={"name": name}, spec=spec)


def billed(bench):
    return {line["type"]: line["usd_per_hour"] for line in left(bench.folder)}


def test_an_ingress_of_the_clouds_own_controller_is_a_load_balancer_that_goes_with_it(cluster):
    ingress(cluster, "inner", "nginx")
    assert BALANCER not in billed(cluster)
    made = ingress(cluster, "outer", "alb")
    assert made.outputs["status"]["loadBalancer"]["ingress"][0]["hostname"]
    assert BALANCER in billed(cluster)
    cluster.delete(INGRESS, "outer", made)
    assert BALANCER not in billed(cluster)


def test_names_and_namespaces_are_filled_in(cluster):
    made = cluster.object("kubernetes:core/v1:ConfigMap", "settings")
    assert made.id.startswith("default/settings-")
    assert cluster.object("kubernetes:core/v1:Namespace", "space").id.startswith("space-")


def test_a_namespace_must_exist(cluster):
    error = refused(
        cluster.object, "kubernetes:core/v1:ConfigMap", "c", metadata={"namespace": "nope"}
    )
    assert error.message == 'namespaces "nope" not found'


def test_what_exists_is_not_made_again(cluster):
    service(cluster)
    error = refused(cluster.object, SERVICE, "twin", metadata={"name": "web"}, spec={})
    assert error.message == 'services "web" already exists'


def test_a_custom_resource_needs_its_definition(cluster):
    job = {"metadata": {"name": "train"}, "spec": {}}
    error = refused(cluster.object, JOBSET, "train", **job)
    assert error.message == 'no matches for kind "JobSet" in version "jobset.x-k8s.io/v1alpha2"'
    release = {"chart": "oci://registry.k8s.io/jobset/charts/jobset", "namespace": "kube-system"}
    made = cluster.create(RELEASE, "jobset", release)
    assert made.outputs["status"]["status"] == "deployed"
    assert cluster.object(JOBSET, "train", **job).id == "default/train"
    cluster.delete(RELEASE, "jobset", made)
    assert cluster.simulation.kubernetes.objects(cluster.cluster, "JobSet") == []


def test_definitions_of_a_charts_crds_folder_outlive_their_release(cluster):
    release = {"chart": "gpu-operator", "namespace": "gpu-operator", "createNamespace": True}
    cluster.delete(RELEASE, "gpu", cluster.create(RELEASE, "gpu", release))
    assert (
        cluster.object("kubernetes:nvidia.com/v1:ClusterPolicy", "p", metadata={"name": "p"}).id
        == "p"
    )


def test_a_release_needs_its_namespace_or_makes_it(cluster):
    error = refused(cluster.create, RELEASE, "r", {"chart": "c", "namespace": "new"})
    assert 'namespaces "new" not found' in error.message
    assert (
        cluster.create(
            RELEASE, "s", {"chart": "c", "namespace": "new", "createNamespace": True, "name": "s"}
        ).id
        == "new/s"
    )


def test_a_service_gets_a_load_balancer_and_takes_it_along(cluster):
    made = service(cluster)
    assert made.outputs["status"]["loadBalancer"]["ingress"][0]["hostname"].endswith(
        "amazonaws.com"
    )
    assert billed(cluster)[BALANCER] == 0.0225
    cluster.delete(SERVICE, "web", made)
    assert BALANCER not in billed(cluster)


def test_a_service_without_a_load_balancer_costs_nothing(cluster):
    service(cluster, kind="ClusterIP")
    assert BALANCER not in billed(cluster)


def test_a_claim_gets_a_disk_of_its_size(cluster):
    made = claim(cluster)
    assert billed(cluster)[DISK] == pytest.approx(100 * 0.08 / 730)
    cluster.delete(CLAIM, "data", made)
    assert DISK not in billed(cluster)


def test_what_objects_made_in_the_cloud_outlives_their_cluster(cluster):
    main, _, subnet = cluster.made
    service(cluster)
    claim(cluster)
    cluster.delete("aws:eks/cluster:Cluster", "main", main)
    assert billed(cluster).keys() == {BALANCER, DISK}
    assert cluster.world.objects[cluster.cluster] == {}
    error = refused(cluster.delete, "aws:ec2/subnet:Subnet", "subnet", subnet)
    assert error.code == "DependencyViolation"


def test_a_namespace_takes_along_what_is_in_it(cluster):
    space = cluster.object("kubernetes:core/v1:Namespace", "space", metadata={"name": "space"})
    cluster.object(
        SERVICE,
        "web",
        metadata={"name": "web", "namespace": "space"},
        spec={"type": "LoadBalancer"},
    )
    cluster.delete("kubernetes:core/v1:Namespace", "space", space)
    assert BALANCER not in billed(cluster)
    assert cluster.simulation.kubernetes.objects(cluster.cluster, "Service") == []


def test_a_cluster_that_is_not_there_is_unreachable(bench):
    config = Config(values={"kubeconfig": '{"server": "https://gone:6443"}'})
    call = bench.call(
        "create",
        SERVICE,
        "web",
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}},
        config=config,
    )
    error = refused(bench.simulation.perform, call)
    assert error.code == "Unreachable"
    assert "https://gone:6443" in error.message


def test_a_cluster_is_found_by_the_endpoint_in_a_kubeconfig(cluster):
    main = cluster.made[0]
    config = Config(values={"kubeconfig": f"server: {main.outputs['endpoint']}"})
    made = cluster.create(
        "kubernetes:core/v1:ConfigMap",
        "c",
        {"apiVersion": "v1", "kind": "ConfigMap"},
        config=config,
    )
    assert made.id.startswith("default/c-")


def test_a_users_own_cluster_needs_no_cloud(bench):
    from colony.rehearsal.control import Control

    control = Control(bench.simulation, lambda: None)
    control.answer({"method": "add_cluster", "args": {"cluster_id": "mine"}})
    bench.cluster = "mine"
    service(bench)
    assert left(bench.folder) == []
    assert (
        len(
            control.answer(
                {"method": "objects", "args": {"cluster_id": "mine", "kind": "Service"}}
            )["ok"]
        )
        == 1
    )


def test_a_secrets_text_becomes_data_and_stays_off_the_disk(cluster):
    made = cluster.object("kubernetes:core/v1:Secret", "env", stringData={"TOKEN": "hunter2"})
    assert ("data",) in made.secrets
    [seen] = cluster.simulation.kubernetes.objects(cluster.cluster, "Secret")
    assert seen["data"] == {"TOKEN": "aHVudGVyMg=="}
    kept = "".join(path.read_text() for path in cluster.folder.iterdir())
    assert "hunter2" not in kept
    assert "aHVudGVyMg==" not in kept


@pytest.mark.parametrize(
    ("old", "new", "replaced"),
    [
        ({"data": {"a": "1"}}, {"data": {"a": "2"}}, False),
        ({"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}, True),
        ({"metadata": {"namespace": "a"}}, {"metadata": {"namespace": "b"}}, True),
        ({"metadata": {"labels": {}}}, {"metadata": {"labels": {"a": "b"}}}, False),
    ],
)
def test_an_object_is_replaced_only_for_its_place(cluster, old, new, replaced):
    call = cluster.call("diff", "kubernetes:core/v1:ConfigMap", "c", {"kind": "ConfigMap", **new})
    found, deletes_first = cluster.simulation.diff(call, {"kind": "ConfigMap", **old})
    assert found
    assert any(difference.replace for difference in found) is replaced
    assert not deletes_first, "the old and the new have room beside each other"


def test_what_replaces_an_object_in_its_own_place_comes_after_it(cluster):
    same = {"kind": "PriorityClass", "metadata": {"name": "a"}}
    call = cluster.call("diff", "kubernetes:scheduling.k8s.io/v1:PriorityClass", "p",
                        {**same, "value": 2})  # fmt: skip
    found, deletes_first = cluster.simulation.diff(call, {**same, "value": 1})
    assert [(each.path, each.replace) for each in found] == [("value", True)]
    assert deletes_first


def test_patches_are_refused_by_name(cluster):
    call = cluster.call(
        "check", "kubernetes:core/v1:ServicePatch", "p", {"apiVersion": "v1", "kind": "Service"}
    )
    [failure] = cluster.simulation.check(call)[1]
    assert "ServicePatch is not simulated" in failure.reason
