"""Seeded cases for the life model: places, a job, its bounds."""

from __future__ import annotations

import random

from colony.lifecycle.model import Course, Place
from components.spec import Budget, BudgetAction
from jobs.recovery import Recovery, Strategy


def budget_case(seed):
    """Some budgets are enough, most are not; ends take at most what they are taken to take."""
    chance = random.Random(f"budget {seed}")
    draining = chance.uniform(60, 900)
    places = [_place(chance, index, draining) for index in range(chance.randint(1, 3))]
    dear = max(place.per_hour for place in places)
    work = chance.uniform(600, 12 * 3600)
    first = dear * (places[0].starting + draining + 60) / 3600
    budget = Budget(
        usd=first + chance.uniform(0.01, 1.6) * dear * work / 3600,
        action=chance.choice(list(BudgetAction)),
    )
    return places, Course(
        work=work,
        checkpoint=chance.uniform(300, 7200),
        saves=chance.choice([None, 30.0, 300.0]),
        grace=chance.uniform(0, 60),
        poll=chance.choice([1.0, 5.0, 60.0]),
        draining=draining,
        budget=budget,
        recovery=_recovery(chance),
    )


def preemption_case(seed):
    """Machines are taken from once in days to several times an hour."""
    chance = random.Random(f"preemption {seed}")
    places = [_place(chance, index, 600.0) for index in range(chance.randint(1, 4))]
    return places, Course(
        work=chance.uniform(600, 12 * 3600),
        checkpoint=chance.choice([300.0, 900.0, 3600.0]),
        saves=chance.choice([None, None, 60.0]),
        lease=chance.uniform(4, 40) * 3600,
        recovery=_recovery(chance),
    )


def _place(chance, index, draining):
    return Place(
        f"cloud/region-{index}",
        nodes_per_hour=chance.uniform(1, 400),
        base_per_hour=0.1,
        system_per_hour=0.2,
        cluster=chance.uniform(60, 900),
        nodes=chance.uniform(60, 900),
        pulling=chance.uniform(10, 600),
        draining=chance.uniform(0.3, 1.0) * draining,
        spot_nodes=chance.randint(1, 16),
        takings_per_node_hour=10 ** chance.uniform(-3, -0.3),
    )


def _recovery(chance):
    return Recovery(strategy=chance.choice(list(Strategy)))
