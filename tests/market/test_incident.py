"""Incident files: the same decisions from the file alone, and every change noticed."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_cases import row

from colony.lifecycle.incident import Incident
from colony.market.catalog import Catalog
from colony.market.decision import Action, Refused
from colony.market.failover import Failover
from colony.market.failures import known
from colony.market.replay import read_incident, replay
from colony.market.request import choices_of
from colony.records import Records
from colony.storage.folder import Folder
from components.spec import ColonySpec
from jobs.errors import InputError
from jobs.spec import Job, Resources

CANARY = "canary-77ab"
REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
PRICES = Catalog(
    row(region=region, accelerator=name, instance_type=kind, gpus=gpus, price=price + at)
    for at, region in enumerate(REGIONS)
    for name, gpus, kind, price in (
        ("A10G", 1.0, "g5.xlarge", 2.0),
        ("L4", 1.0, "g6.xlarge", 1.0),
        ("", 0.0, "m6i.large", 0.1),
        ("H100", 8.0, "p5.48xlarge", 55.0),
    )
)
CODES = [failure.code for failure in known("aws")]


def asked():
    job = Job(
        name="train", nodes=2, run=f"echo {CANARY}", setup=CANARY, envs={"A": CANARY},
        secrets={"TOKEN": CANARY}, resources=Resources(accelerators="A10G:1"),
        alternatives=[Resources(accelerators="L4:1")],
    )  # fmt: skip
    return ColonySpec(name="demo", jobs=[job])


def written(folder, texts, steps):
    """The file of a search that met these refusals."""
    search, incident = (
        Failover(asked(), PRICES, built={"aws"}),
        Incident(Records(Folder(folder), "demo")),
    )
    settled, now = search.first(), 1767225600.0
    search.began = now
    incident.asked(now, search, settled, False)
    for text, step in zip(texts, steps, strict=False):
        incident.attempt(now, settled.placement, search.began)
        now += step
        cluster = settled.placement.clusters[0]
        pool = next(pool.name for pool in cluster.pools if pool.accelerator)
        refused = [Refused("main", pool, text)]
        decision = search.decide(settled, refused, now)
        incident.refused(now, refused, decision, search)
        if decision.action is Action.STOP:
            break
        now += decision.after
        settled = decision.settled or settled
    return incident.path


@settings(max_examples=25, deadline=None)
@given(
    texts=st.lists(st.sampled_from(CODES), min_size=1, max_size=8),
    steps=st.lists(st.floats(1, 400), min_size=8, max_size=8),
)
def test_any_search_replays_to_the_same_decisions(tmp_path_factory, texts, steps):
    path = written(tmp_path_factory.mktemp("incident"), texts, steps)
    found = replay(read_incident(path))
    assert found.difference == ""
    assert found.decisions >= 2


def test_nothing_of_a_job_but_what_the_market_needs_is_in_it(tmp_path):
    path = written(tmp_path, ["VcpuLimitExceeded"], [60])
    text = path.read_text()
    assert CANARY not in text
    request = next(json.loads(line) for line in text.splitlines() if '"request"' in line)
    (job,) = request["spec"]["jobs"]
    assert choices_of(Job(run="true", **job)) == choices_of(asked().jobs[0])


def test_only_prices_that_can_matter_are_in_it_with_their_date(tmp_path):
    lines = read_incident(written(tmp_path, ["VcpuLimitExceeded"], [60]))
    catalog = next(line for line in lines if line["what"] == "catalog")
    assert {each[4] for each in catalog["rows"]} == {"A10G", "L4", ""}
    assert (catalog["date"], len(catalog["sha256"])) == ("2026-01-01", 64)


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ('"text": "VcpuLimitExceeded"', '"text": "AuthFailure"', "line 5: action"),
        ('"at": 1767225660.0', '"at": 1767225661.0', "until"),
        ('"hold": 3600', '"hold": 3601', "hold"),
        ('1.0, null, "x86_64"', '0.5, null, "x86_64"', "hash"),
        ('"usd_per_hour"', '"usd_an_hour"', "usd_per_hour"),
        ('"what": "attempt"', '"by": "me", "what": "attempt"', "line 4 (attempt) was changed"),
    ],
)
def test_a_changed_file_is_noticed(tmp_path, was, becomes, said):
    path = written(tmp_path, ["VcpuLimitExceeded"], [60])
    text = path.read_text()
    assert was in text
    path.write_text(text.replace(was, becomes))
    assert said in replay(read_incident(path)).difference


def test_a_file_that_was_cut_off_replays_as_far_as_it_goes(tmp_path):
    path = written(tmp_path, ["VcpuLimitExceeded"], [60])
    path.write_text(path.read_text()[:-20])
    found = replay(read_incident(path))
    assert (found.difference, found.decisions) == ("", 1)


@pytest.mark.parametrize("text", ["", "{}\n", "nothing\n", '{"kind": "Job"}\n'])
def test_what_is_no_incident_file_is_refused(tmp_path, text):
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(InputError):
        read_incident(path)
