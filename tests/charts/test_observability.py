"""The chart of our own: dashboards, rules and monitors, without a Prometheus.

`tests/cluster/test_observability.py` runs the queries.
"""

import json
import re

import pytest
import yaml
from schemas import crds_folder, misfits, schema_of

import charts
from charts import Site, load, values
from colony.agent.metrics import exposition, read_bill

CHART = charts.FOLDER / "observability"
BOARDS = {
    path.name: json.loads(path.read_text()) for path in sorted(CHART.glob("dashboards/*.json"))
}
RULES = yaml.safe_load((CHART / "rules.yaml").read_text())["groups"]
MONITORS = list(yaml.safe_load_all((CHART / "templates" / "monitors.yaml").read_text()))
OURS = read_bill(
    {
        "colony": "demo", "cluster": "main", "created": 0, "expires": 3600, "usd_per_hour": 1,
        "budget_usd": 2,
        "pools": [{"name": "h100", "usd_per_hour": 1, "accelerator": "H100", "accelerators": 8}],
    }
)  # fmt: skip
HARDWARE = {
    48, *range(56, 59), *range(62, 65), *range(68, 78), *range(79, 87), 88, 89, 92,
    *range(94, 106), *range(110, 121), *range(122, 126),
}  # fmt: skip
"""https://docs.nvidia.com/deploy/xid-errors/"""


def panels():
    return [(name, panel) for name, board in BOARDS.items() for panel in board["panels"]]


def expressions():
    found = [target["expr"] for _, panel in panels() for target in panel["targets"]]
    return found + [rule["expr"] for group in RULES for rule in group["rules"]]


def alert(name):
    (found,) = [r for group in RULES for r in group["rules"] if r.get("alert") == name]
    return found


def test_every_dashboard_can_be_told_from_the_others():
    assert set(BOARDS) == {"cost.json", "gpu.json", "job.json", "queues.json"}
    for field in ("uid", "title"):
        assert len({board[field] for board in BOARDS.values()}) == len(BOARDS)
    for board in BOARDS.values():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)


def test_panels_ask_the_sources_that_the_layers_make():
    layer = load()["kube-prometheus-stack"]
    grafana = values(layer, Site(layers=frozenset({"loki"})), {})["grafana"]
    made = {"prometheus": grafana["sidecar"]["datasources"]["uid"]}
    made |= {each["type"]: each["uid"] for each in grafana["additionalDataSources"]}
    for _, panel in panels():
        for source in (panel["datasource"], *(each["datasource"] for each in panel["targets"])):
            assert source == {"type": source["type"], "uid": made[source["type"]]}


def test_panels_lie_beside_each_other_and_say_what_they_count():
    for name, board in BOARDS.items():
        taken = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                     for y in range(at["y"], at["y"] + at["h"])}  # fmt: skip
            assert not cells & taken, (name, panel["title"])
            assert max(x for x, _ in cells) < 24
            taken |= cells
            assert panel["type"] == "logs" or panel["fieldConfig"]["defaults"]["unit"]


def test_variables_are_declared():
    for board in BOARDS.values():
        declared = {each["name"] for each in board["templating"]["list"]}
        used = set(re.findall(r"\$(\w+)", json.dumps(board["panels"])))
        assert used - {"__rate_interval", "__range"} == declared


def test_what_is_asked_of_a_gpu_is_what_the_exporters_are_told_to_say():
    asked = {name for text in expressions() for name in re.findall(r"DCGM_\w+", text)}
    site = Site(layers=frozenset({"observability"}))
    operator = values(load()["gpu-operator"], site, {})["dcgmExporter"]["config"]["data"]
    alone = values(load()["dcgm-exporter"], site, {})["customMetrics"]
    assert operator == alone
    rows = [line.split(", ", 2) for line in alone.splitlines() if not line.startswith("#")]
    assert all(kind in ("gauge", "counter") and text for _, kind, text in rows)
    assert asked <= {name for name, _, _ in rows}


def test_what_is_asked_of_the_agent_is_what_it_says():
    asked = {name for text in expressions() for name in re.findall(r"\bcolony_\w+", text)}
    said = set(re.findall(r"^# TYPE (\w+)", exposition(OURS, 0), re.M))
    known = {label for line in exposition(OURS, 0).splitlines() for label in
             re.findall(r"(\w+)=", line)}  # fmt: skip
    assert asked - {"colony_dev_job"} - known <= said


def test_what_rules_compute_is_shown_or_alerted_on_and_nothing_else_is_asked():
    made = {rule["record"] for group in RULES for rule in group["rules"] if "record" in rule}
    asked = {name for text in expressions() for name in re.findall(r"colony:\w+:\w+", text)}
    assert asked == made


def test_the_minutes_of_idle_gpus_are_minutes():
    (group,) = [each for each in RULES if each["name"] == "colony-gpus"]
    assert group["interval"] == "1m"


@pytest.mark.parametrize("code", [*sorted(HARDWARE), 13, 31, 43, 45, 59, 61, 78, 87, 93, 106, 121])
def test_a_hardware_xid_is_told_from_the_programs_own(code):
    for name, sign, expected in (
        ("GPUHardwareXid", "=~", code in HARDWARE),
        ("GPUApplicationXid", "!~", code not in HARDWARE),
    ):
        pattern = re.search(rf'xid{sign}"([^"]+)"', alert(name)["expr"]).group(1)
        found = re.fullmatch(pattern, str(code)) is not None
        assert found is (expected if sign == "=~" else not expected)


def test_alerts_say_how_bad_it_is_and_what_to_do():
    for rule in (rule for group in RULES for rule in group["rules"] if "alert" in rule):
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_monitors_ask_ports_that_are_there():
    ports = {each["metadata"]["name"]: each["spec"] for each in MONITORS}
    assert set(ports) == {
        "colony-agent", "colony-dcgm-exporter", "colony-gpu-operator-dcgm", "colony-jobset",
        "colony-kueue",
    }  # fmt: skip
    for spec in ports.values():
        assert spec["namespaceSelector"] == {"any": True}
        (endpoint,) = spec.get("podMetricsEndpoints") or spec["endpoints"]
        assert endpoint["port"] in ("metrics", "https")


@pytest.mark.skipif(not crds_folder().is_dir(), reason="the definitions are not beside us")
def test_monitors_and_rules_are_what_the_operators_definitions_allow():
    rule = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
            "metadata": {"name": "colony"}, "spec": {"groups": RULES}}  # fmt: skip
    for each in [*MONITORS, rule]:
        file = f"kube-prometheus-stack/crd-{each['kind'].lower()}s.yaml"
        assert list(misfits(each, schema_of(file, "v1"))) == []


def test_templates_hold_the_files_as_they_are():
    text = (CHART / "templates" / "rules.yaml").read_text()
    assert '{{ .Files.Get "rules.yaml" | indent 2 }}' in text
    boards = (CHART / "templates" / "dashboards.yaml").read_text()
    assert '(.Files.Glob "dashboards/*.json").AsConfig' in boards
    label = load()["kube-prometheus-stack"].values["grafana"]["sidecar"]["dashboards"]
    assert label["searchNamespace"] == "ALL"
    size = sum(path.stat().st_size for path in CHART.glob("dashboards/*.json"))
    assert size < 900_000, "a ConfigMap holds one MiB"


def test_our_chart_is_of_the_version_that_is_pinned():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    layer = load()["observability"]
    assert (chart["name"], chart["version"]) == (layer.name, layer.version)


def test_the_kernel_log_is_read_by_the_agents_image():
    from jobs.data import load as read

    collector = load()["opentelemetry-collector"].values
    (container,) = collector["extraContainers"]
    assert container["image"] == read("images.yaml")["agent"]
    queries = [t["expr"] for _, p in panels() if p["type"] == "logs" for t in p["targets"]]
    assert any(f'k8s_container_name="{container["name"]}"' in text for text in queries)
