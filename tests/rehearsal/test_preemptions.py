"""Spot machines that are taken: by pool and region, by the seed, never by a count of calls."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest

from colony.rehearsal.faults import Faults, parse_faults
from colony.rehearsal.preemptions import NEVER, SpotPool, next_taking
from jobs.errors import InputError

POOL = SpotPool("urn:pulumi:s::colony::T::demo-main-l4", "us-east4", "gcp", 4)


def rules(*entries):
    return parse_faults({"preemptions": list(entries)}).preemptions


def after(entries, pool=POOL, seed=0):
    taking = next_taking(entries, seed, pool)
    return taking and taking.after


def test_listed_takings_come_one_after_the_other_and_then_no_more():
    listed = rules({"urn": "*-l4", "after": ["40m", "2h"]})
    found = [after(listed, replace(POOL, taken=n)) for n in range(3)]
    assert found == [2400.0, 7200.0, None]


def test_only_the_named_pool_in_the_named_region_is_hit():
    assert after(rules({"urn": "*-a100", "after": "40m"})) is None
    assert after(rules({"region": "europe-*", "after": "40m"})) is None
    both = rules({"after": "2h"}, {"region": "us-*", "after": "40m"})
    assert after(both) == 2400.0


def test_chance_follows_from_the_seed_and_from_nothing_else():
    drawn = rules({"per_node_hour": 0.5})
    assert after(drawn) == after(drawn)
    others = [after(drawn, seed=1), after(drawn, replace(POOL, taken=1)),
              after(drawn, replace(POOL, region="us-west1"))]  # fmt: skip
    assert len({after(drawn), *others}) == 4


@pytest.mark.parametrize("rule, rate", [({"per_node_hour": 0.5}, 0.5), ({}, 0.01)])
def test_the_mean_time_is_that_of_the_rate_and_of_all_nodes(rule, rate):
    """Without a figure of its own: the market's (`costs.yaml`)."""
    times = [after(rules(rule), seed=seed) for seed in range(4000)]
    assert statistics.fmean(times) == pytest.approx(3600 / (rate * POOL.nodes), rel=0.05)


def test_a_machine_comes_back_as_the_clouds_nodes_do_unless_the_file_says_otherwise():
    backs = [next_taking(rules({"after": 60, **more}), 0, POOL).back
             for more in ({}, {"back": "90s"}, {"back": "never"}, {"back": 0})]  # fmt: skip
    assert backs == [360.0, 90.0, NEVER, 0.0]


@pytest.mark.parametrize(
    "rule, path, hint",
    [
        ({"afer": "40m"}, "preemptions[0].afer", "after"),
        ({"after": "soon"}, "preemptions[0].after", ""),
        ({"per_node_hour": 0}, "preemptions[0].per_node_hour", ""),
        ({"after": 60, "back": "later"}, "preemptions[0].back", ""),
    ],
)
def test_a_bad_rule_is_refused_with_its_path(rule, path, hint):
    with pytest.raises(InputError) as caught:
        rules(rule)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert hint in problem.hint


def test_a_world_keeps_its_rules_as_they_were():
    kept = parse_faults({"preemptions": [{"after": ["1h"], "back": "never", "line": "*x*"}]})
    assert Faults.model_validate_json(kept.model_dump_json(exclude_defaults=True)) == kept
