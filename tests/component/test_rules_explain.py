"""`rules explain` and `rules docs` over the shipped history and the shipped rules."""

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from alerts.backtest.run_backtest import backtest
from alerts.explain.alert_history import UnknownAlertError, find_changes, life_of, life_row
from alerts.explain.pages import index_page, rule_pages
from alerts.rules.documents import read_document
from alerts.rules.loader import shipped_rules, shipped_rules_directory
from deploy.cli.main import app
from streams.contracts.alert import AlertChanged
from streams.reference import load_history
from tests.support.rule_road import rules_from

UNTIL = datetime(2026, 11, 12, 12, tzinfo=UTC)


@cache
def log() -> list[AlertChanged]:
    return list(backtest(load_history(), until=UNTIL, rules=shipped_rules()))


def last_of(rule: str, measure: str) -> AlertChanged:
    return next(c for c in reversed(log()) if c.rule == rule and c.labels.get("measure") == measure)


def test_a_life_has_every_change_what_was_compared_and_the_events_behind_it() -> None:
    """Promise 6: every alert explains itself."""
    fingerprint = last_of("suspension-end", "CN-2025-57").fingerprint
    life = life_of(find_changes(log(), fingerprint[:10]), load_history(), shipped_rules())
    assert [c.step for c in life.changes][:4] == ["90d", "69d", "30d", "14d"]
    assert life.fired_since == life.changes[0].at
    assert life.state.value == "firing"
    assert life.edited is False
    assert life.values["legal_end"] == "2026-11-10"
    assert life.causes
    assert all(cause.said_by and cause.recorded_at <= UNTIL for cause in life.causes)
    assert life.missing_causes == ()
    row = life_row(life)
    assert {"from", "to", "at", "values", "thresholds", "causes"} <= set(row["changes"][0])


def test_an_alert_that_ended_does_not_fire_and_keeps_its_description() -> None:
    """The last words before the end are what people ask about."""
    over = next(c for c in log() if c.rule == "control-imposed" and c.to_state == "ok")
    life = life_of(find_changes(log(), over.fingerprint), load_history(), shipped_rules())
    assert life.fired_since is None
    assert life.description


def test_a_rule_that_was_edited_or_removed_since_is_told() -> None:
    """Explaining an old alert by a new rule would lie."""
    changes = find_changes(log(), last_of("suspension-end", "CN-2025-57").fingerprint)
    text = (shipped_rules_directory() / "deadlines.yaml").read_text()
    edited = rules_from(text.replace("before: 14d", "before: 13d"))
    assert life_of(changes, [], edited).edited is True
    gone = rules_from(text.replace("id: suspension-end", "id: another"))
    assert life_of(changes, [], gone).edited is None
    assert life_of(changes, [], gone).missing_causes


def test_a_fingerprint_must_name_one_alert() -> None:
    """An explanation of the wrong alert is worse than none."""
    with pytest.raises(UnknownAlertError, match="--not ENTITY RULE"):
        find_changes(log(), "nothing")
    with pytest.raises(UnknownAlertError, match="alerts have a fingerprint"):
        find_changes(log(), "")


def test_every_shipped_rule_has_a_page_with_its_facts_and_texts() -> None:
    """The page is drawn from the file, so it cannot drift."""
    pages = rule_pages([shipped_rules_directory()])
    assert {page.id for page in pages} == set(shipped_rules().by_id)
    for page in pages:
        assert page.markdown.startswith(f"# {page.id}\n")
        assert page.facts
        assert page.severities
        assert "See its fields" not in page.fires
    ladder = next(page for page in pages if page.id == "suspension-end")
    assert "69d (warning)" in ladder.fires
    assert "| `legal_end` | date | last day of the suspension" in ladder.markdown
    assert index_page(pages).count("](") == len(pages)


def test_the_commands_speak_json_and_write_pages_and_schemas(tmp_path: Path) -> None:
    """Tools read them."""
    runner = CliRunner()
    fingerprint = last_of("suspension-end", "CN-2025-57").fingerprint
    shown = runner.invoke(app, ["rules", "explain", fingerprint, "--until", "2026-11-12", "--json"])
    assert json.loads(shown.stdout)["rule"] == "suspension-end"
    assert runner.invoke(app, ["rules", "explain", "nothing", "--until", "2026-11-12"]).exit_code == 2
    assert runner.invoke(app, ["rules", "docs", "--out", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "suspension-end.md").is_file()
    schema = json.loads((tmp_path / "rules.schema.json").read_text())
    for path in shipped_rules_directory().glob("*.yaml"):
        jsonschema.validate(read_document(path.read_text()), schema)
    jsonschema.Draft202012Validator.check_schema(json.loads((tmp_path / "rule-tests.schema.json").read_text()))
    assert runner.invoke(app, ["rules", "docs", "no-such-rule"]).exit_code == 2


def test_a_diff_of_a_set_with_itself_is_empty_and_one_with_an_edit_is_a_finding(tmp_path: Path) -> None:
    """Exit codes as of diff(1)."""
    runner = CliRunner()
    text = (shipped_rules_directory() / "policy.yaml").read_text()
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(text)
    new.write_text(text.replace("resolve_after: 14d", "resolve_after: 7d"))
    until = ["--until", "2025-06-30"]
    same = runner.invoke(app, ["rules", "diff", str(old), str(old), *until, "--json"])
    assert (same.exit_code, json.loads(same.stdout)["same"]) == (0, True)
    moved = runner.invoke(app, ["rules", "diff", str(old), str(new), *until, "--json"])
    document = json.loads(moved.stdout)
    assert moved.exit_code == 1
    assert {d["ended_by_seconds"] for d in document["alerts"]} == {-7 * 86_400.0}
    assert document["edited"] == ["control-announced", "control-eased", "control-imposed"]
    assert runner.invoke(app, ["rules", "diff", str(tmp_path / "none"), "shipped"]).exit_code == 2
