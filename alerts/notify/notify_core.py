"""The notify core: alert changes of one partition in, requested deliveries out.

Subscriptions and silences arrive as directives on the same log, so a replay decides as it was decided. A default
subscription writes every change to the structured log.
"""

from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from alerts.delivery.ledger import encode_entry, request_delivery
from alerts.notify.decision import DeliveryReason, NotificationState, decide_delivery, is_silenced
from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.directive import DirectiveGiven, Silence, Subscription
from streams.contracts.events import Event, Tick
from streams.contracts.reasons import DecodeError, RejectReason
from streams.runtime.event_items import take_events
from streams.runtime.stage_ports import Admitted, Outcome, StateStore

DEFAULT_TARGET = "structured-log"
DEFAULT_SUBSCRIPTION = Subscription(channel="log")


class KeptSubscription(msgspec.Struct, frozen=True, kw_only=True, tag="subscription"):
    """A subscription in force, by the target of its directive."""

    target: str
    subscription: Subscription


class KeptSilence(msgspec.Struct, frozen=True, kw_only=True, tag="silence"):
    """A silence that was asked for."""

    silence: Silence


NotifyStateValue: TypeAlias = KeptSubscription | KeptSilence | NotificationState
STATE_TYPES = NotifyStateValue
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(NotifyStateValue).decode


def encode_state(value: Any) -> bytes:
    """Encode one value of the state as MessagePack."""
    return _encode(value)


def decode_state(raw: bytes) -> NotifyStateValue:
    """Decode one value of the state; raises `msgspec.ValidationError` for what is none."""
    value: NotifyStateValue = _decode(raw)
    return value


class NotifyCore:
    """Decide the deliveries of one partition. `counts` says how often each reason was given, for metrics only."""

    def __init__(self, *, partition: int, store: StateStore) -> None:
        self.partition = partition
        self.counts: dict[DeliveryReason, int] = dict.fromkeys(DeliveryReason, 0)
        self._store = store
        self._outputs: list[bytes] = []
        self._subscriptions: dict[str, Subscription] = {DEFAULT_TARGET: DEFAULT_SUBSCRIPTION}
        self._silences: dict[bytes, Silence] = {}
        for key, value in store.items():
            if isinstance(value, KeptSubscription):
                self._subscriptions[value.target] = value.subscription
            elif isinstance(value, KeptSilence):
                self._silences[key] = value.silence

    def process(self, admitted: Admitted) -> Outcome:
        """Take one record of `alerts`; deterministic in the state and the record."""
        self._outputs = []
        dead = take_events(admitted.items, self._take)
        return Outcome(outputs=self._outputs, dead_letters=dead)

    def _take(self, event: Event) -> None:
        match event.data:
            case AlertChanged():
                self._changed(event.data)
            case DirectiveGiven():
                self._directed(event.data)
            case Tick():
                pass
            case _:
                raise DecodeError(reason=RejectReason.WRONG_TOPIC, field="/type", detail=f"{event.type} is no alert")

    def subscriptions(self) -> dict[str, Subscription]:
        """Return the subscriptions in force, the default one included."""
        return dict(self._subscriptions)

    def _directed(self, directive: DirectiveGiven) -> None:
        target = directive.target
        if directive.kind == "subscription":
            key = b"subscription/" + target.encode()
            if directive.withdrawn or directive.subscription is None:
                self._store.delete(key)
                self._subscriptions.pop(target, None)
                if target == DEFAULT_TARGET:
                    self._subscriptions[target] = DEFAULT_SUBSCRIPTION
            else:
                self._store.put(key, KeptSubscription(target=target, subscription=directive.subscription))
                self._subscriptions[target] = directive.subscription
        elif directive.kind == "silence":
            key = b"silence/" + target.encode()
            if directive.withdrawn or directive.silence is None:
                self._store.delete(key)
                self._silences.pop(key, None)
            else:
                self._store.put(key, KeptSilence(silence=directive.silence))
                self._silences[key] = directive.silence

    def _silenced(self, alert: AlertChanged, at: datetime) -> bool:
        labels = {**alert.labels, "rule": alert.rule, "fingerprint": alert.fingerprint}
        return is_silenced(labels, self._silences.values(), at=at)

    def _changed(self, alert: AlertChanged) -> None:
        silenced = self._silenced(alert, alert.at)
        for target in sorted(self._subscriptions):
            subscription = self._subscriptions[target]
            key = f"told/{alert.fingerprint}/{target}".encode()
            told: NotificationState | None = self._store.get(key)
            reason = decide_delivery(alert, subscription, told=told, silenced=silenced)
            self.counts[reason] += 1
            if reason.sends:
                entry = request_delivery(alert, target=target, subscription=subscription, reason=reason.value)
                self._outputs.append(encode_entry(entry))
            if reason is DeliveryReason.FIRING:
                self._store.put(key, NotificationState(occasion=alert.occasion, step=alert.step))
            elif told is not None and alert.to_state in (AlertState.OK, AlertState.NO_DATA):
                self._store.delete(key)
