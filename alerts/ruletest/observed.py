"""What a test looks at, in one shape for alerts, changes of the log, and notices."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streams.contracts.alert import AlertChanged, DeliveryChanged


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One notice asked for: to which subscription, why, and what it says."""

    at: datetime
    to: str
    rule: str
    reason: str
    severity: str | None
    labels: Mapping[str, str]
    summary: str
    description: str

    @classmethod
    def of(cls, entry: DeliveryChanged, data: Mapping[str, Any]) -> "Notice":
        """Read a notice from a ledger entry and the data of its body."""
        return cls(
            at=entry.at,
            to=entry.subscription,
            rule=data["rule"],
            reason=entry.reason or "",
            severity=data["severity"],
            labels=data["labels"],
            summary=data["summary"],
            description=data.get("description", ""),
        )


def fields_of_alert(change: AlertChanged) -> dict[str, Any]:
    """Return the fields of a change that expectations may name."""
    return {
        "at": change.at,
        "rule": change.rule,
        "from": change.from_state.value,
        "state": change.to_state.value,
        "to": change.to_state.value,
        "severity": change.severity,
        "labels": change.labels,
        "step": change.step,
        "occasion": change.occasion,
        "summary": change.summary,
        "values": change.values,
        "thresholds": change.thresholds,
        "text": f"{change.summary} {change.description}",
    }


def fields_of_notice(notice: Notice) -> dict[str, Any]:
    """Return the fields of a notice that expectations may name."""
    return {
        "at": notice.at,
        "to": notice.to,
        "rule": notice.rule,
        "reason": notice.reason,
        "severity": notice.severity,
        "labels": notice.labels,
        "summary": notice.summary,
        "text": f"{notice.summary} {notice.description}",
    }
