"""What the agent tells Prometheus of money."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colony.agent.__main__ import main
from colony.agent.metrics import CONTENT_TYPE, exposition, read_bill, serve
from components.bill import bill_of
from components.lease import Lease
from components.placement import Placement

CREATED, EXPIRES = 1_767_225_600, 1_767_232_800
LEASE = Lease(
    colony="demo", stack="demo", owner="ada", created=CREATED, expires=EXPIRES,
    budget_usd=250.0, end="colony down demo",
)  # fmt: skip
POOL = {"name": "h100", "instance_type": "p5.48xlarge", "accelerator": "H100", "nodes": 2,
        "accelerator_count": 8, "price_per_node_hour": 55.0}  # fmt: skip
PLACE = {"name": "main", "cloud": "aws", "region": "us-east-1", "control_plane_per_hour": 0.1,
         "pools": [POOL]}  # fmt: skip
OTHER = {"name": "other", "cloud": "aws", "region": "us-east-2",
         "pools": [{**POOL, "nodes": 1}]}  # fmt: skip


def data(**lease: Any) -> dict[str, Any]:
    placement = Placement.model_validate({"clusters": [PLACE, OTHER]})
    return bill_of(LEASE.model_copy(update=lease), placement, placement.clusters[0])


def values(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@contextmanager
def served(read: Any, now: float = CREATED) -> Iterator[str]:
    server = serve(("127.0.0.1", 0), read, lambda: now)
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_the_bill_has_its_own_cluster_in_parts_and_the_colony_as_a_whole() -> None:
    bill = read_bill(json.loads(json.dumps(data())))
    found = values(exposition(bill, CREATED + 1800))
    assert found == {
        'colony_usd_per_hour{colony="demo"}': 165.1,
        'colony_spent_usd{colony="demo"}': pytest.approx(82.55),
        'colony_projected_usd{colony="demo"}': pytest.approx(330.2),
        'colony_budget_usd{colony="demo"}': 250.0,
        'colony_lease_created_timestamp_seconds{colony="demo"}': CREATED,
        'colony_lease_expires_timestamp_seconds{colony="demo"}': EXPIRES,
        'colony_pool_usd_per_hour{colony="demo",cluster="main",pool="h100"}': 110.0,
        'colony_pool_usd_per_hour{colony="demo",cluster="main",pool="control-plane"}': 0.1,
        'colony_pool_accelerators{colony="demo",cluster="main",pool="h100",accelerator="H100"}': 16,
    }


def test_without_a_budget_there_is_no_budget() -> None:
    assert "colony_budget_usd" not in exposition(read_bill(data(budget_usd=None)), CREATED)


def test_labels_are_escaped() -> None:
    bill = read_bill({**data(), "colony": 'a"b\\c\nd'})
    assert r'colony_usd_per_hour{colony="a\"b\\c\nd"} 165.1' in exposition(bill, CREATED)


@given(st.integers(CREATED - 10_000, EXPIRES + 10_000), st.integers(0, 10_000))
def test_money_never_comes_back(now: int, later: int) -> None:
    bill = read_bill(data())
    assert 0 <= bill.spent(now) <= bill.spent(now + later)
    assert bill.projected(now) <= bill.projected(now + later)
    assert bill.spent(now) <= bill.projected(now)


def test_prometheus_is_answered_and_nobody_else() -> None:
    with served(lambda: read_bill(data())) as where:
        with urllib.request.urlopen(f"{where}/metrics?x=1", timeout=10) as answer:
            assert answer.headers["Content-Type"] == CONTENT_TYPE
            assert answer.read().decode() == exposition(read_bill(data()), CREATED)
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"{where}/", timeout=10)
        assert error.value.code == 404
        error.value.close()


def test_an_extended_lease_is_seen_and_a_damaged_one_told(tmp_path: Path) -> None:
    path = tmp_path / "bill.json"
    path.write_text(json.dumps(data()))
    with served(lambda: read_bill(json.loads(path.read_text()))) as where:
        path.write_text(json.dumps(data(expires=EXPIRES + 3600)))
        with urllib.request.urlopen(f"{where}/metrics", timeout=10) as answer:
            found = values(answer.read().decode())
        assert found['colony_lease_expires_timestamp_seconds{colony="demo"}'] == EXPIRES + 3600
        path.write_text("{}")
        with pytest.raises(urllib.error.HTTPError, match="500") as error:
            urllib.request.urlopen(f"{where}/metrics", timeout=10)
        assert "colony" in error.value.read().decode()
        error.value.close()


def test_a_bill_that_cannot_be_read_stops_the_agent_at_its_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "jobs.json").write_text('{"jobs": []}')
    (tmp_path / "bill.json").write_text('{"colony": "demo"}')
    arguments = ["--config", str(tmp_path / "jobs.json"), "--server", "http://127.0.0.1:9"]
    assert main([*arguments, "--bill", str(tmp_path / "bill.json"), "--rounds", "1"]) == 78
    assert "cluster" in capsys.readouterr().err
