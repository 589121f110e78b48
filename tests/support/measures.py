"""Builders of assessments and alerts, the same for metrics, read view, console and dashboards."""

from datetime import UTC, date, datetime
from typing import Any

from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.assessments import ClaimedEnd, LegalState, MeasureAssessed, RiskAssessed

T0 = datetime(2026, 11, 23, 12, tzinfo=UTC)


def measure_assessed(measure: str = "CN-2024-46-P2", **changes: Any) -> MeasureAssessed:
    """Build a suspended measure of China that ends with 27 November 2026."""
    values: dict[str, Any] = {
        "measure": measure, "at": T0, "state": LegalState.SUSPENDED, "previous_state": LegalState.IN_FORCE,
        "kind": "export_ban", "instrument": "Announcement 46 of 2024", "issuer": "MOFCOM", "zone": "Asia/Shanghai",
        "legal_end": date(2026, 11, 27), "lapse_at": datetime(2026, 11, 27, 16, tzinfo=UTC),
    }  # fmt: skip
    return MeasureAssessed(**(values | changes))


def claimed_end(day: date = date(2027, 1, 10)) -> ClaimedEnd:
    """Build a claim of an end."""
    return ClaimedEnd(day=day, speaker="a ministry", claim="CLAIM-1", legal_force="statement")


def alert_changed(fingerprint: str = "f1", **changes: Any) -> AlertChanged:
    """Build a firing critical alert of the rule `deferral-end`."""
    values: dict[str, Any] = {
        "alert": f"{fingerprint}-1", "fingerprint": fingerprint, "rule": "deferral-end", "rule_hash": "h",
        "labels": {"measure": "CN-2024-46-P2"}, "at": T0, "from_state": AlertState.OK, "to_state": AlertState.FIRING,
        "severity": "critical", "occasion": "2026-11-27", "summary": "ends in 4 days",
    }  # fmt: skip
    return AlertChanged(**(values | changes))


def risk_assessed(material: str = "dysprosium", **changes: Any) -> RiskAssessed:
    """Build a price assessment."""
    values: dict[str, Any] = {"material": material, "aspect": "price", "at": T0, "facts": {"amount": 300.0}}
    return RiskAssessed(**(values | changes))
