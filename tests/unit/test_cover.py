"""Cover, licences of our own and time to independence, as pure functions."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from streams.contracts.assessments import LegalState, MeasureAssessed
from streams.contracts.calendars import calendar
from streams.contracts.capacity import CapacityReported, LicenceDecided, StockReported
from streams.contracts.events import Event, Payload, subject_of
from streams.contracts.policy import Targets
from streams.contracts.provenance import Provenance
from streams.domain.cover.cover import (
    Controls,
    SiteStock,
    controls_on,
    lead_facts,
    next_stock,
    statutory_days,
    stock_facts,
    stock_key,
)
from streams.domain.cover.own_licences import (
    LicenceState,
    licence_facts,
    licence_key,
    licence_labels,
    next_licence,
    remaining_tonnes,
)
from streams.domain.supply.independence import Independence, IndependenceReason, independence_of, promised_on
from streams.domain.supply.plant_capacity import PlantState, next_plant

T0 = datetime(2026, 1, 1, tzinfo=UTC)
TODAY = date(2026, 1, 1)
BY_TEST = Provenance(source="test")
UNKNOWN = Independence(on=None, reason=IndependenceReason.NO_DEMAND)
NO_MEASURES = Controls(needs_licence=None)


def event(data: Payload, *, day: float = 0, name: str = "e") -> Event:
    at = T0 + timedelta(days=day)
    return Event(id=name, source="t", subject=subject_of(data), occurred_at=at, recorded_at=at, data=data)


def stock(*reports: tuple[float, float | None]) -> SiteStock:
    held: SiteStock | None = None
    for number, (tonnes, use) in enumerate(reports):
        data = StockReported(
            site="s", material="dysprosium", stock_tonnes=tonnes, daily_use_tonnes=use, provenance=BY_TEST
        )
        held = next_stock(held, event(data, day=number, name=f"e{number}"), data) or held
    assert held is not None
    return held


def facts(
    held: SiteStock, *, licensed: float | None = 0.0, controls: Controls = NO_MEASURES, free: Independence = UNKNOWN
) -> dict[str, Any]:
    found, missing = stock_facts(
        held, licensed_tonnes=licensed, controls=controls, independence=free, today=TODAY
    )  # fmt: skip
    assert set(missing) == {name for name, value in found.items() if value is None}
    return found


def test_cover_is_stock_over_use_and_licences_add_to_it() -> None:
    """docs/domain.md 8: (stock + quantity on granted, unexpired licences) / daily use."""
    found = facts(stock((10.0, 0.2)), licensed=4.0)
    assert found["cover_days_count"] == pytest.approx(50.0)
    assert found["time_to_survive_days_count"] == pytest.approx(50.0)
    assert found["effective_cover_days_count"] == pytest.approx(70.0)
    assert found["time_to_recover_days_count"] == found["licence_lead_days_count"] == 120.0


def test_use_that_is_left_out_keeps_its_last_value_and_an_older_report_undoes_nothing() -> None:
    """Counting stock monthly does not mean that nothing is used."""
    held = stock((10.0, 0.2), (8.0, None))
    assert facts(held)["cover_days_count"] == pytest.approx(40.0)
    old = StockReported(site="s", material="dysprosium", stock_tonnes=99.0, provenance=BY_TEST)
    assert next_stock(held, event(old, day=-1), old) is None
    with_use = StockReported(
        site="s", material="dysprosium", stock_tonnes=9.0, daily_use_tonnes=0.1, provenance=BY_TEST
    )
    late = next_stock(stock((10.0, None), (8.0, None)), event(with_use, day=0.5, name="late"), with_use)
    assert late is not None
    assert facts(late)["cover_days_count"] == pytest.approx(80.0)
    assert stock_key("a", "s") != stock_key("b", "s")


def test_without_use_or_with_none_at_all_the_days_are_unknown() -> None:
    """Infinity is no number of days, and no news is no zero."""
    for use in (None, 0.0):
        found = facts(stock((10.0, use)))
        assert found["cover_days_count"] is None
        assert found["effective_cover_days_count"] is None
    assert facts(stock((10.0, 1e-300)))["cover_days_count"] == 36_500.0


def test_a_licence_of_unknown_quantity_leaves_the_effective_cover_unknown() -> None:
    """It is not nothing, and nobody knows how much it is."""
    found = facts(stock((10.0, 0.2)), licensed=None)
    assert found["effective_cover_days_count"] is None
    assert found["cover_days_count"] == pytest.approx(50.0)


def test_the_statutory_time_counts_the_working_days_of_the_issuer() -> None:
    """45 working days from 1 January 2026 cross the Spring Festival: more than nine weeks."""
    days = statutory_days(TODAY)
    end = TODAY + timedelta(days=days)
    assert calendar("CN").working_days_between(TODAY + timedelta(days=1), end=end + timedelta(days=1)) == 45
    assert calendar("CN").is_working_day(end)
    assert days > 63
    assert lead_facts(NO_MEASURES, today=TODAY)["licence_lead_statutory_days_count"] == float(days)


def test_where_no_licence_is_needed_none_takes_time() -> None:
    """A repealed control must end the alert about cover: unknown would keep it for ever."""
    found = facts(stock((10.0, 0.2)), controls=Controls(needs_licence=False))
    assert found["licence_lead_days_count"] == 0.0
    assert found["time_to_recover_days_count"] == 0.0


def test_under_a_ban_for_all_recovery_is_independence() -> None:
    """No licence can be waited for; without a date nobody knows when supply is back."""
    banned = Controls(needs_licence=True, is_banned=True, next_end=date(2026, 6, 1), ends="M")
    free = Independence(on=date(2027, 1, 1), reason=IndependenceReason.PROMISED)
    found = facts(stock((10.0, 0.2)), controls=banned, free=free)
    assert found["time_to_recover_days_count"] == 365.0
    assert found["buffer_gap_days_count"] == 214.0
    assert facts(stock((10.0, 0.2)), controls=banned)["time_to_recover_days_count"] is None
    assert facts(stock((10.0, 0.2)), controls=banned)["buffer_gap_days_count"] is None


def measure(name: str, state: str, *materials: str, **fields: Any) -> MeasureAssessed:
    given: dict[str, Any] = {"kind": "licence_requirement", **fields}
    return MeasureAssessed(
        measure=name, at=T0, state=LegalState(state), previous_state=None, instrument="i", issuer="o", zone="UTC",
        materials=materials, **given,
    )  # fmt: skip


def test_controls_are_read_off_the_measures_that_bind_everybody() -> None:
    """Nothing known is unknown; measures about others mean that no licence is needed."""
    assert controls_on("gallium", []).needs_licence is None
    other = measure("M-1", "in_force", "germanium")
    users = measure("M-2", "in_force", "gallium", targets=Targets(scope="military_end_use"))
    tariff = measure("M-3", "in_force", "gallium", kind="tariff")
    ended = measure("M-4", "repealed", "gallium")
    assert controls_on("gallium", [other, users, tariff, ended]).needs_licence is False
    assert controls_on("gallium", [other, measure("M-5", "in_force", "gallium")]).needs_licence is True


def test_a_ban_for_one_country_is_no_ban_for_all() -> None:
    """46 of 2024 para. 2 refuses the US; others still get licences."""
    one = measure(
        "M-1", "in_force", "gallium", kind="export_ban", targets=Targets(scope="countries", countries=("US",))
    )
    assert controls_on("gallium", [one]) == Controls(needs_licence=True)
    everybody = measure("M-2", "in_force", "gallium", kind="export_ban")
    assert controls_on("gallium", [one, everybody]).is_banned


def test_the_next_legal_end_is_the_first_to_come_else_the_last_that_passed() -> None:
    """Before 10 November 2026 the first end ahead; after it, with nothing seen, the end that passed."""
    first = measure("M-1", "suspended", "holmium", legal_end=date(2026, 11, 10))
    second = measure("M-2", "suspended", "holmium", legal_end=date(2026, 11, 27))
    assert controls_on("holmium", [second, first]).next_end == date(2026, 11, 10)
    lapsed = measure("M-1", "lapsed_unconfirmed", "holmium", legal_end=date(2026, 11, 10))
    assert controls_on("holmium", [second, lapsed]).ends == "M-2"
    assert controls_on("holmium", [lapsed]).next_end == date(2026, 11, 10)


def test_an_end_of_the_rules_on_technology_bears_on_every_rare_earth() -> None:
    """Announcements 56, 61 and 62 name equipment, items abroad and technology, not elements."""
    chain = measure("M-1", "suspended", "rare-earth-technology", legal_end=date(2026, 11, 10), kind="technology_ban")
    assert controls_on("yttrium", [chain]).next_end == date(2026, 11, 10)
    assert controls_on("gallium", [chain]).next_end is None
    assert controls_on("yttrium", [chain]).needs_licence is False


def licence(*told: dict[str, Any]) -> LicenceState:
    held: LicenceState | None = None
    for number, fields in enumerate(told):
        given: dict[str, Any] = {"licence": "L", "material": "dysprosium", **fields}
        day = given.pop("day", number)
        data = LicenceDecided(provenance=BY_TEST, **given)
        held = next_licence(held, event(data, day=day, name=f"e{number}"), data, zone="Asia/Shanghai") or held
    assert held is not None
    return held


def on(day: float) -> datetime:
    return T0 + timedelta(days=day)


def test_an_application_pends_from_its_first_day_until_the_answer() -> None:
    """No answer is often a hold, not a refusal; an answer ends the wait at zero, not at unknown."""
    held = licence({"decision": "applied"}, {"decision": "held", "day": 30})
    assert licence_facts(held, at=on(70))[0]["days_pending_count"] == 70.0
    granted = licence({"decision": "applied"}, {"decision": "granted", "quantity_tonnes": 5.0, "day": 90})
    assert licence_facts(granted, at=on(100))[0]["days_pending_count"] == 0.0
    assert licence_facts(granted, at=on(100))[0]["remaining_tonnes"] == 5.0
    found, missing = licence_facts(licence({"decision": "held"}), at=on(9))
    assert found["days_pending_count"] is None
    assert missing == ("days_pending_count",)


def test_an_earlier_day_of_application_that_is_stated_counts() -> None:
    """The exporter applied before the first event that we saw."""
    held = licence({"decision": "applied", "applied_at": on(-40)}, {"decision": "held", "applied_at": on(-10)})
    assert licence_facts(held, at=on(0))[0]["days_pending_count"] == 40.0


@pytest.mark.parametrize("decision", ["applied", "refused", "held", "withdrawn", "expired"])
def test_what_is_not_granted_allows_nothing(decision: str) -> None:
    """Only granted quantities may cross the border."""
    assert remaining_tonnes(licence({"decision": decision, "quantity_tonnes": 5.0}), on(1)) == 0.0


def test_a_licence_ends_at_midnight_after_its_last_day_where_it_was_issued() -> None:
    """The last day counts: 1 March 2026 in Shanghai ends at 16:00 UTC."""
    held = licence({"decision": "granted", "quantity_tonnes": 5.0, "expires_at": "2026-03-01"})
    end = datetime(2026, 3, 1, 16, tzinfo=UTC)
    assert held.lapses_at == end
    assert remaining_tonnes(held, end - timedelta(seconds=1)) == 5.0
    assert remaining_tonnes(held, end) == 0.0
    assert licence_facts(held, at=end)[0]["decision"] == "expired"
    assert licence_facts(held, at=end)[0]["expires_at"] == "2026-03-01"
    assert licence_labels(held) == {"licence": "L"}


def test_a_grant_without_a_quantity_allows_nobody_knows_how_much() -> None:
    """It is not zero."""
    held = licence({"decision": "granted"})
    assert remaining_tonnes(held, on(0)) is None
    assert licence_facts(held, at=on(0))[1] == ("remaining_tonnes",)


def test_repeats_and_older_decisions_change_nothing() -> None:
    """The set of events decides; what an older event adds is kept, what it contradicts is not."""
    held = licence({"decision": "granted", "quantity_tonnes": 5.0, "day": 10})
    old = LicenceDecided(licence="L", material="dysprosium", decision="applied", site="s", provenance=BY_TEST)
    first = next_licence(held, event(old, day=1, name="old"), old, zone="UTC")
    assert first is not None
    assert (first.text("decision"), first.text("site")) == ("granted", "s")
    assert next_licence(first, event(old, day=1, name="old"), old, zone="UTC") is None
    assert licence_key("a", "L") != licence_key("b", "L")


def plant(name: str, country: str = "MY", status: str = "building", **fields: Any) -> PlantState:
    report = CapacityReported(
        plant=name, operator="o", country=country, material="yttrium", stage="separation", status=status,  # type: ignore[arg-type]
        provenance=BY_TEST, **fields,
    )  # fmt: skip
    held = next_plant(None, report, recorded=0.0, digest=1)
    assert held is not None
    return held


def independence(
    *plants: PlantState, demand: float | None = 100.0, supply: float | None = 10.0, today: date = TODAY,
    dominant: str | None = "CN",
) -> Independence:  # fmt: skip
    return independence_of(plants, dominant=dominant, supply_tonnes=supply, demand_tonnes=demand, today=today)


def promised(name: str, tonnes: float, when: str, **fields: Any) -> PlantState:
    return plant(name, nameplate_tonnes_per_year=tonnes, current_target=when, **fields)


def test_independence_is_the_day_on_which_the_promises_add_up_to_demand() -> None:
    """10 t today, 40 t in the middle of 2027, 60 t at the end of 2028: met on the last day of 2028."""
    found = independence(promised("a", 60.0, "2028"), promised("b", 40.0, "mid-2027"))
    assert (found.on, found.reason) == (date(2028, 12, 31), IndependenceReason.PROMISED)
    assert found.reached_tonnes == 110.0


def test_a_build_out_that_does_not_reach_demand_is_flat() -> None:
    """Unknown, not far away: nobody has promised the rest."""
    found = independence(promised("a", 60.0, "2028"))
    assert (found.on, found.reason, found.reached_tonnes) == (None, IndependenceReason.FLAT, 70.0)


def test_promises_that_are_none_add_nothing() -> None:
    """In the dominant country, cancelled, passed, without a readable month, without tonnes."""
    found = independence(
        promised("a", 500.0, "2028", country="CN"), promised("b", 500.0, "2028", status="cancelled"),
        promised("c", 500.0, "2025"), promised("d", 500.0, "early FY28"), plant("e", current_target="2028"),
    )  # fmt: skip
    assert found.reason is IndependenceReason.FLAT
    assert found.reached_tonnes == 10.0


def test_a_ramping_plant_adds_what_it_does_not_make_yet() -> None:
    """62 t made of a nameplate of 300 t: the promise is the rest; a target goes before the nameplate."""
    ramping = promised("a", 300.0, "2027", status="ramping", actual_tonnes=62.0, actual_period="2025")
    assert independence(ramping, supply=62.0, demand=300.0).on == date(2027, 12, 31)
    assert independence(ramping, supply=62.0, demand=301.0).on is None
    aimed = promised("a", 300.0, "2027", target_tonnes_per_year=100.0)
    assert independence(aimed, supply=0.0, demand=100.0).on == date(2027, 12, 31)
    assert independence(aimed, supply=0.0, demand=101.0).on is None


def test_supply_that_meets_demand_already_is_independence_today() -> None:
    """Then the buffer is larger than the gap."""
    assert independence(supply=100.0).on == TODAY
    assert independence(supply=100.0).reason is IndependenceReason.MET


def test_without_demand_or_supply_nothing_can_be_reckoned() -> None:
    """Each says which of the two is missing."""
    assert independence(demand=None).reason is IndependenceReason.NO_DEMAND
    assert independence(supply=None).reason is IndependenceReason.NO_SUPPLY
    assert independence(promised("a", 500.0, "2028"), dominant=None).reason is IndependenceReason.NO_SUPPLY
    assert independence(promised("a", 500.0, "2028"), supply=None).on == date(2028, 12, 31)


def test_a_promise_is_kept_on_the_last_day_of_its_month() -> None:
    """The last month the words allow; a year before the calendar is no promise."""
    assert promised_on(promised("a", 1.0, "H1 2028")) == date(2028, 6, 30)
    assert promised_on(promised("a", 1.0, "0000-05")) is None
    assert promised_on(plant("a")) is None
