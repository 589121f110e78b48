"""The board as code: generated is committed, Grafana's own types read it, and it follows the rules of the house."""

import importlib.metadata
import json
from typing import Any

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.questions import ANNOTATIONS, board_expressions, interpolate, panels
from deploy.grafana.risk_board import SOURCE_UID, generated, provisioning, risk_board
from deploy.prometheus.config import FOLDER, prometheus_config
from streams.contracts.assessments import LegalState
from streams.metrics.catalogue import CATALOGUE, LIVE, PLANNED, metric_of_series

BOARD: dict[str, Any] = json.loads(risk_board())
EXPRESSIONS = [expression for _, expression in board_expressions()] + list(ANNOTATIONS.values())
RULES = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
UNUSED = {
    "monazite_risk_score_ratio", "monazite_risk_contribution_ratio", "monazite_supply_top_share_ratio",
    "monazite_concentration_ratio", "monazite_import_reliance_ratio",
    "monazite_build_info", "monazite_event_age_seconds", "monazite_event_to_alert_seconds",
    "monazite_notification_delay_seconds", "monazite_partition_assigned", "monazite_partition_clock_timestamp_seconds",
    "monazite_processing_seconds", "monazite_read_view_writes_total", "monazite_rebalances_total",
    "monazite_rule_evaluation_seconds_total", "monazite_rule_evaluations_total",
    "monazite_rules_loaded",
}  # fmt: skip
"""Exported, and on no board and in no rule yet: for the boards Pipeline health, Notifications, Materials."""


def selectors(expression: str) -> list[tuple[str, set[str]]]:
    """Return metric and matched labels of each selector, by a parser that is not Prometheus' own."""
    found: list[tuple[str, set[str]]] = []

    def walk(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append((node.name or "", {matcher.name for matcher in node.matchers.matchers}))
        for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
            child = getattr(node, name, None)
            if child is not None and not isinstance(child, str):
                walk(child)
        for child in getattr(node, "args", None) or ():
            walk(child)

    walk(promql_parser.parse(expression))
    return found


@pytest.mark.parametrize("path", list(generated()), ids=lambda path: path.name + " in " + path.parent.name)
def test_what_is_committed_is_what_the_code_makes(path: Any) -> None:
    """A board edited by hand would be lost with the next change; run `python -m deploy.grafana.risk_board`."""
    assert path.read_text("utf-8") == generated()[path]


def test_the_scrape_configuration_is_what_the_code_makes() -> None:
    """Run `python -m deploy.prometheus.config` after a change."""
    assert (FOLDER / "prometheus.yml").read_text("utf-8") == prometheus_config()
    with pytest.raises(ValueError, match="unknown jobs"):
        prometheus_config({"monazite-typo": ("127.0.0.1:1",)})


def test_the_sdk_is_the_pinned_line_and_reads_its_own_board_back_unchanged() -> None:
    """Another line of the SDK makes types of another Grafana; a field it does not know would be dropped."""
    assert importlib.metadata.version("grafana-foundation-sdk").removeprefix("v") == "0.0.21"
    register_default_plugins()
    again = JSONEncoder(sort_keys=True, indent=2).encode(Dashboard.from_json(BOARD))
    assert again + "\n" == risk_board()


def test_every_panel_says_what_it_shows_in_which_unit_and_what_nothing_means() -> None:
    """An empty panel that does not say why is read as "all is well"."""
    shown = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert {panel["id"] for panel in shown} == {plan.number for plan in panels()}
    for panel in shown:
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"] and panel["description"] and defaults["unit"] and defaults["noValue"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def test_the_board_is_found_under_one_name_and_not_edited_in_place() -> None:
    """Links and provisioning rely on the uid; variables without refresh show no data in a real Grafana."""
    assert (BOARD["uid"], BOARD["editable"], BOARD["timezone"]) == ("monazite-risk-board", False, "utc")
    variables = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert all(v["refresh"] == 2 for v in variables.values() if v["type"] == "query")
    source = yaml.safe_load(provisioning()["datasources/monazite.yaml"])["datasources"][0]
    assert (source["uid"], source["type"]) == (SOURCE_UID, "prometheus")


def test_every_legal_state_has_a_word_and_not_only_a_colour() -> None:
    """Somebody who cannot tell red from green reads the word."""
    [timeline] = [panel for panel in BOARD["panels"] if panel["type"] == "state-timeline"]
    options = timeline["fieldConfig"]["defaults"]["mappings"][0]["options"]
    assert {option["text"] for option in options.values()} == {state.value.replace("_", " ") for state in LegalState}


def test_dates_are_milliseconds_where_grafana_shows_a_date() -> None:
    """Prometheus has seconds, Grafana's dates are milliseconds: without the factor every end is in 1970."""
    for plan in panels():
        for question in plan.questions:
            assert question.unit != "dateTimeAsIso" or question.expression.endswith("* 1000")


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *(rule["expr"] for group in RULES for rule in group["rules"])])
def test_every_metric_and_label_asked_for_is_exported_now(expression: str) -> None:
    """A misspelt name gives no error, only an empty panel or an alert that never fires."""
    for name, labels in selectors(expression):
        if name == "up":
            assert labels <= {"job", "instance"}
            continue
        metric = metric_of_series(name)
        assert metric is not None, name
        assert metric.exists_now, f"{name} is planned only"
        assert labels <= {*metric.labels, "le", "instance", "job"}, (name, labels)


def test_every_live_metric_is_used_or_listed_as_unused() -> None:
    """What nobody looks at is either missing on a board or not needed."""
    asked = [*EXPRESSIONS, *(rule["expr"] for group in RULES for rule in group["rules"])]
    used = {m.name for e in asked for name, _ in selectors(e) if (m := metric_of_series(name)) is not None}
    assert used | UNUSED == {metric.name for metric in LIVE}
    assert not used & UNUSED
    assert len(CATALOGUE) == len(LIVE) + len(PLANNED)


def test_variables_are_filled_in_as_grafana_does() -> None:
    """The test must ask what the panel asks: the rate interval is four scrapes at least."""
    assert interpolate("x[$__rate_interval]", scrape_seconds=15, interval_seconds=15) == "x[60s]"
    assert interpolate("x[$__rate_interval]", scrape_seconds=1, interval_seconds=30) == "x[31s]"
    assert interpolate('x{measure=~"${measure:regex}"}') == 'x{measure=~".+"}'
    assert not any("$" in expression for _, expression in board_expressions())


def test_every_health_alert_has_severity_words_and_a_runbook() -> None:
    """Somebody is woken by it: it must say what happened and where to read on."""
    runbooks = (FOLDER / "runbooks.md").read_text()
    alerts = [rule for group in RULES for rule in group["rules"] if "alert" in rule]
    assert "MonaziteWatchdog" in {rule["alert"] for rule in alerts}
    for rule in alerts:
        assert rule["alert"].startswith("Monazite")
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]
        assert rule["annotations"]["runbook_url"].endswith("#" + rule["alert"].lower())
        assert f"## {rule['alert']}\n" in runbooks
