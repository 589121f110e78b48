"""The score over the shipped history, as the assess core sends it: what a replay must show."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from streams.assess.assess_core import AssessCore
from streams.contracts.assessments import ExposureAssessed, RiskAssessed
from streams.contracts.codec import decode_event
from streams.contracts.events import Event, subject_of
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance
from streams.contracts.topics import BROADCAST_FAMILIES, partition_of
from streams.domain.score.score_parameters import Factor
from streams.reference import load_history
from streams.runtime.stage_ports import Admitted, InMemoryStateStore
from tests.support.legal import T0, act, admitted, at, on

END = datetime(2026, 11, 23, 12, tzinfo=UTC)


def run(it: AssessCore, events: Sequence[Event], *, until: datetime = END, size: int = 100) -> list[Event]:
    """Let the core take events in records of `size`, then time pass."""
    raws: list[bytes] = []
    for start in range(0, len(events), size):
        raws += it.process(admitted(*events[start : start + size])).outputs
    raws += it.process(Admitted(position=0, ticks=[until])).outputs
    return [decode_event(raw) for raw in raws]


def core(*, partition: int = 0, partitions: int = 1) -> AssessCore:
    return AssessCore(partition=partition, partitions=partitions, store=InMemoryStateStore())


WHOLE = run(core(), load_history())


def scores(sent: Iterable[Event], material: str, home: str) -> list[RiskAssessed]:
    found = (event.data for event in sent if isinstance(event.data, RiskAssessed))
    return [r for r in found if r.aspect == "score" and (r.material, r.home) == (material, home)]


def level(material: str, home: str, day: str, *, sent: Iterable[Event] = WHOLE) -> float:
    """Return the score that stood at the end of a day, Shanghai time."""
    until = datetime.fromisoformat(f"{day}T16:00:00+00:00") - timedelta(seconds=1)
    return float(str([r for r in scores(sent, material, home) if r.at <= until][-1].facts["score_ratio"]))


def test_dysprosium_rises_on_2025_04_04_and_does_not_fall_in_the_truce() -> None:
    """18 of 2025 was never suspended: at no time until the history ends does the score fall."""
    assert level("dysprosium", "US", "2025-04-04") > level("dysprosium", "US", "2025-04-03") + 0.1
    truce = [r for r in scores(WHOLE, "dysprosium", "US") if r.at >= datetime(2025, 4, 4, tzinfo=UTC)]
    levels = [float(str(r.facts["score_ratio"])) for r in truce]
    assert levels == sorted(levels)
    assert level("dysprosium", "US", "2026-10-08") >= level("dysprosium", "US", "2025-11-06")


def test_holmium_rises_falls_part_of_the_way_and_rises_twice_again() -> None:
    """57 of 2025: announced, suspended, its end nears, and it lapses with nothing seen."""
    days = ["2025-09-30", "2025-10-09", "2025-11-06", "2025-11-07", "2026-10-08", "2026-11-10", "2026-11-11"]
    september, announced, eve, truce, nearing, last, lapsed = (level("holmium", "US", day) for day in days)
    assert september < truce < announced <= eve
    assert truce < nearing < last < lapsed


def test_gallium_for_the_us_falls_by_less_than_it_rose() -> None:
    """Paragraph 2 of 46 of 2024 is suspended, not gone."""
    rise = level("gallium", "US", "2024-12-03") - level("gallium", "US", "2024-12-02")
    fall = level("gallium", "US", "2025-11-08") - level("gallium", "US", "2025-11-09")
    assert 0 < fall < rise


def test_samarium_rises_for_japan_and_not_for_brazil() -> None:
    """A ban on the military of one country does not raise every home alike."""
    assert level("samarium", "JP", "2026-01-06") > level("samarium", "JP", "2026-01-05")
    assert level("samarium", "BR", "2026-01-06") == level("samarium", "BR", "2026-01-05")


def test_every_score_adds_up_says_what_is_missing_and_names_its_inputs() -> None:
    """A number that can be taken apart: contributions, interval, inputs with source, causes."""
    sent = [r for event in WHOLE if isinstance(r := event.data, RiskAssessed) and r.aspect == "score"]
    assert len(sent) > 1000
    for each in sent:
        facts = each.facts
        whole = float(str(facts["score_ratio"]))
        parts = [float(str(facts[f"{f.value}_contribution_ratio"])) for f in Factor]
        assert abs(sum(parts) - whole) <= 1e-12
        assert 0 <= float(str(facts["score_low_ratio"])) <= whole <= float(str(facts["score_high_ratio"])) <= 1
        unknown = {name for name, value in facts.items() if value is None}
        assert unknown <= set(each.missing)
        assert all(read.source for read in each.inputs)
        assert each.causes or not each.inputs
    policy_moves = [r for r in scores(WHOLE, "gallium", "US") if r.causes]
    assert {"CN-2023-23", "CN-2024-46-2", "CN-2025-72"} <= {cause for r in policy_moves for cause in r.causes}


def test_end_uses_are_assessed_through_each_material_with_the_path() -> None:
    """Missile guidance through dysprosium, for the US, as the history ends."""
    found = [
        e.data
        for e in WHOLE
        if isinstance(e.data, ExposureAssessed)
        and (e.data.end_use, e.data.material, e.data.home) == ("missile-guidance", "dysprosium", "US")
    ]
    assert found[-1].path == ("dysprosium", "heavy-rare-earth-magnets", "fin-actuators", "missile-guidance")
    assert found[-1].facts["top_material"] == "dysprosium"
    assert 0 < float(str(found[-1].facts["exposure_ratio"])) < level("dysprosium", "US", "2026-10-08")


@pytest.mark.parametrize("partitions", [2, 4])
def test_any_number_of_partitions_scores_the_same(partitions: int) -> None:
    """Each partition scores the materials it owns, from a measure book that is whole everywhere."""
    sent: list[Event] = []
    for number in range(partitions):
        own = [
            e
            for e in load_history()
            if e.type.split(".")[2] in BROADCAST_FAMILIES or partition_of(e.subject, partitions=partitions) == number
        ]
        sent += run(core(partition=number, partitions=partitions), own)

    def assessed(events: Iterable[Event]) -> list[tuple[str, str]]:
        kept = [e for e in events if isinstance(e.data, RiskAssessed | ExposureAssessed)]
        return sorted((e.id, repr(e.data)) for e in kept)

    assert assessed(sent) == assessed(WHOLE)


BY_TEST = Provenance(source="a market")


def quote(name: str, amount: float, *, seconds: float, period: str) -> Event:
    data = PriceQuoted(
        material="dysprosium", form="oxide", basis="FOB China", assessor="tester", amount=amount, currency="USD",
        per_unit="kg", reference_period=period, provenance=BY_TEST,
    )  # fmt: skip
    instant = T0 + timedelta(seconds=seconds)
    return Event(id=name, source="t", subject=subject_of(data), data=data, occurred_at=instant, recorded_at=instant)


def quotes(count: int, *, jump: float) -> list[Event]:
    """Quotes of `count` days, three seconds apart, the last one higher by `jump`."""
    first = datetime(2025, 11, 1, tzinfo=UTC)
    return [
        quote(
            f"q{n}",
            100.0 * (1 + (jump if n == count - 1 else 0.0)),
            seconds=3.0 * n,
            period=str((first + timedelta(days=n)).date()),
        )
        for n in range(count)
    ]


def test_figures_wait_for_the_full_minute_and_a_measure_does_not() -> None:
    """A burst of quotes makes one score a minute; a control is scored in the instant it is known."""
    imposed = act("imposed", measure="CN-9", action="impose", kind="licence_requirement", materials=("dysprosium",))
    *before, last = quotes(31, jump=0.5)
    sent = run(core(), [*before, imposed, last], until=at(0.5))
    found = scores(sent, "dysprosium", "US")
    assert [(r.at - T0) / timedelta(seconds=1) for r in found] == [60, 87, 120]
    assert [r.facts["price_stress_factor_ratio"] is None for r in found] == [True, True, False]
    assert found[1].causes[0] == "imposed"
    assert {each.source for each in found[2].inputs if each.factor == "price_stress"} == {"a market"}
    assert found[2].sources == (), "a score is nobody's word: who watches sources must not hear of it"


def test_how_events_are_cut_into_records_does_not_move_a_score() -> None:
    """Minutes are those of event time: one record an event and one record for all give the same bytes."""
    events = [*quotes(40, jump=0.6), act("x", measure="CN-9", action="impose", materials=("dysprosium",), day=1)]
    one, all_ = run(core(), events, until=at(3), size=1), run(core(), events, until=at(3), size=500)
    assert one == all_


def test_the_same_event_twice_scores_once() -> None:
    """A repeat by any route changes nothing and sends nothing."""
    events = quotes(35, jump=0.5)
    twice = [each for event in events for each in (event, event)]
    assert run(core(), twice, until=at(1)) == run(core(), events, until=at(1))


def test_a_source_that_falls_silent_raises_the_score_at_the_instant_it_goes_stale() -> None:
    """Daily prices are stale after a week without one, and after two; the stress that was seen stands."""
    imposed = act("a", measure="CN-9", action="impose", kind="licence_requirement", materials=("dysprosium",))
    sent = run(core(), [imposed, *quotes(31, jump=0.5)], until=at(60))
    found = scores(sent, "dysprosium", "US")
    last_quote = T0 + timedelta(seconds=90)
    levels = {r.at: float(str(r.facts["score_ratio"])) for r in found}
    assert set(levels) >= {last_quote + timedelta(days=7)}
    values = list(levels.values())
    assert values[-1] > values[-2]
    stress = {r.facts["price_stress_factor_ratio"] for r in found[1:]}
    assert len(stress) == 1


def test_a_measure_that_drops_a_material_scores_it_anew() -> None:
    """A correction that takes a material out of an instrument frees it."""
    told = [
        act(
            material,
            measure="CN-9",
            action="impose",
            kind="export_ban",
            published_at=on(0),
            materials=(material,),
            day=day,
        )
        for day, material in enumerate(("holmium", "erbium"))
    ]
    sent = run(core(), told, until=at(2))
    assert level("holmium", "US", "2026-01-01", sent=sent) > 0.4
    assert level("holmium", "US", "2026-01-02", sent=sent) < 0.2
    assert level("erbium", "US", "2026-01-02", sent=sent) > 0.4


def test_groups_have_no_score_of_their_own() -> None:
    """Magnet exports are reported for a group; a score is kept for what prices and controls name."""
    scored = {r.material for e in WHOLE if isinstance(r := e.data, RiskAssessed) and r.aspect == "score"}
    assert "dysprosium" in scored
    assert "rare-earth-magnets" not in scored
