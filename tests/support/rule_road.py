"""Builders for rule tests: assessments, ticks, directives, and a rules core driven by hand."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from alerts.engine.rules_core import RulesCore, decode_state, encode_state
from alerts.notify.directive_requests import build_rule_set
from alerts.rules.loader import load_texts
from alerts.rules.ruleset import Rules
from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import ClaimedEnd, Fact, LegalState, MeasureAssessed, RiskAssessed
from streams.contracts.codec import decode_event, encode_event
from streams.contracts.directive import DirectiveGiven
from streams.contracts.events import Event, Payload, Tick, subject_of
from streams.runtime.stage_ports import Admitted, InMemoryStateStore
from tests.support.stores import recovered

T0 = datetime(2026, 1, 1, tzinfo=UTC)

LADDER = """
groups:
  - name: test
    rules:
      - id: ladder
        kind: deadline
        on: measure
        where: state in ["suspended", "lapsed_unconfirmed"]
        date: legal_end
        ladder:
          - {before: 30d, severity: info}
          - {before: 7d, severity: warning}
          - {before: 0d, severity: critical}
        passed: {severity: critical, repeat: 1d, when: state == "lapsed_unconfirmed"}
        annotations: {summary: "{measure} {days_left:days}", resolved: "{measure} {state} {legal_end}"}
"""


def rules_from(text: str) -> Rules:
    """Load rules from a text."""
    return load_texts([("test.yaml", text)])


def threshold_rules(**fields: object) -> Rules:
    """Load one threshold rule on `price`; `fields` replace or add to the usual ones."""
    rule = {
        "id": "price-high", "kind": "threshold", "on": "price", "fact": "last_amount", "above": 100.0,
        "severity": "warning", "annotations": {"summary": "{material} {value:number}"}, **fields,
    }  # fmt: skip
    document = {"groups": [{"name": "test", "rules": [{k: v for k, v in rule.items() if v is not None}]}]}
    return rules_from(msgspec.json.encode(document).decode())


def text_of(*rules: dict[str, Any]) -> str:
    """Write rules given as data as the text of a rule file; `annotations` need not be given."""
    told = [{"annotations": {"summary": "{labels}"}, **rule} for rule in rules]
    return msgspec.json.encode({"groups": [{"name": "test", "rules": told}]}).decode()


def rules_with(*rules: dict[str, Any]) -> Rules:
    """Load rules given as data."""
    return rules_from(text_of(*rules))


def rule_set(*rules: dict[str, Any]) -> DirectiveGiven:
    """Build the directive that puts rules given as data in force."""
    text = text_of(*rules)
    return build_rule_set(text, content_hash=rules_from(text).content_hash, by="ada")


def measure(
    at: datetime, *, state: str = "suspended", legal_end: date | None = date(2026, 3, 31), zone: str = "Asia/Shanghai",
    measure: str = "CN-2025-57", claimed: Iterable[date] = (), cause: str = "e1", **fields: Any,
) -> MeasureAssessed:  # fmt: skip
    """Build an assessment of a suspended measure, its lapse at local midnight after the last day."""
    lapse = None
    if legal_end is not None:
        local = datetime.combine(legal_end + timedelta(days=1), time.min, tzinfo=ZoneInfo(zone))
        lapse = local.astimezone(UTC)
    known: dict[str, Any] = {"previous_state": None, "kind": "licence_requirement", "materials": ("dysprosium",)}
    claims = tuple(ClaimedEnd(day=d, speaker="An official", claim="C1", legal_force="statement") for d in claimed)
    return MeasureAssessed(
        measure=measure, at=at, state=LegalState(state), instrument="Announcement 70", issuer="MOFCOM", zone=zone,
        legal_end=legal_end, lapse_at=lapse, claimed_ends=claims, causes=(cause,), **{**known, **fields},
    )  # fmt: skip


def price(at: datetime, amount: Fact, **fields: Any) -> RiskAssessed:
    """Build a price assessment of one dysprosium series."""
    return RiskAssessed(
        material="dysprosium", aspect="price", at=at, labels={"basis": "FOB China"}, facts={"last_amount": amount},
        causes=(f"q-{at.isoformat()}",), **fields,
    )  # fmt: skip


def as_item(data: Payload | datetime, *, at: datetime | None = None) -> msgspec.Raw:
    """Encode an assessment, a directive (given at `at`) or a tick (an instant) as it stands on the log."""
    payload: Payload = Tick() if isinstance(data, datetime) else data
    instant = data if isinstance(data, datetime) else at or payload.at  # type: ignore[union-attr]
    subject = subject_of(payload)
    event = Event(
        id=f"{subject}/{instant.isoformat()}", source="test", subject=subject, occurred_at=instant,
        recorded_at=instant, data=payload,
    )  # fmt: skip
    return msgspec.Raw(encode_event(event))


class RuleRoad:
    """A rules core fed by hand; `restart` makes a new one from the encoded state, as a recovery does."""

    def __init__(self, rules: Rules, *, cached: bool = True) -> None:
        self.rules = rules
        self.store = InMemoryStateStore()
        self.core = RulesCore(partition=0, rules=rules, store=self.store, cached=cached)
        self.outputs: list[bytes] = []
        self.position = -1

    def take(
        self, *items: Payload | datetime, at: datetime | None = None, watermark: datetime | None = None
    ) -> list[AlertChanged]:
        """Feed items as one record, each an event of its own; return the alert changes it made.

        `watermark` is how far the inputs have come with the record; without one the items are the time, as in a replay.
        """
        self.position += 1
        encoded = [as_item(item, at=at) for item in items]
        outcome = self.core.process(Admitted(position=self.position, items=encoded, now=watermark))
        assert not outcome.dead_letters, outcome.dead_letters
        self.outputs += outcome.outputs
        return alerts_in(outcome.outputs)

    def refused(self, item: bytes) -> list[str]:
        """Feed one item as it stands; return the reasons of the dead letters it became."""
        outcome = self.core.process(Admitted(position=0, items=[msgspec.Raw(item)]))
        self.outputs += outcome.outputs
        return [letter.reason for letter in outcome.dead_letters]

    def direct(self, directive: DirectiveGiven, *, at: datetime) -> list[AlertChanged]:
        """Feed a directive given at an instant."""
        return self.take(directive, at=at)

    def restart(self) -> None:
        """Drop the core, take the state through its wire form, and build a new core on it."""
        self.store = recovered(self.store, encode=encode_state, decode=decode_state)
        self.core = RulesCore(partition=0, rules=self.rules, store=self.store)

    def changes(self) -> list[AlertChanged]:
        """Return all alert changes so far."""
        return alerts_in(self.outputs)


def alerts_in(outputs: Iterable[bytes]) -> list[AlertChanged]:
    """Pick the alert changes out of outputs."""
    return [data for raw in outputs if isinstance(data := decode_event(raw).data, AlertChanged)]
