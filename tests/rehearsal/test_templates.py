import pytest
from hypothesis import given
from hypothesis import strategies as st

from colony.rehearsal.templates import UNKNOWN, TemplateError, lookup, render

THINGS = {"subnet-1": {"inputs": {"cidrBlock": "10.0.1.0/24", "vpcId": "vpc-1"}}}
CONTEXT = {
    "inputs": {
        "name": "a",
        "ids": ["x", "y"],
        "size": 3,
        "subnetId": "subnet-1",
        "url": "https://h/p",
    },
    "key": "seed",
    "follow": lambda name, value: THINGS.get(value),
}


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("plain", "plain"),
        ("{inputs.name}", "a"),
        ("{inputs.size}", 3),
        ("n{inputs.size}", "n3"),
        ("{inputs.ids}", ["x", "y"]),
        ("{inputs.ids.1}", "y"),
        ("{inputs.ids.-1}", "y"),
        ("{inputs.missing | inputs.name}", "a"),
        ("{inputs.missing | 'none | here'}", "none | here"),
        ("{inputs.missing | 20}", 20),
        ("{inputs.subnetId -> inputs.vpcId}", "vpc-1"),
        ("{inputs.name -> inputs.vpcId | 'nowhere'}", "nowhere"),
        ("{strip('https://', inputs.url)}", "h/p"),
        ("{basename(inputs.url)}", "p"),
        ("{upper(inputs.name)}", "A"),
        ({"k-{inputs.name}": ["{inputs.size}"]}, {"k-a": [3]}),
        (7, 7),
    ],
)
def test_a_template_renders(template, rendered):
    assert render(template, CONTEXT) == rendered


def test_a_function_takes_what_another_thing_holds():
    assert render("{ipv4(inputs.subnetId -> inputs.cidrBlock)}", CONTEXT).startswith("10.0.1.")


def test_quantities_become_gib():
    assert render("{number(q)}", {"q": "100Gi"}) == 100
    assert render("{number(q)}", {"q": "512Mi"}) == 0.5


def test_hashes_follow_from_the_key_and_the_salt():
    one, other = render("{hash(17)}", CONTEXT), render("{hash(17, salt)}", CONTEXT)
    assert one == render("{hash(17)}", CONTEXT)
    assert len(one) == len(other) == 17
    assert one != other != render("{hash(17, salt)}", {**CONTEXT, "key": "another"})


@pytest.mark.parametrize("template", ["{inputs.missing}", "{nofunction(1)}", "x{inputs.a.b.c}"])
def test_what_is_not_there_is_an_error(template):
    with pytest.raises(TemplateError):
        render(template, CONTEXT)


def test_a_path_through_an_unknown_is_unknown():
    assert lookup({"a": UNKNOWN}, "a.b.c") == UNKNOWN


@given(st.text(st.characters(blacklist_characters="{}")))
def test_text_without_braces_stays(text):
    assert render(text, {}) == text
