"""Series of prices and trade, and plants: facts that know what they do not know."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from streams.contracts.capacity import CapacityReported, TradeObserved
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance
from streams.domain.observations import Observation, Ring, observation, period_kind, ring_with
from streams.domain.prices.price_series import PriceSeries, identity_of, series_key, series_labels
from streams.domain.supply.plant_capacity import (
    PlantState,
    dominant_of,
    month_of,
    next_plant,
    outage_facts,
    plant_facts,
    plant_key,
    plant_labels,
    supply_outside,
)
from streams.domain.supply.trade_flows import TradeSeries, next_flow, trade_facts, trade_key, trade_labels
from tests.support.prices import facts_of, next_series

T0 = datetime(2026, 1, 1, tzinfo=UTC)
BY_TEST = Provenance(source="test")


def quote(day: int = 0, amount: float = 100.0, **fields: Any) -> PriceQuoted:
    period = (T0 + timedelta(days=day)).date().isoformat()
    given = {
        "material": "dysprosium", "form": "oxide", "basis": "FOB China", "assessor": "a", "currency": "USD",
        "per_unit": "kg", "reference_period": period, **fields,
    }  # fmt: skip
    return PriceQuoted(amount=amount, provenance=BY_TEST, **given)


def seen(q: PriceQuoted, *, recorded: int = 0, digest: int = 1) -> Observation:
    return observation(
        period=q.reference_period, value=q.amount, recorded_at=T0 + timedelta(days=recorded), digest=digest
    )


def series(*quotes: PriceQuoted) -> PriceSeries:
    held: PriceSeries | None = None
    for each in quotes:
        held = next_series(held, each, seen(each)) or held
    assert held is not None
    return held


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("form", "metal"), ("grade", "99.5%"), ("basis", "CIF Rotterdam"), ("currency", "EUR"), ("per_unit", "lb"),
        ("content", "contained"), ("vat_included", True), ("vat_included", False), ("assessor", "b"),
        ("reference_period", "2026"), ("material", "terbium"),
    ],
)  # fmt: skip
def test_prices_of_another_basis_are_another_series(field: str, value: Any) -> None:
    """Refuse to compare across bases (docs/domain.md 9)."""
    assert series_key(quote(**dict[str, Any]({field: value}))) != series_key(quote())
    if field != "material":
        assert series_labels(identity_of(quote(**dict[str, Any]({field: value})))) != series_labels(
            identity_of(quote())
        )


def test_too_few_observations_leave_the_change_unknown() -> None:
    """Two quotes are no trend of thirty."""
    facts, missing = facts_of(series(quote(0), quote(1, 110)))
    assert facts["change_previous_ratio"] == pytest.approx(0.1)
    assert facts["change_30_observations_ratio"] is None
    assert "change_30_observations_ratio" in missing
    assert facts_of(series(quote(0)))[0]["change_previous_ratio"] is None


def test_the_change_is_over_thirty_observations() -> None:
    """The 31st quote against the first, then a sliding ring."""
    held = series(*(quote(day, 100 + day) for day in range(31)))
    assert facts_of(held)[0]["change_30_observations_ratio"] == pytest.approx(0.3)
    slid = series(*(quote(day, 100 + day) for day in range(40)))
    facts, _ = facts_of(slid)
    assert facts["observations_count"] == 31
    assert facts["change_30_observations_ratio"] == pytest.approx(139 / 109 - 1)


def test_a_repeat_and_a_superseded_quote_change_nothing() -> None:
    """The later recorded figure of a period counts, whichever comes first."""
    held = series(quote(0))
    assert next_series(held, quote(0), seen(quote(0))) is None
    newer = next_series(held, quote(0, 120), seen(quote(0, 120), recorded=1))
    assert newer is not None
    assert facts_of(newer)[0]["last_amount"] == 120
    assert next_series(newer, quote(0), seen(quote(0))) is None


def test_a_late_quote_takes_its_place_in_the_series() -> None:
    """Out of order gives the same ring; older than a full ring it is dropped."""
    assert series(quote(0), quote(2), quote(1)).ring == series(quote(0), quote(1), quote(2)).ring
    assert series(quote(1), quote(0)).ring == series(quote(0), quote(1)).ring
    held = series(*(quote(day) for day in range(1, 32)))
    assert next_series(held, quote(0), seen(quote(0))) is None


def test_the_share_of_volume_is_that_of_the_latest_quote() -> None:
    """A late quote must not make an old share look new."""
    held = series(quote(1, volume_share_ratio=0.5), quote(0, volume_share_ratio=0.01))
    assert facts_of(held)[0]["volume_share_ratio"] == 0.5


def test_a_middle_insertion_keeps_the_limit() -> None:
    """The ring never grows."""
    ring: Ring = ()
    for period in ("2020", "2022", "2021"):
        ring = ring_with(ring, Observation(period, 1.0, 1.0, 1), limit=2)
    assert [each.period for each in ring] == ["2021", "2022"]


@pytest.mark.parametrize(
    ("period", "kind"),
    [("2025", "year"), ("2025-H1", "half"), ("2025-Q3", "quarter"), ("2025-04", "month"), ("2025-04-09", "day")],
)
def test_the_length_of_a_period_is_read_from_it(period: str, kind: str) -> None:
    """Means of a year and quotes of a day never share a series."""
    assert period_kind(period) == kind


def traded(period: str, tonnes: float, **fields: Any) -> TradeObserved:
    given = {"reported_by": "a", "importer": "JP", **fields}
    return TradeObserved(
        material="neodymium-magnets", exporter="CN", reference_period=period, tonnes=tonnes, provenance=BY_TEST, **given
    )  # fmt: skip


def flow(*months: tuple[str, float], **fields: Any) -> TradeSeries:
    held: TradeSeries | None = None
    for period, tonnes in months:
        held = next_flow(held, traded(period, tonnes, **fields), Observation(period, tonnes, 1.0, 1)) or held
    assert held is not None
    return held


def test_april_and_may_2025_fall_by_half_and_february_2026_does_not() -> None:
    """The figures of the table (docs/domain.md 11): -40% on the month must fire twice, not for -21%."""
    april = trade_facts(flow(("2025-03", 5323), ("2025-04", 2625)))[0]["month_on_month_ratio"]
    may = trade_facts(flow(("2025-04", 2625), ("2025-05", 1238)))[0]["month_on_month_ratio"]
    february = trade_facts(flow(("2026-01", 6023), ("2026-02", 4740)))[0]["month_on_month_ratio"]
    assert april == pytest.approx(-0.507, abs=0.001)
    assert may == pytest.approx(-0.528, abs=0.001)
    assert february == pytest.approx(-0.213, abs=0.001)


def test_a_gap_leaves_the_month_on_month_change_unknown() -> None:
    """The month before is not the last month known."""
    facts, missing = trade_facts(flow(("2024-07", 5278), ("2024-10", 4725)))
    assert facts["month_on_month_ratio"] is None
    assert set(missing) == {
        "month_on_month_ratio", "to_trailing_median_ratio", "year_on_year_ratio", "source_gap_ratio"
    }  # fmt: skip


def test_the_median_needs_half_of_the_trailing_months() -> None:
    """Six of twelve are enough, five are not, and a month of two years ago does not count."""
    months = [(f"2025-{month:02}", 100.0) for month in range(1, 7)]
    assert trade_facts(flow(*months))[0]["to_trailing_median_ratio"] is None
    assert trade_facts(flow(*months, ("2025-07", 40.0)))[0]["to_trailing_median_ratio"] == pytest.approx(0.4)
    old = [(f"2023-{month:02}", 100.0) for month in range(1, 8)]
    assert trade_facts(flow(*old, ("2025-07", 40.0)))[0]["trailing_months_count"] == 0
    empty = [(f"2025-{month:02}", 0.0) for month in range(1, 8)]
    assert trade_facts(flow(*empty))[0]["to_trailing_median_ratio"] is None


def test_a_year_has_no_month_before() -> None:
    """Cumulative figures are shown, never compared with months."""
    facts, _ = trade_facts(flow(("2024", 5.0), ("2025", 6.0)))
    assert (facts["tonnes"], facts["month_on_month_ratio"]) == (6.0, None)
    assert next_flow(flow(("2025", 6.0)), traded("2025", 6.0), Observation("2025", 6.0, 1.0, 1)) is None


def test_a_year_ago_is_the_same_month_quarter_or_year() -> None:
    """Magnet exports of April 2026 against April 2025; a year against the year before."""
    months = [("2025-04", 2625.0), *((f"2025-{month:02}", 5000.0) for month in range(5, 13)), ("2026-04", 5250.0)]
    assert trade_facts(flow(*months))[0]["year_on_year_ratio"] == pytest.approx(1.0)
    assert trade_facts(flow(("2024", 5.0), ("2025", 6.0)))[0]["year_on_year_ratio"] == pytest.approx(0.2)
    assert trade_facts(flow(("2024-Q1", 0.0), ("2025-Q1", 6.0)))[0]["year_on_year_ratio"] is None
    assert trade_facts(flow(("2023", 5.0), ("2025", 6.0)))[0]["year_on_year_ratio"] is None


def test_two_reporters_that_differ_are_a_conflict_and_both_stay() -> None:
    """280 t against 411.3 t to Japan in December 2025 (docs/domain.md 10)."""
    one, other = flow(("2025-12", 280.0)), flow(("2025-12", 411.3), reported_by="b")
    facts, _ = trade_facts(one, [other])
    assert facts["source_gap_ratio"] == pytest.approx(131.3 / 411.3)
    assert (facts["tonnes"], facts["conflicting_tonnes"], facts["conflicting_source"]) == (280.0, 411.3, "b")
    assert trade_facts(other, [one])[0]["conflicting_tonnes"] == 280.0


def test_the_reporter_that_differs_most_is_named_and_other_periods_are_not_compared() -> None:
    """Agreement is a gap of zero; silence is an unknown one; nothing against something is a gap of one."""
    others = [flow(("2025-12", t), reported_by=who) for who, t in (("d", 140.0), ("c", 140.0), ("b", 281.0))]
    assert trade_facts(flow(("2025-12", 280.0)), others)[0]["conflicting_source"] == "c"
    same, missing = trade_facts(flow(("2025-12", 0.0)), [flow(("2025-12", 0.0), reported_by="b")])
    assert same["source_gap_ratio"] == 0.0
    assert "conflicting_tonnes" not in same
    assert "conflicting_tonnes" not in missing
    assert trade_facts(flow(("2025-12", 0.0)), [flow(("2025-12", 9.0))])[0]["source_gap_ratio"] == 1.0
    assert trade_facts(flow(("2025-12", 9.0)), [flow(("2025-11", 1.0))])[0]["source_gap_ratio"] is None


def test_a_ratio_of_tonnes_that_no_number_holds_is_unknown() -> None:
    """A figure of almost nothing a month ago would give infinity."""
    assert trade_facts(flow(("2025-11", 5e-324), ("2025-12", 1e12)))[0]["month_on_month_ratio"] is None


def test_the_flow_knows_when_its_figure_was_published_and_whether_it_is_made_up() -> None:
    """A late figure of an older month does not make the newest one synthetic."""
    assert trade_facts(flow(("2025-12", 9.0)))[0]["published_on"] == "1970-01-01"
    held = flow(("2025-12", 9.0))
    made = msgspec.structs.replace(traded("2025-11", 1.0), provenance=Provenance(source="x", synthetic=True))
    late = next_flow(held, made, Observation("2025-11", 1.0, 1.0, 1))
    assert late is not None
    assert not late.synthetic


def test_two_reporters_are_two_flows() -> None:
    """280 t and 411.3 t stay beside each other."""
    assert trade_key(traded("2025-12", 1.0)) != trade_key(traded("2025-12", 1.0, reported_by="b"))
    assert trade_labels(traded("2025-12", 1.0, importer=None))["importer"] == "all"


def report(**fields: Any) -> CapacityReported:
    given = {
        "plant": "p", "operator": "o", "country": "MY", "material": "dysprosium", "stage": "separation",
        "status": "ramping", **fields,
    }  # fmt: skip
    return CapacityReported(provenance=BY_TEST, **given)


def plant(*reports: CapacityReported) -> PlantState:
    held: PlantState | None = None
    for index, each in enumerate(reports):
        held = next_plant(held, each, recorded=float(index), digest=index) or held
    assert held is not None
    return held


def test_actual_against_nameplate_needs_a_whole_year() -> None:
    """A quarter's output against a year's nameplate would look like an outage."""
    both = {"nameplate_tonnes_per_year": 300.0, "actual_tonnes": 62.0}
    yearly = plant_facts(plant(report(**both, actual_period="2026")))[0]
    assert yearly["actual_to_nameplate_ratio"] == pytest.approx(0.2067, abs=0.0001)
    for period in ({"actual_period": "2026-Q1"}, {}):
        facts, missing = plant_facts(plant(report(**both, **period)))
        assert facts["actual_to_nameplate_ratio"] is None
        assert "actual_to_nameplate_ratio" in missing


def test_an_actual_without_a_period_does_not_inherit_the_old_one() -> None:
    """What was made and when belong together."""
    first = report(nameplate_tonnes_per_year=300.0, actual_tonnes=62.0, actual_period="2026")
    assert plant_facts(plant(first, report(actual_tonnes=10.0)))[0]["actual_to_nameplate_ratio"] is None


def test_a_field_that_is_left_out_keeps_its_last_value() -> None:
    """A report of an outage does not forget the nameplate; an older report does not undo a newer."""
    first, second = report(nameplate_tonnes_per_year=300.0), report(status="outage", outage_tonnes_per_year=50.0)
    held = plant(first, second)
    facts, _ = plant_facts(held)
    assert (facts["status"], facts["nameplate_tonnes_per_year"]) == ("outage", 300.0)
    assert next_plant(held, first, recorded=0.0, digest=0) is None


@pytest.mark.parametrize(
    ("first", "current", "slip"),
    [
        ("mid-2026", "H2 2026", 6.0), ("2025", "2027", 24.0), ("late 2026", "late 2026 at risk", 0.0),
        ("2025-04-08", "Q3 2025", 5.0), ("early CY2028", "end 2027", -4.0), ("2025", "early FY28", None),
        (None, "operating", None), ("2026-13", "2027", None),
    ],
)  # fmt: skip
def test_a_slip_is_read_from_promised_dates(first: str | None, current: str, slip: float | None) -> None:
    """A promise that cannot be read as a month is an unknown slip, not none."""
    fields = {"current_target": current} | ({"first_target": first} if first else {})
    assert plant_facts(plant(report(**fields)))[0]["slip_months_count"] == slip
    assert month_of("soon") is None


def test_a_plant_is_known_by_plant_material_and_stage() -> None:
    """One site separates many oxides."""
    assert plant_key(report()) != plant_key(report(material="terbium"))
    assert plant_labels(report())["plant"] == "p"


def test_a_slip_counts_from_the_earliest_promise_where_none_is_named_the_first() -> None:
    """A report that says "Q3 2025", then one that says "H2 2026", is a slip of fifteen months; one report is none."""
    once, later = report(current_target="Q3 2025"), report(current_target="H2 2026")
    assert plant_facts(plant(once))[0]["slip_months_count"] is None
    assert plant_facts(plant(once, later))[0]["slip_months_count"] == 15
    assert plant_facts(plant(once, later, report(current_target="2027-01")))[0]["slip_months_count"] == 16
    assert plant_facts(plant(report(first_target="2025")))[0]["slip_months_count"] is None


def test_an_older_promise_that_comes_late_becomes_the_first() -> None:
    """The set of reports decides, not the order in which they come."""
    held = plant(report(current_target="H2 2026"))
    with_old = next_plant(held, report(current_target="2025-01"), recorded=-1.0, digest=9)
    assert with_old is not None
    assert plant_facts(with_old)[0]["slip_months_count"] == 23


def test_an_outage_is_a_share_of_supply_outside_the_dominant_country() -> None:
    """Output of a year goes before nameplate; what is planned supplies nothing; the outage is part of the whole."""
    broken = plant(report(country="MY", status="outage", actual_tonnes=60.0, actual_period="2025",
                          outage_tonnes_per_year=40.0))  # fmt: skip
    others = [
        plant(report(plant="a", country="FR", status="operating", nameplate_tonnes_per_year=100.0)),
        plant(report(plant="b", country="US", status="planned", nameplate_tonnes_per_year=900.0)),
        plant(report(plant="c", country="EE", status="operating")),
        plant(report(plant="d", country="CN", status="reference", nameplate_tonnes_per_year=5000.0)),
    ]
    assert dominant_of([broken, *others]) == "CN"
    assert dominant_of([others[2]]) is None
    outside = supply_outside([broken, *others], dominant="CN")
    assert outside == 200.0
    assert supply_outside(others[1:], dominant="CN") is None
    facts, _ = plant_facts(broken, outage_facts(broken, outside_tonnes=outside, told_by="plants"))
    assert facts["outage_share_outside_ratio"] == pytest.approx(0.2)
    assert (facts["outside_supply_tonnes"], facts["outside_supply_from"]) == (200.0, "plants")
    assert outage_facts(broken, outside_tonnes=10.0, told_by="x")["outage_share_outside_ratio"] == 1.0
    assert outage_facts(broken, outside_tonnes=None, told_by=None) == {"outage_share_outside_ratio": None}
    assert outage_facts(others[0], outside_tonnes=9.0, told_by="x") == {"outage_share_outside_ratio": None}


def test_a_late_report_does_not_rename_the_plant() -> None:
    """Labels and the mark of made-up data are those of the newest report."""
    held = plant(report(operator="new"))
    old = msgspec.structs.replace(
        report(operator="old", target_tonnes_per_year=5.0), provenance=Provenance(source="x", synthetic=True)
    )
    late = next_plant(held, old, recorded=-1.0, digest=7)
    assert late is not None
    assert (late.labels["operator"], late.synthetic) == ("new", False)
    assert plant_facts(late)[0]["target_tonnes_per_year"] == 5.0
