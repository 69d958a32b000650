import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.quantities import (
    Amount,
    format_accelerators,
    format_duration,
    parse_accelerators,
    parse_cpus,
    parse_duration,
    parse_memory,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("24h", 86400),
        ("90m", 5400),
        ("2h30m", 9000),
        ("30s", 30),
        ("1d", 86400),
        ("1w", 604800),
        ("1.5h", 5400),
        (" 2H ", 7200),
        ("3600", 3600),
        (3600, 3600),
        (60.0, 60),
    ],
)
def test_durations_people_write(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "0", "0h", 0, -1, "-1h", "-5", 1.5, "0.5s", "1:30", "", "h", "10 parsecs", "5h?", "1e3s",
        True, None, [], float("nan"), float("inf"), "401d", 10**20, "9" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(ValueError, match=r"duration|more than 0|whole|longer"):
        parse_duration(value)


def test_zero_is_a_duration_where_it_is_allowed():
    assert parse_duration("0s", zero=True) == 0
    with pytest.raises(ValueError, match="more than 0"):
        parse_duration(-1, zero=True)


@given(st.integers(min_value=1, max_value=400 * 86400))
def test_a_duration_survives_being_written(seconds):
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("value", "amount"),
    [(4, Amount(4)), ("4", Amount(4)), ("4+", Amount(4, True)), (4.5, Amount(4.5))],
)
def test_cpus(value, amount):
    assert parse_cpus(value) == amount


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (64, Amount(64)),
        ("64+", Amount(64, True)),
        ("64GB", Amount(64)),
        ("64gb+", Amount(64, True)),
        ("1.5GB", Amount(1.5)),
        ("512Mi", Amount(0.5)),
        ("2TiB", Amount(2048)),
        ("1024KB", Amount(2**-10)),
    ],
)
def test_memory_in_gib(value, amount):
    assert parse_memory(value) == amount


@pytest.mark.parametrize(
    "value", ["four", "0", 0, -1, "", "++", True, None, [], "4x+", "1e9", float("nan"), 2**40]
)
@pytest.mark.parametrize("parse", [parse_cpus, parse_memory])
def test_what_is_no_amount_is_refused(parse, value):
    with pytest.raises(ValueError, match=r"not a number|not an amount|out of range|not built yet"):
        parse(value)


@given(st.floats(min_value=2**-20, max_value=2**29), st.booleans())
def test_an_amount_survives_being_written(number, at_least):
    amount = Amount(number, at_least)
    assert parse_memory(str(amount)) == amount
    assert parse_cpus(str(amount)) == amount


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("H100:8", ("H100", 8)),
        ("h100:8", ("H100", 8)),
        ("H100", ("H100", 1)),
        ("a100-40gb:4", ("A100", 4)),
        ("L4:0.5", ("L4", 0.5)),
        ("L4:2.0", ("L4", 2)),
        ({"H100": 8}, ("H100", 8)),
        ({"H100:8": None}, ("H100", 8)),
        (["H100:8"], ("H100", 8)),
    ],
)
def test_one_accelerator_and_its_count(value, found):
    assert parse_accelerators(value) == found


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("H100:0", "more than 0"),
        ("H100:-1", "more than 0"),
        ("H100:nan", "more than 0"),
        ("H100:inf", "more than 0"),
        ("H100:", "more than 0"),
        ("H100:0.0", "more than 0"),
        ("H100:1.5", "fraction"),
        ({"H100": True}, "more than 0"),
        ("A100:1:2", "not an accelerator"),
        ("", "not an accelerator"),
        (8, "must name"),
        (True, "must name"),
        (None, "must name"),
        ([], "must name an accelerator and a count, not empty"),
        ({}, "must name an accelerator and a count, not empty"),
        ([8], "must name"),
        ("80GB+", "by memory.*not built yet"),
        ("nvidia:80GB:8", "by memory.*not built yet"),
        (["H100:8", "A100:8"], "choice.*not built yet"),
        ({"A100:1": None, "V100:1": None}, "choice.*not built yet"),
        ("H101:8", "unknown accelerator H101"),
    ],
)
def test_what_is_no_accelerator_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        parse_accelerators(value)


@given(st.sampled_from(["H100", "A100-80GB", "MI300X"]), st.integers(1, 99999))
def test_accelerators_survive_being_written(name, count):
    assert parse_accelerators(format_accelerators(name, count)) == (name, count)
