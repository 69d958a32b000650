from hypothesis import given
from hypothesis import strategies as st

from colony.rehearsal.templates import UNKNOWN
from colony.rehearsal.wire import MASK, decode, encode, mask, unmask

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(max_size=5), VALUES.filter(lambda value: value is not None), max_size=4)
)
def test_values_survive_the_wire(value):
    assert decode(encode(value)) == (value, frozenset())


@given(VALUES.filter(lambda value: value is not None))
def test_secrets_keep_their_place(value):
    whole = {"open": 1, "deep": {"list": [value, "other"]}}
    secrets = frozenset({("deep", "list", 0)})
    assert decode(encode(whole, secrets)) == (whole, secrets)


def test_unknowns_pass():
    assert decode(encode({"a": UNKNOWN}))[0] == {"a": UNKNOWN}


@given(st.text(min_size=1))
def test_a_mask_hides_and_the_same_value_lifts_it(secret):
    hidden = mask({"a": {"b": secret}, "c": 1}, frozenset({("a", "b")}), b"key")
    assert hidden["a"]["b"].startswith(MASK)
    assert hidden["c"] == 1
    assert unmask(hidden, {"a": {"b": secret}}, b"key") == {"a": {"b": secret}, "c": 1}
    assert unmask(hidden, {"a": {"b": secret + "x"}}, b"key") == hidden
    assert unmask(hidden, None, b"another key") == hidden
