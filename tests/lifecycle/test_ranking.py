"""What was realised by the two rankings of the market."""

from __future__ import annotations

import dataclasses

import pytest

from colony.lifecycle.model import live, takings
from colony.lifecycle.ranking import PARAMETERS, choices, differing, expected_usd, world

WORLDS, LIVES = 50, 20
"""Of each of the ten sets of parameters; lives of each choice."""


def test_expected_cost_beats_the_sticker_price_in_95_of_100_worlds():
    lost = {}
    for parameters in PARAMETERS:
        found = differing(parameters, WORLDS, LIVES)
        lost[parameters.name] = [one for one in found if one.lost]
        assert len(lost[parameters.name]) <= 0.1 * WORLDS, f"by luck of a parameter: {lost}"
        assert sum(one.by_expected for one in found) < sum(one.by_sticker for one in found)
    assert sum(map(len, lost.values())) <= 0.05 * WORLDS * len(PARAMETERS), lost


def test_without_takings_and_set_up_both_rankings_choose_the_same():
    bare = dataclasses.replace(PARAMETERS[0], takings_per_node_hour=1e-9, minutes=0.001)
    assert all(len(set(choices(*world(seed, bare)))) == 1 for seed in range(200))


def test_the_formula_is_what_lives_cost_on_average():
    places, course = world(3, PARAMETERS[0])
    for place in places:
        mean = sum(live([place], course, takings(seed)).spent for seed in range(2000)) / 2000
        assert mean == pytest.approx(expected_usd(place, course), rel=0.05), place.name
