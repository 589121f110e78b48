"""The sender: takes open deliveries, sends them through their channels, gives back the ledger entries to write."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from alerts.delivery.channel_port import (
    Channel,
    PermanentFailure,
    SendReason,
    SendResult,
    Sent,
)
from alerts.delivery.deliver_core import OpenDelivery
from alerts.delivery.schedule import RetrySchedule
from streams.contracts.alert import DeliveryChanged

CONCURRENT_SENDS = 16


def entry_of(delivery: OpenDelivery, result: SendResult, *, at: datetime, schedule: RetrySchedule) -> DeliveryChanged:
    """Say in the ledger how an attempt at `at` went. Pure."""
    attempt = delivery.attempt + 1
    known: dict[str, Any] = {
        "delivery": delivery.delivery,
        "alert": delivery.alert,
        "subscription": delivery.subscription,
        "channel": delivery.channel,
        "at": at,
        "attempt": attempt,
        "status_code": result.status_code,
    }
    if isinstance(result, Sent):
        return DeliveryChanged(state="delivered", reason=SendReason.ACCEPTED.value, **known)
    known["detail"] = result.detail[:300]
    if isinstance(result, PermanentFailure):
        return DeliveryChanged(state="gave_up", reason=result.reason.value, **known)
    wait = schedule.delay(attempt, delivery=delivery.delivery, asked_seconds=result.retry_after_seconds)
    if wait is None:
        known["detail"] = f"{result.reason.value}: {known['detail']}"
        return DeliveryChanged(state="gave_up", reason=SendReason.ATTEMPTS_EXHAUSTED.value, **known)
    return DeliveryChanged(state="attempted", reason=result.reason.value, next_attempt_at=at + wait, **known)


class Sender:
    """Send deliveries, at most `CONCURRENT_SENDS` at a time. `channels` by name; `clock` gives the present instant."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        *,
        clock: Callable[[], datetime],
        schedule: RetrySchedule | None = None,
    ) -> None:
        self._channels = channels
        self._clock = clock
        self._schedule = schedule or RetrySchedule()
        self._slots = asyncio.Semaphore(CONCURRENT_SENDS)

    async def send(self, deliveries: Sequence[OpenDelivery]) -> list[DeliveryChanged]:
        """Make one attempt at each delivery and return one ledger entry each, in the same order."""
        return list(await asyncio.gather(*(self.attempt(d) for d in deliveries)))

    async def attempt(self, delivery: OpenDelivery) -> DeliveryChanged:
        """Make one attempt at a delivery and return its ledger entry."""
        async with self._slots:
            channel = self._channels.get(delivery.channel)
            result: SendResult
            if channel is None:
                detail = f"this worker has no channel {delivery.channel!r}"
                result = PermanentFailure(reason=SendReason.NO_CHANNEL, detail=detail)
            else:
                result = await channel.send(delivery.request, delivery=delivery.delivery, at=self._clock())
            return entry_of(delivery, result, at=self._clock(), schedule=self._schedule)
