"""What the test bed runs is what the layers install."""

import re

import pytest
import yaml
from testbed.build import TOOLS
from testbed.controllers import NAMES

VERSIONS = yaml.safe_load((TOOLS / "versions.yaml").read_text())
CHARTS = TOOLS.parent.parent / "charts"


def charted():
    layers = (yaml.safe_load(file.read_text()) for file in sorted(CHARTS.glob("*.yaml")))
    return {
        each["name"]: str(each["version"]).removeprefix("v") for each in layers if "name" in each
    }


def required(module, path):
    """The version of a module that a go.mod settles on: its `replace`, else its `require`."""
    text = (TOOLS / module / "go.mod").read_text()
    replaced = re.search(rf"^\s*{re.escape(path)} => {re.escape(path)} v(\S+)", text, re.M)
    found = replaced or re.search(rf"^\s*(?:require )?{re.escape(path)} v(\S+)", text, re.M)
    assert found, f"{module}/go.mod does not require {path}"
    return found[1]


@pytest.mark.parametrize("layer", VERSIONS["layers"])
def test_a_layers_controller_runs_at_the_layers_version(layer):
    row, pinned = VERSIONS["layers"][layer], charted()[layer]
    nearest = row.get("nearest")
    runs = required(row["module"], row["path"])
    if nearest:
        assert len(nearest["reason"]) > 20
        assert nearest["version"] != pinned, f"{layer}: `nearest` is no longer needed"
    assert runs == (nearest["version"] if nearest else pinned)


def test_every_layer_is_run_or_said_to_be_absent():
    assert set(VERSIONS["layers"]) | set(VERSIONS["absent"]) == set(charted())
    assert not set(VERSIONS["layers"]) & set(VERSIONS["absent"])


def test_every_controller_of_the_test_bed_belongs_to_a_layer():
    assert len(VERSIONS["layers"]) == len(NAMES)


def test_the_kubernetes_staging_modules_belong_to_its_version():
    minor = required("kubernetes", "k8s.io/kubernetes").removeprefix("1.")
    for name in ("api", "apimachinery", "client-go", "kubectl", "kubelet"):
        assert required("kubernetes", f"k8s.io/{name}") == f"0.{minor}"
