"""The finalizer graph: every custom resource goes before the controller of its kind."""

import pytest
from finalizers import outlived, resources_of
from golden_colony import golden
from recording import JOB

from stacks import STACKS

QUEUED = {
    "cloud": "existing",
    "spec": {"queues": [{"project": "research", "gpus": 16}]},
    "jobs": [{**JOB, "queue": "research"}],
}


def recorded(record, name, cloud):
    return resources_of(record(**golden(name, cloud)).requests)


@pytest.mark.parametrize("name", STACKS)
def test_where_nothing_goes_with_a_cluster_no_object_outlives_its_controller(record, name):
    found = recorded(record, name, "existing")
    assert any(each["type"] == "kubernetes:helm.sh/v3:Release" for each in found)
    assert outlived(found) == []


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
@pytest.mark.parametrize("name", STACKS)
def test_in_a_cluster_of_ours_what_has_a_controller_goes_with_the_cluster(record, name, cloud):
    found = recorded(record, name, cloud)
    releases = [each for each in found if each["type"] == "kubernetes:helm.sh/v3:Release"]
    assert releases and all(each["deletedWith"] for each in releases)
    assert outlived(found) == []


def test_queues_go_before_kueue(record):
    found = resources_of(record(**QUEUED).requests)
    queues = [each for each in found if "kueue.x-k8s.io" in str(each["inputs"].get("apiVersion"))]
    assert len(queues) >= 3
    assert outlived(found) == []


@pytest.mark.parametrize("kind", ["ClusterQueue", "LocalQueue", "ResourceFlavor", "JobSet"])
def test_a_seeded_mis_order_is_seen(record, kind):
    """As when an object forgets what it depends on."""
    found = resources_of(record(**QUEUED).requests)
    loose = [each for each in found if each["inputs"].get("kind") == kind]
    assert loose, sorted({str(each["inputs"].get("kind")) for each in found})
    for each in loose:
        each["dependencies"] = []
        each["parent"] = ""
    assert {urn for urn, _ in outlived(found)} >= {each["urn"] for each in loose}
