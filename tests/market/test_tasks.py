import json
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_cases import CLOUDS, EXAMPLES, REQUESTS, ROWS, row

from colony.market.catalog import Catalog
from colony.market.egress import egress
from colony.market.eliminate import Link, TooEntangled, cheapest
from colony.market.request import Request
from colony.market.tasks import Task, plan_tasks
from jobs.errors import InputError

L4, H100 = (Request("L4", 1),), (Request("H100", 1),)
EVERYWHERE = set(CLOUDS)
GIGABYTES = st.sampled_from([0.0, 1.0, 5.0, 20.0, 2000.0])
OFTEN_OFFERED = st.sampled_from(
    [
        Request("L4", 1),
        Request("L4", 1, nodes=2, use_spot=None),
        Request("L4", 1, hours=0.25),
        Request("L4", 1, use_spot=None, hours=30),
    ]
)
ASKED = st.one_of(OFTEN_OFFERED, OFTEN_OFFERED, REQUESTS)


@pytest.mark.parametrize(
    ("source", "target", "gigabytes", "usd"),
    [
        (("aws", "a"), ("aws", "a"), 500, 0.0),
        (("aws", "a"), ("aws", "b"), 500, 10.0),
        (("aws", "a"), ("gcp", "a"), 500, 45.0),
        (("gcp", "a"), ("aws", "a"), 1024 + 100, 1024 * 0.12 + 100 * 0.11),
        (("aws", "a"), ("gcp", "a"), 200_000, 921.6 + 3481.6 + 7168 + 46_400 * 0.05),
        (("lambda", "a"), ("aws", "a"), 10, 1.2),
        (("existing", ""), ("aws", "a"), 10, 0.0),
        (("aws", ""), ("aws", "a"), 10, 0.2),
        (("aws", "a"), ("gcp", "a"), 0, 0.0),
    ],
)  # fmt: skip
def test_egress_is_by_the_list_of_the_cloud_that_data_leave(source, target, gigabytes, usd):
    assert egress(source, target, gigabytes) == pytest.approx(usd)


def two_clouds(second=1.0):
    return Catalog([row(price=1.0), row(cloud="gcp", price=0.9), row(accelerator="H100", price=2.0),
                    row(cloud="gcp", accelerator="H100", price=2.0 + second)])  # fmt: skip


def chain(gigabytes):
    return [Task("prepare", L4, outputs_gb=gigabytes), Task("train", H100, needs=("prepare",))]


def test_a_task_follows_its_data_where_moving_them_costs_more():
    def clouds(gigabytes, **given):
        made = plan_tasks(chain(gigabytes), two_clouds(), built=EVERYWHERE, **given)
        return [offer.row.cloud for offer in made.offers.values()]

    assert clouds(0) == ["gcp", "aws"]
    assert clouds(0.5) == ["gcp", "aws"]
    assert clouds(100) == ["aws", "aws"]
    assert clouds(100, by="sticker") == ["gcp", "aws"]


def test_the_bill_of_a_task_holds_the_egress_of_what_it_reads():
    made = plan_tasks(chain(0.5), two_clouds(), built=EVERYWHERE).to_dict()
    bill = made["tasks"][1]["chosen"]["expected"]
    assert (bill["egress"], made["egress"]) == (0.06, 0.06)
    assert sum(bill.values()) == pytest.approx(2 * bill["total"], abs=1e-9)
    assert made["total"] == pytest.approx(
        sum(task["chosen"]["expected"]["total"] for task in made["tasks"]), abs=1e-9
    )


def test_data_that_are_somewhere_already_pull_the_first_task_there():
    task = Task("train", L4, inputs_gb=100, inputs_at=("aws", "us-east-1"))
    made = plan_tasks([task], two_clouds(), built=EVERYWHERE)
    assert made.offers["train"].row.cloud == "aws"


def test_equal_sums_go_by_the_first_tasks_own_ranking():
    catalog = Catalog([row(region="b"), row(region="a"), row(region="c")])
    made = plan_tasks([Task("x", L4, outputs_gb=1), Task("y", L4, needs=("x",))], catalog)
    assert [offer.row.region for offer in made.offers.values()] == ["a", "a"]


def test_a_task_without_an_offer_is_named_with_the_reason():
    made = plan_tasks([Task("a", L4), Task("b", (Request("L4", 3),), needs=("a",))], two_clouds())
    assert made.offers == {}
    assert made.failed.startswith("b: not exactly 3 x L4 a node")
    assert made.to_dict()["total"] is None


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([Task("a", L4), Task("a", L4)], "another task has this name"),
        ([Task("prep", L4), Task("b", L4, needs=("prap",))], "no task `prap`"),
        ([Task("a", L4, needs=("b",)), Task("b", L4, needs=("a",))], "wait for each other: a, b"),
        ([Task("a", L4, needs=("a",))], "wait for each other: a"),
    ],
)
def test_tasks_that_cannot_follow_each_other_are_refused(tasks, message):
    with pytest.raises(InputError, match=message):
        plan_tasks(tasks, two_clouds())


@st.composite
def dags(draw, largest=4):
    tasks = []
    for which in range(draw(st.integers(1, largest))):
        before = [task.name for task in tasks]
        tasks.append(
            Task(
                name=f"t{which}",
                candidates=tuple(draw(st.lists(ASKED, min_size=1, max_size=2))),
                needs=tuple(draw(st.lists(st.sampled_from(before), unique=True)) if before else ()),
                ordered=draw(st.booleans()),
                outputs_gb=draw(GIGABYTES),
                inputs_gb=draw(GIGABYTES),
                inputs_at=draw(st.sampled_from([None, ("aws", "r1"), ("gcp", "")])),
            )
        )
    return tasks


def brute_force(tasks, catalog):
    """(Sum in millionths, ranks) of every combination of any offers, not only of the best."""
    options = []
    for task in tasks:
        alone = [
            plan_tasks([Task("x", (one,))], catalog, built=EVERYWHERE) for one in task.candidates
        ]
        each = [made.choices[0].plans[0] for made in alone]
        offers = [
            [plan._offer(row, spot) for lane, spot in plan.fitting for row in lane] for plan in each
        ]
        some = [found for found in offers if found]
        options.append(some[0] if task.ordered and some else [o for found in offers for o in found])
    places = {task.name: place for place, task in enumerate(tasks)}
    sums = []
    for chosen in product(*options):
        usd = sum(offer.expected.total for offer in chosen)
        for task, offer in zip(tasks, chosen, strict=True):
            if task.inputs_at:
                usd += egress(task.inputs_at, offer.where, task.inputs_gb)
            for name in task.needs:
                source = places[name]
                usd += egress(chosen[source].where, offer.where, tasks[source].outputs_gb)
        sums.append(usd)
    return min(sums, default=None)


@settings(max_examples=EXAMPLES, deadline=None)
@given(ROWS, dags())
def test_the_plan_of_a_dag_equals_brute_force(rows, tasks):
    catalog = Catalog(rows[:12])
    made = plan_tasks(tasks, catalog, built=EVERYWHERE)
    best = brute_force(tasks, catalog)
    assert (best is None) == (not made.offers)
    if best is not None:
        assert made.total == pytest.approx(best, abs=1e-5, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(ROWS, dags(), st.randoms(use_true_random=False))
def test_the_same_tasks_give_the_same_bytes(rows, tasks, shuffler):
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    one, other = (
        json.dumps(plan_tasks(tasks, Catalog(each), built=EVERYWHERE).to_dict(), allow_nan=False)
        for each in (rows, shuffled)
    )
    assert one == other


@st.composite
def graphs(draw):
    costs = st.integers(0, 9)
    between = [draw(st.lists(costs, min_size=3, max_size=3)) for _ in range(3)]
    each = st.lists(
        st.tuples(costs, st.integers(0, 4), st.integers(0, 2)),
        min_size=1, max_size=4, unique_by=lambda state: state[1],
    )  # fmt: skip
    states = draw(st.lists(each, min_size=1, max_size=6))
    nodes = st.sampled_from(range(len(states)))
    edges = draw(st.sets(st.tuples(nodes, nodes), max_size=9))
    return states, between, sorted((v, w) for v, w in edges if v != w)


def linked(states, between, edges):
    places = [[place for _, place, _ in each] for each in states]
    groups = [[group for _, _, group in each] for each in states]
    return {(v, w): Link((places[v], places[w]), (groups[v], groups[w]), between) for v, w in edges}


@settings(max_examples=EXAMPLES, deadline=None)
@given(graphs())
def test_elimination_equals_trying_everything(graph):
    states, between, edges = graph

    def cost(chosen):
        picked = [each[state] for each, state in zip(states, chosen, strict=True)]
        apart = [(picked[v], picked[w]) for v, w in edges if picked[v][1] != picked[w][1]]
        return sum(own for own, *_ in picked) + sum(between[v[2]][w[2]] for v, w in apart)

    alone = [[own for own, *_ in each] for each in states]
    everything = product(*(range(len(each)) for each in states))
    assert cost(cheapest(alone, linked(*graph))) == min(map(cost, everything))


def test_what_would_take_too_long_is_refused_not_guessed():
    states = [[(0, place, 0) for place in range(9)]] * 8
    everyone = [(v, w) for v in range(8) for w in range(v)]
    with pytest.raises(TooEntangled):
        cheapest([[0] * 9] * 8, linked(states, [[0]], everyone), largest=1000)
