"""One word switches it on: few releases, beside the jobs, and nothing that outlives the cluster."""

import json

import pytest
from recording import inputs, is_provider

LAYERS = ["kube-prometheus-stack", "loki", "observability", "opentelemetry-collector"]
ON = {"layers": {"observability": {}}}
RELEASE = "kubernetes:helm.sh/v3:Release"
JOBSET = "kubernetes:jobset.x-k8s.io/v1alpha2:JobSet"


def releases(recording):
    return {inputs(each)["name"]: each for each in recording.of(RELEASE)}


def after(request):
    return {dependency.split("::")[-1] for dependency in request.dependencies}


def test_it_is_off_until_it_is_named(record):
    assert not set(LAYERS) & set(releases(record()))
    assert not [r for r in record().requests if "agent" in r.name and not is_provider(r)]


def test_one_word_brings_all_of_it_with_at_most_two_resources_a_layer(record):
    plain, watched = record(), record(spec=ON)
    assert set(releases(watched)) - set(releases(plain)) == set(LAYERS)
    more = {r.name for r in watched.requests} - {r.name for r in plain.requests}
    agent = {
        f"demo-main-{kind}-colony-agent" for kind in ("serviceaccount", "configmap", "deployment")
    }
    assert more == {f"demo-main-{name}" for name in LAYERS} | agent
    assert len(watched.requests) <= 56


def test_what_others_need_goes_in_first(record):
    found = releases(record(spec=ON))
    needs = {f"demo-main-{name}" for name in LAYERS if name != "observability"}
    assert needs <= after(found["observability"])
    assert "demo-main-loki" in after(found["opentelemetry-collector"])


def test_jobs_do_not_wait_for_it(record):
    recording = record(spec=ON)
    waits = set().union(*(after(r) for r in recording.requests if "train" in r.name))
    assert not {f"demo-main-{name}" for name in LAYERS} & waits
    assert "demo-main-jobset" in waits


@pytest.mark.parametrize("cloud", ["aws", "existing"])
def test_nothing_is_kept_on_disks_that_outlive_the_cluster(record, cloud):
    found = {
        name: inputs(each)["values"]
        for name, each in releases(record(cloud=cloud, spec=ON)).items()
    }
    text = json.dumps({name: found[name] for name in LAYERS})
    assert "volumeClaimTemplate" not in text
    assert "PersistentVolumeClaim" not in text
    prometheus = found["kube-prometheus-stack"]
    assert list(prometheus["prometheus"]["prometheusSpec"]["storageSpec"]) == ["emptyDir"]
    assert prometheus["grafana"]["persistence"] == {"enabled": False}
    assert found["loki"]["singleBinary"]["persistence"]["enabled"] is False


def test_what_is_kept_is_kept_for_hours_and_has_a_limit(record):
    found = {name: inputs(each)["values"] for name, each in releases(record(spec=ON)).items()}
    spec = found["kube-prometheus-stack"]["prometheus"]["prometheusSpec"]
    assert (spec["retention"], spec["retentionSize"]) == ("72h", "6GiB")
    assert spec["storageSpec"]["emptyDir"] == {"sizeLimit": "8Gi"}
    assert found["loki"]["loki"]["limits_config"]["retention_period"] == spec["retention"]
    volume = found["loki"]["singleBinary"]["persistence"]["dataVolumeParameters"]
    assert volume == {"emptyDir": {"sizeLimit": "10Gi"}}


def test_there_is_no_password_in_the_values(record):
    for each in releases(record(spec=ON)).values():
        assert "password" not in json.dumps(inputs(each)["values"]).lower()


def test_the_operators_exporter_is_scraped_once(record):
    plain, watched = (
        inputs(releases(record(**more))["gpu-operator"])["values"]["dcgmExporter"]
        for more in ({}, {"spec": ON})
    )
    assert plain == {"enabled": True}
    assert watched["serviceMonitor"] == {"enabled": False}
    assert "DCGM_FI_PROF_SM_ACTIVE" in watched["config"]["data"]


def test_the_agent_has_the_recorded_prices_and_no_more_rights(record):
    recording = record(spec=ON)
    bill = json.loads(
        inputs(recording.one("kubernetes:core/v1:ConfigMap", "agent"))["data"]["bill.json"]
    )
    assert (bill["colony"], bill["usd_per_hour"]) == ("demo", 110.2)
    assert [pool["name"] for pool in bill["pools"]] == ["system", "h100"]
    assert not [r for r in recording.requests if "rbac.authorization" in r.type]
    pod = inputs(recording.one("kubernetes:apps/v1:Deployment"))["spec"]["template"]["spec"]
    assert {"name": "metrics", "containerPort": 9464} in pod["containers"][0]["ports"]


def test_a_longer_lease_changes_the_bill_and_restarts_nothing(record):
    from recording import LEASE

    later = {"lease": {**LEASE, "expires": LEASE["expires"] + 3600}}
    before, after_it = record(spec=ON), record(spec=ON, **later)
    kinds = ("kubernetes:core/v1:ConfigMap", "kubernetes:apps/v1:Deployment")
    same = [inputs(before.one(k, "agent")) == inputs(after_it.one(k, "agent")) for k in kinds]
    assert same == [False, True]


def test_logs_can_be_left_out(record):
    off = {"loki": {"enabled": False}, "opentelemetry-collector": {"enabled": False}}
    found = releases(record(spec={"layers": {**ON["layers"], **off}}))
    assert set(LAYERS) & set(found) == {"kube-prometheus-stack", "observability"}
    assert (
        "additionalDataSources" not in inputs(found["kube-prometheus-stack"])["values"]["grafana"]
    )
