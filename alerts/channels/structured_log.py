"""The structured log as a channel: one line per notice, with the fields of the row."""

from datetime import datetime
from typing import Any

import structlog

from alerts.delivery.channel_port import SendResult, Sent
from alerts.delivery.ledger import DeliveryRequest

_LEVELS = {"info": "info", "warning": "warning", "critical": "error"}


class StructuredLogChannel:
    """Write notices with structlog; `logger` is any structlog logger, `None` the configured one."""

    def __init__(self, logger: Any = None) -> None:
        self._logger = logger if logger is not None else structlog.get_logger("monazite.alerts")

    async def send(self, request: DeliveryRequest, *, delivery: str, at: datetime) -> SendResult:
        """Write one line; the severity is its level."""
        body = request.body
        data = body.get("data", {})
        write = getattr(self._logger, _LEVELS.get(data.get("severity") or "info", "info"))
        write(
            body.get("type", "alert"),
            summary=data.get("summary"),
            rule=data.get("rule"),
            severity=data.get("severity"),
            labels=data.get("labels"),
            occurred_at=data.get("at"),
            fingerprint=data.get("fingerprint"),
            delivery=delivery,
        )
        return Sent()
