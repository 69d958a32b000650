import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_cases import CLOUDS, EXAMPLES, REQUESTS, ROWS, row

from colony.market.candidates import choose
from colony.market.catalog import Catalog
from colony.market.plan import plan
from colony.market.request import Request

L4, H100 = Request("L4", 1), Request("H100", 1)
BOTH = Catalog([row(price=1.0), row(accelerator="H100", price=0.9), row(region="b", price=0.8)])
SETS = st.lists(REQUESTS, min_size=1, max_size=4)


def test_any_of_is_the_cheapest_of_all_and_ordered_the_first_that_has_an_offer():
    assert choose([H100, L4], BOTH).chosen.row.accelerator == "L4"
    assert choose([H100, L4], BOTH, ordered=True).chosen.row.accelerator == "H100"
    gone = Request("H100", 1, region="mars")
    made = choose([gone, L4], BOTH, ordered=True)
    assert (made.candidate, made.chosen.row.region) == (1, "b")


def test_candidates_of_different_sizes_are_compared_by_the_whole_job():
    catalog = Catalog([row(gpus=1.0, price=1.0), row(gpus=8.0, price=7.0)])
    few, many = Request("L4", 8, nodes=1), Request("L4", 1, nodes=8)
    for by in ("sticker", "expected"):
        assert choose([many, few], catalog, by=by).chosen.price_per_hour == 7.0


def test_equal_offers_are_the_earlier_candidates():
    made = choose([Request("L4", 1, max_price=5), L4], Catalog([row()]))
    assert [offer["candidate"] for offer in made.to_dict()["offers"]] == [0, 1]


def test_what_every_candidate_failed_by_is_told():
    made = choose([Request("L4", 3), Request("B200", 1)], BOTH)
    assert made.chosen is None
    assert made.candidate is None
    assert made.failed == "not exactly 3 x L4 a node (near: L4:1); " + (
        "the catalogue has no accelerator `B200`"
    )
    assert [one["candidate"] for one in made.to_dict()["refused"]] == [0, 1]


def test_a_job_without_candidates_is_a_programming_error():
    with pytest.raises(ValueError, match="no candidates"):
        choose([], BOTH)


@settings(max_examples=EXAMPLES, deadline=None)
@given(ROWS, SETS, st.sampled_from(["expected", "sticker"]))
def test_any_of_equals_brute_force_over_the_plans(rows, asked, by):
    catalog = Catalog(rows)
    made = choose(asked, catalog, by=by, built=CLOUDS)
    bills = [
        offer.expected.total if by == "expected" else offer.price_per_hour
        for one in asked
        for offer in plan(one, catalog, by=by, built=CLOUDS).offers
    ]
    shown = [o.expected.total if by == "expected" else o.price_per_hour for o in made.offers]
    assert shown == sorted(bills)
    few = choose(asked, catalog, by=by, built=CLOUDS, top=3)
    assert few.offers == made.offers[:3]


@settings(max_examples=60, deadline=None)
@given(ROWS, SETS, st.booleans(), st.randoms(use_true_random=False))
def test_the_same_candidates_give_the_same_bytes(rows, asked, ordered, shuffler):
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    one, other = (
        json.dumps(choose(asked, Catalog(each), ordered, built=CLOUDS).to_dict())
        for each in (rows, shuffled)
    )
    assert one == other
