"""Trade and capacity on the road: the shipped history through assess and rules, and made-up plants."""

from datetime import UTC, datetime
from typing import Any

import pytest

from alerts.backtest.run_backtest import backtest
from alerts.rules.loader import shipped_rules
from streams.assess.assess_core import AssessCore
from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import RiskAssessed
from streams.contracts.capacity import CapacityReported, SupplyObserved, TradeObserved
from streams.contracts.codec import decode_event
from streams.contracts.events import Event, Payload, subject_of
from streams.contracts.provenance import Provenance
from streams.reference import load_history
from streams.runtime.stage_ports import InMemoryStateStore
from tests.support.legal import admitted, at
from tests.support.rule_road import RuleRoad, rules_from

UNTIL = datetime(2026, 10, 8, tzinfo=UTC)
BY_TEST = Provenance(source="test")

CONFLICT = """
groups:
  - name: trade
    rules:
      - id: sources-differ
        kind: threshold
        on: trade
        fact: source_gap_ratio
        above: 0.2
        severity: warning
        annotations: {summary: "{reported_by} {tonnes:number} t, {conflicting_source} {conflicting_tonnes:number} t"}
"""


def over_history() -> tuple[list[AlertChanged], list[RiskAssessed]]:
    told: list[RiskAssessed] = []

    def watch(event: Event) -> None:
        if isinstance(event.data, RiskAssessed):
            told.append(event.data)

    events = load_history("capacity")
    return list(backtest(events, until=UNTIL, rules=shipped_rules(), watch=watch)), told


CHANGES, TOLD = over_history()


def months(rule: str) -> list[str]:
    """Return the months for which a rule fired on all magnet exports of China."""
    return [
        str(each.occasion).removeprefix("reference_period ") for each in CHANGES
        if each.rule == rule and each.to_state == "firing" and each.labels["importer"] == "all"
        if each.labels["material"] == "rare-earth-magnets"
    ]  # fmt: skip


def flow(period: str, reporter: str = "customs-via-reuters", importer: str = "all") -> RiskAssessed:
    """Return the last assessment of magnet exports for a period."""
    return [
        each for each in TOLD
        if each.aspect == "trade" and each.material == "rare-earth-magnets"
        if (each.labels["importer"], each.labels["reported_by"]) == (importer, reporter)
        if each.facts["reference_period"] == period
    ][-1]  # fmt: skip


def test_april_and_may_2025_raise_the_volume_alert_and_february_2026_does_not() -> None:
    """5,323 to 2,625 to 1,238 t must fire on the month; -21% must not, nor be half of the trailing median."""
    assert months("export-volume-drop") == ["2025-04", "2025-05"]
    assert "2026-02" not in months("export-volume-low")
    february = flow("2026-02").facts
    assert february["month_on_month_ratio"] == pytest.approx(-0.213, abs=0.001)
    assert february["to_trailing_median_ratio"] == pytest.approx(4740 / 5577)
    assert february["trailing_months_count"] == 11


def test_a_month_is_held_against_that_of_the_year_before() -> None:
    """March 2026 is 1.6% under March 2025, as the source says."""
    assert flow("2026-03").facts["year_on_year_ratio"] == pytest.approx(-0.016, abs=0.0005)
    assert flow("2026-03").facts["published_on"] == "2026-04-20"


def test_december_2025_to_japan_is_a_conflict_and_both_stay() -> None:
    """280 t and 411.3 t: each says what the other one says, and neither replaces the other."""
    reuters, other = flow("2025-12", importer="JP"), flow("2025-12", "globalspark-news", "JP")
    assert (reuters.facts["tonnes"], reuters.facts["conflicting_tonnes"]) == (280.0, 411.3)
    assert (other.facts["tonnes"], other.facts["conflicting_tonnes"]) == (411.3, 280.0)
    assert reuters.facts["source_gap_ratio"] == pytest.approx(131.3 / 411.3)
    assert reuters.causes == other.causes


class Road:
    """Assess, then rules, by hand."""

    def __init__(self, rules: str = CONFLICT) -> None:
        self.assess = AssessCore(partition=0, partitions=1, store=InMemoryStateStore())
        self.rules = RuleRoad(rules_from(rules))
        self.day = 0

    def take(self, data: Payload) -> tuple[list[RiskAssessed], list[AlertChanged]]:
        self.day += 1
        event = Event(
            id=f"e{self.day}", source="t", subject=subject_of(data), occurred_at=at(self.day),
            recorded_at=at(self.day), data=data,
        )  # fmt: skip
        outcome = self.assess.process(admitted(event))
        assert not outcome.dead_letters
        told = [decode_event(raw).data for raw in outcome.outputs]
        found = [each for each in told if isinstance(each, RiskAssessed) and each.aspect in ("trade", "capacity")]
        return found, self.rules.take(*found)


def traded(tonnes: float, reporter: str, **fields: Any) -> TradeObserved:
    given: dict[str, Any] = {"provenance": BY_TEST, "reference_period": "2025-12", **fields}
    return TradeObserved(
        material="neodymium-magnets", exporter="CN", importer="JP", tonnes=tonnes, reported_by=reporter, **given
    )  # fmt: skip


def test_a_conflict_fires_for_both_and_ends_for_both_with_the_correction() -> None:
    """Whoever is corrected, the other one is assessed again: its alert must not stay for ever."""
    road = Road()
    assert road.take(traded(280.0, "a"))[1] == []
    found, changes = road.take(traded(411.3, "b"))
    assert [(each.labels["reported_by"], each.causes) for each in found] == [("b", ("e2",)), ("a", ("e2",))]
    assert sorted(each.summary for each in changes) == ["a 280 t, b 411.3 t", "b 411.3 t, a 280 t"]
    _, ended = road.take(traded(411.3, "a"))
    assert {(each.labels["reported_by"], each.to_state.value) for each in ended} == {("a", "ok"), ("b", "ok")}


def test_a_figure_of_another_month_contradicts_nobody() -> None:
    """November of one reporter and December of another are not the same figure."""
    road = Road()
    road.take(traded(280.0, "a"))
    found, changes = road.take(traded(411.3, "b", reference_period="2025-11"))
    assert [each.labels["reported_by"] for each in found] == ["b"]
    assert changes == []


def test_a_gap_to_made_up_figures_is_made_up() -> None:
    """Synthetic wherever it is shown."""
    road = Road()
    road.take(traded(280.0, "a", provenance=Provenance(source="s", synthetic=True)))
    assert [each.synthetic for each in road.take(traded(411.3, "b"))[0]] == [True, True]


def plant(name: str, country: str, status: str = "operating", **fields: Any) -> CapacityReported:
    return CapacityReported(
        plant=name, operator="o", country=country, material="dysprosium", stage="separation", status=status,  # type: ignore[arg-type]
        provenance=BY_TEST, **fields,
    )  # fmt: skip


def supplied(country: str, tonnes: float) -> SupplyObserved:
    return SupplyObserved(
        material="dysprosium", stage="separation", country=country, reference_period="2025", vintage="V 2026",
        tonnes=tonnes, world_tonnes=1000.0, provenance=BY_TEST,
    )  # fmt: skip


def test_an_outage_is_held_against_the_supply_table_where_there_is_one() -> None:
    """900 t of 1,000 t are Chinese: an outage of 50 t is half of what is left."""
    road = Road()
    road.take(supplied("CN", 900.0))
    road.take(supplied("MY", 100.0))
    (found,), _ = road.take(plant("p", "MY", "outage", outage_tonnes_per_year=50.0))
    assert found.facts["outage_share_outside_ratio"] == pytest.approx(0.5)
    assert found.facts["outside_supply_from"] == "V 2026, 2025"


def test_without_a_table_the_plants_reported_are_the_supply() -> None:
    """The dominant country is then that of the largest nameplate."""
    road = Road()
    road.take(plant("big", "CN", "reference", nameplate_tonnes_per_year=5000.0))
    road.take(plant("other", "FR", nameplate_tonnes_per_year=150.0))
    (found,), _ = road.take(plant("p", "MY", "outage", nameplate_tonnes_per_year=50.0, outage_tonnes_per_year=50.0))
    assert found.facts["outage_share_outside_ratio"] == pytest.approx(0.25)
    assert found.facts["outside_supply_from"] == "plants reported outside CN"


def test_an_outage_without_anything_to_hold_it_against_is_unknown() -> None:
    """Not the whole of the supply, and not none of it."""
    (found,), _ = Road().take(plant("p", "MY", "outage", outage_tonnes_per_year=50.0))
    assert found.facts["outage_share_outside_ratio"] is None
    assert "outage_share_outside_ratio" in found.missing


def test_a_table_of_one_country_alone_leaves_the_plants() -> None:
    """Where a country makes all there is, supply outside is what the plants report."""
    road = Road()
    road.take(supplied("CN", 1000.0))
    road.take(plant("other", "FR", nameplate_tonnes_per_year=150.0))
    (found,), _ = road.take(plant("p", "MY", "outage", nameplate_tonnes_per_year=50.0, outage_tonnes_per_year=20.0))
    assert found.facts["outage_share_outside_ratio"] == pytest.approx(0.1)
