"""What a command leaves out of a log in which nothing happened changes no alert (promise 1)."""

from datetime import timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.backtest.run_backtest import as_json_line
from alerts.backtest.signals_backtest import backtest_signals, without_idling
from alerts.rules.loader import shipped_rules
from streams.contracts.codec import encode_event
from streams.contracts.events import Event
from streams.contracts.records import Segment, SignalRecord, Statement, encode
from streams.contracts.topics import INPUTS
from tests.property.test_live_and_backtest import histories, own_rules

Log = list[tuple[int, bytes]]
COUNTS = [1] * len(INPUTS)
ALL = ["1"] * len(INPUTS)
WITHOUT_PRICES = ["0" if topic.startswith("price") else "1" for topic in INPUTS]


def stated(up_to: int, *, owned: list[str], life: str, said_at: int, number: int) -> SignalRecord:
    return SignalRecord(w=Statement(up_to, owned, COUNTS), s=said_at, i=life, q=number)


def log_of(events: list[Event], data: st.DataObject) -> Log:
    """Write events with a time of idling before each: runs of statements of one life or another, of all inputs or not,
    five seconds apart, that now and then say less than the one before."""
    log: list[bytes] = []
    numbers = {"one": 0, "other": 0}
    now = int(events[0].recorded_at.timestamp() * 1000) - 3_600_000
    for offset, event in enumerate(events):
        at = int(event.recorded_at.timestamp() * 1000)
        for _ in range(data.draw(st.integers(0, 3))):
            life, owned = (
                data.draw(st.sampled_from(["one", "one", "other"])),
                data.draw(st.sampled_from([ALL, ALL, WITHOUT_PRICES])),
            )
            for _ in range(data.draw(st.sampled_from([1, 2, 3, 13]))):
                now = min(now + 5_000, at)
                less = data.draw(st.sampled_from([0, 0, 0, 7_000]))
                log.append(encode(stated(now - less, owned=owned, life=life, said_at=now, number=numbers[life])))
        now = at
        numbers["one"] += 1
        raw = msgspec.Raw(encode_event(event))
        segment = Segment(topic=INPUTS[0], partition=0, offset=offset, indexes=[0], events=[raw], at=at)
        record = stated(at, owned=ALL, life="one", said_at=at, number=numbers["one"])
        log.append(encode(msgspec.structs.replace(record, segments=[segment])))
    return list(enumerate(log))


@settings(max_examples=25, deadline=None)
@given(histories(), st.data())
def test_the_first_and_the_last_of_a_run_of_statements_say_all_of_it(events: list[Event], data: st.DataObject) -> None:
    """Also where an input was silent before, where workers take turns, and for every kind of rule."""
    log = log_of(events, data)
    fewer = without_idling(log)
    until = events[-1].recorded_at + timedelta(days=20)
    for rules in (own_rules(), shipped_rules()):
        whole, thin = (backtest_signals({0: each}, until=until, rules=rules) for each in (log, fewer))
        assert [as_json_line(change) for change in thin] == [as_json_line(change) for change in whole]


def test_a_day_of_idling_is_two_records() -> None:
    """Whoever asks a log that idled for a year waits for its events, not for its statements."""
    day = [(n, encode(stated(n * 5_000, owned=ALL, life="one", said_at=n * 5_000, number=0))) for n in range(17_280)]
    assert [offset for offset, _ in without_idling(day)] == [0, 17_279]
    silent = [(n, encode(stated(n, owned=WITHOUT_PRICES, life="one", said_at=n, number=0))) for n in range(9)]
    assert without_idling([*silent, (9, b"junk")]) == [*silent, (9, b"junk")]
