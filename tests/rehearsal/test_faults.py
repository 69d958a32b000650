import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colony.rehearsal.faults import Kill, chance, load_faults, parse_faults
from jobs.errors import InputError

FACTS = {
    "type": "aws:eks/nodeGroup:NodeGroup",
    "region": "us-east-1",
    "inputs": {"instanceTypes": ["p5.48xlarge"]},
}


def fault(**fields):
    return parse_faults([fields]).faults[0]


@pytest.mark.parametrize(
    ("entry", "path", "hint"),
    [
        ({"op": "crate", "urn": "*x", "error": "capacity"}, "faults[0].op", "create"),
        ({"urn": "*x", "error": "capasity"}, "faults[0].error", "capacity"),
        ({"urn": "*x", "eror": "capacity"}, "faults[0].eror", "error"),
        ({"urn": "*x", "kill": "befor"}, "faults[0].kill", "before"),
        ({"urn": "*x", "error": "quota", "times": 0}, "faults[0].times", ""),
        ({"urn": "*x", "slow": "soon"}, "faults[0].slow", ""),
        ({"urn": "*x", "slow": -5}, "faults[0].slow", ""),
        ({"urn": "*x", "error": "quota", "chance": 2}, "faults[0].chance", ""),
        ({"error": "capacity"}, "faults[0]", ""),
        ({"urn": "*x"}, "faults[0]", ""),
        ("urn=*x,error=capasity", "faults[0].error", "capacity"),
        (7, "faults[0]", ""),
    ],
)
def test_a_bad_fault_is_refused_with_its_path(entry, path, hint):
    with pytest.raises(InputError) as caught:
        parse_faults([entry])
    [problem] = caught.value.problems
    assert problem.path == path
    assert hint in problem.hint


@pytest.mark.parametrize("content", ["just text", {"fault": []}, {"faults": {}}])
def test_what_is_no_fault_file_is_refused(content):
    with pytest.raises(InputError):
        parse_faults(content)


@pytest.mark.parametrize(
    "text", ["faults: [{urn: '*a', error: quota}]", '{"faults": [{"urn": "*a", "error": "quota"}]}']
)
def test_files_are_yaml_or_json(tmp_path, text):
    (tmp_path / "faults").write_text(text)
    assert load_faults(tmp_path / "faults").faults[0].error == "quota"


def test_an_unreadable_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"missing\.yaml"):
        load_faults(tmp_path / "missing.yaml")


def test_a_flag_says_the_same_as_a_file():
    assert parse_faults(["op=create,urn=*gpu,error=capacity,times=2"]) == parse_faults(
        {"faults": [{"op": "create", "urn": "*gpu", "error": "capacity", "times": 2}]}
    )


def test_a_fault_survives_its_own_json():
    one = parse_faults([{"urn": "*a", "slow": 60, "times": "always", "kill": "after"}])
    assert parse_faults(json.loads(one.model_dump_json(exclude_defaults=True))) == one


@pytest.mark.parametrize(
    ("fields", "op", "urn", "attempt", "hit"),
    [
        ({"op": "create", "urn": "*::gpu", "error": "quota"}, "create", "a::gpu", 1, True),
        ({"op": "create", "urn": "*::gpu", "error": "quota"}, "delete", "a::gpu", 1, False),
        ({"op": "any", "urn": "*::gpu", "error": "quota"}, "delete", "a::gpu", 9, True),
        ({"urn": "*::gpu", "error": "quota"}, "delete", "a::gpu", 1, False),
        ({"urn": "*::gpu", "error": "quota"}, "create", "a::cpu", 1, False),
        ({"urn": "*", "type": "aws:eks/*", "error": "quota", "times": 2}, "create", "x", 2, True),
        ({"urn": "*", "type": "aws:eks/*", "error": "quota", "times": 2}, "create", "x", 3, False),
        ({"type": "aws:ec2/*", "error": "quota"}, "create", "x", 1, False),
        (
            {"type": "*", "urn": "x", "region": "us-west-*", "error": "quota"},
            "create",
            "x",
            1,
            False,
        ),
        (
            {"urn": "x", "where": {"instanceTypes.0": "p5*"}, "error": "quota"},
            "create",
            "x",
            1,
            True,
        ),
        (
            {"urn": "x", "where": {"instanceTypes.0": "g5*"}, "error": "quota"},
            "create",
            "x",
            1,
            False,
        ),
        ({"urn": "x", "kill": "after"}, "create", "x", 1, True),
        ({"urn": "x", "kill": "after"}, "create", "x", 2, False),
    ],
)
def test_a_fault_hits_by_operation_and_urn(fields, op, urn, attempt, hit):
    assert fault(**fields).hits(op, urn, attempt, 0, FACTS) is hit


def test_slowness_is_added_or_multiplied():
    assert fault(urn="x", slow=60).seconds(10) == 70
    assert fault(urn="x", slow="3x").seconds(10) == 30
    assert fault(urn="x", error="quota").seconds(10) == 10


def test_only_a_kill_needs_checkpoints():
    assert parse_faults([{"urn": "x", "kill": Kill.AFTER.value}]).kills
    assert not parse_faults([{"urn": "x", "error": "quota"}]).kills


@given(st.integers(), st.text(), st.integers(1, 9))
def test_chance_follows_from_its_key(seed, urn, attempt):
    value = chance(seed, urn, "create", attempt)
    assert 0 <= value < 1
    assert value == chance(seed, urn, "create", attempt)
    assert value != chance(seed, urn, "delete", attempt)


def test_half_of_the_attempts_are_hit_by_a_half_chance():
    half = fault(type="aws:*", error="quota", chance=0.5)
    hits = sum(half.hits("create", f"urn{n}", 1, 0, FACTS) for n in range(200))
    assert 70 < hits < 130
