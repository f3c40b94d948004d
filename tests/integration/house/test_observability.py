"""What dashboard, alerts and autoscalers ask for by name is what live services tell; Prometheus reads all of it."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[3] / "docker" / "observability"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
SCALERS = FOLDER.parents[1] / "k8s" / "components" / "autoscaling" / "scaled-objects.yaml"
DASHBOARD = json.loads((FOLDER / "grafana" / "dashboards" / "linewise.json").read_text())
NAME = re.compile(r"(?<![\w:\"])(?:linewise|process)[a-z_:0-9]+(?=[\[{( )]|$)")
PROMTOOL = shutil.which("promtool")


def rules() -> list[dict[str, Any]]:
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    return [*panels, *(rule["expr"] for rule in rules()), *scalers()]


def scalers() -> list[str]:
    """What KEDA asks, without the label that the cluster's Prometheus adds."""
    triggers = [trigger for it in yaml.safe_load_all(SCALERS.read_text()) for trigger in it["spec"]["triggers"]]
    return [re.sub(r'namespace="linewise"(, )?', "", it["metadata"]["query"]) for it in triggers]


def names(expression: str) -> set[str]:
    return set(NAME.findall(re.sub(r'"[^"]*"', '""', expression)))


def told_by(house: Any) -> dict[str, str]:
    """Every series that the services tell, by name, with an example of its labels."""
    text = ""
    for service in house.urls:
        with house.client(service) as client:
            text += client.get("/metrics").text
    return dict(re.findall(r"^([a-z_]+)(?:\{(.*)\})? ", text, re.MULTILINE))


def exercise(house: Any) -> None:
    """Each room does once what it is about, so that every series with labels has come to be."""
    body = {"prompt": "Add.", "code": "def f(x):\n    return x\n"}
    with house.client("scorer") as client:
        assert client.post("/score", json=body).status_code == 200
    with house.client("executor") as client:
        assert client.post("/execute", json={"code": "x = 1", "tests": ["assert x == 1"]}).status_code == 200
        assert client.post("/run_code", json={"code": "print(1)", "language": "python"}).status_code == 200
    assert house.label(id="observed")["status"] == "succeeded"


def test_every_metric_of_dashboard_and_rules_is_told_by_a_live_service(house: Any) -> None:
    exercise(house)
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    named = set().union(*map(names, expressions()))
    told = set(told_by(house))
    assert len(named - recorded) > 25
    assert not named - recorded - told


def test_every_label_that_an_expression_selects_by_is_one_of_the_metrics(house: Any) -> None:
    exercise(house)
    told = told_by(house)
    for expression in expressions():
        for name, selectors in re.findall(r"(linewise_[a-z_]+)\{([^}]*)\}", expression):
            for label in re.findall(r"(\w+)\s*[=!]", selectors):
                assert f'{label}="' in told[name], f"{name} has no label {label}"


def test_the_labelers_counts_are_those_of_its_jobs(house: Any) -> None:
    exercise(house)
    with house.client("labeler") as client:
        jobs = client.get("/jobs?limit=1000").json()["jobs"]
        text = client.get("/metrics").text
    told = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[:1] != "#"}
    for label in ("positive", "negative", "unknown"):
        expected = sum(job["labels"][label] for job in jobs)
        assert told[f'linewise_labeler_labels_total{{label="{label}"}}'] == expected
    assert told['linewise_labeler_jobs{status="succeeded"}'] == sum(job["status"] == "succeeded" for job in jobs)
    assert told['linewise_labeler_part_up{part="queue"}'] == told['linewise_labeler_part_up{part="database"}'] == 1


def test_every_alert_says_how_bad_it_is_and_has_its_place_in_the_manual() -> None:
    manual = (FOLDER.parents[1] / "docs" / "operate.md").read_text()
    alerts = [rule for rule in rules() if "alert" in rule]
    assert {rule["labels"]["severity"] for rule in alerts} == {"page", "ticket"}
    assert not [rule["alert"] for rule in alerts if f"`{rule['alert']}`" not in manual]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_reads_configuration_and_rules() -> None:
    assert PROMTOOL is not None
    for arguments in (["config", FOLDER / "prometheus.yml"], ["rules", *RULES]):
        checked = subprocess.run([PROMTOOL, "check", *arguments], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_dashboard_is_whole() -> None:
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert {panel["datasource"]["uid"] for panel in panels} == {"prometheus"}
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
