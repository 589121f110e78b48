"""The JSON that others rely on."""

from datetime import timedelta

from alerts.console.shapes import alert_row, material_rows, measure_row, view_row
from streams.view.view_layout import Position
from streams.view.view_reader import ViewAge
from tests.support.measures import T0, alert_changed, claimed_end, measure_assessed, risk_assessed


def test_a_measure_shows_its_legal_end_and_the_claims_apart() -> None:
    """Scripts read these fields; a claim that slips into `legal_end` would be believed."""
    row = measure_row(measure_assessed(claimed_ends=(claimed_end(),)), now=T0)
    assert row["legal_end"] == "2026-11-27"
    assert row["claimed_ends"] == ["2027-01-10"]
    assert row["days_left"] == 4
    assert {"measure", "instrument", "state", "operated", "materials", "targets"} <= set(row)


def test_days_are_counted_on_the_calendar_of_the_issuer() -> None:
    """At 17:00 UTC it is already tomorrow in Shanghai."""
    assert measure_row(measure_assessed(), now=T0 + timedelta(hours=5))["days_left"] == 3
    assert measure_row(measure_assessed(legal_end=None, lapse_at=None), now=T0)["days_left"] is None


def test_an_alert_has_the_shape_of_the_backtest() -> None:
    """The same reader reads both."""
    row = alert_row(alert_changed())
    assert {"at", "rule", "labels", "from", "to", "severity", "summary", "values"} <= set(row)
    assert (row["at"], row["from"], row["to"]) == ("2026-11-23T12:00:00Z", "ok", "firing")


def test_assessments_are_grouped_by_material() -> None:
    """People ask for a material, not for an aspect."""
    rows = material_rows([risk_assessed(), risk_assessed("gallium"), risk_assessed(aspect="capacity")])
    assert [(row["material"], row["symbol"], len(row["assessments"])) for row in rows] == [
        ("dysprosium", "Dy", 2), ("gallium", "Ga", 1),
    ]  # fmt: skip


def test_a_view_with_a_missing_partition_is_stale_however_fresh_the_rest() -> None:
    """Half of the measures looks like all of them."""
    position = Position(stage="assess", partition=0, position=5, written_at=T0)
    whole = ViewAge(positions=[position], missing=[], age_seconds=1.0, clock_at=T0)
    part = ViewAge(positions=[position], missing=[("assess", 1)], age_seconds=1.0, clock_at=T0)
    assert [view_row(age, stale_after_seconds=15)["stale"] for age in (whole, part)] == [False, True]
    assert view_row(whole, stale_after_seconds=0.5)["stale"] is True
