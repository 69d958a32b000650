"""Queries, rules and alerts on the real Prometheus, built from its module."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus import Prometheus, openmetrics, promtool

import charts
from colony.agent.metrics import exposition, read_bill

HERE = Path(__file__).parent / "observability"
CHART = charts.FOLDER / "observability"
RULES = CHART / "rules.yaml"
START = 1767225600
"""2026-01-01 00:00 UTC, when the recording begins; it is of two hours."""
END = START + 7200
PASSES = 5
"""The longest chain of rules that need each other."""
VARIABLES = {"$__rate_interval": "5m", "$__range": "2h", "$job": "train"}
BOARDS = {path.stem: json.loads(path.read_text()) for path in CHART.glob("dashboards/*.json")}
QUERIES = [
    pytest.param(target["expr"], id=f"{name}-{panel['id']}-{target['refId']}")
    for name, board in sorted(BOARDS.items())
    for panel in board["panels"]
    for target in panel["targets"]
    if target["datasource"]["type"] == "prometheus"
]


def recorded():
    # All as text: `0x120` is a number to YAML.
    data = yaml.load((HERE / "samples.yaml").read_text(), Loader=yaml.BaseLoader)
    series = dict(data["series"])
    for name, values in data["gpu_values"].items():
        for labels, value in zip(data["gpus"], values, strict=True):
            named = ",".join(f'{key}="{text}"' for key, text in labels.items())
            series[f"{name}{{{named}}}"] = f"{value}x120"
    return series


@pytest.fixture(scope="module")
def prometheus(prometheus_programs, tmp_path_factory):
    """Two hours of a colony, with what the recording rules make of them."""
    found = Prometheus(tmp_path_factory.mktemp("prometheus"))
    found.load(openmetrics(recorded(), START))
    for _ in range(PASSES):
        found.compute(RULES, START, END)
    with found.running():
        yield found


def ask(prometheus, expression, at=END):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return prometheus.query(expression, at)


def number(prometheus, expression):
    (found,) = ask(prometheus, expression)
    return float(found["value"][1])


@pytest.mark.parametrize("expression", QUERIES)
def test_every_query_of_a_dashboard_returns_series(prometheus, expression):
    found = ask(prometheus, expression)
    assert found
    assert not any(each["value"][1] == "NaN" for each in found), found


def test_a_query_of_what_nobody_says_returns_none(prometheus):
    assert ask(prometheus, "DCGM_FI_DEV_NO_SUCH_FIELD") == []
    with pytest.raises(ValueError, match="parse error"):
        ask(prometheus, "sum(")


def test_variables_of_a_dashboard_choose(prometheus):
    asked = 'count(colony:job_pod:info{label_colony_dev_job=~"%s"})'
    assert len(ask(prometheus, asked % "train")) == 1
    assert ask(prometheus, asked % "other") == []


def test_idle_gpus_are_counted_and_priced(prometheus):
    assert number(prometheus, "colony:gpus:count") == 4
    assert number(prometheus, "colony:gpus_idle:count") == 1
    # one GPU of four, for two hours, at a quarter of the price of all machines
    assert number(prometheus, "colony:gpus_idle:hours") == pytest.approx(2, abs=0.05)
    assert number(prometheus, "colony:gpus_idle:usd") == pytest.approx(2 * 110.2 / 4, rel=0.03)


def test_a_job_costs_what_its_gpus_cost(prometheus):
    (panel,) = [p for p in BOARDS["cost"]["panels"] if p["title"] == "Price per hour by job"]
    (found,) = ask(prometheus, panel["targets"][0]["expr"])
    assert found["metric"] == {"label_colony_dev_job": "train"}
    assert float(found["value"][1]) == pytest.approx(3 * 110.2 / 4)


def test_the_agents_own_words_are_what_was_recorded(prometheus_programs, tmp_path):
    """Real Prometheus reads what the real agent says, and it has the recorded labels."""
    bill = read_bill(
        {
            "colony": "demo", "cluster": "main", "created": START, "expires": START + 14400,
            "budget_usd": 400, "usd_per_hour": 110.2,
            "pools": [
                {"name": "h100", "usd_per_hour": 110, "accelerator": "H100", "accelerators": 4},
                {"name": "system", "usd_per_hour": 0.2},
            ],
        }
    )  # fmt: skip
    said = exposition(bill, START + 3600)
    series = recorded()
    ours = {name: text for name, text in series.items() if name.startswith("colony_")}
    lines = [line for line in said.splitlines() if not line.startswith("#")]
    assert {line.rpartition(" ")[0] for line in lines} == set(ours)
    loaded = Prometheus(tmp_path)
    stamped = [f"{line} {START + 3600}" for line in lines]
    loaded.load("\n".join([*stamped, "# EOF"]) + "\n")
    with loaded.running():
        assert number_at(loaded, "colony_spent_usd", START + 3600) == pytest.approx(110.2)


def number_at(prometheus, expression, at):
    (found,) = prometheus.query(expression, at)
    return float(found["value"][1])


def test_promtool_finds_nothing_wrong_with_the_rules(prometheus_programs):
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"SUCCESS: \d+ rules found", done.stdout)


def test_alerts_fire_when_they_should_and_not_before(prometheus_programs, tmp_path):
    (tmp_path / "rules.yaml").write_text(RULES.read_text())
    (tmp_path / "alerts.yaml").write_text((HERE / "alerts.yaml").read_text())
    done = promtool("test", "rules", "alerts.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_alert_with_another_threshold_is_noticed(prometheus_programs, tmp_path):
    text = RULES.read_text()
    assert "time() < 1800" in text
    (tmp_path / "rules.yaml").write_text(text.replace("time() < 1800", "time() < 18"))
    (tmp_path / "alerts.yaml").write_text((HERE / "alerts.yaml").read_text())
    assert promtool("test", "rules", "alerts.yaml", folder=tmp_path).returncode != 0


def test_every_alert_is_tested():
    cases = yaml.safe_load((HERE / "alerts.yaml").read_text())["tests"]
    fired = {
        case["alertname"]
        for test in cases
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    quiet = {
        case["alertname"]
        for test in cases
        for case in test["alert_rule_test"]
        if not case.get("exp_alerts")
    }
    rules = yaml.safe_load(RULES.read_text())["groups"]
    alerts = {rule["alert"] for group in rules for rule in group["rules"] if "alert" in rule}
    assert fired == quiet == alerts
