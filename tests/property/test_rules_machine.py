"""All kinds of rule together over drawn logs: waits are kept, and cuts, kills and the road taken change no byte."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, TypeAlias

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.backtest.run_backtest import as_json_line, backtest, in_order
from alerts.engine.rules_core import decode_state as decode_rules_state
from alerts.engine.rules_core import encode_state as encode_rules_state
from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.assessments import RiskAssessed
from streams.contracts.events import Event
from tests.support.live_road import cut, live
from tests.support.prices import quote, quoted
from tests.support.rule_road import T0, RuleRoad, alerts_in, price, rules_with

FOR, KEEP = timedelta(minutes=10), timedelta(minutes=20)
WAITS = {"for": "10m", "keep_firing_for": "20m"}
ON_PRICE: dict[str, Any] = {"on": "price", "severity": "warning"}
LEVEL = {**ON_PRICE, **WAITS, "id": "level", "kind": "threshold", "fact": "last_amount", "above": 100,
         "resolve_when": "last_amount < 90.0"}  # fmt: skip
MOVE = {**ON_PRICE, **WAITS, "id": "move", "kind": "change", "fact": "last_amount", "over": 2, "above": 0.2}
SILENT = {**ON_PRICE, **WAITS, "id": "silent", "kind": "absence", "after": "30m"}
UNANSWERED = {**ON_PRICE, **WAITS, "id": "unanswered", "kind": "sequence", "first": "last_amount > 200.0",
              "then": "last_amount < 60.0", "within": "45m"}  # fmt: skip
BOTH = {**WAITS, "id": "both", "kind": "composite", "of": ["level", "move"], "needs": "all", "severity": "critical"}
ANY = {"id": "any", "kind": "composite", "of": ["both", "silent", "unanswered"], "needs": "any", "severity": "info"}
RULES = rules_with(LEVEL, MOVE, SILENT, UNANSWERED, BOTH, ANY)
WAITING = {rule["id"] for rule in (LEVEL, MOVE, SILENT, UNANSWERED, BOTH)}

Item: TypeAlias = RiskAssessed | datetime
AMOUNTS = st.sampled_from([50.0, 95.0, 120.0, 150.0, 250.0, None])
SEEN = st.dictionaries(st.sampled_from(["dysprosium", "gallium"]), AMOUNTS, max_size=2)  # none: a tick alone


def _seen(at: datetime, material: str, amount: float | None) -> RiskAssessed:
    return msgspec.structs.replace(price(at, amount), material=material, causes=(f"{material}-{at.isoformat()}",))


@st.composite
def logs(draw: st.DrawFn) -> list[Item]:
    at, items = T0, list[Item]()
    for minutes, seen in draw(st.lists(st.tuples(st.integers(1, 40), SEEN), min_size=1, max_size=20)):
        at += timedelta(minutes=minutes)
        items += [_seen(at, material, amount) for material, amount in seen.items()] or [at]
    return [*items, at + timedelta(days=1)]


def whole(log: list[Item]) -> list[bytes]:
    road = RuleRoad(RULES)
    for item in log:
        road.take(item)
    return road.outputs


def by_alert(outputs: list[bytes]) -> dict[str, list[AlertChanged]]:
    found: dict[str, list[AlertChanged]] = {}
    for change in alerts_in(outputs):
        found.setdefault(change.fingerprint, []).append(change)
    return found


@settings(max_examples=60, deadline=None)
@given(logs())
def test_no_kind_fires_before_for_or_ends_before_keep_firing_for(log: list[Item]) -> None:
    """The waits are promises of every kind of rule; a firing alert ends through clearing alone."""
    for changes in by_alert(whole(log)).values():
        for before, after in pairwise(changes):
            assert before.to_state is after.from_state
            assert before.at <= after.at
        for before, after in pairwise(c for c in changes if c.rule in WAITING):
            step = (after.from_state, after.to_state)
            assert step not in {(AlertState.FIRING, AlertState.OK), (AlertState.OK, AlertState.FIRING)}
            if step == (AlertState.PENDING, AlertState.FIRING):
                assert after.at - before.at >= FOR
            if step == (AlertState.CLEARING, AlertState.OK):
                assert after.at - before.at >= KEEP


@settings(max_examples=60, deadline=None)
@given(logs())
def test_nothing_over_facts_begins_to_fire_or_to_clear_or_ends_while_its_facts_are_unknown(log: list[Item]) -> None:
    """A gap is neither good nor bad (promise 4), also for the composite over it."""
    last = {(i.material, i.at): i.facts["last_amount"] for i in log if isinstance(i, RiskAssessed)}
    for change in alerts_in(whole(log)):
        if change.rule not in {"level", "move", "both"}:
            continue
        told = {at: amount for (material, at), amount in last.items() if material == change.labels["material"]}
        if told[max(at for at in told if at <= change.at)] is not None:
            continue
        assert change.to_state is not AlertState.CLEARING or change.rule == "both"
        before = [at for at in told if at < change.at]
        if before and told[max(before)] is not None:
            continue  # what is due at the instant of a gap comes before the gap, as the end of a member does
        assert change.to_state is not AlertState.CLEARING
        # one that was clearing fires on: its wait begins anew when the facts are known again; a composite reads alerts,
        # and those that fire do so through a gap
        started = change.to_state is AlertState.FIRING and change.from_state is not AlertState.CLEARING
        assert not started or change.rule == "both"
        assert change.to_state is not AlertState.OK or change.from_state is AlertState.PENDING


@settings(max_examples=60, deadline=None)
@given(logs(), st.data())
def test_the_cuts_into_records_change_no_byte(log: list[Item], data: st.DataObject) -> None:
    """How intake cut the stream does not matter, whatever the kinds."""
    cuts = sorted(data.draw(st.sets(st.integers(1, len(log) - 1))) if len(log) > 1 else [])
    road = RuleRoad(RULES)
    for start, end in pairwise([0, *cuts, len(log)]):
        road.take(*log[start:end])
    assert road.outputs == whole(log)


@settings(max_examples=60, deadline=None)
@given(logs(), st.data())
def test_a_kill_and_a_replay_from_the_last_stored_state_change_no_byte(log: list[Item], data: st.DataObject) -> None:
    """What was said after the stored state is said again, in the same bytes, so that readers drop it by id."""
    stored = data.draw(st.integers(0, len(log)))
    killed = data.draw(st.integers(stored, len(log)))
    road = RuleRoad(RULES)
    for item in log[:stored]:
        road.take(item)
    road.restart()
    kept = [(key, encode_rules_state(value)) for key, value in road.store.items()]
    said = len(road.outputs)
    for item in log[stored:killed]:
        road.take(item)
    lost = road.outputs[said:]
    recovered = RuleRoad(RULES)
    for key, value in kept:
        recovered.store.put(key, decode_rules_state(value))
    recovered.restart()
    for item in log[stored:]:
        recovered.take(item)
    expected = whole(log)
    assert road.outputs[:said] + recovered.outputs == expected
    assert recovered.outputs[: len(lost)] == lost


QUOTES_RULES = rules_with(
    {**LEVEL, "for": "1d", "keep_firing_for": "2d"}, {**MOVE, "for": "1d", "keep_firing_for": "2d"},
    {**SILENT, "for": "1d", "after": "3d"}, {**UNANSWERED, "within": "4d"}, {**BOTH, "for": "12h"}, ANY,
)  # fmt: skip
QUOTES = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["dysprosium", "gallium"]), st.floats(40.0, 300.0).map(round)),
    min_size=1, max_size=15,
)  # fmt: skip


def events_of(quotes: list[tuple[int, str, int]]) -> list[Event]:
    number, made = 0, []
    for n, (days, material, amount) in enumerate(quotes):
        number += days
        made.append(quoted(quote(number, float(amount), material=material), name=f"q{n}", number=number))
    return sorted(made, key=in_order)


@settings(max_examples=60, deadline=None)
@given(QUOTES, st.data())
def test_a_backtest_gives_the_bytes_that_the_live_cores_gave(
    quotes: list[tuple[int, str, int]], data: st.DataObject
) -> None:
    """Promise 1, for logs nobody thought of: batches, ticks between and restarts of both cores leave no trace."""
    events = events_of(quotes)
    until = events[-1].recorded_at + timedelta(days=20)
    records = cut(events, until=until, data=data, most_ticks=3)
    restarts = data.draw(st.sets(st.integers(1, len(records) - 1)))
    asked = backtest(events, until=until, rules=QUOTES_RULES)
    told = live(records, QUOTES_RULES, restarts=restarts)
    told.sort(key=lambda change: (change.at, change.rule, change.fingerprint))
    assert [as_json_line(c) for c in asked] == [as_json_line(c) for c in told]
