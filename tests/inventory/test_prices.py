"""Every price of leftovers says where it is from, and every rule names one that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from colony import inventory
from colony.inventory import CLOUDS
from colony.inventory.prices import HOURS, price_of, prices

FOLDER = Path(inventory.__file__).parent


def rules(cloud):
    found = yaml.safe_load((FOLDER / f"{cloud}.yaml").read_text())
    found = found.get("kinds", found)
    return [each["usd_per_hour"] if cloud != "azure" else each for each in found.values()]


def named(rule):
    name = rule.get("price") if isinstance(rule, dict) else None
    return {v for k, v in name.items() if k != "by" and v} if isinstance(name, dict) else {name}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_has_its_unit_its_source_and_its_date(cloud):
    for name, price in prices(cloud).items():
        assert price.keys() == {"usd", "per", "list", "seen", "date"}, name
        assert price["usd"] > 0 and price["per"] in HOURS
        assert price["list"].startswith("https://") and price["seen"].startswith("https://")
        assert re.fullmatch(r"202[3-9](-\d\d)?", str(price["date"]))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_rules_name_prices_that_there_are_and_all_of_them(cloud):
    used = set().union(*(named(rule) for rule in rules(cloud))) - {None}
    assert used == prices(cloud).keys()


@pytest.mark.parametrize(
    "rule, described, usd",
    [
        (0, {}, 0.0),
        ({"price": "nat-gateway"}, {}, 0.045),
        ({"price": "gp3", "of": "Size"}, {"Size": 730}, 0.08),
        ({"price": "gp3", "of": "Size"}, {}, None),
        ({"price": "gp3", "of": "Size", "without": 0}, {}, 0.0),
        ({"price": "logs", "of": "b", "unit": 1e-9}, {"b": 730e9}, 0.03),
        ({"price": "endpoint", "of": "in"}, {"in": ["a", "b", "c"]}, 0.03),
        ({"price": {"by": "a.b", "x": "address", "y": 0}}, {"a": {"b": "https://z/x"}}, 0.005),
        ({"price": {"by": "a.b", "x": "address", "y": 0}}, {"a": {"b": "y"}}, 0),
        ({"price": {"by": "a.b", "x": "address"}}, {"a": None}, None),
        ({"machine": "m", "spot": "s", "of": "n"}, {"m": "g5.xlarge", "n": 2}, 2.012),
        ({"machine": "m", "spot": "s"}, {"m": "no.such"}, None),
    ],
)
def test_a_rule_gives_usd_per_hour_or_says_that_it_is_unknown(rule, described, usd):
    found = price_of("aws", rule, described, "us-east-1")
    assert found == (None if usd is None else pytest.approx(usd))
