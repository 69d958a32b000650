"""The placement gate against a real API server: nodes, pods and the line are really read."""

from pathlib import Path

import pytest

from colony.gate import read, verdict_of
from colony.gate_line import ClusterLine
from colony.kubeapi import KubeApi
from colony.lifecycle.kube import Kube
from components.spec import ColonySpec
from jobs.gate.line import before
from jobs.gate.models import model_of
from jobs.gate.nodes import nodes_of
from jobs.gate.offering import offerings
from jobs.gate.verdict import Answer


def spec(nodes: int, accelerators: str = "H100:8") -> ColonySpec:
    job = {"name": "j", "run": "x", "nodes": nodes, "resources": {"accelerators": accelerators}}
    return ColonySpec(name="lab", clusters=[{"name": "c", "cloud": "existing"}], jobs=[job])


@pytest.fixture
def seen(plane, cluster):
    return read(Kube(Path(plane.kubeconfig).read_text()), queued=True)


def test_what_the_nodes_offer_is_read(seen):
    (offering,) = offerings(nodes_of(seen.nodes))
    assert (offering.resource, offering.nodes, offering.total) == ("nvidia.com/gpu", 4, 32)


def test_a_job_fits_or_is_too_large(seen):
    (offering,) = offerings(nodes_of(seen.nodes))
    found = model_of(offering.model)
    assert found is not None
    answers = []
    for nodes in (4, 5):
        one = spec(nodes, f"{found.name}:8")
        answers.append(verdict_of(one.jobs[0], one, seen).answer)
    assert answers == [Answer.FITS, Answer.ABSENT]


def test_a_model_that_is_not_there_is_absent(seen):
    one = spec(1, "MI300X:8")
    assert verdict_of(one.jobs[0], one, seen).answer is Answer.ABSENT


def test_the_line_is_kept_by_the_api_server(plane, cluster):
    api = KubeApi(Path(plane.kubeconfig).read_text())
    first, second = (ClusterLine(api, "c", name, "j") for name in ("aa", "bb"))
    try:
        one, two = first.join("H100", 4e9), second.join("H100", 4e9)
        again = first.join("H100", 4e9)
        assert (again.uid, again.created) == (one.uid, one.created)
        others = second.others(0)
        assert {each.uid for each in others} == {one.uid, two.uid}
        ahead = [me.name for me in (one, two) if before(me, others) is None]
        assert len(ahead) == 1
    finally:
        first.leave()
        second.leave()
    assert first.others(0) == []
