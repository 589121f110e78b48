"""`rules apply`: another rule set takes effect at one place in the log, in every partition, without a restart."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.backtest import backtest
from alerts.notify.directive_requests import build_rule_set, directive_event, withdraw_rule_set
from alerts.rules.edits import FIELD_EDITS, Effect, edits_between, edits_table
from alerts.rules.loader import RuleFileError, read_rule_set_text
from alerts.rules.rule_specification import (
    AbsenceSpec,
    ChangeSpec,
    CompositeSpec,
    DeadlineSpec,
    SequenceSpec,
    ThresholdSpec,
)
from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.codec import decode_event, encode_event
from streams.contracts.directive import DirectiveGiven
from streams.contracts.events import Event
from streams.runtime.stage_ports import Admitted
from tests.support.prices import quote
from tests.support.rule_road import T0, RuleRoad, as_item, measure, price, rule_set, rules_with, text_of

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def high(name: str = "high", **fields: Any) -> dict[str, Any]:
    rule = {"id": name, "kind": "threshold", "on": "price", "fact": "last_amount", "above": 100.0,
            "severity": "warning", **fields}  # fmt: skip
    return {key: value for key, value in rule.items() if value is not None}


def road_with(*rules: dict[str, Any], amount: float = 150.0) -> RuleRoad:
    road = RuleRoad(rules_with(*rules))
    road.take(price(T0, amount))
    return road


def told(changes: list[AlertChanged]) -> list[tuple[str, str, str, str]]:
    return [(c.rule, c.from_state.value, c.to_state.value, c.reason) for c in changes]


def test_an_alert_of_a_removed_rule_is_closed_with_its_reason_and_never_comes_back() -> None:
    """Closed is not over: the text says that nothing is known to be over."""
    road = road_with(high(), high("other", above=500.0))
    (closed,) = road.direct(rule_set(high("other", above=500.0)), at=T0 + MINUTE)
    assert told([closed]) == [("high", "firing", "ok", "rule_removed")]
    assert closed.at == T0 + MINUTE
    assert "Nothing is known to be over" in closed.summary
    assert road.take(price(T0 + 2 * MINUTE, 150.0)) == []


@pytest.mark.parametrize("after", [high("other", above=500.0), high(fact="observations_count")])
def test_an_alert_that_ends_with_its_rule_is_counted_like_any_other(after: dict[str, Any]) -> None:
    """Transitions that do not add up to open alerts make a dashboard lie."""
    road = road_with(high())
    counts = road.core.counts
    assert counts.transitions == {("high", AlertState.FIRING): 1}
    road.direct(rule_set(after), at=T0 + MINUTE)
    assert counts.transitions == {("high", AlertState.FIRING): 1, ("high", AlertState.OK): 1}


def test_a_new_rule_is_evaluated_at_once_on_what_is_known() -> None:
    """Trade figures come once a month: a rule that waited for the next would be deaf for weeks."""
    road = road_with(high(above=500.0))
    (fired,) = road.direct(rule_set(high(above=500.0), high("new")), at=T0 + DAY)
    assert (told([fired]), fired.at) == ([("new", "ok", "firing", "condition_met")], T0 + DAY)


def test_an_edit_of_a_limit_keeps_the_alert_and_judges_it_again_at_once() -> None:
    """The thread goes on: no resolved notice, no second alert."""
    road = road_with(high())
    assert road.direct(rule_set(high(above=120.0)), at=T0 + MINUTE) == []
    (over,) = road.direct(rule_set(high(above=200.0)), at=T0 + 2 * MINUTE)
    assert told([over]) == [("high", "firing", "ok", "condition_over")]


def test_an_edit_of_the_question_begins_anew() -> None:
    """What was told answers another question."""
    road = road_with(high())
    fact = "observations_count"
    changes = road.direct(rule_set(high(fact=fact)), at=T0 + MINUTE)
    assert told(changes) == [("high", "firing", "ok", "rule_changed")]


def test_an_entity_that_the_rule_leaves_out_now_is_closed() -> None:
    """Nothing would ever evaluate that alert again."""
    road = road_with(high(where='material == "dysprosium"'))
    changes = road.direct(rule_set(high(where='material == "terbium"')), at=T0 + MINUTE)
    assert told(changes) == [("high", "firing", "ok", "rule_changed")]


def test_a_wait_is_counted_anew_from_when_it_began() -> None:
    """Pending for five minutes of ten: with a `for` of three minutes it has waited enough."""
    road = road_with(high(**{"for": "10m"}))
    road.direct(rule_set(high(**{"for": "3m"})), at=T0 + 5 * MINUTE)
    assert [c.to_state.value for c in road.changes()] == ["pending", "firing"]
    other = road_with(high(**{"for": "10m"}))
    other.direct(rule_set(high(**{"for": "20m"})), at=T0 + 5 * MINUTE)
    other.take(T0 + DAY)
    assert [(c.to_state.value, c.at) for c in other.changes()][1:] == [("firing", T0 + 20 * MINUTE)]


def test_old_news_is_no_news_to_a_new_rule() -> None:
    """A control imposed last year does not alert because somebody added a rule today."""
    news = {"id": "imposed", "kind": "threshold", "on": "measure", "when": 'state == "in_force"', "severity": "warning",
            "resolve_after": "14d"}  # fmt: skip
    road = road_with(high())
    road.take(measure(T0, state="in_force"))
    assert road.direct(rule_set(high(), news), at=T0 + 15 * DAY) == []
    road = road_with(high())
    road.take(measure(T0, state="in_force"))
    assert len(road.direct(rule_set(high(), news), at=T0 + DAY)) == 1


def test_a_new_absence_counts_from_when_the_entity_was_last_heard_of() -> None:
    """What was silent before the rule is silent."""
    silent = {"id": "silent", "kind": "absence", "on": "price", "after": "10d", "severity": "warning"}
    road = road_with(high(above=500.0))
    (fired,) = road.direct(rule_set(silent), at=T0 + 11 * DAY)
    assert (fired.rule, fired.at) == ("silent", T0 + 11 * DAY)


def test_a_new_composite_is_decided_at_once() -> None:
    """Its inputs need not change first."""
    both = {"id": "both", "kind": "composite", "of": ["high", "higher"], "needs": "all", "severity": "critical"}
    road = road_with(high(), high("higher", above=120.0))
    given = rule_set(high(), high("higher", above=120.0), both)
    assert told(road.direct(given, at=T0 + MINUTE)) == [("both", "ok", "firing", "condition_met")]
    given = rule_set(high(), high("higher", above=120.0, fact="observations_count"), both)
    assert told(road.direct(given, at=T0 + 3 * MINUTE))[-1] == ("both", "firing", "ok", "condition_over")
    assert told(road.take(T0 + 4 * MINUTE)) == []


def test_the_rules_in_force_survive_a_restart_and_a_withdrawal_goes_back_to_the_first() -> None:
    """Rules in force are state: a worker killed tomorrow recovers them."""
    road = road_with(high())
    road.direct(rule_set(high("other", above=120.0)), at=T0 + MINUTE)
    road.restart()
    road.take(price(T0 + 2 * MINUTE, 10.0))
    assert told(road.changes())[-1] == ("other", "firing", "ok", "condition_over")
    road.direct(withdraw_rule_set(by="ada"), at=T0 + 3 * MINUTE)
    road.restart()
    assert told(road.take(price(T0 + 4 * MINUTE, 150.0))) == [("high", "ok", "firing", "condition_met")]


def test_it_takes_effect_where_it_stands_in_the_log() -> None:
    """In one record, before it the old rules hold and after it the new ones."""
    road = RuleRoad(rules_with(high()))
    items = [as_item(price(T0, 150.0)), as_item(rule_set(high(above=160.0)), at=T0 + MINUTE),
             as_item(price(T0 + 2 * MINUTE, 155.0)), as_item(price(T0 + 3 * MINUTE, 165.0))]  # fmt: skip
    outcome = road.core.process(Admitted(position=0, items=items))
    road.outputs += outcome.outputs
    assert [(c.to_state.value, c.at) for c in road.changes()] == [
        ("firing", T0), ("ok", T0 + MINUTE), ("firing", T0 + 3 * MINUTE),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "content_hash", "reason"),
    [("groups: [", "x", "out_of_range"), ('{"groups": []}', "x", "out_of_range"), (None, "wrong", "inconsistent")],
)
def test_a_set_that_is_refused_goes_to_the_dead_letters_and_the_old_rules_hold(
    text: str | None, content_hash: str, reason: str
) -> None:
    """Nothing bad stops the road (promise 3), and no partition runs without rules."""
    road = road_with(high())
    good = rule_set(high())
    assert good.rule_set is not None
    bad = msgspec.structs.replace(good.rule_set, text=text or good.rule_set.text, content_hash=content_hash)
    directive = DirectiveGiven(kind="rule_set", target="rules", by="ada", rule_set=bad)
    outcome = road.core.process(Admitted(position=0, items=[as_item(directive, at=T0 + MINUTE)]))
    assert [(d.reason, d.field.split("/")[2]) for d in outcome.dead_letters] == [(reason, "rule_set")]
    assert told(road.take(price(T0 + 2 * MINUTE, 10.0))) == [("high", "firing", "ok", "condition_over")]


def test_a_backtest_sees_it_at_the_same_place() -> None:
    """One log, one answer: the directive is an event of the log like any other."""
    at = datetime(2026, 1, 5, tzinfo=UTC)
    given = [directive_event(rule_set(high("other")), at=at), directive_event(withdraw_rule_set(by="ada"), at=at + DAY)]
    quotes = [quoted_at(at - MINUTE, "before"), quoted_at(at + MINUTE, "between"), quoted_at(at + 2 * DAY, "after")]
    changes = list(backtest([*quotes, *given], until=at + 3 * DAY, rules=rules_with(high())))
    assert [(c.rule, c.to_state.value, c.reason, c.at) for c in changes] == [
        ("high", "firing", "condition_met", at - MINUTE),
        ("high", "ok", "rule_removed", at),
        ("other", "firing", "condition_met", at),
        ("high", "firing", "condition_met", at + DAY),
        ("other", "ok", "rule_removed", at + DAY),
    ]


def quoted_at(at: datetime, name: str) -> Event:
    asked = quote(0, 150.0)
    return Event(id=name, source="test", subject=asked.material, occurred_at=at, recorded_at=at, data=asked)


def test_a_set_too_large_for_one_directive_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    """On the road it would only be a dead letter that nobody looks at."""
    for name in ("a", "b"):
        rules = [high(f"{name}{n}", annotations={"summary": "x" * 500}) for n in range(350)]
        (tmp_path / f"{name}.yaml").write_text(text_of(*rules))
    with pytest.raises(RuleFileError, match="at most 400000: shorten texts, drop rules"):
        read_rule_set_text([tmp_path])
    (tmp_path / "b.yaml").unlink()
    text, rules_read = read_rule_set_text([tmp_path])
    assert len(rules_read.rules) == 350
    event = directive_event(build_rule_set(text, content_hash=rules_read.content_hash, by="ada"), at=T0)
    assert decode_event(encode_event(event)).data == event.data


def test_the_table_names_every_field_of_every_kind_and_stands_in_the_readme() -> None:
    """For each field it is written whether an edit keeps the state."""
    kinds = (DeadlineSpec, ThresholdSpec, ChangeSpec, AbsenceSpec, CompositeSpec, SequenceSpec)
    named = {info.alias or name for kind in kinds for name, info in kind.model_fields.items()}
    assert set(FIELD_EDITS) == named
    assert edits_table() in (Path(__file__).resolve().parents[2] / "alerts" / "README.md").read_text()


def test_edits_are_told_in_words_before_they_are_sent() -> None:
    """The command prints what will change."""
    old = rules_with(high(), high("gone"), high("anew"), high("same"))
    new = rules_with(high(above=120.0), high("anew", fact="observations_count"), high("same"), high("added"))
    assert [str(edit) for edit in edits_between(old, new)] == [
        "added added",
        "changed anew: fact; its alerts are closed and begin anew",
        "removed gone; its alerts are closed",
        "changed high: above; its alerts are kept",
    ]
    assert FIELD_EDITS["above"].effect is Effect.KEEPS


def test_a_ladder_of_a_deadline_edited_keeps_the_alert_and_moves_its_step() -> None:
    """Dates are evaluated on the measure as it is known."""
    ladder = {"id": "ladder", "kind": "deadline", "on": "measure", "date": "legal_end",
              "ladder": [{"before": "30d", "severity": "info"}]}  # fmt: skip
    road = RuleRoad(rules_with(ladder))
    road.take(measure(datetime(2026, 3, 20, tzinfo=UTC), legal_end=date(2026, 3, 31)))
    edited = {**ladder, "ladder": [{"before": "30d", "severity": "info"}, {"before": "14d", "severity": "critical"}]}
    (up,) = road.direct(rule_set(edited), at=datetime(2026, 3, 21, tzinfo=UTC))
    assert (up.step, up.severity, up.reason) == ("14d", "critical", "stepped_up")


def test_a_new_rule_over_several_entities_is_decided_on_all_that_is_known_of_them() -> None:
    """A wait began with what one of them said before the rule; a source is silent since the last word of any series."""
    waits = {"id": "unanswered", "kind": "sequence", "on": "price", "first": "last_amount > 100.0",
             "then": "last_amount < 60.0", "by": ["material"], "within": "5d", "severity": "warning"}  # fmt: skip
    quiet = {"id": "quiet", "kind": "absence", "on": "source", "after": "9d", "severity": "warning"}
    road = RuleRoad(rules_with(high(), quiet))
    for day, basis, amount in ((0, "a", 150.0), (1, "b", 90.0)):
        seen = price(T0 + day * DAY, amount, sources=("one",))
        road.take(msgspec.structs.replace(seen, labels={"basis": basis}))
    road.direct(rule_set(high(), {**quiet, "after": "8d"}, waits), at=T0 + 2 * DAY)
    road.restart()
    road.take(T0 + 20 * DAY)
    assert [(c.rule, c.at) for c in road.changes() if c.rule != "high"] == [
        ("unanswered", T0 + 5 * DAY), ("quiet", T0 + 9 * DAY),
    ]  # fmt: skip
