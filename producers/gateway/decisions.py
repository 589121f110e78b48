"""What the gateway answers for each event of a request. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from producers.gateway.keys import Scope
from streams.contracts.codec import decode_event
from streams.contracts.events import Event, family_of
from streams.contracts.reasons import DecodeError, RejectReason
from streams.contracts.topics import FAMILY_TOPICS

SCOPE_MISSING = "scope_missing"


class Status(StrEnum):
    """What becomes of an event. `late` is accepted too: its `time` lies further back than the gateway's lateness."""

    ACCEPTED = "accepted"
    LATE = "late"
    DUPLICATE = "duplicate"
    INVALID = "invalid"


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The answer for one event: `index` in the request; `event` is `None` where it is invalid.

    `reason` is a reason code, `field` a JSON pointer into the event, for invalid ones only.
    """

    index: int
    status: Status
    raw: bytes
    event: Event | None = None
    reason: str | None = None
    field: str | None = None
    detail: str | None = None

    def shown(self) -> dict[str, Any]:
        """Return what the caller sees."""
        body: dict[str, Any] = {"index": self.index, "status": self.status.value}
        if self.event is not None:
            body |= {"source": self.event.source, "id": self.event.id}
        return body | {
            name: value
            for name in ("reason", "field", "detail")
            if (value := getattr(self, name)) is not None
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What an event may be: see `GatewaySettings`."""

    scopes: frozenset[Scope]
    late_after: timedelta
    max_ahead: timedelta


def evaluate_events(raws: Sequence[bytes | msgspec.Raw], *, received_at: datetime, limits: Limits) -> list[Result]:
    """Decode and check each event; the second of one identity in a request is a duplicate of the first."""
    results: list[Result] = []
    identities: set[tuple[str, str]] = set()
    for index, raw in enumerate(raws):
        try:
            event = _checked(raw, received_at=received_at, limits=limits)
        except DecodeError as error:
            reason = SCOPE_MISSING if isinstance(error, _ScopeMissingError) else error.reason.value
            results.append(
                Result(
                    index=index,
                    status=Status.INVALID,
                    raw=bytes(raw),
                    reason=reason,
                    field=error.field,
                    detail=error.detail,
                )  # fmt: skip
            )
            continue
        status = Status.LATE if event.occurred_at < received_at - limits.late_after else Status.ACCEPTED
        if (event.source, event.id) in identities:
            status = Status.DUPLICATE
        identities.add((event.source, event.id))
        results.append(Result(index=index, status=status, raw=bytes(raw), event=event))
    return results


def marked_duplicates(results: Sequence[Result], *, known: Sequence[bool]) -> list[Result]:
    """Return the results with those events as duplicates that are known; `known` goes by the events to publish."""
    answers = iter(known)
    return [
        replace(result, status=Status.DUPLICATE) if is_to_publish(result) and next(answers) else result
        for result in results
    ]


def is_to_publish(result: Result) -> bool:
    """Tell whether an event goes to the broker."""
    return result.status in (Status.ACCEPTED, Status.LATE)


class _ScopeMissingError(DecodeError):
    """The key may not send events of this family."""


def _checked(raw: bytes | msgspec.Raw, *, received_at: datetime, limits: Limits) -> Event:
    event = decode_event(raw, recorded_at=received_at)
    family = family_of(event.type)
    if family not in FAMILY_TOPICS:
        raise DecodeError(
            reason=RejectReason.WRONG_TOPIC, field="/type", detail=f"{event.type} is written by the road itself"
        )
    needed = Scope.DIRECTIVES if family == "directive" else Scope.EVENTS
    if needed not in limits.scopes:
        raise _ScopeMissingError(
            reason=RejectReason.WRONG_TOPIC, field="/type", detail=f"the key needs the scope {needed.value!r} for this"
        )
    if event.recorded_at > received_at + limits.max_ahead:
        raise DecodeError(
            reason=RejectReason.OUT_OF_RANGE, field="/recordedtime",
            detail=f"lies ahead of our clock ({received_at.isoformat()}); leave it out, or check yours",
        )  # fmt: skip
    return event
