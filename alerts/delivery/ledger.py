"""Entries of the delivery ledger: how they are named, and what a request carries."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from streams.contracts.alert import AlertChanged, DeliveryChanged
from streams.contracts.codec import encode_batch, encode_event, split_record
from streams.contracts.directive import Subscription
from streams.contracts.events import Event
from streams.contracts.reasons import DecodeError
from streams.contracts.records import OutputPosition, decode_linked

SOURCE = "monazite/notify"


class DeliveryRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a channel needs: the body, and for a webhook the address and the name of its secret, never the secret."""

    body: dict[str, Any]
    url: str | None = None
    secret_ref: str | None = None


def alert_row(alert: AlertChanged) -> dict[str, Any]:
    """Return the public row: `at, rule, labels, from, to, severity, summary, values` (docs/surface.md 2)."""
    return {
        "at": alert.at,
        "rule": alert.rule,
        "labels": alert.labels,
        "from": alert.from_state.value,
        "to": alert.to_state.value,
        "severity": alert.severity,
        "summary": alert.summary,
        "values": alert.values,
        "alert": alert.alert,
        "fingerprint": alert.fingerprint,
        "step": alert.step,
        "occasion": alert.occasion,
        "materials": list(alert.materials),
        "thresholds": alert.thresholds,
        "causes": list(alert.causes),
        "runbook": alert.runbook,
        "synthetic": alert.synthetic,
    }


def notice_body(alert: AlertChanged, *, reason: str) -> dict[str, Any]:
    """Return the body of a notice, in the shape Standard Webhooks recommends: `type`, `timestamp`, `data`."""
    data = {**alert_row(alert), "description": alert.description}
    body: dict[str, Any] = msgspec.to_builtins({"type": f"alert.{reason}", "timestamp": alert.at, "data": data})
    return body


def delivery_id(alert: str, subscription: str) -> str:
    """Name a delivery: the change and the subscription, so that asking twice is asking once."""
    return f"{alert}.{subscription}"


def request_delivery(alert: AlertChanged, *, target: str, subscription: Subscription, reason: str) -> DeliveryChanged:
    """Make the entry `requested`, which is in the ledger before anything is sent."""
    request = DeliveryRequest(
        body=notice_body(alert, reason=reason), url=subscription.url, secret_ref=subscription.secret_ref or target
    )
    return DeliveryChanged(
        delivery=delivery_id(alert.alert, target),
        alert=alert.alert,
        subscription=target,
        channel=subscription.channel,
        state="requested",
        at=alert.at,
        reason=reason,
        payload=msgspec.to_builtins(request),
    )


def read_request(entry: DeliveryChanged) -> DeliveryRequest | None:
    """Read what a `requested` entry carries, `None` for the other states; raises `msgspec.ValidationError`."""
    return msgspec.convert(entry.payload, DeliveryRequest) if entry.payload is not None else None


def ledger_event(entry: DeliveryChanged) -> Event:
    """Wrap an entry as an event; its id is made of delivery, attempt and state."""
    return Event(
        id=f"{entry.delivery}/{entry.attempt}/{entry.state}",
        source=SOURCE,
        subject=entry.delivery,
        occurred_at=entry.at,
        recorded_at=entry.at,
        data=entry,
    )


class LedgerRecord(NamedTuple):
    """A record of the ledger, split. `origin`: the place in its log that requests stand at, `None` for senders."""

    origin: OutputPosition | None
    entries: Sequence[bytes | msgspec.Raw]


def split_ledger_record(value: bytes) -> LedgerRecord:
    """Split a record of the ledger: what notify asked for, a batch of a sender, or one entry.

    A record that is none of these comes back whole: whoever decodes it says what is wrong with it.
    """
    try:
        if value.startswith(b'{"o":'):
            linked = decode_linked(value)
            return LedgerRecord(linked.place, linked.x)
        if value.startswith(b"["):
            return LedgerRecord(None, split_record(value))
    except (msgspec.DecodeError, DecodeError):
        pass
    return LedgerRecord(None, (value,))


def encode_entries(entries: Sequence[DeliveryChanged]) -> bytes:
    """Encode what became of several deliveries as one record; a single one as itself."""
    if len(entries) == 1:
        return encode_entry(entries[0])
    return encode_batch(ledger_event(entry) for entry in entries)


def encode_entry(entry: DeliveryChanged) -> bytes:
    """Encode an entry for the ledger topic."""
    return encode_event(ledger_event(entry))
