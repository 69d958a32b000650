import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_cases import CLOUDS, EXAMPLES, REQUESTS, ROWS, row

from colony.market.catalog import Catalog
from colony.market.own import Terms
from colony.market.plan import plan
from colony.market.settle import settle
from colony.market.survey import survey
from components.spec import ClusterSpec, ColonySpec
from jobs.errors import NoOffer
from jobs.spec import Job, Preference, Resources

HOST = {"accelerators": "A100:8", "cpus": 64, "memory": 512, "price": 4}
METAL = ClusterSpec(
    name="metal", cloud="onprem", hosts=[{**HOST, "address": "a"}, {**HOST, "address": "b"}]
)
RENTED = ClusterSpec(name="rented", cloud="aws")
A100 = row(accelerator="A100", gpus=8.0, price=20.0, instance_type="p4d.24xlarge")
SYSTEM = row(accelerator="", gpus=0.0, price=0.1, instance_type="m6i.large", cpus=2.0)


def job(name="train", nodes=1, alternatives=(), preference="any", **resources):
    return Job(
        name=name, nodes=nodes, resources=Resources(**resources), run="true",
        alternatives=[Resources(accelerators=each) for each in alternatives],
        preference=Preference(preference),
    )  # fmt: skip


def surveyed(*jobs, clusters=(), rows=(A100,), **terms):
    spec = ColonySpec(name="demo", clusters=list(clusters), jobs=list(jobs))
    found = survey(spec, Terms(Catalog([*rows, SYSTEM]), **terms))
    return [made.to_dict() for made in found.plans]


def capacity(made):
    return [(o["cluster"], o["capacity"], o["free"], o["price_per_hour"]) for o in made["offers"]]


def test_hosts_are_offers_at_their_price_with_what_is_free_beside_the_jobs_before():
    first, second = surveyed(
        job("first", accelerators="A100:8"), job("second", accelerators="A100:4", nodes=2),
        clusters=[METAL, RENTED],
    )  # fmt: skip
    assert capacity(first) == [("metal", "own", 2, 4.0), ("rented", "on-demand", None, 20.0)]
    assert first["chosen"]["cloud"] == "onprem"
    assert capacity(second) == [("metal", "own", 2, 4.0)]  # both on one host, which is paid once


def test_what_hosts_have_no_room_for_is_refused_with_what_is_left():
    _, second = surveyed(
        job("first", accelerators="A100:8", nodes=2), job("second", accelerators="A100:8"),
        clusters=[METAL, RENTED],
    )  # fmt: skip
    assert second["chosen"]["cluster"] == "rented"
    reason = "cluster metal has 2 hosts without free accelerators left: 0 of 1 fit"
    assert reason in [refusal["reason"] for refusal in second["refused"]]


def test_what_is_refused_for_every_cluster_alike_is_told_once():
    other = RENTED.model_copy(update={"name": "other"})
    (made,) = surveyed(
        job(accelerators="A100:8"), clusters=[RENTED, other], rows=[A100, A100._replace(gpus=4)]
    )
    refused = [(each["reason"], each["count"]) for each in made["refused"]]
    assert refused == [("not exactly 8 x A100 a node", 1)]


def test_a_job_goes_to_hosts_that_are_there_even_where_a_cloud_is_cheaper_and_is_told_so():
    (made,) = surveyed(
        job(accelerators="A100:8"), clusters=[METAL, RENTED], rows=[A100._replace(price=0.1)]
    )
    assert [offer["cluster"] for offer in made["offers"]] == ["rented", "metal"]
    assert made["chosen"]["cluster"] == "metal"
    assert any(note.startswith("goes to cluster metal") for note in made["notes"])


@pytest.mark.parametrize("free", [None, 0, 3])
def test_an_existing_cluster_costs_nothing_and_says_how_much_is_free(free):
    lab = ClusterSpec(name="lab", cloud="existing", context="lab")
    (made,) = surveyed(
        job(accelerators="A100:8", nodes=2), clusters=[lab], free_of=lambda cluster, job: free
    )
    assert capacity(made) == [("lab", "existing", free, 0.0)]
    assert made["chosen"]["expected"]["total"] == 0
    room = f"cluster lab has room for {free} of 2 nodes now"
    assert (room in made["notes"]) == (free == 0)


def reserved(**pool):
    pools = [{"name": "held", "accelerators": "A100:8", "nodes": 2, "reservation": "cr-1", **pool}]
    return ClusterSpec(name="held", cloud="aws", region="us-east-1", pools=pools)


def test_a_reserved_pool_has_no_marginal_price():
    (made,) = surveyed(job(accelerators="A100:8"), clusters=[reserved()])
    assert capacity(made) == [("held", "reserved", 2, 0.0)]
    assert made["chosen"]["expected"]["running"] == 0


def test_a_reservation_is_taken_for_the_plainest_machine_that_fits():
    big = A100._replace(price=90.0, instance_type="a-first-by-name")
    (made,) = surveyed(job(accelerators="A100:8"), clusters=[reserved()], rows=[big, A100])
    assert made["chosen"]["instance_type"] == "p4d.24xlarge"


def test_what_is_reserved_needs_no_price_in_the_catalogue():
    unpriced = A100._replace(price=None)
    (made,) = surveyed(job(accelerators="A100:8"), clusters=[reserved()], rows=[unpriced])
    assert made["chosen"]["instance_type"] == "p4d.24xlarge"
    bought = surveyed(job(accelerators="A100:8"), clusters=[RENTED], rows=[unpriced])
    assert bought[0]["chosen"] is None


CHOICES = [A100, row(accelerator="L4", price=3.0), row(accelerator="L4", region="r2", price=2.0)]


def test_all_candidates_are_listed_and_the_cheapest_is_chosen():
    (made,) = surveyed(job(accelerators="A100:8", alternatives=["L4:1", "H100:1"]), rows=CHOICES)
    assert [offer["candidate"] for offer in made["offers"]] == [1, 1, 0]
    assert made["chosen"]["region"] == "r2"
    assert made["request"] == made["requests"][1]
    assert {refusal["candidate"] for refusal in made["refused"]} == {2}


def test_of_ordered_candidates_the_first_that_can_be_had_is_chosen():
    wanted = job(accelerators="H100:1", alternatives=["A100:8", "L4:1"], preference="ordered")
    (made,) = surveyed(wanted, rows=CHOICES)
    assert [offer["candidate"] for offer in made["offers"]] == [1, 2, 2]
    assert made["chosen"]["accelerators"] == "A100"


def test_where_all_together_cannot_be_placed_it_is_said_and_each_job_still_has_its_offers():
    jobs = [job("first", accelerators="A100:8"), job("second", accelerators="H100:1")]
    spec = ColonySpec(name="demo", jobs=jobs, clusters=[RENTED])
    found = survey(spec, Terms(Catalog([A100, SYSTEM])))
    assert found.settled is None
    assert "no offer for job second" in found.failed
    assert [bool(made.chosen) for made in found.plans] == [True, False]


def test_a_cloud_without_a_cluster_kind_is_listed_as_such_and_never_chosen():
    cheap = A100._replace(cloud="lambda", price=1.0)
    (made,) = surveyed(job(accelerators="A100:8"), rows=[cheap, A100], built={"aws"})
    assert {offer["cloud"] for offer in made["offers"]} == {"aws"}
    (refusal,) = made["refused"]
    assert refusal["reason"] == "not provisionable here: lambda has no cluster kind"
    assert refusal["near"] == ["p4d.24xlarge in us-east-1 at $1.00/h"]


NEEDS = st.sampled_from(["L4:1", "L4:8", "H100:1", "L4:0.5"])


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    ROWS,
    st.lists(NEEDS, min_size=1, max_size=3),
    st.sampled_from(["any", "ordered"]),
    st.sampled_from([1, 2, None]),
)
def test_what_a_plan_chooses_is_what_is_placed(rows, needs, preference, top):
    wanted = job(accelerators=needs[0], alternatives=needs[1:], preference=preference, nodes=3)
    spec, catalog = ColonySpec(name="demo", jobs=[wanted]), Catalog([*rows, SYSTEM])
    (made,) = surveyed(wanted, rows=rows, built=CLOUDS, top=top)
    try:
        (cluster,) = settle(spec, catalog, built=CLOUDS).placement.clusters
    except NoOffer:
        assert made["chosen"] is None
        return
    chosen, pool = made["chosen"], cluster.pools[-1]
    assert chosen in made["offers"]
    assert (chosen["cloud"], chosen["region"]) == (cluster.cloud, cluster.region)
    assert (chosen["instance_type"], chosen["price_per_node_hour"]) == (
        pool.instance_type, pool.price_per_node_hour,
    )  # fmt: skip
    again = surveyed(wanted, rows=rows[::-1], built=CLOUDS, top=top)
    assert json.dumps(again) == json.dumps([made])


@settings(max_examples=EXAMPLES, deadline=None)
@given(ROWS, REQUESTS)
def test_no_more_accelerators_are_bought_than_were_asked_for(rows, request):
    """A machine of 8 for a request of 1 would idle and be paid for (karpenter issue 7038)."""
    made = plan(request, Catalog(rows), built=CLOUDS)
    assert all(offer.row.gpus == request.gpus for offer in made.offers)
    assert all(request.gpus < request.count + 1 for _ in made.offers)
