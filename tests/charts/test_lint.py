"""What must hold of the registry as a whole."""

from collections import Counter

import pytest
import yaml

import charts
from charts import load, names, set_paths

ALL = load()
LOCK = yaml.safe_load((charts.FOLDER / charts.LOCK).read_text())
UNCHECKED = set()
"""Entries that no run against their chart stands behind."""


@pytest.mark.parametrize("name", names())
def test_an_entry_sets_only_what_its_chart_was_seen_to_have(name):
    layer = ALL[name]
    if name in UNCHECKED:
        pytest.skip("its chart could not be had")
    named = {*set_paths(layer), *layer.node_selectors, *layer.tolerations}
    assert named == set(layer.checked.paths), "run tools/check_chart.py again"


@pytest.mark.parametrize("name", names())
def test_every_version_is_in_the_lock(name):
    layer, locked = ALL[name], LOCK[name]
    assert locked["version"] == layer.version
    assert locked["chart"] == layer.chart
    assert locked.get("repository") == layer.repository
    assert locked.get("digest") or locked["seen"], "neither a digest nor where it was seen"


def test_the_lock_holds_nothing_else():
    assert set(LOCK) == set(ALL)


def test_no_crd_has_two_owners():
    owners = Counter(crd for layer in ALL.values() for crd in layer.provides.crds)
    assert [crd for crd, count in owners.items() if count > 1] == []


def test_what_a_switch_would_bring_is_off_where_a_layer_owns_it():
    owned = {crd: layer.name for layer in ALL.values() for crd in layer.provides.crds}
    for layer in ALL.values():
        for path, crds in layer.bundles.items():
            on = dict(charts.flat(layer.values)).get(path)
            others = {owned[crd] for crd in crds if crd in owned} - {layer.name}
            assert not (on and others), f"{layer.name}: {path} belongs to {others}"


def test_no_two_layers_are_one_scheduler():
    schedulers = Counter(each for layer in ALL.values() for each in layer.provides.schedulers)
    assert all(count == 1 for count in schedulers.values())


@pytest.mark.parametrize("name", names())
def test_every_value_says_why_and_where_that_is_written(name):
    layer = ALL[name]
    silent = [path for path, reason in charts.reasons(layer, charts.Site(), {}).items()
              if not reason.source.startswith("https://")]  # fmt: skip
    assert silent == []
    for variant in (*layer.variants, *layer.extras):
        assert variant.why, name
        assert variant.source.startswith("https://"), name


@pytest.mark.parametrize("name", names())
def test_conditions_name_layers_that_exist(name):
    layer = ALL[name]
    asked = {each.layer for each in (*layer.variants, *layer.extras) if each.layer}
    assert asked <= set(ALL)


@pytest.mark.parametrize("name", names())
def test_objects_beside_a_release_are_in_its_namespace_or_in_none(name):
    layer = ALL[name]
    spaces = {extra.manifest["metadata"].get("namespace") for extra in layer.extras}
    assert spaces <= {None, layer.namespace}


def test_layers_run_their_pods_where_kueue_does_not_look():
    assert all(layer.namespace not in ("default", "kube-system") for layer in ALL.values())
