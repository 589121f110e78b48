"""JSON shapes of the console's answers; others rely on them, so fields are only ever added."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import MeasureAssessed, RiskAssessed
from streams.contracts.dates import days_left
from streams.contracts.materials import MATERIALS
from streams.view.risk_document import assessed_document
from streams.view.view_layout import Position
from streams.view.view_reader import ViewAge


def measure_row(assessed: MeasureAssessed, *, now: datetime) -> dict[str, Any]:
    """Show a measure; `days_left` counts whole local days from `now` to the legal end, negative after it."""
    plain: dict[str, Any] = msgspec.to_builtins(assessed)
    end = assessed.legal_end
    return {
        "measure": assessed.measure,
        "instrument": assessed.instrument,
        "limb": assessed.limb,
        "issuer": assessed.issuer,
        "state": assessed.state.value,
        "legal_end": plain.get("legal_end"),
        "claimed_ends": sorted({claim["day"] for claim in plain.get("claimed_ends", [])}),
        "claims": plain.get("claimed_ends", []),
        "days_left": None if end is None else days_left(end, at=now, zone=assessed.zone),
        "operated": assessed.operated,
        "materials": list(assessed.materials),
        "targets": plain.get("targets"),
        "at": plain["at"],
        "causes": list(assessed.causes),
    }


def alert_row(alert: AlertChanged) -> dict[str, Any]:
    """Show an open alert in the shape of `rules backtest`, with its identity and causes."""
    plain: dict[str, Any] = msgspec.to_builtins(alert)
    return {
        "at": plain["at"],
        "rule": alert.rule,
        "labels": alert.labels,
        "from": alert.from_state.value,
        "to": alert.to_state.value,
        "severity": alert.severity,
        "summary": alert.summary,
        "values": alert.values,
        "thresholds": alert.thresholds,
        "fingerprint": alert.fingerprint,
        "occasion": alert.occasion,
        "step": alert.step,
        "materials": list(alert.materials),
        "causes": list(alert.causes),
        "runbook": alert.runbook,
    }


def material_rows(risks: Iterable[RiskAssessed]) -> list[dict[str, Any]]:
    """Group assessments by material; each keeps its aspect, labels, facts, and what is missing.

    `scores` has the score for each home in the shape of `risk show`.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    scores: dict[str, list[dict[str, Any]]] = {}
    for risk in risks:
        if risk.aspect == "score":
            scores.setdefault(risk.material, []).append(assessed_document(risk))
        plain: dict[str, Any] = msgspec.to_builtins(risk)
        row = {
            "aspect": risk.aspect,
            "at": plain["at"],
            "home": risk.home,
            "labels": risk.labels,
            "facts": risk.facts,
            "missing": list(risk.missing),
            "synthetic": risk.synthetic,
        }
        found.setdefault(risk.material, []).append(row)
    return [
        {"material": m, "symbol": MATERIALS.get(m), "assessments": rows, "scores": scores.get(m, [])}
        for m, rows in sorted(found.items())
    ]


def rule_set_rows(positions: Iterable[Position]) -> list[dict[str, Any]]:
    """Show which rule set holds in each partition, and which one that was applied is refused there."""
    return [{"partition": p.partition, **msgspec.to_builtins(p.rule_set)} for p in positions if p.rule_set is not None]


def refusal_in_words(positions: Iterable[Position]) -> str | None:
    """Say that the rule set applied last is refused and what holds instead; `None` where it is in force everywhere."""
    found = [(p, p.rule_set.refused) for p in positions if p.rule_set is not None and p.rule_set.refused is not None]
    if not found:
        return None
    position, refused = found[0]
    assert position.rule_set is not None
    reason = (refused.reason.splitlines() or ["no reason"])[0]
    places = ", ".join(str(p.partition) for p, _ in found)
    return (
        f"The rule set applied by {refused.by} at {refused.at:%Y-%m-%d %H:%M} UTC is refused in partition {places} "
        f"({reason}); the {position.rule_set.source} rules are in force. Mend it and run `monazite rules apply`, "
        "or `monazite rules apply --withdraw`; `monazite rules status` has more."
    )


def view_row(age: ViewAge, *, stale_after_seconds: float) -> dict[str, Any]:
    """Say which positions an answer reflects, how old it is, and whether to trust it."""
    return {
        "stale": age.is_stale(after_seconds=stale_after_seconds),
        "age_seconds": None if age.age_seconds is None else round(age.age_seconds, 3),
        "clock_at": age.clock_at,
        "positions": [{"stage": p.stage, "partition": p.partition, "position": p.position} for p in age.positions],
        "missing": [{"stage": stage, "partition": partition} for stage, partition in age.missing],
    }
