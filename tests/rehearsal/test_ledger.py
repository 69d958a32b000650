import pytest
from hypothesis import given
from hypothesis import strategies as st

from colony.rehearsal.ledger import append_lines, left, left_of, mend, read_lines

NODE = {"id": "n", "type": "node", "tags": {"colony": "x"}, "usd_per_hour": 2.0}


def line(op, at=0.0, **fields):
    return {**NODE, "at": at, "op": op, **fields}


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        ([], []),
        ([line("create")], ["n"]),
        ([line("create"), line("delete")], []),
        ([line("create"), line("delete"), line("create")], ["n"]),
        ([line("create"), line("bill")], ["n"]),
        ([line("create"), line("delete", type="disk")], ["n"]),
        ([line("delete")], []),
    ],
)
def test_what_is_left_follows_from_the_lines(lines, ids):
    assert [thing["id"] for thing in left_of(lines)] == ids


def test_a_second_create_is_a_new_price_not_a_second_thing():
    [thing] = left_of([line("create", 5.0), line("create", 9.0, usd_per_hour=3.0)])
    assert (thing["usd_per_hour"], thing["created"]) == (3.0, 5.0)


def test_left_reads_the_file_alone(tmp_path):
    append_lines(
        tmp_path / "ledger.jsonl", [line("create"), line("create", id="m"), line("delete")]
    )
    assert [thing["id"] for thing in left(tmp_path)] == ["m"]
    assert left(tmp_path / "nowhere") == []


def test_a_line_that_a_crash_cut_off_is_not_read_and_not_built_upon(tmp_path):
    path = tmp_path / "ledger.jsonl"
    append_lines(path, [line("create")])
    with path.open("ab") as file:
        file.write(b'{"op": "del')
    assert len(read_lines(path)) == 1
    mend(path)
    append_lines(path, [line("delete")])
    assert [entry["op"] for entry in read_lines(path)] == ["create", "delete"]


@given(st.lists(st.tuples(st.sampled_from(["create", "delete", "bill"]), st.sampled_from("abc"))))
def test_left_is_exactly_what_was_last_created(steps):
    alive = set()
    for op, name in steps:
        if op == "create":
            alive.add(name)
        elif op == "delete":
            alive.discard(name)
    assert [thing["id"] for thing in left_of(line(op, id=name) for op, name in steps)] == sorted(
        alive
    )
