"""Alerts and deliveries: what the rules agent and the notify agent say."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import msgspec

from streams.contracts.assessments import Fact


class AlertState(StrEnum):
    """Life of an alert. `no_data`: the facts needed are unknown; `stale`: they are too old; `error`: evaluating them
    failed. None of the three resolves anything."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"
    CLEARING = "clearing"
    NO_DATA = "no_data"
    STALE = "stale"
    ERROR = "error"


Severity = Literal["info", "warning", "critical"]


class AlertChanged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One alert moved from a state (or a step of its ladder) to another at an instant.

    `alert` is the id of this change, made of rule, entity and occasion (never of offsets or clocks); `fingerprint`
    identifies the alert by rule and key labels. `severity` is `None` when it is not firing. `occasion` names the end,
    the step or the event it is about; `values` and `thresholds` are what was compared; `causes` the ids of the events.
    `reason` is the named reason of the move (`alerts.lifecycle.alert_transitions.Reason`), empty in events of old.
    """

    alert: str
    fingerprint: str
    rule: str
    rule_hash: str
    labels: dict[str, str]
    at: datetime
    from_state: AlertState
    to_state: AlertState
    severity: Severity | None
    occasion: str
    summary: str
    description: str = ""
    step: str | None = None
    materials: tuple[str, ...] = ()
    values: dict[str, Fact] = msgspec.field(default_factory=dict)
    thresholds: dict[str, Fact] = msgspec.field(default_factory=dict)
    causes: tuple[str, ...] = ()
    runbook: str | None = None
    synthetic: bool = False
    reason: str = ""


class DeliveryChanged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of the delivery ledger. `delivery` is made of alert change and subscription.

    `state`: requested (before anything is sent), attempted (failed for now, next try at `next_attempt_at`),
    delivered, gave_up. `attempt` counts from 1, 0 for requested. `reason` is a named reason, `detail` bounded text.
    `payload` is what the channel is to send, as JSON text, so that what is signed is what was asked for, to the byte.
    `payload` is what a channel needs to send it, on `requested` only.
    """

    delivery: str
    alert: str
    subscription: str
    channel: Literal["log", "webhook"]
    state: Literal["requested", "attempted", "delivered", "gave_up"]
    at: datetime
    attempt: int = 0
    reason: str | None = None
    detail: str | None = None
    status_code: int | None = None
    next_attempt_at: datetime | None = None
    payload: dict[str, Any] | None = None
