"""`rules explain --not`: for every kind of rule, what was short, unknown or false (promise 6, the reverse)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from alerts.backtest.pipeline import PurePipeline
from alerts.explain.entity_search import Watch
from alerts.explain.why_not import WhyNot, kinds_read_by, why_not
from alerts.notify.directive_requests import directive_event, withdraw_rule_set
from alerts.rules.loader import shipped_rules
from deploy.cli.main import app
from deploy.cli.recorded_events import Recording
from streams.contracts.assessments import Fact, RiskAssessed
from streams.contracts.codec import encode_event
from streams.contracts.directive import RuleSet
from streams.contracts.events import Event
from tests.support.prices import quote
from tests.support.rule_road import measure, rule_set, rules_from

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TEXT = "annotations: {summary: x}"
RULES = rules_from(f"""
groups:
  - name: g
    rules:
      - {{id: high, kind: threshold, on: price, fact: last_amount, above: 100, severity: warning, {TEXT}}}
      - id: waits
        kind: threshold
        on: price
        where: basis == "FOB" && material != "yttrium"
        fact: last_amount
        above: 100
        severity: warning
        for: 5d
        {TEXT}
      - {{id: both, kind: threshold, on: price, when: last_amount > 1.0 && grade == "A", severity: info, {TEXT}}}
      - {{id: moved, kind: change, on: price, fact: last_amount, over: 2, above: 0.5, severity: info, {TEXT}}}
      - {{id: silent, kind: absence, on: price, after: 9d, severity: info, {TEXT}}}
      - id: pair
        kind: composite
        of: [high, moved]
        needs: all
        severity: info
        {TEXT}
      - id: unanswered
        kind: sequence
        on: price
        first: last_amount > 150.0
        then: last_amount < 50.0
        within: 5d
        severity: info
        {TEXT}
      - id: together
        kind: sequence
        on: price
        first: last_amount > 150.0
        then: last_amount < 50.0
        by: [material]
        within: 5d
        severity: info
        {TEXT}
      - id: near
        kind: deadline
        on: measure
        where: state == "suspended"
        date: legal_end
        ladder: [{{before: 30d, severity: info}}]
        {TEXT}
      - {{id: news, kind: threshold, on: price, fact: last_amount, above: 1, severity: info, resolve_after: 1d, {TEXT}}}
""")


def price(day: int, amount: Fact, basis: str = "FOB", material: str = "dysprosium") -> Event:
    at = T0 + DAY * day
    data = RiskAssessed(
        material=material, aspect="price", at=at, labels={"basis": basis}, facts={"last_amount": amount},
        causes=(f"q{day}",),
    )  # fmt: skip
    return Event(id=f"{day}/{basis}", source="t", subject=material, occurred_at=at, recorded_at=at, data=data)


def ask(rule_id: str, entity: str, *events: Event, day: int = 10) -> WhyNot:
    rule = RULES.by_id[rule_id]
    watch = Watch(entity, kinds=kinds_read_by(rule, RULES))
    road = PurePipeline(RULES, watch=watch)
    log = [change for event in events for change in road.judge([event])]
    log += road.tick(T0 + DAY * day)
    return why_not(rule, RULES, watch, log, asked=entity, until=T0 + DAY * day)


def reasons(answer: WhyNot) -> str:
    return "; ".join(reason for each in answer.entities for reason in each.why.reasons)


def test_a_value_short_of_its_limit_is_told_with_how_much_and_how_near_it_came() -> None:
    """The question after a quiet week."""
    answer = ask("high", "dysprosium", price(0, 80.0), price(1, 97.0), price(2, 90.0))
    (each,) = answer.entities
    assert [(s.fact, s.value, s.limit, s.short_by) for s in each.why.short] == [("last_amount", 90.0, 100.0, 10.0)]
    assert each.why.closest is not None
    assert (each.why.closest.value, each.why.closest.at) == (97.0, T0 + DAY)
    assert "last_amount is 90, not above 100: 10 short" in reasons(answer)


def test_an_unknown_fact_is_named() -> None:
    """Unknown is a state, and mostly the answer."""
    answer = ask("high", "dysprosium", price(0, None))
    assert answer.entities[0].why.unknown == ("last_amount",)
    assert "never fires on that" in reasons(answer)


def test_the_parts_of_a_condition_that_are_not_true_are_told_one_by_one() -> None:
    """Nobody reads six conjuncts to find the one."""
    answer = ask("both", "dysprosium", price(0, 5.0))
    (part,) = answer.entities[0].why.false
    assert (part.condition, part.truth, part.facts) == ('grade == "A"', "false", {"grade": None})
    assert answer.entities[0].why.unknown == ("grade",)
    left_out = ask("waits", "dysprosium", price(0, 500.0, basis="CIF"))
    assert [p.condition for p in left_out.entities[0].why.false] == ['basis == "FOB"']


def test_a_rule_that_waits_says_since_when_and_how_long() -> None:
    """Pending is neither quiet nor firing."""
    assert "must hold for 5 days" in reasons(ask("waits", "dysprosium", price(8, 500.0)))


def test_a_wait_that_entities_share_is_told_of_all_of_them() -> None:
    """One of them began it and another may have ended it: neither alone explains the alert."""
    risen = [price(8, 90.0, basis="CIF"), price(9, 200.0)]
    (each,) = ask("together", "dysprosium", *risen).entities
    assert (each.labels, each.why.reasons) == (
        {"material": "dysprosium"}, ("it waits since 2026-01-10 00:00 UTC, until 2026-01-15 00:00 UTC",),
    )  # fmt: skip
    assert "answered at 2026-01-11" in reasons(ask("together", "dysprosium", *risen, price(10, 40.0, basis="CIF")))
    assert "last_amount is 100" in reasons(ask("together", "dysprosium", price(1, 120.0), price(2, 100.0, basis="CIF")))


def test_news_that_was_closed_is_told_as_that() -> None:
    """It fired, and is no news any more."""
    answer = ask("news", "dysprosium", price(0, 500.0))
    assert "old news" in reasons(answer)
    assert answer.entities[0].fired[0].ended_at == T0 + DAY


@pytest.mark.parametrize(
    ("rule", "events", "says"),
    [
        ("moved", (price(0, 1.0), price(1, 1.0)), "over 2 observations cannot be said: 2 observations are known"),
        ("moved", (price(0, 1.0), price(1, 1.0), price(2, 1.2)), "is 0.2, not above 0.5"),
        ("silent", (price(0, 1.0), price(5, 1.0)), "heard of last at 2026-01-06 00:00 UTC; silence counts from"),
        ("pair", (price(0, 500.0),), "1 of its rules fire (high), 2 are needed; do not hold: moved"),
        ("unanswered", (price(9, 200.0),), "it waits since 2026-01-10 00:00 UTC, until 2026-01-15"),
        ("unanswered", (price(1, 200.0), price(2, 20.0)), "answered at 2026-01-03 00:00 UTC"),
        ("unanswered", (price(1, 100.0),), "first `last_amount > 150.0` is false: last_amount is 100"),
    ],
)
def test_each_kind_says_what_it_lacks(rule: str, events: tuple[Event, ...], says: str) -> None:
    """One file each in code, one line each here."""
    assert says in reasons(ask(rule, "dysprosium", *events))


def test_a_deadline_says_when_its_first_step_begins() -> None:
    """A quiet countdown is no missing one."""

    def asked(**fields: Any) -> str:
        data = measure(T0, **fields)
        event = Event(id="m", source="t", subject=data.measure, occurred_at=T0, recorded_at=T0, data=data)
        return reasons(ask("near", data.measure, event))

    assert "legal_end is 2026-03-31: the first step begins at 2026-02-28 16:00 UTC" in asked()
    assert "legal_end is unknown" in asked(legal_end=None)
    assert 'where `state == "suspended"` is false: state is in_force' in asked(state="in_force")


def test_what_fires_is_told_to_fire_and_every_entity_has_its_answer() -> None:
    """The alert may be there, under another label."""
    answer = ask("high", "dysprosium", price(0, 500.0), price(0, 90.0, basis="CIF"))
    assert [e.state.value for e in answer.entities] == ["firing", "ok"]
    assert "it does fire for 1 of 2" in answer.reason
    (one,) = ask("high", "basis=CIF", price(0, 500.0), price(0, 90.0, basis="CIF")).entities
    assert one.labels["basis"] == "CIF"
    assert len(ask("high", "basis=CIF, material=yttrium", price(0, 500.0)).entities) == 0


def test_what_was_never_assessed_is_told_with_what_was() -> None:
    """A typing mistake must not look like quiet."""
    answer = ask("high", "gallium", price(0, 500.0))
    assert answer.entities == ()
    assert "assessed there: dysprosium" in answer.reason
    assert ask("high", "heavy-rare-earths", price(0, 500.0)).entities


def test_the_command_answers_over_the_shipped_history() -> None:
    """docs/domain.md 4: 18 of 2025 was never suspended, so its suspension cannot end."""
    words = ["rules", "explain", "--not", "CN-2025-18", "suspension-end", "--until", "2026-11-23"]
    shown = CliRunner().invoke(app, [*words, "--json"])
    assert shown.exit_code == 0, shown.output
    (entity,) = json.loads(shown.stdout)["entities"]
    assert entity["why"]["false"][0]["facts"] == {"state": "in_force"}
    assert "state is in_force" in CliRunner().invoke(app, words).stdout
    assert CliRunner().invoke(app, ["rules", "explain", "--not", "x", "no-rule"]).exit_code == 2


def test_the_command_speaks_of_the_rules_in_force_and_says_which(tmp_path: Path) -> None:
    """An explanation by rules that do not hold would lie: a set applied on the way is the one that is asked about."""
    at = datetime(2026, 1, 5, tzinfo=UTC)
    high: dict[str, Any] = {"id": "applied-high", "kind": "threshold", "on": "price", "fact": "last_amount",
                            "above": 900.0, "severity": "warning"}  # fmt: skip
    refused = rule_set({**high, "above": 1.0})
    assert refused.rule_set is not None
    refused = msgspec.structs.replace(refused, rule_set=RuleSet(text=refused.rule_set.text, content_hash="wrong"))
    asked = quote(0, 150.0)
    events = [
        Event(id="q", source="t", subject="dysprosium", occurred_at=at, recorded_at=at, data=asked),
        directive_event(rule_set(high), at=at + timedelta(days=1)),
    ]
    file = tmp_path / "log.jsonl"
    file.write_bytes(b"\n".join(encode_event(event) for event in events))
    words = ["rules", "explain", "--from", str(file), "--until", "2026-01-09", "--not", "dysprosium", "applied-high"]
    answer = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert answer["rule_set"]["origin"] == "applied"
    assert answer["rule_set"]["applied_at"].startswith("2026-01-06")
    assert "by the rules applied at 2026-01-06 00:00 UTC" in CliRunner().invoke(app, words).stdout
    recording = Recording(events=[*events, directive_event(refused, at=at + timedelta(days=2))], until=at)
    assert recording.rules_at_end(shipped_rules())[0].content_hash == answer["rule_set"]["content_hash"]
    withdrawn = directive_event(withdraw_rule_set(by="ada"), at=at + timedelta(days=3))
    assert Recording(events=[*events, withdrawn], until=at).rules_at_end(shipped_rules())[1] is None
