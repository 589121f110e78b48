"""Live and backtest over drawn logs of every family and any number of partitions: the same bytes (promise 1)."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.backtest.run_backtest import as_json_line, backtest
from alerts.backtest.signals_backtest import backtest_signals
from alerts.notify.directive_requests import build_acknowledgement, withdraw_rule_set
from alerts.rules.fingerprint import fingerprint_of
from alerts.rules.loader import shipped_rules
from alerts.rules.ruleset import Rules
from streams.contracts.alert import AlertChanged
from streams.contracts.events import Event, Payload, family_of
from streams.contracts.records import SignalRecord, encode
from streams.contracts.topics import BROADCAST_FAMILIES, partition_of
from tests.support.drawn_events import MEASURES, SIGNALS, draw_events
from tests.support.live_road import Record, cut, live, segment_of
from tests.support.rule_road import rule_set, rules_with

WAITS = {"for": "1d", "keep_firing_for": "2d"}
LEVEL = {**WAITS, "id": "level", "kind": "threshold", "on": "price", "fact": "last_amount", "max_age": "9d",
         "above": [{"value": 100, "severity": "warning", "resolve": 80}, {"value": 200, "severity": "critical"}],
         "flap": {"times": 2, "within": "6d"}}  # fmt: skip
MOVE = {"id": "move", "kind": "change", "on": "price", "fact": "last_amount", "over": 2, "above": 0.2,
        "severity": "info", "missing": "keep"}  # fmt: skip
SILENT = {"id": "silent", "kind": "absence", "on": "source", "after": "5d", "severity": "warning"}
FEWER = {"id": "fewer", "kind": "threshold", "on": "trade", "fact": "month_on_month_ratio", "below": -0.3,
         "severity": "warning", "occasion": ["reference_period"]}  # fmt: skip
OUTAGE = {"id": "outage", "kind": "threshold", "on": "capacity", "when": "outage_tonnes_per_year > 100.0",
          "severity": "warning", "resolve_after": "12d"}  # fmt: skip
UNANSWERED = {"id": "unanswered", "kind": "sequence", "on": "trade", "first": "month_on_month_ratio < -0.3",
              "then_on": "capacity", "then": 'status == "operating"', "by": ["material"], "within": "4d",
              "severity": "warning"}  # fmt: skip
ENDS = {"id": "ends", "kind": "deadline", "on": "measure", "date": "legal_end",
        "where": 'state in ["suspended", "lapsed_unconfirmed"]',
        "ladder": [{"before": "7d", "severity": "info"}, {"before": "2bd", "severity": "critical"}],
        "passed": {"severity": "critical", "repeat": "1d", "when": 'state == "lapsed_unconfirmed"'}}  # fmt: skip
BOTH = {**WAITS, "id": "both", "kind": "composite", "of": ["level", "fewer"], "needs": "any", "by": ["material"],
        "severity": "critical"}  # fmt: skip
OWN = (LEVEL, MOVE, SILENT, FEWER, OUTAGE, UNANSWERED, ENDS, BOTH)
EDITED = ({**LEVEL, "for": "2d"}, {**MOVE, "above": 0.1}, {**SILENT, "after": "8d"}, FEWER, ENDS, BOTH)


@cache
def own_rules() -> Rules:
    return rules_with(*OWN)


def _rules_applied(draw: st.DrawFn, day: int) -> Payload:
    return rule_set(*EDITED) if draw(st.booleans()) else withdraw_rule_set(by="ada")


def _acknowledgement(draw: st.DrawFn, day: int) -> Payload:
    given = build_acknowledgement(fingerprint_of("ends", {"measure": draw(MEASURES)}), by="ada")
    return msgspec.structs.replace(given, withdrawn=draw(st.booleans()))


FAMILIES = (*SIGNALS, _rules_applied, _acknowledgement)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Give events of all families, several of them at one instant now and then."""
    return draw_events(draw, FAMILIES, most=18)


def admitted_by(events: list[Event], *, partition: int, partitions: int) -> list[Event]:
    """Pick what intake writes to a partition: policy and directives everywhere, the rest by its key."""
    return [e for e in events if family_of(e.type) in BROADCAST_FAMILIES
            or partition_of(e.subject, partitions=partitions) == partition]  # fmt: skip


def signals(records: list[Record]) -> list[tuple[int, bytes]]:
    """Write records as intake does, each twice, as after a restart."""
    log: list[bytes] = []
    for position, record in enumerate(records):
        if isinstance(record, datetime):
            log.append(encode(SignalRecord(ticks=[record])))
        else:
            log += [encode(SignalRecord(segments=[segment_of(record, position=position)]))] * 2
    return list(enumerate(log))


@pytest.mark.parametrize(("rules", "partitions"), [(own_rules, 1), (own_rules, 3), (shipped_rules, 2)])
def test_a_backtest_gives_the_bytes_of_the_live_partitions(rules: Any, partitions: int) -> None:
    """Batches, ticks, restarts, repeated records and the number of partitions leave no trace in the alert log.

    Over several partitions the order is that of (at, rule, fingerprint), as `rules backtest` prints it.
    """

    @settings(max_examples=40, deadline=None)
    @given(histories(), st.data())
    def holds(events: list[Event], data: st.DataObject) -> None:
        until = events[-1].recorded_at + timedelta(days=20)
        told: list[AlertChanged] = []
        log: dict[int, list[tuple[int, bytes]]] = {}
        for partition in range(partitions):
            mine = admitted_by(events, partition=partition, partitions=partitions)
            records = cut(mine, until=until, data=data, most_ticks=2)
            restarts = data.draw(st.sets(st.integers(1, len(records))))
            told += live(records, rules(), partition=partition, partitions=partitions, restarts=restarts)
            log[partition] = signals(records)
        merged = [as_json_line(c) for c in sorted(told, key=lambda c: (c.at, c.rule, c.fingerprint))]
        assert [as_json_line(c) for c in backtest_signals(log, until=until, rules=rules())] == merged
        assert [as_json_line(c) for c in backtest(events, until=until, rules=rules())] == merged

    holds()
