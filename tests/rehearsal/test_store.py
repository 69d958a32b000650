import json

from hypothesis import given
from hypothesis import strategies as st

from colony.rehearsal.ledger import LEDGER, left
from colony.rehearsal.state import JOURNAL, Store, Thing, as_change

VPC = "aws:ec2/vpc:Vpc"


def thing(name, price=1.0):
    return Thing(
        key=name, id=name, type="node", package="aws", region="r", urn=f"urn::{name}", name=name,
        inputs={}, outputs={}, tags={}, usd_per_hour=price, created=0.0,
    )  # fmt: skip


def commit(store, *changes, op="create"):
    store.commit({"at": store.world.clock, "op": op, "changes": list(changes)})


def test_a_world_is_the_sum_of_its_journal(bench):
    bench.kubernetes()
    bench.object("kubernetes:core/v1:ConfigMap", "settings")
    again = Store(bench.folder)
    assert again.world == bench.world
    assert again.entries == bench.simulation.store.entries


def test_an_entry_is_on_the_disk_before_the_reply(bench):
    made = bench.create(VPC, "vpc", {"cidrBlock": "10.0.0.0/16"})
    lines = (bench.folder / JOURNAL).read_text().splitlines()
    assert json.loads(lines[-1])["id"] == made.id


def test_an_entry_that_a_crash_cut_off_never_happened(tmp_path):
    commit(Store(tmp_path), as_change(thing("a")))
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"at": 0, "op": "create", "changes": [["thi')
    store = Store(tmp_path)
    assert list(store.world.things) == ["a"]
    commit(store, as_change(thing("b")))
    assert list(Store(tmp_path).world.things) == ["a", "b"]


def test_a_ledger_that_a_crash_left_behind_catches_up(tmp_path):
    store = Store(tmp_path)
    commit(store, as_change(thing("a")))
    before = (tmp_path / LEDGER).read_text()
    commit(store, as_change(thing("b")), ["thing", "a", None])
    (tmp_path / LEDGER).write_text(before)
    Store(tmp_path)
    assert [line["id"] for line in left(tmp_path)] == ["b"]


def test_the_clock_is_part_of_the_journal(tmp_path):
    store = Store(tmp_path)
    commit(store, ["clock", store.world.clock + 60], op="advance")
    assert Store(tmp_path).world.clock == store.world.clock


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, 0.0, 1.0, 2.0])), max_size=12)
)
def test_the_ledger_always_says_what_is_billable(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("world")
    store = Store(folder)
    for name, price in steps:
        commit(store, ["thing", name, None] if price is None else as_change(thing(name, price)))
    billed = {t.id: t.usd_per_hour for t in store.world.things.values() if t.usd_per_hour}
    assert {line["id"]: line["usd_per_hour"] for line in left(folder)} == billed
