"""The charts of the layers whose controllers the test bed has, rendered by real Helm with our
values, and our custom resources: the real API server takes every field of them."""

import shutil

import pytest
import yaml
from testbed import build

import charts
from colony.kubeapi import ApiRefused, KubeApi
from colony.rehearsal.helm import Helm
from components.placement import ClusterPlacement, PoolPlacement
from components.quota import queue_objects
from components.spec import ColonySpec
from components.volcano_queues import volcano_objects

CHARTS = {
    "jobset": "charts/jobset",
    "kueue": "charts/kueue",
    "kubeflow-trainer": "charts/kubeflow-trainer",
    "volcano": "installer/helm/chart/volcano",
}
SITE = charts.Site(cloud="aws", kubernetes="1.36", backends=frozenset({"jobset"}))
GPUS = {
    "name": "gpu", "instance_type": "p5.48xlarge", "accelerator": "H100", "accelerator_count": 8,
    "nodes": 2, "cpus": 192, "memory_gib": 2048, "price_per_node_hour": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def helm(plane, tmp_path_factory):
    program = build.programs("helm")["helm"]
    return Helm(program, plane.kubeconfig, "", tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def api(plane):
    return KubeApi(plane.kubeconfig.read_text())


def rendered(helm, name, folder, site=SITE):
    """Without the dependencies that our values leave out: a module's chart lacks them."""
    layer = charts.load()[name]
    chart = folder / name
    shutil.copytree(build.files("helm") / CHARTS[name], chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    about.pop("dependencies", None)
    about["version"] = layer.version
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    release = {
        "name": name, "namespace": layer.namespace, "chart": str(chart),
        "values": charts.values(layer, site, {}),
    }  # fmt: skip
    return layer, helm.render(release, "--kube-version=1.36.3", "--no-hooks")


def strict(api, obj):
    resource = api.resource(obj["apiVersion"], obj["kind"])
    assert resource, f"{obj['apiVersion']} {obj['kind']} is not served"
    return api.apply(resource, obj, "colony-test", force=True, dry_run=True)


@pytest.mark.usefixtures("jobset", "kueue", "trainer", "volcano")
@pytest.mark.parametrize("name", CHARTS)
def test_the_api_server_takes_all_of_a_chart_with_our_values(api, cluster, helm, name, tmp_path):
    layer, objects = rendered(helm, name, tmp_path)
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": layer.namespace}}
    cluster.apply(space)
    crds = {each["metadata"]["name"] for each in objects if "Definition" in each["kind"]}
    assert crds == set(layer.provides.crds)
    kinds = {each["kind"] for each in objects}
    assert {"Deployment", "ServiceAccount"} <= kinds
    for each in objects:
        if api.resource(each["apiVersion"], each["kind"]).namespaced:
            each["metadata"].setdefault("namespace", layer.namespace)
        if each["kind"].endswith("WebhookConfiguration"):
            each["metadata"]["name"] += "-of-the-chart"  # the test bed has its own, by URL
        if each["kind"] == "CustomResourceDefinition":
            each["spec"].pop("conversion", None)  # likewise
        strict(api, each)


def test_kueue_is_asked_about_no_pod_of_the_system(helm, tmp_path):
    _, objects = rendered(helm, "kueue", tmp_path, SITE.model_copy(update={"queued_pods": True}))
    hooks = [
        hook
        for each in objects
        if each["kind"].endswith("WebhookConfiguration")
        for hook in each["webhooks"]
        if hook["name"] in ("mpod.kb.io", "vpod.kb.io")
    ]
    assert [hook["failurePolicy"] for hook in hooks] == ["Fail", "Fail"]
    for hook in hooks:
        [rule] = hook["namespaceSelector"]["matchExpressions"]
        assert (rule["key"], rule["operator"]) == ("kubernetes.io/metadata.name", "NotIn")
        spaces = {layer.namespace for layer in charts.load().values()}
        assert spaces | {"kube-system"} <= set(rule["values"])


@pytest.mark.usefixtures("kueue", "volcano")
def test_the_api_server_takes_our_queues(api, cluster):
    from jobs.spec import Job

    job = Job(
        name="j", run="true", backend="volcano", queue="rows", priority="mine", nodes=1,
        resources={"accelerators": "H100:8"},
    )  # fmt: skip
    queues = [{"project": "rows", "namespace": "default", "gpus": 8, "borrow": 8}]
    spec = ColonySpec(name="c", queues=queues, jobs=[job])
    pools = [PoolPlacement(**GPUS)]
    place = ClusterPlacement(name="main", cloud="aws", region="us-east-1", pools=pools)
    objects = [*queue_objects(spec, place, [], labelled=True), *volcano_objects(spec, [job])]
    assert {each["kind"] for each in objects} == {
        "ResourceFlavor", "Cohort", "ClusterQueue", "LocalQueue", "WorkloadPriorityClass",
        "Queue", "PriorityClass",
    }  # fmt: skip
    for each in objects:
        strict(api, each)
    [one] = [each for each in objects if each["kind"] == "ClusterQueue"]
    with pytest.raises(ApiRefused, match="cohrt"):
        strict(api, {**one, "spec": {**one["spec"], "cohrt": "typo"}})
