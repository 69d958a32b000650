"""What is done about layers that a cluster of the user's has already."""

import base64
import gzip
import json
from types import SimpleNamespace

import pytest

import charts
from colony.lifecycle.existing_layers import HelmRelease, Seen, _ours, _releases, decide
from components.layer_choice import ChosenLayer
from components.layer_found import Deed, FoundLayer, Standing, as_found
from components.layer_spec import LayerChoice
from jobs.errors import InputError

JOBSET = charts.load()["jobset"]


def chosen(existing=None):
    return [ChosenLayer(JOBSET, LayerChoice(existing=existing), {})]


def seen(version=None, crds=False, ruled=(), deployments=(), name="theirs"):
    releases = [HelmRelease("elsewhere", name, "jobset", version)] if version else []
    found = frozenset(JOBSET.provides.crds) if crds else frozenset()
    return Seen(releases, found, frozenset(deployments), frozenset(ruled))


FOREIGN = {"crds": True, "ruled": ["jobset.x-k8s.io"]}


@pytest.mark.parametrize(
    ("existing", "there", "deed"),
    [
        (None, {}, None),
        (None, {"version": JOBSET.version}, Deed.KEEP),
        (None, {"version": "99.0.0"}, Deed.KEEP),
        (None, {"version": "0.1.0"}, "older"),
        (None, FOREIGN, "not installed by Helm"),
        (None, {"crds": True, "deployments": ["jobset-controller-manager"]}, "not installed"),
        (None, {"crds": True}, None),
        ("keep", {"version": "0.1.0"}, Deed.KEEP),
        ("keep", FOREIGN, Deed.KEEP),
        ("refuse", {"version": JOBSET.version}, "is on the cluster already"),
        ("adopt", {"version": JOBSET.version}, Deed.ADOPT),
        ("adopt", {"version": "0.1.0"}, Deed.ADOPT),
        ("adopt", {"version": "99.0.0"}, "would set it back"),
        ("adopt", FOREIGN, "cannot be adopted"),
    ],
)
def test_each_standing_is_kept_adopted_or_refused(existing, there, deed):
    if isinstance(deed, str) and not isinstance(deed, Deed):
        with pytest.raises(InputError, match=deed) as refused:
            decide(chosen(existing), seen(**there), set())
        assert "layers.jobset.existing" in str(refused.value)
        return
    found = decide(chosen(existing), seen(**there), set())
    assert {name: each.deed for name, each in found.items()} == ({"jobset": deed} if deed else {})


def test_a_release_of_our_own_state_is_no_stranger():
    ours = {("elsewhere", "theirs")}
    assert decide(chosen("refuse"), seen(version=JOBSET.version), ours) == {}


def test_a_release_that_an_up_was_making_when_it_died_is_ours_too():
    def release(name):
        inputs = {"namespace": "a", "name": name}
        return {"type": "kubernetes:helm.sh/v3:Release", "urn": name, "inputs": inputs}

    deployment = {
        "resources": [release("made")],
        "pending_operations": [{"type": "creating", "resource": release("half-made")}],
    }
    engine = SimpleNamespace(stacks=lambda: ["s"], export=lambda stack: deployment)
    found = _ours(SimpleNamespace(engine=engine), "s")
    assert found == {("a", "made"), ("a", "half-made")}


def test_what_was_decided_stays_decided():
    before = {"jobset": FoundLayer(standing="same", deed="keep", version="0.1.0")}
    assert decide(chosen("refuse"), seen(version="0.2.0"), set(), before) == before


def test_what_is_kept_is_not_installed_and_what_is_adopted_keeps_its_name():
    kept = FoundLayer(standing=Standing.SAME, deed=Deed.KEEP)
    assert as_found(chosen(), {"jobset": kept}) == ([], {"jobset"})
    taken = kept.model_copy(
        update={"deed": Deed.ADOPT, "release": "theirs", "namespace": "elsewhere"}
    )
    [one], names = as_found(chosen(), {"jobset": taken})
    assert (one.release, one.layer.namespace, one.choice.atomic) == ("theirs", "elsewhere", False)
    assert not names


def secret(version, status, chart):
    content = {"chart": {"metadata": {"name": "jobset", "version": chart}}}
    packed = base64.b64encode(gzip.compress(json.dumps(content).encode()))
    return {
        "metadata": {
            "namespace": "a",
            "labels": {"owner": "helm", "name": "j", "version": version, "status": status},
        },
        "data": {"release": base64.b64encode(packed).decode()},
    }


def test_helms_records_are_read_and_the_last_one_counts():
    records = [secret("9", "superseded", "0.9.0"), secret("10", "deployed", "0.10.0")]
    assert _releases(records) == [HelmRelease("a", "j", "jobset", "0.10.0")]
