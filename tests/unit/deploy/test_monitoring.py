"""k8s/components/monitoring and autoscaling: what a cluster's Prometheus, Grafana and KEDA are given and ask."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

RULE_FIELDS = {"record", "alert", "expr", "for", "labels", "annotations"}
GROUP_FIELDS = {"name", "interval", "rules"}
CASES = Path(__file__).parent / "alerts.yml"
PROMTOOL = shutil.which("promtool")


def _sources(root: Path) -> dict[str, Any]:
    files = (root / "docker/observability/rules").glob("*.yml")
    return {f"linewise-{path.stem}": yaml.safe_load(path.read_text()) for path in files}


def test_the_operators_rules_are_prometheus_own(root: Path) -> None:
    objects = list(yaml.safe_load_all((root / "k8s/components/monitoring/rules.yaml").read_text()))
    assert {it["metadata"]["name"]: it["spec"] for it in objects} == _sources(root)
    assert {(it["apiVersion"], it["kind"]) for it in objects} == {("monitoring.coreos.com/v1", "PrometheusRule")}


def test_rules_have_the_fields_that_the_operators_schema_knows(root: Path) -> None:
    groups = [group for source in _sources(root).values() for group in source["groups"]]
    assert len({group["name"] for group in groups}) == len(groups)
    for group in groups:
        assert set(group) <= GROUP_FIELDS
        for rule in group["rules"]:
            assert set(rule) <= RULE_FIELDS
            assert ("record" in rule) is not ("alert" in rule)
            values = [*rule.get("labels", {}).values(), *rule.get("annotations", {}).values()]
            assert all(isinstance(it, str) for it in values)


@pytest.mark.parametrize("overlay", ["production", "gpu"])
def test_a_clusters_dashboard_is_the_file_that_compose_shows(overlay: str, root: Path, kustomized: Any) -> None:
    maps = [it for it in kustomized(overlay) if it["metadata"]["name"] == "linewise-dashboard"]
    [dashboard] = maps
    shown = root / "docker/observability/grafana/dashboards/linewise.json"
    assert json.loads(dashboard["data"]["linewise.json"]) == json.loads(shown.read_text())
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert dashboard["metadata"]["namespace"] == "linewise"


def test_dashboard_asks_a_datasource_by_the_uid_that_both_sorts_of_grafana_have(root: Path) -> None:
    provisioned = yaml.safe_load((root / "docker/observability/grafana/datasources/prometheus.yml").read_text())
    assert [it["uid"] for it in provisioned["datasources"]] == ["prometheus"]


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(root: Path) -> None:
    groups = [group for source in _sources(root).values() for group in source["groups"]]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    asked = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in asked if case["exp_alerts"]} == alerts
    assert {case["alertname"] for case in asked if not case["exp_alerts"]} == alerts


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_alerts_fire_when_they_should_and_say_what_they_mean() -> None:
    assert PROMTOOL is not None
    told = subprocess.run([PROMTOOL, "test", "rules", str(CASES)], capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_autoscalers_are_told_zero_of_services_that_have_nothing_to_do(root: Path, tmp_path: Path) -> None:
    assert PROMTOOL is not None
    scalers = list(yaml.safe_load_all((root / "k8s/components/autoscaling/scaled-objects.yaml").read_text()))
    queries = [trigger["metadata"]["query"] for it in scalers for trigger in it["spec"]["triggers"]]
    assert len(queries) == 3
    idle = [
        'linewise_executor_queued_programs{namespace="linewise"}',
        'linewise_labeler_queue_depth{namespace="linewise"}',
        'linewise_scorer_stage_seconds_bucket{namespace="linewise", stage="queue", le="0.1"}',
        'linewise_scorer_stage_seconds_bucket{namespace="linewise", stage="queue", le="+Inf"}',
    ]
    zero = [{"labels": "{}", "value": 0}]
    test = {
        "interval": "1m",
        "input_series": [{"series": series, "values": "0x10"} for series in idle],
        "promql_expr_test": [{"expr": query, "eval_time": "5m", "exp_samples": zero} for query in queries],
    }
    cases = tmp_path / "cases.yml"
    cases.write_text(json.dumps({"tests": [test]}))
    told = subprocess.run([PROMTOOL, "test", "rules", str(cases)], capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr
