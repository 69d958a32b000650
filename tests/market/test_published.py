"""Real tables of several clouds, where they lie beside the checkout."""

from pathlib import Path

import pytest

from colony.market.catalog import Catalog
from colony.market.plan import plan
from colony.market.request import Request

PRICES = Path(__file__).parents[3] / "shared" / "prices"

pytestmark = pytest.mark.skipif(
    not (PRICES / "aws.csv").is_file(), reason="no published tables beside the checkout"
)


def test_every_row_is_read_and_the_cheapest_is_chosen():
    catalog = Catalog.load(PRICES)
    assert {"aws", "azure", "gcp", "lambda", "nebius"} <= set(catalog.clouds)
    everywhere = plan(Request("H100", 8), catalog, built=catalog.clouds)
    assert (everywhere.chosen.row.cloud, everywhere.chosen.price_per_hour) == ("nebius", 23.6)
    assert plan(Request("H100", 8), catalog).chosen.price_per_hour == 55.04


def test_our_figures_are_those_of_the_tables_for_the_same_machine():
    theirs, ours = Catalog.load(PRICES), Catalog.load()
    known = {row[:6]: row.price for row in theirs.rows}
    compared = [row for row in ours.rows if row[:6] in known and row.accelerator]
    assert len(compared) > 250
    assert [row[:4] for row in compared if row.price != known[row[:6]]] == []
