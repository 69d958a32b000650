import json
import math
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_cases import CLOUDS, EXAMPLES, REQUESTS, ROWS, row

from colony.market.catalog import Catalog
from colony.market.plan import plan
from colony.market.request import Request

STARTER = Catalog.load()
NO = "the catalogue has no"
P5_ON_DEMAND = "p5.48xlarge in us-east-1 on demand at $55.04/h"
OFFER_KEYS = {
    "cloud", "region", "zone", "instance_type", "accelerators", "count", "nodes", "spot",
    "price_per_node_hour", "price_per_hour",
}  # fmt: skip


def refusals(made):
    return {entry["reason"]: (entry["count"], entry["near"]) for entry in made.refused}


def test_a_gang_of_a_hundred_nodes_is_priced_as_a_whole():
    chosen = plan(Request("H100", 8, nodes=100, cloud="kubernetes"), STARTER).to_dict()["chosen"]
    assert (chosen["cloud"], chosen["instance_type"]) == ("aws", "p5.48xlarge")
    assert chosen["nodes"] * chosen["count"] == 800
    assert chosen["price_per_node_hour"] == 55.04
    assert chosen["price_per_hour"] == 5504.00


def test_the_json_has_the_promised_keys():
    made = plan(Request("L4", 1, nodes=2), STARTER, top=3).to_dict()
    assert {"request", "offers", "chosen", "refused"} <= set(made)
    assert all(set(offer) >= OFFER_KEYS for offer in made["offers"])
    assert len(made["offers"]) == 3
    assert made["chosen"] == made["offers"][0]
    assert all(set(entry) == {"reason", "count", "near"} for entry in made["refused"])
    assert made["request"]["accelerators"] == "L4"
    json.dumps(made, allow_nan=False)


def test_a_cheaper_cloud_that_cannot_be_built_is_refused_by_name():
    made = plan(Request("L4", 1), STARTER)
    assert made.chosen.row.cloud == "aws"
    count, near = refusals(made)["not provisionable here: gcp has no cluster kind"]
    assert count > 0
    assert near[0].startswith("g2-standard-4 in us-east4 at $0.70")
    assert {offer.row.cloud for offer in made.offers} == {"aws"}


def test_of_a_cloud_that_cannot_be_built_each_region_is_named():
    rows = [row(cloud="gcp", region=region, price=price) for region, price in (("a", 2), ("b", 1))]
    (near,) = [near for _, near in refusals(plan(Request("L4", 1), Catalog(rows))).values()]
    assert near == ["x in b at $1.00/h", "x in a at $2.00/h"]


def test_a_request_for_a_cloud_that_cannot_be_built_chooses_nothing():
    made = plan(Request("A100", 8, cloud="gcp"), STARTER)
    assert made.chosen is None
    assert made.to_dict()["chosen"] is None
    assert "not provisionable here: gcp has no cluster kind" in made.failed


def test_once_a_cloud_is_built_it_can_be_chosen():
    made = plan(Request("L4", 1), STARTER, built={"aws", "gcp"})
    assert made.chosen.row.instance_type == "g2-standard-4"


@pytest.mark.parametrize(
    ("request_", "reason", "near"),
    [
        (Request("L4", 8, region="eu-west-9"), "no 8 x L4 in region eu-west-9", "us-east-1"),
        (Request("L4", 3), "not exactly 3 x L4 a node", "L4:4"),
        (Request("H100", 2, cloud="aws"), "not exactly 2 x H100 a node", "H100:1"),
        (Request("H200", 8, cloud="foo"), "the catalogue has no prices of `foo`", "aws"),
        (Request("L4", 1, cloud="azure"), "not on azure", "aws"),
        (Request("H100", 8, use_spot=True), "spot price unknown", P5_ON_DEMAND),
        (Request("L4", 1, max_price=0.1), "over $0.1 a node-hour", "$0.8048"),
        (Request("L4", 1, cpus="6"), "not 6 vCPUs a node", "8"),
        (Request("L4", 1, memory="1000+"), "not 1000+ GiB of memory a node", "256"),
        (Request("L4", 1, instance_type="g6.large"), "not the machine type g6.large", "g6.xlarge"),
        (Request(instance_type="p5.48large"), f"{NO} machine type `p5.48large`", "p5.48xlarge"),
        (Request(instance_type="p5e.48xlarge"), "price unknown", "p5e.48xlarge in us-east-2"),
        (Request("H100-80GB-MEGA", 8), f"{NO} accelerator `H100-80GB-MEGA`", "H100-MEGA-80GB"),
        (Request("L4", 1, zones=("mars-1a",)), "not in zone mars-1a", "us-east-1"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_constraint_and_what_nearly_fits(request_, reason, near):
    made = plan(request_, STARTER)
    assert made.chosen is None
    assert near in refusals(made)[reason][1]
    assert reason in made.failed


def test_every_row_of_the_accelerator_is_an_offer_or_refused_once():
    made = plan(Request("L4", 1, cpus="8+", region="us-east-1"), STARTER)
    counted = sum(entry["count"] for entry in made.refused)
    assert len(made.offers) + counted == len(STARTER.with_accelerator("L4"))


@pytest.mark.parametrize("asked", [Request("L4", 1), Request(instance_type="x"), Request()])
def test_an_empty_catalogue_refuses_without_rows(asked):
    (refusal,) = plan(asked, Catalog([])).to_dict()["refused"]
    assert refusal["reason"].startswith(NO)
    assert (refusal["count"], refusal["near"]) == (0, [])


def test_a_larger_machine_is_near_but_never_bought():
    catalog = Catalog([row(gpus=8.0, price=0.5), row(gpus=4.0, price=0.4)])
    made = plan(Request("L4", 1), catalog)
    assert made.chosen is None
    assert refusals(made) == {"not exactly 1 x L4 a node": (2, ["L4:4", "L4:8"])}


def test_a_machine_of_unknown_size_does_not_meet_a_size():
    assert plan(Request("L4", 1, cpus="1+"), Catalog([row(cpus=None)])).chosen is None


def test_ties_are_broken_by_cloud_region_zone_and_machine():
    rows = [
        row(region="us-west-2"),
        row(zone="b"),
        row(zone="a", instance_type="y"),
        row(zone="a"),
        row(region="eu-west-1", price=1.01),
        row(cloud="gcp", region="asia-east1"),
    ]
    offers = plan(Request("L4", 1), Catalog(rows), built={"aws", "gcp"}, by="sticker").offers
    assert [(o.row.region, o.row.zone, o.row.instance_type) for o in offers] == [
        ("us-east-1", "a", "x"),
        ("us-east-1", "a", "y"),
        ("us-east-1", "b", "x"),
        ("us-west-2", "", "x"),
        ("asia-east1", "", "x"),
        ("eu-west-1", "", "x"),
    ]


def test_spot_or_on_demand_whichever_is_cheaper_and_on_demand_first_when_equal():
    catalog = Catalog([row(price=1.0, spot_price=1.0), row(region="b", price=2.0, spot_price=0.5)])
    offers = plan(Request("L4", 1, use_spot=None), catalog).offers
    assert [(o.price_per_node_hour, o.spot) for o in offers] == [
        (0.5, True), (1.0, False), (1.0, True), (2.0, False),
    ]  # fmt: skip


def test_a_cpu_job_gets_a_cpu_machine_of_the_images_architecture():
    arm = row(accelerator="", gpus=0.0, cpus=8.0, price=0.01, arch="arm64", instance_type="m7g")
    intel = row(accelerator="", gpus=0.0, cpus=8.0, price=0.4)
    small = row(accelerator="", gpus=0.0, cpus=2.0, price=0.1)
    made = plan(Request(), Catalog([arm, intel, small]))
    assert made.chosen.row == intel
    assert "arm64 machines, and images are x86_64" in refusals(made)
    assert "no size was asked for: machines with 8+ vCPUs" in made.notes
    assert plan(Request(instance_type="m7g"), Catalog([arm])).chosen.row == arm


def test_an_existing_cluster_costs_nothing():
    chosen = plan(Request("H100", 8, nodes=2, context="lab"), STARTER).to_dict()["chosen"]
    assert (chosen["cloud"], chosen["price_per_hour"]) == ("existing", 0.0)


def test_stale_prices_are_flagged_with_their_date():
    catalog = Catalog([row(date="2026-01-01")])
    young = plan(Request("L4", 1), catalog, today=date(2026, 1, 31))
    old = plan(Request("L4", 1), catalog, today=date(2026, 2, 1))
    assert young.notes == []
    assert old.notes == ["stale: prices of aws are of 2026-01-01, 31 days old"]
    early = plan(Request("L4", 1), catalog, today=date(2025, 12, 31))
    assert early.notes == ["prices of aws are of 2026-01-01, a day to come: is the date right?"]
    assert plan(Request("L4", 1), catalog).notes == []
    undated = plan(Request("L4", 1), Catalog([row(date="")]))
    assert undated.notes == ["the prices of aws carry no date"]


def test_a_fraction_of_a_gpu_says_what_it_takes():
    made = plan(Request("L4", 0.5), STARTER)
    assert made.chosen.row.gpus == 1
    assert "0.5 of a GPU takes a whole one: 1 x L4 a node" in made.notes


def test_a_spot_price_is_not_a_promise_to_build(monkeypatch):
    monkeypatch.setattr("components.clusters.abilities.has_spot", lambda cloud: False)
    made = plan(Request("L4", 1, use_spot=True), Catalog([row(spot_price=0.3)]))
    assert made.chosen.price_per_hour == 0.3
    assert "spot pools on aws are not built yet" in made.notes[0]


def test_the_expected_bill_shows_its_terms_and_they_add_up():
    bill = plan(Request("H100", 8, nodes=2, hours=3), STARTER).to_dict()["chosen"]["expected"]
    nodes, up = 2 * 55.04, (8 + 5 + 6) / 60 + 3
    assert bill == {
        "provisioning": pytest.approx(8 / 60 * nodes, abs=1e-6),
        "pulling": pytest.approx(5 / 60 * nodes, abs=1e-6),
        "running": pytest.approx(3 * nodes, abs=1e-6),
        "rework": 0.0,
        "draining": pytest.approx(6 / 60 * nodes, abs=1e-6),
        "control_plane": pytest.approx((12 / 60 + up) * 0.10, abs=1e-6),
        "system_nodes": pytest.approx(up * 2 * 0.096, abs=1e-6),
        "egress": 0.0,
        "total": bill["total"],
    }
    assert sum(bill.values()) == pytest.approx(2 * bill["total"], abs=1e-9)


def test_what_a_cluster_costs_beside_its_nodes_can_turn_the_order_round():
    catalog = Catalog([row(price=1.0), row(cloud="gcp", price=1.01)])
    both = {"aws", "gcp"}
    assert plan(Request("L4", 1), catalog, built=both, by="sticker").chosen.row.cloud == "aws"
    made = plan(Request("L4", 1), catalog, built=both)
    assert made.chosen.row.cloud == "gcp"  # no control plane of gcp is known here
    totals = [offer.expected.total for offer in made.offers]
    assert totals == sorted(totals)


def test_a_long_gang_on_spot_is_dearer_than_its_sticker_says():
    catalog = Catalog([row(price=1.0, spot_price=0.6)])

    def first(nodes, by):
        asked = Request("L4", 1, nodes=nodes, use_spot=None, hours=24)
        return plan(asked, catalog, by=by).chosen

    assert first(100, "sticker").spot
    assert first(1, "expected").spot
    assert first(1, "expected").expected.rework > 0
    assert not first(100, "expected").spot


def test_a_gang_that_would_never_end_on_spot_still_has_a_finite_bill():
    asked = Request("L4", 1, nodes=10**6, use_spot=True, hours=24)
    json.dumps(plan(asked, Catalog([row(spot_price=0.1)])).to_dict(), allow_nan=False)


def in_zone(one, asked):
    if not asked.zones or one.zone in asked.zones:
        return True
    if one.zone:
        return False
    return asked.region is not None or any(z.startswith(one.region) for z in asked.zones)


def meets(value, text):
    if text is None:
        return True
    need = float(text.rstrip("+"))
    return value is not None and (value >= need if text.endswith("+") else value == need)


MINUTES = {"aws": (12, 8, 6), "azure": (7, 8, 7), "gcp": (11, 6, 6)}
"""Of the cluster, its nodes and the end, where a cluster kind is built."""


def cost(one, spot, asked, by):
    """Where no system pool is for sale; the minutes are those of the data files."""
    price = one.spot_price if spot else one.price
    if by == "sticker":
        return price
    risk = asked.nodes * 0.01 if spot else 0.0
    cluster, nodes, draining = MINUTES.get(one.cloud, (12, 8, 6))
    waiting, work = (nodes + 5) / 60, max(1, asked.hours)
    once = (1 / risk + waiting) * (math.exp(risk * asked.hours / work) - 1) if risk else 0
    up = (nodes + 5 + draining) / 60 + (work * once if risk else asked.hours)
    control = 0.10 * (cluster / 60 + up) if one.cloud in MINUTES else 0
    return asked.nodes * price * up + control


def brute_force(rows, asked, built, by):
    """Every feasible (order, row, spot), written without the market's own code."""
    found = []
    for one in set(rows):
        for spot in (False, True):
            price = one.spot_price if spot else one.price
            feasible = (
                asked.use_spot in (None, spot)
                and price is not None
                and one.accelerator == asked.accelerator
                and one.gpus == math.ceil(asked.count)
                and asked.cloud in (None, one.cloud)
                and asked.region in (None, one.region)
                and asked.instance_type in (None, one.instance_type)
                and in_zone(one, asked)
                and meets(one.cpus, asked.cpus)
                and meets(one.memory_gib, asked.memory)
                and (asked.max_price is None or price <= asked.max_price)
                and one.cloud in built
            )
            if feasible:
                names = (spot, one.cloud, one.region, one.zone, one.instance_type)
                found.append(((cost(one, spot, asked, by), *names), one, spot))
    return sorted(found, key=lambda entry: entry[0])


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    ROWS,
    REQUESTS,
    st.sampled_from([set(CLOUDS), {"aws", "gcp"}, {"aws"}]),
    st.sampled_from(["expected", "sticker"]),
)
def test_the_plan_equals_brute_force(rows, asked, built, by):
    made = plan(asked, Catalog(rows), built=built, by=by)
    feasible = brute_force(rows, asked, built, by)
    costs = [entry[0][0] for entry in feasible]
    assert [bill(offer, by) for offer in made.offers] == pytest.approx(costs, abs=1e-4)
    assert {(o.row, o.spot) for o in made.offers} == {(one, spot) for _, one, spot in feasible}
    exact = [(bill(o, by), o.spot, *o.row[:4]) for o in made.offers]
    assert exact == sorted(exact)
    assert (made.chosen is None) == (not feasible)
    assert made.chosen is not None or made.refused


def bill(offer, by):
    return offer.expected.total if by == "expected" else offer.price_per_node_hour


@settings(max_examples=100, deadline=None)
@given(ROWS, REQUESTS, st.randoms(use_true_random=False))
def test_the_same_rows_give_the_same_bytes_in_whatever_order(rows, asked, shuffler):
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    one, other = (
        json.dumps(plan(asked, Catalog(each), built=CLOUDS).to_dict()) for each in (rows, shuffled)
    )
    assert one == other


@settings(max_examples=80, deadline=None)
@given(ROWS, REQUESTS)
def test_never_more_gpus_are_bought_than_asked_for_and_the_money_adds_up(rows, asked):
    for offer in plan(asked, Catalog(rows), built=CLOUDS).offers:
        assert offer.row.gpus * offer.nodes == math.ceil(asked.count) * asked.nodes
        cents = round(offer.price_per_node_hour * 100 * 10000) * offer.nodes / 10000
        assert abs(offer.price_per_hour * 100 - cents) < 0.01
