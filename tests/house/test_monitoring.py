"""Alerts, dashboard and runbooks belong together, and ask for nothing that the programs do not tell."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.house.tree import ROOT
from tests.metrics import exported
from tests.servers.processes import require_program

MONITORING = ROOT / "deploy" / "monitoring"
RUNBOOKS = ROOT / "docs" / "runbooks"
OF_PROMETHEUS = {"up", "process_start_time_seconds", "process_resident_memory_bytes"}
"""What Prometheus, and every program beside ours, tells."""
GRID_WIDTH = 24


def rules(text: str) -> list[dict[str, Any]]:
    """All rules of a file."""
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def alerts(text: str) -> dict[str, dict[str, Any]]:
    """The alerts of a file by name."""
    return {rule["alert"]: rule for rule in rules(text) if "alert" in rule}


def incomplete(alert: Mapping[str, Any]) -> Iterator[str]:
    """What an alert lacks."""
    if alert.get("labels", {}).get("severity") not in ("critical", "warning"):
        yield f"{alert['alert']}: severity"
    yield from (
        f"{alert['alert']}: {name}" for name in ("summary", "description", "runbook_url") if not alert.get("annotations", {}).get(name)
    )


def without_pair(text: str, runbooks: Mapping[str, str]) -> Iterator[str]:
    """Alerts whose runbook is not there or is another's, and runbooks that no alert leads to. `runbooks`: text by path."""
    named = {name: alert["annotations"]["runbook_url"] for name, alert in alerts(text).items()}
    yield from (f"{name}: {path}" for name, path in named.items() if f"Alert: `{name}`" not in runbooks.get(path, ""))
    yield from (path for path in runbooks if path not in named.values())


def metrics_of(expression: str) -> set[str]:
    """The metrics an expression asks for; raises ValueError if it is none."""
    parsed = promql_parser.parse(expression.replace("$__rate_interval", "5m"))
    return set(_selectors(parsed))


def _selectors(node: Any) -> Iterator[str]:
    if isinstance(node, promql_parser.VectorSelector):
        yield str(node.name)
    for field in ("expr", "lhs", "rhs", "args", "vector_selector", "param"):
        below = getattr(node, field, None)
        for one in below if isinstance(below, list) else [below]:
            if one is not None and not isinstance(one, str):
                yield from _selectors(one)


def not_told(expressions: Sequence[str], known: set[str]) -> Iterator[str]:
    """Metrics that expressions ask for and nobody tells; expressions that are none."""
    for expression in expressions:
        try:
            yield from sorted(metrics_of(expression) - known)
        except ValueError as error:
            yield f"{expression}: {error}"


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All panels, those folded into rows included."""
    return [one for panel in dashboard["panels"] for one in (panel, *panel.get("panels", ()))]


def misbuilt(dashboard: Mapping[str, Any]) -> Iterator[str]:
    """Ids used twice, panels that overlap or leave the grid, and data sources that are one person's."""
    ids = [panel["id"] for panel in panels(dashboard)]
    yield from (f"id {id_} twice" for id_ in set(ids) if ids.count(id_) > 1)
    taken: dict[tuple[int, int], str] = {}
    for panel in panels(dashboard):
        place = panel["gridPos"]
        if place["x"] + place["w"] > GRID_WIDTH:
            yield f"{panel['title']} leaves the grid"
        for cell in [(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])]:
            if taken.setdefault(cell, panel["title"]) != panel["title"]:
                yield f"{panel['title']} lies on {taken[cell]}"
                break
        sources = [panel.get("datasource"), *(target.get("datasource") for target in panel.get("targets", ()))]
        yield from (f"{panel['title']}: {source}" for source in sources if source and source.get("uid") != "${datasource}")


def expressions_of(dashboard: Mapping[str, Any]) -> list[str]:
    """All expressions of a dashboard."""
    return [target["expr"] for panel in panels(dashboard) for target in panel.get("targets", ())]


def _alerts_text() -> str:
    return (MONITORING / "alerts.yaml").read_text()


def _dashboard() -> dict[str, Any]:
    return json.loads((MONITORING / "dashboard.json").read_text())


def _known() -> set[str]:
    return exported() | OF_PROMETHEUS | {rule["record"] for rule in rules(_alerts_text()) if "record" in rule}


def _runbooks() -> dict[str, str]:
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted(RUNBOOKS.glob("*.md"))}


def _promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([require_program("promtool", "prometheus"), *arguments], capture_output=True, text=True, check=False)


def test_alerts_are_complete() -> None:
    """Each has a severity, two sentences, and a runbook."""
    found = alerts(_alerts_text())
    assert len(found) >= 20
    assert [wrong for alert in found.values() for wrong in incomplete(alert)] == []


def test_every_alert_has_its_runbook() -> None:
    """And every runbook its alert."""
    assert list(without_pair(_alerts_text(), _runbooks())) == []


def test_runbooks_answer_the_same_questions() -> None:
    """What it means, what is lost, how to look, what to do."""
    asked = ("**What it means.**", "**What is lost if nothing is done.**", "**How to look**", "**What to do**")
    assert [(path, question) for path, text in _runbooks().items() for question in asked if question not in text] == []


def test_rules_ask_for_what_is_told() -> None:
    """A metric that was renamed, and an alert that can never fire for it, is found here."""
    assert list(not_told([rule["expr"] for rule in rules(_alerts_text())], _known())) == []


def test_the_dashboard_is_well_built() -> None:
    """It loads into any Grafana: no id twice, nothing overlaps, the data source is a variable."""
    assert list(misbuilt(_dashboard())) == []
    assert {"datasource", "site"} <= {variable["name"] for variable in _dashboard()["templating"]["list"]}


def test_the_dashboard_shows_what_is_told() -> None:
    """Every expression is one, and every metric in it is told by a program or made by a rule."""
    expressions = expressions_of(_dashboard())
    assert len(expressions) >= 30
    assert list(not_told(expressions, _known())) == []


def test_every_metric_of_ours_is_used() -> None:
    """What nobody looks at and nothing alerts on need not be told."""
    asked = {
        name for text in (*expressions_of(_dashboard()), *(rule["expr"] for rule in rules(_alerts_text()))) for name in metrics_of(text)
    }
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert sorted({re.sub(r"_(bucket|sum|count)$", "", name) for name in exported() if name.startswith("keepsight_")} - families) == []


@pytest.mark.server
def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    """Prometheus' own test of rules: each alert stays silent on good figures and speaks on bad ones; an untested alert fails."""
    shutil.copytree(MONITORING, tmp_path / "m")
    done = _promtool("test", "rules", str(tmp_path / "m" / "alerts_test.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr

    fired = [
        case["alertname"]
        for test in yaml.safe_load((MONITORING / "alerts_test.yaml").read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    ]
    assert sorted(fired) == sorted(alerts(_alerts_text()))


@pytest.mark.server
@pytest.mark.parametrize(
    ("good", "bad"), [('healthy{part="index"} == 0', 'healthy{part="index"} == 1'), ("0.05\n        for: 5m", "0.5\n        for: 5m")]
)
def test_a_rule_that_is_wrong_is_seen(tmp_path: Path, good: str, bad: str) -> None:
    """The negative control: a rule turned round, or with a limit nobody meets, fails its test."""
    spoiled, tests = _alerts_text().replace(good, bad), yaml.safe_load((MONITORING / "alerts_test.yaml").read_text())
    changed = {name for name, alert in alerts(_alerts_text()).items() if alerts(spoiled)[name] != alert}
    tests["tests"] = [test for test in tests["tests"] if changed & {case["alertname"] for case in test["alert_rule_test"]}]
    (tmp_path / "alerts_test.yaml").write_text(yaml.safe_dump(tests))

    for text, passes in ((_alerts_text(), True), (spoiled, False)):
        (tmp_path / "alerts.yaml").write_text(text)
        assert (_promtool("test", "rules", str(tmp_path / "alerts_test.yaml")).returncode == 0) == passes, changed


@pytest.mark.server
def test_prometheus_takes_rules_and_configuration() -> None:
    """Both are valid for the oldest Prometheus that is told of."""
    for kind, name in (("rules", "alerts.yaml"), ("config", "prometheus.yml")):
        done = _promtool("check", kind, *(["--syntax-only"] if kind == "config" else []), str(MONITORING / name))
        assert done.returncode == 0, done.stdout + done.stderr


def test_broken_rules_of_monitoring_are_seen() -> None:
    """The negative control: one bad example of each rule."""
    text = "groups: [{name: x, rules: [{alert: A, expr: up == 0, annotations: {runbook_url: docs/runbooks/a.md}}]}]"
    panel = {"id": 1, "title": "a", "gridPos": {"x": 20, "y": 0, "w": 6, "h": 2}, "datasource": {"uid": "mine"}}
    other = {"id": 1, "title": "b", "gridPos": {"x": 20, "y": 1, "w": 2, "h": 2}}

    assert list(incomplete(alerts(text)["A"])) == ["A: severity", "A: summary", "A: description"]
    assert list(without_pair(text, {"docs/runbooks/b.md": ""})) == ["A: docs/runbooks/a.md", "docs/runbooks/b.md"]
    assert not list(without_pair(text, {"docs/runbooks/a.md": "Alert: `A`"}))
    assert list(not_told(["rate(keepsight_nothing_total[$__rate_interval]) / up"], {"up"})) == ["keepsight_nothing_total"]
    assert len(list(not_told(["sum(up"], {"up"}))) == 1
    assert len(list(misbuilt({"panels": [panel, other]}))) == 4
