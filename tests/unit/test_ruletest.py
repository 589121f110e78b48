"""`rules test`: the notation, what is told when a test fails, and what is refused with which words."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from alerts.ruletest.files import RuleTestFileError, load_test_file, run_files
from alerts.ruletest.notation import MAX_SAMPLES, Mark, NotationError, expand
from alerts.ruletest.ruletest_report import result_lines, result_row
from deploy.cli.main import app

RULES = """
groups:
  - name: g
    rules:
      - id: high
        kind: threshold
        on: price
        fact: last_amount
        above: 100
        severity: warning
        annotations: {summary: "{value:number}"}
"""


def write(tmp_path: Path, tests: str) -> Path:
    path = tmp_path / "a.yaml"
    path.write_text(RULES + "tests:\n" + tests)
    return path


def refused(tmp_path: Path, tests: str) -> str:
    (result,) = run_files([write(tmp_path, tests)])
    assert result.fault is not None
    assert not result.passed
    return result.fault.removeprefix(tmp_path.as_posix() + "/")


@given(st.integers(-50, 50), st.integers(-9, 9), st.integers(0, 30))
def test_an_expansion_has_one_sample_more_than_its_count(start: int, step: int, count: int) -> None:
    """`a+bxn` is a, then n further samples: the classic off-by-one of promtool's readers."""
    sign = "+" if step >= 0 else "-"
    assert expand(f"{start}{sign}{abs(step)}x{count}") == tuple(float(start + step * n) for n in range(count + 1))


def test_gaps_cannot_grow_so_their_count_is_their_number() -> None:
    """`1 _x3 stale` is `1 _ _ _ stale`."""
    assert expand("1 _x3 stale") == (1.0, Mark.GAP, Mark.GAP, Mark.GAP, Mark.STALE)
    assert expand("7x2") == (7.0, 7.0, 7.0)
    assert expand("true false") == (True, False)


@pytest.mark.parametrize("text", ["", "a", "1+x3", "1x", "x3", "__", "stale3", "1+2x-3", "0x99999999", "_x99999999"])
def test_what_is_no_series_or_has_no_bound_is_refused(text: str) -> None:
    """A test file may come from anywhere; ten thousand samples are enough."""
    with pytest.raises(NotationError):
        expand(text)
    assert len(expand(f"0x{MAX_SAMPLES - 1}")) == MAX_SAMPLES


def failed_lines(tmp_path: Path, tests: str) -> str:
    (result,) = run_files([write(tmp_path, tests)])
    assert result.fault is None
    assert not result.passed
    return "\n".join(result_lines(result))


SERIES = "    series: [{on: price, labels: {basis: FOB}, values: {last_amount: '99 120'}}]\n"


def test_a_failure_shows_field_by_field_what_was_expected_and_what_was(tmp_path: Path) -> None:
    """Whoever broke a rule should see it without reading our code."""
    checks = "    alerts: [{at: 1d, rule: high, expect: [{severity: critical, values: {last_amount: 121}}]}]\n"
    text = failed_lines(tmp_path, "  - name: wrong\n" + SERIES + checks)
    assert "a.yaml:13  wrong" in text
    assert "alerts at 1d (2026-01-02T00:00:00Z), rule high" in text
    assert "severity: expected 'critical', was 'warning'" in text
    assert "values.last_amount: expected 121.0, was 120.0" in text


def test_what_is_missing_and_what_is_too_much_are_told_apart(tmp_path: Path) -> None:
    """Two faults of opposite kind must not look alike."""
    both = "    alerts: [{at: 0, expect: [{rule: high}]}, {at: 1d}]\n"
    text = failed_lines(tmp_path, "  - name: wrong\n" + SERIES + both)
    assert "- expected, not there:  rule high, state firing" in text
    assert "+ there, not expected:  at 2026-01-02T00:00:00Z, rule high" in text


def test_one_line_too_many_in_a_log_is_one_failure(tmp_path: Path) -> None:
    """A shifted list must not fail on every line."""
    log = "    changes: [{at: 0, to: firing}, {at: 1d, to: firing}, {at: 2d, to: ok}]\n"
    series = "    series: [{on: price, values: {last_amount: '99 120 90'}}]\n"
    (result,) = run_files([write(tmp_path, "  - name: shifted\n" + series + log)])
    (failure,) = result.run.failures
    assert failure.actual is None
    assert failure.expected is not None
    row: dict[str, Any] = result_row(result)["failures"][0]
    assert row["expected"] == {"at": "2026-01-01T00:00:00Z", "to": "firing"}


def test_a_pair_is_chosen_so_that_as_little_as_possible_differs(tmp_path: Path) -> None:
    """With two alerts open the report is about the one that is wrong."""
    series = """    series:
      - {on: price, labels: {basis: A}, values: {last_amount: 120}}
      - {on: price, labels: {basis: B}, values: {last_amount: 130}}
"""
    checks = (
        "    alerts: [{at: 0, expect: [{labels: {basis: B}, summary: '130'}, {labels: {basis: A}, summary: '1'}]}]\n"
    )
    (result,) = run_files([write(tmp_path, "  - name: pairs\n" + series + checks)])
    (failure,) = result.run.failures
    assert [d.field for d in failure.differences] == ["summary"]
    assert failure.actual is not None
    assert failure.actual["labels"]["basis"] == "A"


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ("  - {name: x}\n", "a.yaml:13: tests.0 checks nothing"),
        ("  - {name: x, alert: []}\n", "tests.0.alert is no field here"),
        ("  - {name: x, alerts: [{at: 5}]}\n", "has no unit: write 5d"),
        ("  - {name: x, alerts: [{at: soon}]}\n", "is no instant: write an offset"),
        ("  - {name: x, start: '2026-01-01T00:00:00', alerts: [{at: 0}]}\n", "has no offset"),
        ("  - {name: x, alerts: [{at: 0}], series: [{on: price, values: {amount: 1}}]}\n", "no fact of price; known"),
        ("  - {name: x, alerts: [{at: 0}], series: [{on: measure, values: {state: 1}}]}\n", "measures come as events"),
        ("  - {name: x, alerts: [{at: 0}], series: [{on: price, values: {last_amount: 1y}}]}\n", "which is no sample"),
        ("  - {name: x, alerts: [{at: 0}], events: [{at: 0, type: price.asked, data: {}}]}\n", "is no event type"),
        ("  - {name: x, alerts: [{at: 0}], events: [{at: 0, type: price.quoted, data: {}}]}\n", "missing_field"),
        ("  - {name: x, alerts: [{at: 0}], series: [{event: price.quoted, values: {amount: stale}}]}\n", "leave a gap"),
        ("  - {name: x, alerts: [{at: 0}], acknowledgements: [{at: 0, rule: high}]}\n", "finds 0 open alerts"),
        ("  - {name: x, alerts: [{at: 999999d}]}\n", "days after it"),
        ("  - {name: x, interval: 1s, alerts: [{at: 900d}]}\n", "use a longer one"),
        ("  - {name: x, alerts: [{at: 0}], subscriptions: [{id: a, materials: [unobtainium]}]}\n", "unobtainium"),
    ],
)  # fmt: skip
def test_a_test_that_cannot_be_is_refused_with_file_line_and_what_to_do(tmp_path: Path, test: str, says: str) -> None:
    """A test that silently checks nothing is worse than none."""
    text = refused(tmp_path, test)
    assert text.startswith("a.yaml:13:")
    assert says in text


def test_rules_that_are_refused_are_told_with_the_words_of_rules_check(tmp_path: Path) -> None:
    """One fault, one wording."""
    path = write(tmp_path, "  - {name: x, alerts: [{at: 0}]}\n")
    path.write_text(path.read_text().replace("fact: last_amount", "fact: last_amout"))
    (result,) = run_files([path])
    assert "rule high: fact is 'last_amout', no number of price" in str(result.fault)


def test_rule_files_are_found_beside_the_test_file(tmp_path: Path) -> None:
    """As in promtool, paths are relative to the file that names them."""
    (tmp_path / "rules.yaml").write_text(RULES)
    path = tmp_path / "t.yaml"
    path.write_text("rule_files: [rules.yaml]\ntests: [{name: x, alerts: [{at: 0}]}]\n")
    (test,) = load_test_file(path)
    assert test.run().passed
    path.write_text("rule_files: [gone.yaml]\ntests: [{name: x, alerts: [{at: 0}]}]\n")
    with pytest.raises(RuleTestFileError, match=r"gone\.yaml"):
        load_test_file(path)


def test_the_command_exits_with_what_it_found(tmp_path: Path) -> None:
    """0 passed, 1 failed, 2 wrong usage (docs/surface.md 1)."""
    runner = CliRunner()
    good = write(tmp_path, "  - name: good\n" + SERIES + "    alerts: [{at: 1d, expect: [{}]}]\n")
    assert runner.invoke(app, ["rules", "test", str(good)]).exit_code == 0
    assert runner.invoke(app, ["rules", "test", str(good), "--match", "bad"]).exit_code == 2
    assert runner.invoke(app, ["rules", "test", str(tmp_path / "none")]).exit_code == 2
    bad = write(tmp_path, "  - name: bad\n" + SERIES + "    alerts: [{at: 1d}]\n")
    shown = runner.invoke(app, ["rules", "test", str(bad), "--json"])
    assert shown.exit_code == 1
    assert '"passed": false' in shown.stdout


def test_rules_that_no_test_saw_firing_are_a_finding_when_asked_for(tmp_path: Path) -> None:
    """A rule without a test that fires it may never fire."""
    runner = CliRunner()
    fires = write(tmp_path, "  - name: fires\n" + SERIES + "    alerts: [{at: 1d, expect: [{}]}]\n")
    assert runner.invoke(app, ["rules", "test", str(fires), "--untested"]).exit_code == 0
    quiet = write(tmp_path, "  - {name: quiet, alerts: [{at: 0}]}\n")
    assert runner.invoke(app, ["rules", "test", str(quiet)]).exit_code == 0
    answer = runner.invoke(app, ["rules", "test", str(quiet), "--untested"])
    assert answer.exit_code == 1
    assert "no test saw firing: high" in answer.stderr
