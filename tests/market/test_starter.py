"""Our own data: complete, dated, and without a fault that its own reader would report."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from colony.market.catalog import Catalog
from colony.market.facts import DATA, cluster_facts
from colony.market.show import rows

CATALOG = Catalog.load()


def machines(cloud):
    regions = {}
    for row in CATALOG.rows:
        if row.cloud == cloud:
            regions.setdefault(row.instance_type, set()).add(row.region)
    return regions


def test_it_reads_without_a_warning():
    assert CATALOG.warnings == []


@pytest.mark.parametrize(
    ("cloud", "names"),
    [
        ("aws", "p4d.24xlarge p4de.24xlarge p5.48xlarge p5.4xlarge p5en.48xlarge p6-b200.48xlarge"),
        ("aws", "g5.xlarge g5.12xlarge g5.48xlarge g6.xlarge g6.48xlarge g6e.xlarge g6e.48xlarge"),
        ("azure", "Standard_ND96asr_v4 Standard_ND96amsr_A100_v4 Standard_ND96isr_H100_v5"),
        ("azure", "Standard_NC24ads_A100_v4 Standard_NC40ads_H100_v5 Standard_NC80adis_H100_v5"),
        ("gcp", "a2-highgpu-8g a2-ultragpu-8g a3-highgpu-8g a3-megagpu-8g g2-standard-4"),
    ],
)
def test_it_has_the_usual_machines_in_three_regions_each(cloud, names):
    known = machines(cloud)
    assert {name for name in names.split() if len(known.get(name, ())) < 3} == set()


def test_capacity_block_machines_are_known_without_a_price():
    found = CATALOG.of_type("p5e.48xlarge")
    assert found
    assert all(row.price is None for row in found)


def test_every_price_has_a_date_and_every_table_its_sources():
    assert {len(row.date) for row in CATALOG.rows} == {10}
    assert all(date.fromisoformat(row.date) for row in CATALOG.rows)
    described = yaml.safe_load((DATA / "catalog.yaml").read_text(encoding="utf-8"))
    assert {path.stem for path in DATA.glob("*.csv")} == set(described["clouds"])
    assert all(entry["sources"] for part in described.values() for entry in part.values())


def test_the_system_machine_has_a_price_wherever_a_gpu_has_one():
    gpu_regions = {row.region for row in CATALOG.rows if row.cloud == "aws" and row.accelerator}
    for name in cluster_facts("aws")["system"]["instance_types"]:
        assert [r for r in sorted(gpu_regions) if CATALOG.price_of(name, r) is None] == []


def test_the_priced_kubernetes_version_is_the_one_that_is_built():
    data = Path(__file__).parents[2] / "components" / "clusters" / "aws" / "eks.yaml"
    built = yaml.safe_load(data.read_text(encoding="utf-8"))["kubernetes"]["version"]
    assert cluster_facts("aws")["kubernetes"] == built


def test_show_filters_and_sorts_by_price():
    found = rows(CATALOG, accelerator="h100:8", cloud="aws")
    prices = [row["price"] for row in found]
    assert prices == sorted(prices)
    assert found[0]["region"] == "us-east-1"
    assert {(row["accelerators"], row["cloud"]) for row in found} == {("H100:8", "aws")}
    assert [row["region"] for row in rows(CATALOG, region="us-east-2") if row["price"] is None]
    assert rows(CATALOG, accelerator="H100", region="nowhere") == []
