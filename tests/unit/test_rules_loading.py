"""Loading rules: what is refused, where, and with which words; the shipped files themselves."""

import re

import jsonschema
import pytest

from alerts.rules.documents import read_document
from alerts.rules.expressions import Condition, ExpressionError, Truth
from alerts.rules.facts import CATALOGUE
from alerts.rules.loader import RuleFileError, load_texts, shipped_rules, shipped_rules_directory
from alerts.rules.rule_specification import rule_file_schema
from alerts.rules.templates import Text, TextError
from tests.support.rule_road import LADDER, rules_from

MEASURE = CATALOGUE["measure"]


def fault_of(text: str) -> str:
    with pytest.raises(RuleFileError) as refused:
        load_texts([("rules.yaml", text)])
    assert len(refused.value.faults) == 1, str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "says"),
    [
        ("state in", "stat in", 8, "where", "no fact of this entity"),
        ('"suspended"', '"suspendid"', 8, "where", "which it never is"),
        ("date: legal_end", "date: legal_ends", 9, "date", "legal_end"),
        ("before: 7d", "before: 7w", 12, "ladder.1.before", "pattern"),
        ("before: 7d", "before: 30d", 10, "ladder", "twice"),
        ("repeat: 1d", "repeat: 5m", 14, "passed.repeat", "under an hour"),
        ("{measure} {days_left", "{masure} {days_left", 15, "annotations.summary", "known are"),
        ("date: legal_end", "dates: legal_end\n        date: legal_end", 9, "dates", "is no field"),
    ],
)
def test_a_fault_names_file_line_rule_field_and_what_to_do(
    old: str, new: str, line: int, field: str, says: str
) -> None:
    """The writer of a rule should not have to read our code."""
    text = fault_of(LADDER.replace(old, new, 1))
    assert text.startswith(f"rules.yaml:{line}: rule ladder: {field} ")
    assert says in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("groups: [", "is no YAML"),
        ("a: &x 1\nb: *x", "alias"),
        ("groups: []\ngroups: []", "twice"),
        ("[" * 5000, "nested"),
        ("x" * 400_001, "at most"),
    ],
    ids=["empty", "broken", "alias", "key twice", "deep", "long"],
)
def test_a_file_that_is_no_rule_file_is_refused_with_a_reason(text: str, says: str) -> None:
    """Rule text may come from people we do not know: no crash, no hang."""
    assert says in fault_of(text)


def test_an_id_used_twice_is_refused_across_files() -> None:
    """The id is the identity of the alerts."""
    with pytest.raises(RuleFileError, match=r"used twice, first in a\.yaml:5"):
        load_texts([("a.yaml", LADDER), ("b.yaml", LADDER)])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('state == "suspended" || nope', "no fact"),
        ("measure.legal_end == null", "flat"),
        ('materials.exists(m, m == "x") || m == "y"', "no fact"),
        ("materials.exists(m, materials.exists(n, n == m))", "comprehension inside"),
        ("[1, 2].exists(x, x > 1)", "write fact.exists"),
        ("system('x')", "may be called"),
        ("legal_end", "not true or false"),
        ("legal_end > 3", "right type"),
        ("state ==", "no CEL"),
        ("state == '" + "x" * 2000 + "'", "at most 2000"),
        ('state == "gone"', "never is"),
        ('kind in ["export_ban", "export_bun"]', "never is"),
    ],
)
def test_an_expression_that_could_lie_or_hang_is_refused(text: str, says: str) -> None:
    """`||` swallows unknown names and nested comprehensions have no bound (docs/engine-traps.md 25 and 26)."""
    with pytest.raises(ExpressionError, match=says):
        Condition(text, MEASURE)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (r'''r"\" != "" && materials.all(zone, materials.all(state, true)) && r"\" != ""''', "plain strings"),
        ('"""a"b""" != state', "plain strings"),
        ("state == zone // a comment", "no comments"),
        (r'state.matches("\\w+")', "classes"),
        (r'state.matches("\x5cw+")', "classes"),
        ('state.matches("a{900}")', "no {}"),
        ('state.matches("(?i)a")', "no (?...)"),
        (f'state.matches("{"a" * 101}")', "1 to 100 characters"),
        ("state.matches(zone)", "no plain text"),
        ('matches(state, "a")', "no plain text"),
    ],
)
def test_what_could_hide_a_comprehension_or_cost_more_than_it_may_is_refused(text: str, says: str) -> None:
    r"""Nine comprehensions behind a raw string hold the interpreter for a minute; `\w{90}` for 18 ms."""
    with pytest.raises(ExpressionError, match=re.escape(says)):
        Condition(text, MEASURE)


def test_a_plain_pattern_matches() -> None:
    """A dot is escaped as in any CEL string; slashes within a string are no comment."""
    condition = Condition(r'zone.matches("^(Asia|a\\.b)//?[A-Z][a-z]+$")', MEASURE)
    assert condition.evaluate({"zone": "Asia/Shanghai"}) is Truth.TRUE
    assert condition.evaluate({"zone": "axb/Shanghai"}) is Truth.FALSE


def test_unknown_facts_make_a_condition_unknown_not_false() -> None:
    """Unknown is a state."""
    condition = Condition("change_previous_ratio > 0.1", CATALOGUE["price"])
    assert condition.evaluate({"change_previous_ratio": 0.2}) is Truth.TRUE
    assert condition.evaluate({"change_previous_ratio": 0.1}) is Truth.FALSE
    assert condition.evaluate({"change_previous_ratio": None}) is Truth.UNKNOWN
    assert condition.evaluate({}) is Truth.UNKNOWN


def test_a_comprehension_over_a_fact_works() -> None:
    """Filters by material need it."""
    condition = Condition('materials.exists(m, m.startsWith("dys")) && size(materials) < 5', MEASURE)
    assert condition.evaluate({"materials": ["dysprosium"]}) is Truth.TRUE
    assert condition.evaluate({"materials": ["yttrium"]}) is Truth.FALSE


def test_texts_spell_out_what_is_unknown_and_refuse_stray_braces() -> None:
    """An alert must not read `None`."""
    assert Text("{a} {b:percent} {c:days}", known="abc").render({"b": 0.251, "c": 1.0}) == "unknown +25% 1 day"
    with pytest.raises(TextError, match="brace"):
        Text("{a", known="a")
    with pytest.raises(TextError, match="formats are"):
        Text("{a:euro}", known="a")


def test_the_hash_of_a_rule_changes_with_its_content_only() -> None:
    """A comment moved must not look like a new rule."""
    same, other = rules_from("# note\n" + LADDER), rules_from(LADDER.replace("7d", "8d"))
    assert rules_from(LADDER).content_hash == same.content_hash
    assert rules_from(LADDER).content_hash != other.content_hash


def test_the_shipped_rules_load_and_each_has_labels_texts_and_a_runbook_page() -> None:
    """An alert at night needs a page that says what to do."""
    root = shipped_rules_directory().parents[1]
    rules = shipped_rules().rules
    assert len(rules) >= 10
    for rule in rules:
        assert rule.labels
        assert rule.texts.resolved is not None
        assert rule.texts.runbook is not None
        page = (root / rule.texts.runbook).read_text()
        assert page.startswith("# ")
        assert f"`{rule.id}`" in page


def test_the_shipped_files_fit_the_schema() -> None:
    """Editors check rule files against it."""
    schema = rule_file_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for path in shipped_rules_directory().glob("*.yaml"):
        jsonschema.validate(read_document(path.read_text()), schema)
