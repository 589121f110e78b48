"""Who is told of a change: one pure decision per change and subscription, with a named reason."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec

from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.directive import Silence, Subscription
from streams.contracts.materials import expand

_RANK = {"info": 0, "warning": 1, "critical": 2}


class NotificationState(msgspec.Struct, frozen=True, kw_only=True, tag="told"):
    """What a subscription was last told of a firing alert: the occasion and step."""

    occasion: str
    step: str | None


class DeliveryReason(StrEnum):
    """Why a change is, or is not, sent to a subscription."""

    FIRING = "firing"
    RESOLVED = "resolved"
    NOT_NEWS = "not_news"
    ALREADY_TOLD = "already_told"
    NEVER_TOLD = "never_told"
    BELOW_SEVERITY = "below_severity"
    OTHER_RULE = "other_rule"
    OTHER_MATERIAL = "other_material"
    MATERIAL_UNKNOWN = "material_unknown"
    SILENCED = "silenced"

    @property
    def sends(self) -> bool:
        """Tell whether a notice is sent for this reason."""
        return self in (DeliveryReason.FIRING, DeliveryReason.RESOLVED)


def is_silenced(labels: dict[str, str], silences: Iterable[Silence], *, at: datetime) -> bool:
    """Tell whether a silence with all matchers equal holds at an instant (start included, end not)."""
    return any(
        s.starts_at <= at < s.ends_at and all(labels.get(name) == value for name, value in s.matchers.items())
        for s in silences
    )


def decide_delivery(
    alert: AlertChanged, subscription: Subscription, *, told: NotificationState | None, silenced: bool
) -> DeliveryReason:
    """Decide whether a subscription is told of a change.

    `told` is what it was told of this alert while it fires, `None` for nothing. The resolved notice goes to exactly
    those who were told that it fires, whatever their filter has become.
    """
    if alert.to_state is AlertState.OK:
        if alert.from_state not in (AlertState.FIRING, AlertState.CLEARING):
            return DeliveryReason.NOT_NEWS
        return DeliveryReason.RESOLVED if told is not None else DeliveryReason.NEVER_TOLD
    if alert.to_state is not AlertState.FIRING or alert.severity is None:
        return DeliveryReason.NOT_NEWS
    if told == NotificationState(occasion=alert.occasion, step=alert.step):
        return DeliveryReason.ALREADY_TOLD
    if subscription.rules and alert.rule not in subscription.rules:
        return DeliveryReason.OTHER_RULE
    if _RANK[alert.severity] < _RANK[subscription.severity]:
        return DeliveryReason.BELOW_SEVERITY
    if subscription.materials:
        if not alert.materials:
            return DeliveryReason.MATERIAL_UNKNOWN
        if not set(expand(subscription.materials)) & set(expand(alert.materials)):
            return DeliveryReason.OTHER_MATERIAL
    return DeliveryReason.SILENCED if silenced else DeliveryReason.FIRING
