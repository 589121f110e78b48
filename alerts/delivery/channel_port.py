"""What a channel is: it takes a notice and says how it went, as a value; it raises nothing."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from alerts.delivery.ledger import DeliveryRequest


class SendReason(StrEnum):
    """Why a notice was, or was not, taken."""

    ACCEPTED = "accepted"
    TIMEOUT = "timeout"
    CONNECTION_FAILED = "connection_failed"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    REDIRECT_REFUSED = "redirect_refused"
    REFUSED = "refused"
    GONE = "gone"
    NO_ADDRESS = "no_address"
    NO_SECRET = "no_secret"  # noqa: S105 - a reason, no secret
    INVALID_ADDRESS = "invalid_address"
    NO_CHANNEL = "no_channel"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """The receiver has it."""

    status_code: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TemporaryFailure:
    """Try again later; `retry_after_seconds` is what the receiver asked for."""

    reason: SendReason
    detail: str
    status_code: int | None = None
    retry_after_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PermanentFailure:
    """Trying again would not help."""

    reason: SendReason
    detail: str
    status_code: int | None = None


SendResult: TypeAlias = Sent | TemporaryFailure | PermanentFailure


class Channel(Protocol):
    """A way to tell people."""

    async def send(self, request: DeliveryRequest, *, delivery: str, at: datetime) -> SendResult:
        """Send a notice at an instant; `delivery` is its stable id over all attempts."""
