from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colony.lifecycle.ground import Span, Thing
from colony.lifecycle.logbook import logged_marks
from colony.lifecycle.receipt import PARTS, Cost, Marks, Receipt, cost_of, worst
from colony.records import Records
from colony.storage.folder import Folder


def span(start, end, price):
    return Span("i-1", "node", "urn", price, start, end)


def test_each_part_is_billed_for_its_own_time():
    marks = Marks(up=3600, admitted=3660, started=3720, ended=7320)
    cost = cost_of([span(0, 7920, 10.0)], marks, 7920)
    assert cost.parts == {
        "provisioning": 10.0,
        "waiting": 0.1667,
        "pulling": 0.1667,
        "running": 10.0,
        "draining": 1.6666,
    }


def test_a_node_that_came_late_is_not_billed_for_before():
    marks = Marks(up=100, admitted=100, started=100, ended=200)
    assert cost_of([span(50, 200, 3600.0)], marks, 200).parts["provisioning"] == 50.0


@pytest.mark.parametrize(
    "marks, part",
    [
        (Marks(), "provisioning"),
        (Marks(up=0.0), "draining"),
        (Marks(up=0.0, ended=3600.0), "waiting"),
        (Marks(up=0.0, admitted=0.0, ended=3600.0), "pulling"),
        (Marks(up=0.0, admitted=0.0, started=0.0, ended=3600.0), "running"),
    ],
)
def test_parts_that_never_began_cost_nothing(marks, part):
    cost = cost_of([span(0, 3600, 1.0)], marks, 3600)
    assert [name for name, usd in cost.parts.items() if usd] == [part]


LEASED = {"at": 100, "what": "leased"}
UP = {"at": 160, "what": "up"}
ENDING = {"at": 900, "what": "ending"}
RUN = {"up": 60.0, "admitted": 70.0, "started": 80.0, "ended": 700.0}


@pytest.mark.parametrize(
    "lines, completion, marks",
    [
        ([LEASED, UP, ENDING], {"at": 500}, Marks(60, 60, 60, 400)),
        ([LEASED, UP, ENDING], None, Marks(60, 60, 60, 800)),
        ([LEASED, UP, {"at": 300, "what": "up"}, ENDING], None, Marks(60, 60, 60, 800)),
        ([LEASED, ENDING], None, Marks(None, None, None, 800)),
        ([{"at": 1, "what": "leased"}, {"at": 2, "what": "up"}, LEASED, ENDING], None,
         Marks(None, None, None, 800)),
        ([LEASED, UP, ENDING], {"at": 500, "marks": RUN}, Marks(**RUN)),
        ([], None, Marks()),
    ],
)  # fmt: skip
def test_of_a_life_that_nobody_watched_the_log_says_when_its_parts_ended(
    tmp_path, lines, completion, marks
):
    records = Records(Folder(tmp_path), "demo")
    for line in lines:
        records.append("events", line)
    if completion:
        records.write("completion", completion)
    assert logged_marks(records, 100) == marks


times = st.integers(0, 10**9).map(lambda milliseconds: milliseconds / 1000)


def _units(usd):
    return round(usd * 10_000)


@given(
    spans=st.lists(
        st.tuples(times, times, st.floats(0, 1000)).map(
            lambda t: span(min(t[0], t[1]), max(t[0], t[1]), t[2])
        ),
        max_size=5,
    ),
    marks=st.builds(
        Marks,
        up=st.none() | times,
        admitted=st.none() | times,
        started=st.none() | times,
        ended=st.none() | times,
    ),
)
def test_the_parts_sum_to_the_total_and_to_what_was_billed(spans, marks):
    end = max((each.end for each in spans), default=0.0)
    cost = cost_of(spans, marks, end)
    billed = sum((each.end - each.start) / 3600 * each.usd_per_hour for each in spans)
    assert list(cost.parts) == list(PARTS)
    assert sum(_units(usd) for usd in cost.parts.values()) == _units(cost.total)
    assert cost.total == pytest.approx(billed, rel=1e-6, abs=0.001)
    milliseconds = [round((each.end - each.start) * 1000) for each in spans]
    assert sum(round(each * 1000) for each in cost.seconds.values()) == sum(milliseconds)
    assert round(cost.billed_seconds * 1000) == sum(milliseconds)
    assert all(usd >= 0 for usd in cost.parts.values())


@pytest.mark.parametrize(
    "outcomes, expected",
    [
        ([], "succeeded"),
        (["succeeded", "succeeded"], "succeeded"),
        (["succeeded", "failed"], "failed"),
        (["outputs_lost", "timed_out"], "timed_out"),
        (["failed", "cancelled"], "cancelled"),
    ],
)
def test_failed_beats_succeeded(outcomes, expected):
    assert worst(outcomes) == expected


@pytest.mark.parametrize(
    "outcome, code",
    [("succeeded", 0), ("failed", 1), ("timed_out", 1), ("outputs_lost", 1), ("cancelled", 130)],
)
def test_the_outcome_is_the_exit_code_unless_something_is_left(outcome, code):
    assert Receipt("c", outcome).exit_code == code
    assert Receipt("c", outcome, left=[Thing("vol-1", "disk")]).exit_code == 4
    assert Receipt("c", outcome, unfinished="the state is not empty").exit_code == 4


def test_json_has_what_the_interfaces_promise():
    receipt = Receipt("c", "succeeded", cost=Cost(1.0, {"running": 1.0}))
    promised = {
        "outcome", "virtual_seconds", "events", "cost", "billable_left", "attempts",
    }  # fmt: skip
    assert promised <= receipt.to_dict().keys()
