"""The second, independent computation of a receipt."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from colony.lifecycle.ground import Span
from colony.lifecycle.receipt import Marks, cost_of
from colony.rehearsal.audit import audit

START = 1_767_225_600.0


def create(thing, usd):
    return {"op": "create", "type": "node", "id": thing, "usd_per_hour": usd, "at": START}


def bill(thing, start, end, usd, stack="demo"):
    times = {"from": START + start, "to": START + end, "at": START + end}
    return {"op": "bill", "stack": stack, "type": "node", "id": thing, "usd_per_hour": usd, **times}


def receipt(spans, end):
    marks = Marks(up=end / 4, admitted=end / 3, started=end / 2, ended=end * 3 / 4)
    return {"cost": cost_of(spans, marks, end).to_dict()}


seconds = st.integers(0, 10**7).map(lambda each: each / 1000)
lives = st.lists(st.tuples(seconds, seconds, st.integers(1, 10**6)), max_size=6)


@given(lives)
def test_both_ways_come_to_the_same_cent(drawn):
    spans = [
        Span(f"i-{n}", "node", "", price / 10_000, min(a, b), max(a, b))
        for n, (a, b, price) in enumerate(drawn)
    ]
    end = max((span.end for span in spans), default=0.0)
    ledger = [create(each.id, each.usd_per_hour) for each in spans]
    ledger += [bill(each.id, each.start, each.end, each.usd_per_hour) for each in spans]
    assert audit(ledger, "demo", START, START + end + 1).agrees(receipt(spans, end))


def test_what_was_billed_and_is_not_in_the_receipt_is_seen():
    spans = [Span("i-1", "node", "", 10.0, 0, 3600)]
    ledger = [create("i-1", 10.0), create("i-2", 1.0), bill("i-1", 0, 3600, 10.0)]
    assert audit(ledger, "demo", START, START + 3601).agrees(receipt(spans, 3600))
    found = audit([*ledger, bill("i-2", 0, 60, 1.0)], "demo", START, START + 3601)
    assert not found.agrees(receipt(spans, 3600))


def test_twice_billed_and_another_price_are_told():
    ledger = [create("i-1", 10.0), bill("i-1", 0, 60, 10.0), bill("i-1", 30, 90, 9.0)]
    found = audit(ledger, "demo", START, START + 100)
    assert found.oddities == ["i-1 is billed at 9.0, which it never cost", "i-1 is billed twice"]


def test_a_neighbours_bills_are_not_ours():
    ledger = [create("i-1", 10.0), bill("i-1", 0, 60, 10.0, stack="demo-2")]
    assert audit(ledger, "demo", START, START + 100).bills == 0


def test_the_next_life_of_a_name_is_another_one():
    ledger = [create("i-1", 10.0), bill("i-1", 0, 60, 10.0), bill("i-2", 60, 90, 9.0)]
    assert audit(ledger, "demo", START, START + 60).bills == 1
