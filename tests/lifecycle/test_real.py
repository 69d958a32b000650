from __future__ import annotations

import stat

import pytest
from lifecycle_fakes import thing

from colony.lifecycle import real
from colony.lifecycle.ground import records_of
from colony.lifecycle.real import Real
from colony.storage.folder import Folder
from components.placement import ClusterPlacement, Placement, PoolPlacement
from jobs.errors import NotReady

PLACEMENT = Placement(
    clusters=[
        ClusterPlacement(
            name="main",
            cloud="aws",
            region="us-east-1",
            control_plane_per_hour=0.1,
            pools=[
                PoolPlacement(
                    name="gpu", instance_type="p5.48xlarge", nodes=2, price_per_node_hour=55.04
                )
            ],
        )
    ]
)


class Cloud:
    def __init__(self, region, found=(), ready=True):
        self.region, self.found, self.ready, self.deleted = region, list(found), ready, []

    def check(self):
        if not self.ready:
            raise NotReady("no credentials")

    def find(self, tag, value=None):
        return [t for t in self.found if tag in t.tags and value in (None, t.tags[tag])]

    def delete(self, thing):
        self.deleted.append(thing.id)


@pytest.fixture
def ground(tmp_path, monkeypatch):
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    return Real.open()


@pytest.fixture
def clouds(monkeypatch):
    made = {}
    monkeypatch.setattr(real, "inventory_of", lambda cloud, region: made[cloud, region])
    return made


def test_the_inventory_asks_every_place_that_the_colony_was_in(ground, clouds):
    records_of(ground, "demo").write(
        "clusters", {"names": [], "places": [["aws", "us-east-1"], ["aws", "us-west-2"]]}
    )
    disk = thing("vol", stack=None, **{"kubernetes.io/cluster/demo-main": "owned"})
    clouds["aws", "us-east-1"] = Cloud("us-east-1", [thing("nat"), thing("not-ours", "other")])
    clouds["aws", "us-west-2"] = Cloud("us-west-2", [disk])
    found = {each.id: each for each in ground.inventory("demo", ["demo-main"])}
    assert set(found) == {"nat", "vol"}
    ground.delete(found["vol"])
    assert clouds["aws", "us-west-2"].deleted == ["vol"]
    assert clouds["aws", "us-east-1"].deleted == []


def test_nothing_begins_without_a_way_to_prove_the_end(ground, clouds):
    clouds["aws", "us-east-1"] = Cloud("us-east-1", ready=False)
    with pytest.raises(NotReady):
        ground.check(PLACEMENT)


def test_the_bill_is_the_recorded_price_for_the_whole_life(ground):
    spans = ground.spans("demo", PLACEMENT, ground.now() - 3600)
    dollars = sum((s.end - s.start) / 3600 * s.usd_per_hour for s in spans)
    assert dollars == pytest.approx(110.18, abs=0.1)


def test_a_shared_passphrase_is_made_once_and_is_private(tmp_path):
    path = real._passphrase(Folder(tmp_path))
    text = path.read_text()
    assert real._passphrase(Folder(tmp_path)).read_text() == text
    assert len(text) > 30
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_bucket_without_a_passphrase_that_others_know_is_refused(monkeypatch):
    monkeypatch.setattr(real, "open_backend", lambda url, where: Elsewhere(Folder("unused")))
    with pytest.raises(NotReady, match="PULUMI_CONFIG_PASSPHRASE_FILE"):
        _ = Real.open("gs://bucket").engine


def test_the_named_backend_goes_before_the_environments(monkeypatch, tmp_path):
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/other")
    assert Real.open(f"file://{tmp_path}/named").url == f"file://{tmp_path}/named"
    assert Real.open().arguments() == ["--backend", f"file://{tmp_path}/other"]


class Elsewhere:
    """A bucket, as far as it is asked."""

    durable = remote = True
    url = "gs://bucket"

    def __init__(self, inner):
        self.root = inner.root
