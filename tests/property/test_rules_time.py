"""Time in the rules core: however ticks fall, records are cut or the core is restarted, the log is the same."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.assessments import MeasureAssessed
from tests.support.rule_road import LADDER, RuleRoad, measure, rules_from

T0 = datetime(2026, 1, 1, tzinfo=UTC)
RULES = rules_from(LADDER)
STATES = st.sampled_from(["suspended", "lapsed_unconfirmed", "in_force", "repealed"])
ENDS = st.none() | st.dates(date(2026, 1, 1), date(2026, 4, 30))
OFFSETS = st.integers(0, 120 * 24)
MEASURES = st.sampled_from(["CN-1", "CN-2", "US-1"])


@st.composite
def histories(draw: st.DrawFn) -> list[MeasureAssessed]:
    hours = sorted(draw(st.lists(OFFSETS, min_size=1, max_size=8)))
    return [
        measure(
            T0 + timedelta(hours=h), state=draw(STATES), legal_end=draw(ENDS), measure=(m := draw(MEASURES)),
            zone="America/New_York" if m == "US-1" else "Asia/Shanghai", cause=f"e{n}",
        )
        for n, h in enumerate(hours)
    ]  # fmt: skip


def log_of(history: list[MeasureAssessed], ticks: list[int], *, restart: bool = False) -> list[object]:
    road = RuleRoad(RULES)
    items = [(a.at, 1, n, a) for n, a in enumerate(history)]
    instants = [(T0 + timedelta(hours=h), 0, n, T0 + timedelta(hours=h)) for n, h in enumerate(ticks)]
    for *_, item in sorted([*items, *instants], key=lambda entry: entry[:3]):
        road.take(item)  # type: ignore[arg-type]
        if restart:
            road.restart()
    road.take(T0 + timedelta(days=150))
    return list(road.changes())


@settings(max_examples=60, deadline=None)
@given(histories(), st.lists(OFFSETS, max_size=12).map(sorted))
def test_any_cadence_of_ticks_gives_the_same_log(history: list[MeasureAssessed], ticks: list[int]) -> None:
    """One tick a day and one a second must not differ, or a replay would not be the life."""
    assert log_of(history, ticks) == log_of(history, [])


@settings(max_examples=40, deadline=None)
@given(histories(), st.lists(OFFSETS, max_size=8).map(sorted))
def test_a_restart_after_every_record_gives_the_same_log(history: list[MeasureAssessed], ticks: list[int]) -> None:
    """The heap of due instants is rebuilt from the state; nothing else may be remembered."""
    assert log_of(history, ticks, restart=True) == log_of(history, ticks)


@settings(max_examples=40, deadline=None)
@given(histories())
def test_one_record_or_many_gives_the_same_log(history: list[MeasureAssessed]) -> None:
    """How intake cut the stream does not matter."""
    road = RuleRoad(RULES)
    road.take(*history, T0 + timedelta(days=150))
    assert list(road.changes()) == log_of(history, [])


@settings(max_examples=40, deadline=None)
@given(histories())
def test_every_change_has_an_id_of_its_own_and_a_repeated_assessment_adds_none(history: list[MeasureAssessed]) -> None:
    """Readers drop what they have seen by id: two changes with one id would lose one."""
    road = RuleRoad(RULES)
    for assessed in history:
        road.take(assessed)
        assert road.take(assessed) == []
    road.take(T0 + timedelta(days=150))
    ids = [c.alert for c in road.changes()]
    assert len(ids) == len(set(ids))
