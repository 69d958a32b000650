"""A table of what is known of clusters, and the phase that follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colony.lifecycle.clusters import cluster_of, seen_clusters
from colony.lifecycle.phases import ColonyPhase, Seen, derive
from components.tags import short_name

UP, DOWN, BAD = (
    Seen(True),
    Seen(False, reason="NotThereYet"),
    Seen(False, True, "QuotaExceeded", "q"),
)
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
P = ColonyPhase


@pytest.mark.parametrize(
    ("seen", "more", "phase", "ready", "reason"),
    [
        ({}, {}, P.PROVISIONING, ("Unknown", 0), "NothingObserved"),
        ({"a": UP}, {}, P.PROVISIONING, ("False", 1), "NotAllClustersReady"),
        ({"a": UP, "b": UP}, {}, P.READY, ("True", 2), "AllClustersReady"),
        ({"a": UP, "b": DOWN}, {}, P.PROVISIONING, ("False", 1), "NotAllClustersReady"),
        ({"a": UP, "b": BAD}, {}, P.DEGRADED, ("False", 1), "ClusterFailed"),
        ({"a": UP, "b": BAD}, {"busy": True}, P.PROVISIONING, ("False", 1), "ClusterFailed"),
        ({"a": BAD, "b": BAD}, {}, P.DEGRADED, ("False", 0), "ClusterFailed"),
        ({"a": UP}, {"was_ready": True}, P.DEGRADED, ("False", 1), "NotAllClustersReady"),
        ({"a": UP, "b": UP}, {"deleting": True}, P.DELETING, ("True", 2), "AllClustersReady"),
        ({"a": BAD}, {"deleting": True, "busy": True}, P.DELETING, ("False", 0), "ClusterFailed"),
        ({"a": UP, "b": UP, "gone": BAD}, {}, P.READY, ("True", 2), "AllClustersReady"),
    ],
)  # fmt: skip
def test_the_phase_follows_from_what_is_known(seen, more, phase, ready, reason):
    status = derive(["a", "b"], seen, **more)
    condition = status.conditions[0]
    assert status.phase is phase
    assert (condition.status, status.ready, condition.reason) == (*ready, reason)
    assert status.total == 2


def test_a_colony_without_clusters_is_not_ready():
    status = derive([], {})
    assert (status.phase, status.conditions[0].status) == (P.PROVISIONING, "Unknown")


def test_the_summary_names_who_is_late_and_why():
    status = derive(["a", "b", "c"], {"a": UP, "b": BAD})
    assert status.summary == "ready 1 of 3: b (QuotaExceeded), c (NotObserved)"
    assert status.to_dict()["conditions"][1]["message"] == "b: q"


SEEN = st.builds(Seen, st.sampled_from([True, False, None]), st.booleans())


@given(st.dictionaries(st.sampled_from("abcd"), SEEN), st.booleans(), st.booleans())
def test_ready_means_that_every_intended_cluster_was_seen_ready(seen, busy, was):
    status = derive("abc", seen, busy=busy, was_ready=was)
    whole = all(name in seen and seen[name].ready for name in "abc")
    assert (status.phase is P.READY) == whole
    assert (status.conditions[0].status == "True") == whole


@given(
    st.lists(st.from_regex(r"[a-z]([a-z0-9-]{0,27}[a-z0-9])?", fullmatch=True), min_size=2,
             max_size=3, unique=True),
    st.from_regex(r"[a-z]([a-z0-9-]{0,50}[a-z0-9])?", fullmatch=True),
    st.sampled_from([22, 28, 48, 200]),
)  # fmt: skip
def test_a_resource_belongs_to_the_cluster_in_whose_name_it_is(clusters, stack, limit):
    """However long the names are, and whatever other cluster's name begins like it."""
    for cluster in clusters:
        name = short_name(stack, cluster, limit=limit) + "-net"
        found = cluster_of(f"urn:pulumi:s::colony::t::{name}", stack, clusters)
        assert found == cluster or (found or "").startswith(cluster)


def component(name, ready):
    outputs = {"identifier": "arn:1", "ready": ready}
    return {"type": "colony:index:EksCluster", "urn": f"u::{name}", "outputs": outputs}


def test_a_cluster_is_ready_once_its_component_has_all_that_it_waits_for():
    begun = {"type": "colony:index:GkeCluster", "urn": "u::s-c"}
    others = component("s-d-e", 3.0)
    state = {"resources": [component("s-a", 4.0), component("s-b", UNKNOWN), begun, others]}
    found = seen_clusters(state, "s", ["a", "b", "c", "d"], {})
    assert {name for name, seen in found.items() if seen.ready} == {"a"}
    failed = seen_clusters(state, "s", ["a"], {"a": {"reason": "R", "message": "m"}})
    assert not failed["a"].ready
