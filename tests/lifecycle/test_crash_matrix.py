"""A seeded sample of the crash matrix; `make crash-matrix` runs the whole.

COLONY_KILLS=40 python -m pytest tests/lifecycle/test_crash_matrix.py   so many real kills
"""

from __future__ import annotations

import os
import random

import pytest
from crash_matrix.cells import reap_cell, reap_cells
from crash_matrix.life import COMMANDS, LIMIT, capture, cut_off, sample
from crash_matrix.same import left_by

from colony.rehearsal.captures import calm

pytestmark = [pytest.mark.engine, pytest.mark.crash, pytest.mark.timeout(900)]

SEED = 20260101
KILLS = int(os.environ.get("COLONY_KILLS", "6"))


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """What a crash would have left, at every boundary."""
    return capture(tmp_path_factory.mktemp("matrix"))


def test_there_is_a_cell_before_and_after_each_operation_of_each_command(life):
    found = [cell for cell, _ in life.captures]
    assert tuple(dict.fromkeys(cell.command for cell in found)) == COMMANDS
    assert len(set(found)) == len(found), "cells are named by (operation, URN, before or after)"
    for before, after in zip(found[::2], found[1::2], strict=True):
        assert (before.when, after.when) == ("before", "after")
        assert (before.op, before.urn) == (after.op, after.urn)
    made = {cell.urn for cell in found if cell.op == "create"}
    assert 40 < len(made) <= LIMIT
    assert {cell.op for cell in found if cell.command == "destroy"} == {"remove", "delete"}


def test_from_any_of_a_sample_the_reaper_alone_empties_the_ledger(life, tmp_path):
    chance, cells = random.Random(SEED), list(life.captures)
    some = [
        chance.choice([each for each in cells if each[0].command == command])
        for command in COMMANDS
    ]
    outcomes = list(reap_cells(some, tmp_path, workers=2))
    assert [f"{each.cell.name}: {each.wrong}" for each in outcomes if each.wrong] == []
    assert len(outcomes) == len(COMMANDS)
    assert any(each.found for each in outcomes), "nothing was left to reap"


@pytest.mark.parametrize("number", range(KILLS))
def test_a_real_kill_leaves_what_was_captured_and_the_reaper_ends_it(life, tmp_path, number):
    cell = sample(life, KILLS, random.Random(SEED))[number]
    captures = cut_off(life, cell, tmp_path)
    *_, (last, there) = captures
    assert last == cell
    assert left_by(captures.folder) == left_by(there)
    calm(captures.folder)
    assert reap_cell(last, captures.folder).wrong == ""
