"""CRDs that layers bring to a cluster that stays: written down before, taken away after."""

import base64
import gzip
import json
from types import SimpleNamespace

import pytest

import charts
from colony.kubeapi import Unreachable
from colony.lifecycle import definitions
from colony.lifecycle.definitions import (
    drop_definitions,
    foreseen,
    name_definitions,
    note_definitions,
    remove_definitions,
)
from colony.lifecycle.ground import LiveCluster
from colony.lifecycle.state import KUBERNETES
from colony.storage.folder import Folder
from components.layer_choice import ChosenLayer
from components.layer_spec import LayerChoice
from jobs.errors import RunFailed

PLACE = "existing/theirs"
OWN = charts.Layer(
    name="fleet", title="Fleet", chart="ships", repository="https://charts.example",
    version="1.0.0", namespace="fleet", when="named", timeout=60, sources=["the spec"],
)  # fmt: skip


def chosen(layer, **choice):
    return ChosenLayer(layer, LayerChoice(**choice), {})


def own(**more):
    return chosen(OWN, chart="ships", repository="https://charts.example", version="1.0.0", **more)


class Api:
    """The definitions of a cluster, and how many objects are of each."""

    def __init__(self, **crds):
        self.crds = {name.replace("_", "."): count for name, count in crds.items()}
        self.secrets = []

    def get(self, resource, namespace, name):
        if name not in self.crds:
            return None
        names = {"kind": "Ship", "plural": name}
        version = {"name": "v1", "served": True}
        spec = {"group": "g", "scope": "Namespaced", "names": names, "versions": [version]}
        return {"spec": spec}

    def listed(self, resource, namespace=None, selector=""):
        if resource.kind == "Secret":
            return self.secrets
        return [{}] * self.crds[resource.plural]

    def delete(self, resource, namespace, name):
        del self.crds[name]


@pytest.fixture
def ground(tmp_path):
    """A stack whose config and records know of one existing cluster; its time passes at once."""
    placement = {"clusters": [{"name": "main", "cloud": "existing", "region": "",
                               "context": "theirs"}], "jobs": {}}  # fmt: skip
    config = {
        "colony:placement": json.dumps(placement), "colony:kubeconfigs": '{"main": "known"}',
    }  # fmt: skip
    clock = [0.0]

    def wait(seconds, until=None):
        clock[0] += seconds

    return SimpleNamespace(
        storage=Folder(tmp_path), engine=SimpleNamespace(config=lambda stack: config),
        kubeconfig=lambda given: given, now=lambda: clock[0], wait=wait,
    )  # fmt: skip


@pytest.fixture
def served(monkeypatch):
    def serve(api):
        monkeypatch.setattr(definitions, "KubeApi", lambda kubeconfig: api)
        return api

    return serve


def noted(ground, ours, before=None):
    found = {"ours": ours, **({"before": before} if before is not None else {})}
    note_definitions(ground, "s", {PLACE: found}, anew=True)


def removed(ground):
    return remove_definitions(ground, "s", lambda text, at=None: None)


def left(ground):
    """The colony's file has that cluster no more, and so has its stack config."""
    ground.engine.config = lambda stack: {}
    there = LiveCluster("theirs", "existing", PLACE, "known", False)
    return drop_definitions(ground, "s", [there], lambda text, at=None: None)


def test_what_the_colony_has_left_keeps_none_of_ours_and_is_asked_once(ground, served):
    noted(ground, ["a.b", "c.d"])
    api = served(Api(a_b=0, c_d=3, x_y=0))
    assert left(ground) == ["the CRD c.d stays: 3 objects of it"]
    assert list(api.crds) == ["c.d", "x.y"]
    assert removed(ground) == [], "it is forgotten"


def test_what_could_not_be_asked_when_it_was_left_is_told_at_the_end_again(ground, monkeypatch):
    def gone(kubeconfig):
        raise Unreachable("no answer")

    monkeypatch.setattr(definitions, "KubeApi", gone)
    noted(ground, ["a.b"])
    assert left(ground) == [f"CRDs of layers may be left on {PLACE}: no answer"]
    [told] = removed(ground)
    assert "does not say how it is reached" in told


def test_what_is_not_there_yet_is_ours():
    jobset = charts.load()["jobset"]
    [name] = jobset.provides.crds
    assert foreseen([chosen(jobset)], frozenset({"a.b"})) == {"ours": [name]}
    assert foreseen([chosen(jobset)], frozenset({name})) == {"ours": []}
    assert foreseen([chosen(jobset, skip_crds=True)], frozenset()) == {"ours": []}
    assert foreseen([own()], frozenset({"a.b"})) == {"ours": [], "before": ["a.b"]}
    assert "before" not in foreseen([own(skip_crds=True)], frozenset({"a.b"}))


def test_what_a_switch_of_a_chart_brings_along_is_ours_as_well():
    trainer = charts.load()["kubeflow-trainer"]
    with_jobset = ChosenLayer(trainer, LayerChoice(), {"jobset": {"install": True}})
    assert "jobsets.jobset.x-k8s.io" in foreseen([with_jobset], frozenset())["ours"]
    assert "jobsets.jobset.x-k8s.io" not in foreseen([chosen(trainer)], frozenset())["ours"]


def test_a_second_up_takes_none_of_the_first_ones_for_somebody_elses(ground, served):
    noted(ground, ["a.b"], before=["x.y"])
    note_definitions(ground, "s", {PLACE: {"ours": ["c.d"], "before": ["a.b", "x.y"]}})
    api = served(Api(a_b=0, c_d=0, x_y=0))
    assert removed(ground) == []
    assert list(api.crds) == ["x.y"]


def test_another_life_of_that_name_begins_anew(ground, served):
    noted(ground, ["a.b"])
    note_definitions(ground, "s", {}, anew=True)
    api = served(Api(a_b=0))
    assert removed(ground) == []
    assert list(api.crds) == ["a.b"]


def test_one_of_which_there_is_an_object_stays_and_is_told(ground, served):
    noted(ground, ["a.b", "c.d"])
    api = served(Api(a_b=2, c_d=0))
    assert removed(ground) == ["the CRD a.b stays: 2 objects of it"]
    assert list(api.crds) == ["a.b"]


def test_a_cluster_that_does_not_answer_is_told(ground, monkeypatch):
    def gone(kubeconfig):
        raise Unreachable("no answer")

    monkeypatch.setattr(definitions, "KubeApi", gone)
    noted(ground, ["a.b"])
    assert removed(ground) == [f"CRDs of layers may be left on {PLACE}: no answer"]
    ground.engine.config = lambda stack: {}
    [told] = removed(ground)
    assert "does not say how it is reached" in told


CRD = "kind: CustomResourceDefinition\nmetadata: {name: %s}\n---\nkind: Other\n"


def with_release(api, files):
    """The state of a release of the user's own chart; Helm's record of it has these files."""
    listed = [
        {"name": name, "data": base64.b64encode(text.encode()).decode()}
        for name, text in files.items()
    ]
    packed = gzip.compress(json.dumps({"chart": {"files": listed}}).encode())
    release = base64.b64encode(base64.b64encode(packed)).decode()
    api.secrets = [{"data": {"release": release}}]
    provider = {
        "type": KUBERNETES, "urn": "urn:p", "id": "1",
        "inputs": {"clusterIdentifier": PLACE, "kubeconfig": "known"},
    }  # fmt: skip
    made = {
        "type": "kubernetes:helm.sh/v3:Release", "urn": "urn:r", "provider": "urn:p::1",
        "inputs": {"name": "fleet", "namespace": "fleet"},
    }  # fmt: skip
    return {"resources": [provider, made]}


def test_what_a_chart_of_ones_own_brought_is_in_helms_record(ground, served):
    api = served(Api(new_b=0, old_b=0, other_b=0))
    files = {f"crds/{name}.yaml": CRD % name for name in ("new.b", "old.b")}
    noted(ground, [], before=["old.b"])
    state = with_release(api, {**files, "crds/README.md": "note: this: is no manifest"})
    assert name_definitions(ground, "s", state) == []
    assert removed(ground) == []
    assert list(api.crds) == ["old.b", "other.b"]


@pytest.mark.parametrize("text", ["a: b: c", "kind: CustomResourceDefinition", "\x00"])
def test_a_chart_that_cannot_be_read_does_not_stop_the_end(ground, served, text):
    api = served(Api(a_b=0))
    noted(ground, ["a.b"], before=[])
    [told] = name_definitions(ground, "s", with_release(api, {"crds/odd.yaml": text}))
    assert told.startswith(f"CRDs of layers may be left on {PLACE}: ")
    assert removed(ground) == []
    assert api.crds == {}


def test_a_config_that_cannot_be_read_is_told(ground, served):
    def broken(stack):
        raise RunFailed("no config")

    noted(ground, ["a.b"])
    api = served(Api(a_b=0))
    ground.engine.config = broken
    assert removed(ground) == [f"CRDs of layers may be left on {PLACE}: no config"]
    assert list(api.crds) == ["a.b"]
