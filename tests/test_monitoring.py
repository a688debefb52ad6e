"""What `deploy/monitoring` and docs/metrics.md say fits what `/metrics` tells, and the alerts fire when they should."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from sync_worker import lifecycle, metrics
from sync_worker.counts import POST_OUTCOMES, TICK_OUTCOMES
from sync_worker.records import Status
from sync_worker.settings import load_settings
from sync_worker.web.office import office_of
from tests.conftest import Clinic

ROOT = Path(__file__).parent.parent
MONITORING, DOCS = ROOT / "deploy" / "monitoring", ROOT / "docs"
METRICS = {one.name: one for one in metrics.METRICS}
TARGET = {"job", "instance"}
"""Labels that Prometheus adds to whatever it scrapes."""
CLOSED = {
    ("posts_total", "outcome"): set(POST_OUTCOMES),
    ("ticks_total", "outcome"): set(TICK_OUTCOMES),
    ("entries", "status"): {status.value for status in Status},
    ("review_entries", "reason"): {reason.value for reason in lifecycle.WAITS_ON},
    ("alarms", "level"): {"alarm", "warning"},
}
"""Labels of which every value is known."""


@pytest.fixture
def registry(clinic: Clinic) -> CollectorRegistry:
    """The metrics of a worker that has done nothing yet."""
    return office_of(load_settings(clinic.environment(), env_file=None), clinic.worker, clinic.clock).metrics


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def board() -> dict[str, Any]:
    return dict(json.loads((MONITORING / "grafana.json").read_text()))


def expressions() -> list[tuple[str, str, str]]:
    """Every query: whose it is, the query itself, and the text that names its labels."""
    texts = [(one["alert"], one["expr"], " ".join(one["annotations"].values())) for one in alerts()]
    for panel in board()["panels"]:
        texts += [(panel["title"], target["expr"], target["legendFormat"]) for target in panel["targets"]]
    return texts


def selectors(query: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """The metrics that a query selects, each with its matchers: label, operator, value."""
    for name, inside in re.findall(r"\b(sync_worker_\w+)(\{[^}]*\})?", re.sub(r'job="sync_worker"', 'job="j"', query)):
        yield name, re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', inside)


# ---------------------------------------------------------------- docs/metrics.md


def documented() -> dict[str, tuple[str, tuple[str, ...], str]]:
    """The table: type, labels and meaning by name."""
    rows = re.findall(r"^\| `(sync_worker_\w+)` \| (\w+) \| (.*?) \| (.*?) \| .* \|$", _metrics_page(), re.M)
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels)), text) for name, kind, labels, text in rows}


def _metrics_page() -> str:
    return (DOCS / "metrics.md").read_text()


def test_the_table_of_the_docs_is_the_registry_s_word_for_word() -> None:
    assert documented() == {name: (one.kind, one.labels, one.meaning) for name, one in METRICS.items()}
    for line in _metrics_page().splitlines():
        if line.startswith("| `sync_worker_"):
            assert line.endswith("| seconds |") == ("_seconds`" in line.split(" | ")[0]), line


def test_the_registry_tells_each_of_them_as_the_table_says(registry: CollectorRegistry) -> None:
    told = {}
    for family in text_string_to_metric_families(metrics.exposition(registry).decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        told[name] = (family.type, family.documentation)
        for sample in family.samples:
            assert sample.name == name
            assert set(sample.labels) == set(METRICS[name].labels)
    assert told == {name: (kind, meaning) for name, (kind, _, meaning) in documented().items()}


# ---------------------------------------------------------------- the alerts


def test_every_alert_says_what_is_wrong_and_where_the_runbook_has_more() -> None:
    names = [one["alert"] for one in alerts()]
    assert len(set(names)) == len(names) > 10
    for one in alerts():
        assert set(one) <= {"alert", "expr", "for", "labels", "annotations"}
        assert one["labels"]["severity"] in ("critical", "warning")
        assert set(one["annotations"]) == {"summary", "runbook"}
        assert re.fullmatch(r"[A-Z].{30,}\.", one["annotations"]["summary"]), one["alert"]
        assert re.fullmatch(r"docs/runbook\.md#(\w+|\{\{ \$labels\.code \}\})", one["annotations"]["runbook"])


@pytest.mark.skipif(not (DOCS / "runbook.md").exists(), reason="there is no runbook here")
def test_the_runbook_has_the_headings_that_alerts_name() -> None:
    headings = set(re.findall(r"^#+ (\w+)$", (DOCS / "runbook.md").read_text(), re.M))
    named = {one["annotations"]["runbook"].partition("#")[2] for one in alerts()}
    assert {name for name in named if name.isidentifier()} <= headings


def test_prometheus_scrapes_what_alerts_and_board_ask_for() -> None:
    given = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())
    assert given["rule_files"] == ["alerts.yaml"]
    [job] = given["scrape_configs"]
    assert (job["job_name"], job["metrics_path"]) == ("sync_worker", "/metrics")
    assert int(job["scrape_timeout"].removesuffix("s")) > metrics.LEDGER_SECONDS
    jobs = {job for _, query, _ in expressions() for job in re.findall(r'job="(\w+)"', query)}
    assert jobs == {job["job_name"] for job in given["scrape_configs"]}


# ---------------------------------------------------------------- what queries name


@pytest.mark.parametrize(("whose", "query", "text"), expressions(), ids=[one[0] for one in expressions()])
def test_every_metric_and_label_of_a_query_is_told(whose: str, query: str, text: str) -> None:
    found = list(selectors(query))
    assert found or "up{" in query
    labels = {label for name, _ in found for label in METRICS[name].labels}
    for name, matchers in found:
        for label, operator, value in matchers:
            assert label in {*METRICS[name].labels, *TARGET}, whose
            known = CLOSED.get((name.removeprefix("sync_worker_"), label))
            if known is not None:
                assert set(value.split("|") if "~" in operator else [value]) <= known, whose
    for grouped in re.findall(r"\b(?:by|on) \(([^)]*)\)", query):
        assert {one.strip() for one in grouped.split(",")} <= labels | TARGET, whose
    used = re.findall(r"\$labels\.(\w+)", text) + re.findall(r"\{\{(\w+)\}\}", text)
    assert set(used) <= labels, whose


def test_every_metric_is_on_the_board() -> None:
    queries = [target["expr"] for panel in board()["panels"] for target in panel["targets"]]
    shown = {name for query in queries for name, _ in selectors(query)}
    assert shown == set(METRICS)


def test_the_board_is_whole_and_its_panels_lie_beside_each_other() -> None:
    found = board()
    assert {"title", "uid", "schemaVersion", "templating", "time"} <= set(found)
    assert [one["name"] for one in found["templating"]["list"]] == ["datasource"]
    panels = found["panels"]
    assert len({one["id"] for one in panels}) == len({one["title"] for one in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for one in panels:
        at = one["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, one["title"]
        taken |= cells
        assert all(each["datasource"]["uid"] == "${datasource}" for each in (one, *one["targets"]))
        references = [target["refId"] for target in one["targets"]]
        assert len(set(references)) == len(references)


# ---------------------------------------------------------------- Prometheus's own judgement

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool: Debian's package prometheus has it")


def promtool(*asked: str, told: str | None = None) -> str:
    """Everything that Prometheus says of our files, which it must find right."""
    command = [str(PROMTOOL), *asked]
    done = subprocess.run(command, cwd=ROOT, input=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize(
    "asked",
    [
        ("check", "rules", "deploy/monitoring/alerts.yaml"),
        ("check", "config", "deploy/monitoring/prometheus.yaml"),
        ("test", "rules", "tests/alerts.yaml"),
    ],
    ids=" ".join,
)
def test_prometheus_takes_the_rules_and_they_fire_when_they_should(asked: tuple[str, ...]) -> None:
    promtool(*asked)


@needs_promtool
def test_prometheus_understands_the_queries_of_the_board(tmp_path: Path) -> None:
    queries = [query for _, query, _ in expressions()]
    rules = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "board.yaml").write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(tmp_path / "board.yaml"))


@needs_promtool
def test_a_scrape_s_metrics_pass_prometheus_s_own_lint(registry: CollectorRegistry) -> None:
    assert promtool("check", "metrics", told=metrics.exposition(registry).decode()) == ""


def test_every_alert_is_tried_out() -> None:
    tried = yaml.safe_load((ROOT / "tests" / "alerts.yaml").read_text())["tests"]
    fired = {one["alertname"] for each in tried for one in each["alert_rule_test"] if one.get("exp_alerts")}
    silent = {one["alertname"] for each in tried for one in each["alert_rule_test"] if not one.get("exp_alerts")}
    assert fired == silent == {one["alert"] for one in alerts()}
