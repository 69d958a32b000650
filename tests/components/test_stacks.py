"""Whole stacks, written down: what is installed, in which order, and why each value is so.

`tools/golden_stacks.py` writes them anew; read the difference.
"""

from pathlib import Path

import pytest
import yaml

from components import checks
from components.layer_report import stack
from stacks import STACKS, cluster_of

FOLDER = Path(__file__).parent / "stacks"


@pytest.mark.parametrize("name", STACKS)
def test_the_stack_is_the_one_written_down(name):
    written = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    assert stack(cluster_of(name)) == written


@pytest.mark.parametrize("name", STACKS)
def test_no_stack_of_ours_raises_a_check(name):
    cluster = cluster_of(name)
    assert checks.errors(cluster) == []
    assert checks.warnings(cluster) == []


@pytest.mark.parametrize("name", STACKS)
def test_every_value_of_a_stack_has_its_reason(name):
    for layer in stack(cluster_of(name))["layers"]:
        for value in layer["values"]:
            assert value["source"], (layer["name"], value["path"])


@pytest.mark.parametrize("name", STACKS)
def test_needs_go_in_first(name):
    done = set()
    for layer in stack(cluster_of(name))["layers"]:
        assert set(layer["needs"]) <= done
        done.add(layer["name"])


def test_nothing_is_written_down_that_is_not_tried():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(STACKS)


def test_a_cluster_of_cpus_gets_nothing_for_gpus():
    names = {each.name for each in cluster_of("cpu-only").layers}
    assert names.isdisjoint({"gpu-operator", "network-operator", "node-feature-discovery"})


def test_features_are_discovered_once():
    cluster = cluster_of("aks-a100-infiniband")
    assert [each.name for each in cluster.layers].count("node-feature-discovery") == 1
    assert cluster.value("gpu-operator", "nfd.enabled") is False
    assert cluster.value("network-operator", "nfd.enabled") is False


def test_gkes_quota_is_there_before_the_operator():
    (quota,) = cluster_of("gke-l4").layer("gpu-operator").before
    assert quota["kind"] == "ResourceQuota"
