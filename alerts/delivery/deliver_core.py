"""The deliver core: the ledger of one partition in, the deliveries still open as state. It sends nothing itself."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from alerts.delivery.ledger import DeliveryRequest, read_request
from streams.contracts.alert import DeliveryChanged
from streams.contracts.events import Event
from streams.contracts.reasons import DecodeError, RejectReason
from streams.runtime.event_items import take_events
from streams.runtime.stage_ports import Admitted, Outcome, StateStore

_PREFIX = b"delivery/"
MAX_CLOSED = 1_000
"""Ended deliveries kept. What notify asks again after a crash is known by its origin, however long ago it ended; these
are for single entries, which are repeated within moments."""


class OpenDelivery(msgspec.Struct, frozen=True, kw_only=True, tag="open", omit_defaults=True):
    """A delivery that is neither delivered nor given up; `attempt` is the last one made, 0 for none."""

    delivery: str
    alert: str
    subscription: str
    channel: str
    request: DeliveryRequest
    next_attempt_at: datetime
    attempt: int = 0


class ClosedDelivery(msgspec.Struct, frozen=True, kw_only=True, tag="closed"):
    """A delivery that ended; kept for a while, so that a repeated request does not open it again.

    `number` counts the deliveries that ended in the partition: the newest are kept.
    """

    delivery: str
    state: str
    attempt: int
    number: int = 0


class LedgerOrigin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="origin"):
    """How far the requests of notify were read: the place of the last linked record, `o` an offset in `signals`."""

    o: int
    n: int = 0


DeliverStateValue: TypeAlias = OpenDelivery | ClosedDelivery | LedgerOrigin
STATE_TYPES = DeliverStateValue
_json_encode = msgspec.json.Encoder().encode
_json_decode = msgspec.json.Decoder(DeliverStateValue).decode


def encode_state(value: Any) -> bytes:
    """Encode one value of the state as JSON: the body of a notice is JSON."""
    return _json_encode(value)


def decode_state(raw: bytes) -> DeliverStateValue:
    """Decode one value of the state; raises `msgspec.ValidationError` for what is none."""
    value: DeliverStateValue = _json_decode(raw)
    return value


class DeliverCore:
    """Fold the ledger of one partition."""

    def __init__(self, *, partition: int, store: StateStore) -> None:
        self.partition = partition
        self._store = store
        values = [value for _, value in store.items()]
        self._open = {v.delivery: v for v in values if isinstance(v, OpenDelivery)}
        closed = sorted((v.number, v.delivery) for v in values if isinstance(v, ClosedDelivery))
        self._closed = deque(delivery for _, delivery in closed)
        self._closed_count = closed[-1][0] if closed else 0

    def process(self, admitted: Admitted) -> Outcome:
        """Take entries of the ledger; an entry not newer than what is known of its delivery changes nothing."""
        return Outcome(dead_letters=take_events(admitted.items, self._take))

    def _take(self, event: Event) -> None:
        if not isinstance(event.data, DeliveryChanged):
            raise DecodeError(reason=RejectReason.WRONG_TOPIC, field="/type", detail=f"{event.type} is no delivery")
        try:
            self._fold(event.data)
        except msgspec.ValidationError as error:
            raise DecodeError(reason=RejectReason.WRONG_TYPE, field="/data/payload", detail=str(error)[:200]) from error

    def open_deliveries(self, *, due_at: datetime | None = None) -> Sequence[OpenDelivery]:
        """Return the open deliveries, soonest first; with `due_at` only those whose next attempt is due by then.

        A first attempt is due at once: it carries event time, which a replay to the end of today has ahead of the wall
        clock (seen: `make demo` waited for deliveries until the evening).
        """
        found = [d for d in self._open.values() if due_at is None or d.attempt == 0 or d.next_attempt_at <= due_at]
        return sorted(found, key=lambda d: (d.next_attempt_at, d.delivery))

    def _fold(self, entry: DeliveryChanged) -> None:
        key = _PREFIX + entry.delivery.encode()
        known: OpenDelivery | ClosedDelivery | None = self._store.get(key)
        if isinstance(known, ClosedDelivery):
            return
        if entry.state == "requested":
            request = read_request(entry)
            if known is None and request is not None:
                self._keep(
                    key,
                    OpenDelivery(
                        delivery=entry.delivery,
                        alert=entry.alert,
                        subscription=entry.subscription,
                        channel=entry.channel,
                        request=request,
                        next_attempt_at=entry.at,
                    ),
                )
            return
        if entry.state == "attempted":
            if known is not None and entry.attempt > known.attempt:
                due = entry.next_attempt_at or entry.at
                self._keep(key, msgspec.structs.replace(known, attempt=entry.attempt, next_attempt_at=due))
            return
        self._open.pop(entry.delivery, None)
        self._closed_count += 1
        self._store.put(
            key,
            ClosedDelivery(
                delivery=entry.delivery, state=entry.state, attempt=entry.attempt, number=self._closed_count
            ),
        )
        self._closed.append(entry.delivery)
        while len(self._closed) > MAX_CLOSED:
            self._store.delete(_PREFIX + self._closed.popleft().encode())

    def _keep(self, key: bytes, delivery: OpenDelivery) -> None:
        self._store.put(key, delivery)
        self._open[delivery.delivery] = delivery
