"""Every line of docs/domain.md 6, read off the assessments that the real road wrote for the shipped history."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest
from kafka import KafkaConsumer, TopicPartition

from producers.replay import ReplaySettings, replay
from streams.contracts.assessments import LegalState, MeasureAssessed
from streams.contracts.codec import decode_event
from streams.contracts.dates import days_left, noon_of
from streams.contracts.events import Event, Tick
from streams.contracts.records import decode_linked
from streams.contracts.topics import ASSESSMENTS, topic_name
from tests.support.brokers import KafkaCluster
from tests.support.provisioning import provision
from tests.support.road import ROOT, Road
from tests.support.waiting import wait_until

END = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
OCTOBER = ("CN-2025-55", "CN-2025-56", "CN-2025-57", "CN-2025-58", "CN-2025-61a", "CN-2025-61b", "CN-2025-62")
pytestmark = [pytest.mark.integration, pytest.mark.e2e]


@dataclass(frozen=True)
class Assessments:
    """What the road said about measures, in the order of its instants."""

    said: tuple[MeasureAssessed, ...]

    def state_of(self, measure: str, day: date) -> MeasureAssessed | None:
        """Return what stood at local noon of a day; `None` where nothing was said yet."""
        last = None
        for assessed in self.said:
            if assessed.measure == measure and assessed.at <= noon_of(day, zone=assessed.zone):
                last = assessed
        return last

    def left(self, measure: str, day: date) -> int | None:
        """Return the days left on a day, `None` without an end."""
        assessed = self.state_of(measure, day)
        if assessed is None or assessed.legal_end is None:
            return None
        return days_left(assessed.legal_end, at=noon_of(day, zone=assessed.zone), zone=assessed.zone)


@pytest.fixture(scope="module")
def road_said(kafka: KafkaCluster) -> Iterator[Assessments]:
    """One replay of the whole history through the real road."""
    prefix = "worked"
    provision(kafka, prefix=prefix)
    with Road(kafka.bootstrap, prefix) as road:
        road.start_all()
        replay(
            ReplaySettings(
                directory=ROOT / "streams/reference/history", until=END.date(), bootstrap=kafka.bootstrap, prefix=prefix
            )
        )
        events = read_assessments(kafka.bootstrap, prefix)
    said = [e.data for e in events if isinstance(e.data, MeasureAssessed)]
    yield Assessments(tuple(sorted(said, key=lambda a: a.at)))


def read_assessments(bootstrap: str, prefix: str) -> list[Event]:
    """Read the assessments log up to the tick at the end in every partition."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
    tps = [TopicPartition(topic_name(ASSESSMENTS, prefix=prefix), p) for p in range(4)]
    consumer.assign(tps)
    consumer.seek_to_beginning(*tps)
    events: list[Event] = []
    waiting = set(range(4))

    def drained() -> bool:
        for tp, records in consumer.poll(timeout_ms=200).items():
            for record in records:
                for item in decode_linked(record.value).x:
                    event = decode_event(item)
                    events.append(event)
                    if isinstance(event.data, Tick) and event.occurred_at >= END:
                        waiting.discard(tp.partition)
        return not waiting

    try:
        wait_until(drained, timeout_seconds=60, what="the end of the assessments log")
    finally:
        consumer.close()
    return events


def test_dysprosium_needs_a_licence_from_the_day_of_announcement_18(road_said: Assessments) -> None:
    """2025-04-03 no, 2025-04-04 yes: the announcement took effect on the day it was published."""
    assert road_said.state_of("CN-2025-18", date(2025, 4, 3)) is None
    assessed = road_said.state_of("CN-2025-18", date(2025, 4, 4))
    assert assessed is not None
    assert assessed.state is LegalState.IN_FORCE
    assert "dysprosium" in assessed.materials


def test_holmium_is_announced_and_not_in_force_in_october_2025(road_said: Assessments) -> None:
    """57 of 2025 named 8 November as its day of effect."""
    assessed = road_said.state_of("CN-2025-57", date(2025, 10, 15))
    assert assessed is not None
    assert assessed.state is LegalState.ANNOUNCED
    assert "holmium" in assessed.materials


def test_holmium_is_suspended_and_never_operated(road_said: Assessments) -> None:
    """Announcement 70 suspended it a day before it would have operated."""
    assessed = road_said.state_of("CN-2025-57", date(2025, 11, 8))
    assert assessed is not None
    assert (assessed.state, assessed.operated) == (LegalState.SUSPENDED, False)


def test_gallium_to_the_us_needs_an_ordinary_licence_in_the_truce(road_said: Assessments) -> None:
    """23 of 2023 stays in force; only the refusal of paragraph 2 of 46 of 2024 is suspended."""
    ordinary = road_said.state_of("CN-2023-23", date(2025, 11, 10))
    refusal = road_said.state_of("CN-2024-46-2", date(2025, 11, 10))
    assert ordinary is not None
    assert refusal is not None
    assert (ordinary.state, refusal.state) == (LegalState.IN_FORCE, LegalState.SUSPENDED)
    assert "gallium" in ordinary.materials
    assert "gallium" in refusal.materials


def test_days_left_on_8_october_2026(road_said: Assessments) -> None:
    """33 to the end of No. 70, 50 to that of No. 72, 94 to the claimed one, which is kept apart."""
    day = date(2026, 10, 8)
    assert [road_said.left(m, day) for m in OCTOBER] == [33] * 7
    assert road_said.left("CN-2024-46-2", day) == 50
    assessed = road_said.state_of("CN-2025-57", day)
    assert assessed is not None
    assert {(c.day - day).days for c in assessed.claimed_ends} == {94}
    assert assessed.legal_end == date(2026, 11, 10)


@pytest.mark.parametrize("measure", OCTOBER)
def test_a_passed_end_with_nothing_new_is_lapsed_unconfirmed(road_said: Assessments, measure: str) -> None:
    """Nobody knows what followed; the claim stands beside the state and does not change it."""
    assessed = road_said.state_of(measure, date(2026, 11, 11))
    assert assessed is not None
    assert assessed.state is LegalState.LAPSED_UNCONFIRMED
    assert {c.day for c in assessed.claimed_ends} == {date(2027, 1, 10)}


def test_announcement_18_was_never_suspended(road_said: Assessments) -> None:
    """Whoever shows dysprosium as free during the truce is wrong."""
    states = {a.state for a in road_said.said if a.measure == "CN-2025-18"}
    assert states == {LegalState.IN_FORCE}
