import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import charts
from charts import ChartError, Layer, Site, Variant, When, choose, load, merge, names, values
from jobs.spec import Backend

ALL = load()
AWS = Site(cloud="aws")
GPU = Site(vendors=frozenset({"nvidia"}))
CPU = Site()
HEALTH = "colony-health"
"""Of the pods that watch the nodes (components/agent_health.py)."""


def layer(name, **more):
    data = {"name": name, "title": name, "chart": name, "repository": "https://x", "version": "1"}
    return Layer(**data, namespace=name, timeout=60, sources=["https://x"], **more)


def kueue_config(layer_values):
    return yaml.safe_load(layer_values["managerConfig"]["controllerManagerConfigYaml"])


@pytest.mark.parametrize("name", names())
def test_every_layer_is_pinned_bounded_and_sourced(name):
    data = ALL[name]
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", data.version)
    ours = (charts.FOLDER / data.chart / "Chart.yaml").is_file()
    assert ours or data.chart.startswith("oci://") or data.repository.startswith("https://")
    assert all(source.startswith("https://") for source in data.sources)
    assert data.timeout <= 1800


def test_no_two_layers_share_a_namespace():
    spaces = [data.namespace for data in ALL.values()]
    assert sorted(spaces) == sorted(set(spaces))


def test_kueue_never_catches_what_layers_run():
    config = kueue_config(values(ALL["kueue"], AWS, {}))
    (rule,) = config["managedJobsNamespaceSelector"]["matchExpressions"]
    assert rule["operator"] == "NotIn"
    assert {"kube-system", *(data.namespace for data in ALL.values())} <= set(rule["values"])


def test_kueue_knows_every_kind_of_job_but_volcanos():
    config = kueue_config(values(ALL["kueue"], AWS, {}))
    frameworks = config["integrations"]["frameworks"]
    groups = {name.partition("/")[0] for name in frameworks}
    assert groups == {
        "batch", "jobset.x-k8s.io", "trainer.kubeflow.org", "kubeflow.org", "ray.io"
    }  # fmt: skip


def test_a_part_of_kueues_configuration_can_be_overridden_without_losing_the_rest():
    over = {"managerConfig": {"controllerManagerConfigYaml": {"clientConnection": {"qps": 500}}}}
    config = kueue_config(values(ALL["kueue"], AWS, over))
    assert config["clientConnection"] == {"qps": 500, "burst": 100}
    assert config["kind"] == "Configuration"


def test_text_given_for_kueues_configuration_is_kept_as_it_is():
    over = {"managerConfig": {"controllerManagerConfigYaml": "kind: Configuration"}}
    assert values(ALL["kueue"], AWS, over)["managerConfig"] == over["managerConfig"]


@pytest.mark.parametrize(
    ("cloud", "image", "driver"),
    [
        ("aws", "al2023-nvidia", False),
        ("aws", "other", True),
        ("existing", "al2023-nvidia", True),
    ],
)
def test_the_operator_leaves_the_driver_to_images_that_have_it(cloud, image, driver):
    found = values(ALL["gpu-operator"], Site(cloud=cloud, node_image=image), {})
    assert found["driver"]["enabled"] is driver
    assert found["toolkit"]["enabled"] is driver


@pytest.mark.parametrize(
    ("enabled", "has_gpu", "expected"),
    [
        ({}, True, ["jobset", "kueue", "node-feature-discovery", "gpu-operator"]),
        ({}, False, ["jobset", "kueue"]),
        (
            {"gpu-operator": True},
            False,
            ["jobset", "kueue", "node-feature-discovery", "gpu-operator"],
        ),
        ({"gpu-operator": False}, True, ["jobset", "kueue"]),
        ({"jobset": False}, False, ["kueue"]),
        ({"kueue": False, "jobset": False}, False, []),
    ],
)
def test_the_choice_of_layers(enabled, has_gpu, expected):
    found = choose(enabled, GPU if has_gpu else CPU)
    assert sorted(data.name for data in found) == sorted(expected)


@pytest.mark.parametrize(
    ("backends", "enabled", "more"),
    [
        (["jobset", "job"], {}, []),
        (["volcano"], {}, ["volcano"]),
        (["mpijob", "rayjob"], {}, ["kuberay", "mpi-operator"]),
        (["trainjob"], {}, ["kubeflow-trainer"]),
        (["volcano"], {"volcano": False}, []),
        ([], {"kuberay": True}, ["kuberay"]),
    ],
)
def test_layers_follow_the_back_ends_of_the_jobs(backends, enabled, more):
    found = [data.name for data in choose(enabled, Site(backends=frozenset(backends)))]
    assert sorted(found) == sorted(["jobset", "kueue", *more])
    if "kubeflow-trainer" in found:
        assert found.index("jobset") < found.index("kubeflow-trainer")


@pytest.mark.parametrize("backend", list(Backend), ids=lambda backend: backend.value)
def test_every_back_end_but_plain_jobs_has_its_layer(backend):
    served = {name for data in ALL.values() for name in data.backends}
    assert (backend.value in served) is (backend is not Backend.JOB)


def test_a_chart_of_our_own_is_told_by_its_folder():
    folder = Path(charts.reference(ALL["mpi-operator"]))
    chart = yaml.safe_load((folder / "Chart.yaml").read_text())
    assert (chart["name"], chart["version"]) == ("mpi-operator", ALL["mpi-operator"].version)
    values_of = yaml.safe_load((folder / "values.yaml").read_text())
    assert values_of["image"].endswith(f":{chart['appVersion']}")
    assert charts.reference(ALL["jobset"]) == ALL["jobset"].chart


def test_our_charts_crd_is_of_the_shape_that_the_operator_serves():
    text = (charts.FOLDER / "mpi-operator" / "templates" / "crd.yaml").read_text()
    crd = yaml.safe_load(text)
    (version,) = crd["spec"]["versions"]
    assert (crd["spec"]["group"], version["name"]) == ("kubeflow.org", "v2beta1")
    assert crd["metadata"]["name"] == f"{crd['spec']['names']['plural']}.{crd['spec']['group']}"
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert spec["x-kubernetes-preserve-unknown-fields"] is True


def test_an_unknown_layer_is_named():
    with pytest.raises(ChartError, match="'kueu'"):
        choose({"kueu": True}, CPU)


def test_a_need_comes_along_and_first():
    layers = {
        data.name: data
        for data in (layer("a", when=When.GPU, vendors=["nvidia"], needs=["z"]), layer("z"))
    }
    layers["z"] = layers["z"].model_copy(update={"when": When.GPU})
    assert [data.name for data in choose({"a": True}, CPU, layers)] == ["z", "a"]
    assert [data.name for data in choose({"a": True, "z": False}, CPU, layers)] == ["a"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a": {"needs": ["b"]}, "b": {"needs": ["a"]}}, "need each other: a, b"),
        ({"a": {"needs": ["b"]}}, "no layer 'b'"),
        ({"a": {"colour": 1}}, "colour"),
        ({"a": {"name": "b"}}, "must be 'a'"),
        ({"a": {"timeout": 0}}, "timeout"),
        ({"a": {"when": "backend"}}, "backends: names none"),
    ],
)
def test_wrong_data_is_refused(files, words, tmp_path):
    for name, changes in files.items():
        data = {**layer(name).model_dump(mode="json"), **changes}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(ChartError, match=words):
        load(tmp_path)


def test_the_first_variant_that_fits_is_not_the_last():
    data = layer(
        "a",
        values={"x": {"one": 1, "two": 1}},
        variants=[
            Variant(cloud="aws", values={"x": {"one": 2}}),
            Variant(cloud="gcp", values={"x": {"one": 9}}),
            Variant(values={"x": {"two": 3}}),
        ],
    )
    assert values(data, AWS, {"x": {"three": 4}}) == {"x": {"one": 2, "two": 3, "three": 4}}
    assert data.values == {"x": {"one": 1, "two": 1}}


trees = st.recursive(
    st.integers() | st.text() | st.lists(st.integers()),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)
roots = st.dictionaries(st.text(max_size=3), trees, max_size=4)


@given(roots, roots)
def test_merging_again_changes_nothing_and_what_is_over_wins(base, over):
    once = merge(base, over)
    assert merge(once, over) == once
    assert set(once) == set(base) | set(over)
    assert merge(base, {}) == base
    assert merge({}, over) == over


def test_names_are_read_without_parsing():
    assert names() == sorted(ALL)
    assert charts.FOLDER.is_dir()


def test_kueue_is_asked_about_pods_only_where_plain_pods_queue():
    def frameworks(site):
        config = yaml.safe_load(
            values(ALL["kueue"], site, {})["managerConfig"]["controllerManagerConfigYaml"]
        )
        return config["integrations"]["frameworks"]

    plain, queued = frameworks(Site()), frameworks(Site(queued_pods=True))
    assert "pod" not in plain
    assert queued == [*plain, "pod"]


def test_what_kueue_may_not_catch_is_every_namespace_of_a_layer():
    text = values(ALL["kueue"], Site(), {})["managerConfig"]["controllerManagerConfigYaml"]
    [rule] = yaml.safe_load(text)["managedJobsNamespaceSelector"]["matchExpressions"]
    assert rule["operator"] == "NotIn"
    assert {layer.namespace for layer in ALL.values()} | {"kube-system", HEALTH} <= {
        *rule["values"]
    }
