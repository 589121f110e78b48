"""Cover through the assess core: own stocks and licences in event time, several sites, restarts, measures followed."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from streams.assess.assess_core import AssessCore, decode_state, encode_state
from streams.contracts.assessments import RiskAssessed
from streams.contracts.capacity import CapacityReported, LicenceDecided, StockReported, TradeObserved
from streams.contracts.codec import decode_event
from streams.contracts.events import Event, Payload, subject_of
from streams.contracts.provenance import Provenance
from streams.runtime.stage_ports import Admitted, InMemoryStateStore
from tests.support.legal import act, admitted, at, on
from tests.support.stores import recovered

BY_TEST = Provenance(source="test")


def of_day(name: str, data: Payload, day: float) -> Event:
    return Event(id=name, source="t", subject=subject_of(data), occurred_at=at(day), recorded_at=at(day), data=data)


def stock(
    name: str, *, day: float = 0, site: str = "north", tonnes: float = 10.0, material: str = "dysprosium"
) -> Event:
    data = StockReported(
        site=site, material=material, stock_tonnes=tonnes, daily_use_tonnes=0.2, provenance=BY_TEST
    )  # fmt: skip
    return of_day(name, data, day)


def licence(
    name: str, *, day: float = 0, decision: Any = "granted", tonnes: float | None = 4.0, **fields: Any
) -> Event:
    data = LicenceDecided(
        licence="L-1", material="dysprosium", decision=decision, quantity_tonnes=tonnes, provenance=BY_TEST, **fields
    )
    return of_day(name, data, day)


def core(store: InMemoryStateStore | None = None) -> AssessCore:
    return AssessCore(partition=0, partitions=1, store=store or InMemoryStateStore())


def ticks(*days: float) -> Admitted:
    return Admitted(position=0, ticks=[at(day) for day in days])


def sent(it: AssessCore, *records: Admitted) -> list[RiskAssessed]:
    outcomes = [it.process(record) for record in records]
    assert not any(outcome.dead_letters for outcome in outcomes)
    told = [decode_event(raw).data for outcome in outcomes for raw in outcome.outputs]
    return [each for each in told if isinstance(each, RiskAssessed) and each.aspect in ("stock", "licence")]


def effective(found: Iterable[RiskAssessed], *, site: str = "north") -> list[tuple[datetime, Any]]:
    return [
        (each.at, each.facts["effective_cover_days_count"]) for each in found
        if each.aspect == "stock" and each.labels["site"] == site
    ]  # fmt: skip


def decisions(found: Iterable[RiskAssessed]) -> list[tuple[datetime, Any]]:
    return [(each.at, each.facts["decision"]) for each in found if each.aspect == "licence"]


@pytest.mark.parametrize("clock", [(40,), (9, 10, 11, 12, 40), (10.99, 11.01, 40)])
def test_a_licence_runs_out_when_its_last_day_is_over_whatever_the_ticks(clock: Sequence[float]) -> None:
    """Ten tonnes and four on the licence, a fifth of a tonne a day: 70 days of cover, 50 once the licence is over."""
    events = (act("i", measure="M-1", action="impose"), stock("s"), licence("l", expires_at=on(10), measure="M-1"))
    found = sent(core(), admitted(*events), ticks(*clock))
    assert effective(found) == [
        (at(0), pytest.approx(50.0)),
        (at(0), pytest.approx(70.0)),
        (at(11), pytest.approx(50.0)),
    ]
    assert decisions(found) == [(at(0), "granted"), (at(11), "expired")]
    assert found[-1].causes == ("l",)


def test_a_licence_of_no_known_measure_ends_at_the_midnight_of_beijing() -> None:
    """The licences watched here are Chinese: eight hours before the midnight of Greenwich."""
    found = sent(core(), admitted(stock("s"), licence("l", expires_at=on(10))), ticks(40))
    assert decisions(found)[-1] == (at(11) - timedelta(hours=8), "expired")


def test_a_prolonged_licence_does_not_run_out_on_its_old_day() -> None:
    """The old wake-up is replaced, not added to."""
    prolonged = licence("l2", day=5, expires_at=on(20))
    found = sent(core(), admitted(stock("s"), licence("l", expires_at=on(10)), prolonged), ticks(40))
    assert [when for when, what in decisions(found) if what == "expired"] == [at(21) - timedelta(hours=8)]


def test_a_licence_that_names_a_site_counts_there_and_nowhere_else() -> None:
    """What one works may import feeds no other."""
    both = admitted(stock("n"), stock("s", site="south"), licence("l", site="south"))
    found = sent(core(), both)
    assert effective(found)[-1][1] == pytest.approx(50.0)
    assert effective(found, site="south")[-1][1] == pytest.approx(70.0)


def test_a_licence_that_names_no_site_counts_only_while_there_is_one_site() -> None:
    """With a second site nobody knows whose it is: the first one's cover falls when the second reports, and says so."""
    it = core()
    assert effective(sent(it, admitted(stock("n"), licence("l"))))[-1][1] == pytest.approx(70.0)
    found = sent(it, admitted(stock("s", day=3, site="south")))
    assert effective(found) == [(at(3), pytest.approx(50.0))]
    assert effective(found, site="south") == [(at(3), pytest.approx(50.0))]


def test_a_stock_of_one_material_says_nothing_of_another() -> None:
    """A dysprosium licence covers no terbium."""
    found = sent(core(), admitted(stock("d"), stock("t", material="terbium"), licence("l")))
    terbium = [each for each in found if each.material == "terbium"]
    assert [each.facts["effective_cover_days_count"] for each in terbium] == [pytest.approx(50.0)]


def test_a_pending_licence_counts_one_day_at_each_midnight_until_it_is_answered() -> None:
    """The alert about waiting needs each day, at its own instant, and its end."""
    asked, answered = licence("a", decision="applied", tonnes=None), licence("g", day=3.5)
    found = sent(core(), admitted(asked), ticks(3.2), admitted(answered), ticks(9))
    assert [(each.at, each.facts["days_pending_count"]) for each in found] == [
        (at(0), 0.0), (at(1), 1.0), (at(2), 2.0), (at(3), 3.0), (at(3.5), 0.0)
    ]  # fmt: skip


LEGAL = (
    act("i", measure="M-1", action="impose", kind="licence_requirement", materials=("dysprosium",)),
    act("u", measure="M-1", action="suspend", day=4, kind="licence_requirement", ends_at=on(30)),
    act("r", measure="M-1", action="repeal", day=6, kind="licence_requirement"),
)


def test_cover_follows_the_measures_that_bear_on_its_material() -> None:
    """A suspension has an end to plan for, the repeal takes it and the wait for a licence away.

    The control itself changes nothing: before it, nobody knew whether a licence is needed, planned for as if one were.
    """
    it = core()
    found = sent(it, admitted(stock("s"), stock("g", material="gallium")), *(admitted(each) for each in LEGAL))
    dysprosium = [each for each in found if each.material == "dysprosium"]
    assert [
        (each.facts["licence_lead_days_count"], each.facts["next_legal_end"], each.facts["next_legal_end_of"])
        for each in dysprosium[1:]
    ] == [(120.0, on(30), "M-1"), (0.0, None, None)]
    assert [each.causes for each in dysprosium] == [("s",), ("u",), ("r",)]
    gallium = [each.facts["licence_lead_days_count"] for each in found if each.material == "gallium"]
    assert gallium == [120.0, 0.0], (
        "unknown is planned for as if one were needed; then a known measure names no gallium"
    )


def test_a_lapse_that_time_alone_brings_keeps_the_end_that_passed() -> None:
    """No event comes on the day of the lapse; the end that passed unanswered is still the one to plan against."""
    it = core()
    sent(it, admitted(stock("s"), *LEGAL[:2]))
    found = sent(it, ticks(40))
    assert all(each.facts["next_legal_end"] == on(30) for each in found)
    after = sent(it, admitted(stock("s2", day=41, tonnes=8.0)))
    assert [(each.facts["next_legal_end"], each.facts["next_legal_end_of"]) for each in after] == [(on(30), "M-1")]


def test_the_buffer_gap_is_from_the_next_legal_end_to_independence() -> None:
    """Demand is supply outside and China's exports; a plant promised for June meets it 120 days after the end.

    The exports come last: they alone make the demand known, so they alone make the site speak again.
    """
    made: dict[str, Any] = {"operator": "o", "material": "dysprosium", "stage": "separation", "provenance": BY_TEST}
    plants = [
        CapacityReported(plant="big", country="CN", status="operating", nameplate_tonnes_per_year=90.0, **made),
        CapacityReported(plant="small", country="AU", status="operating", nameplate_tonnes_per_year=5.0, **made),
        CapacityReported(
            plant="next", country="US", status="building", target_tonnes_per_year=20.0, current_target="2026-06", **made
        ),
    ]
    exported = TradeObserved(
        material="dysprosium", exporter="CN", reference_period="2025", tonnes=15.0, reported_by="customs",
        provenance=BY_TEST,
    )  # fmt: skip
    suspended = act(
        "u",
        measure="M-1",
        action="suspend",
        kind="licence_requirement",
        materials=("dysprosium",),
        ends_at="2026-03-02",
    )
    built = [of_day(f"p{number}", plant, 0) for number, plant in enumerate(plants)]
    found = sent(core(), admitted(stock("s"), suspended, *built, of_day("x", exported, 1)))
    facts = found[-1].facts
    assert (facts["independence_on"], facts["independence_reason"]) == ("2026-06-30", "met_by_promised_plants")
    assert facts["buffer_gap_days_count"] == 120.0
    assert found[-1].at == at(1)


WHOLE = (
    act("i", measure="M-1", action="impose", kind="licence_requirement", materials=("dysprosium",)),
    stock("n"),
    licence("a", day=1, decision="applied", tonnes=None, measure="M-1"),
    stock("s", day=2, site="south"),
    licence("g", day=4, site="south", expires_at=on(9)),
    stock("n2", day=6, tonnes=7.0),
    act("u", measure="M-1", action="suspend", day=8, kind="licence_requirement", ends_at=on(20)),
)


def test_a_restart_at_any_place_changes_nothing() -> None:
    """Stocks, licences, the index and the wake-ups live through their encoded form."""
    expected = sent(core(), *(admitted(each) for each in WHOLE), ticks(30))
    assert {each.facts["decision"] for each in expected if each.aspect == "licence"} == {
        "applied",
        "granted",
        "expired",
    }
    for cut in range(1, len(WHOLE) + 1):
        store = InMemoryStateStore()
        before = sent(core(store), *(admitted(each) for each in WHOLE[:cut]))
        fresh = recovered(store, encode=encode_state, decode=decode_state)
        after = sent(core(fresh), *(admitted(each) for each in WHOLE[cut:]), ticks(30))
        assert [*before, *after] == expected


def test_neither_records_nor_ticks_move_what_is_said_of_cover() -> None:
    """One record or seven, ticks each quarter of a day or none: the same assessments at the same instants."""
    expected = sent(core(), admitted(*WHOLE), ticks(30))
    assert sent(core(), *(admitted(each) for each in WHOLE), ticks(30)) == expected
    ticking: list[Admitted] = []
    clock = 0.0
    for each in WHOLE:
        while at(clock + 0.25) < each.recorded_at:
            clock += 0.25
            ticking.append(ticks(clock))
        ticking.append(admitted(each))
    assert sent(core(), *ticking, *(ticks(8 + quarter / 4) for quarter in range(1, 89))) == expected


def test_a_repeat_of_a_report_or_a_decision_says_nothing() -> None:
    """The log holds events twice; cover is told once."""
    it = core()
    once = sent(it, admitted(stock("s"), licence("l", expires_at=on(10))))
    assert once
    assert sent(it, admitted(stock("s"), licence("l", expires_at=on(10)))) == []
