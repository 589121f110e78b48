"""A signed webhook (Standard Webhooks): `webhook-id`, `webhook-timestamp`, `webhook-signature` over the exact body.

The id is the delivery's and stays the same over retries, so a receiver that remembers ids counts a notice once.
Redirects are refused: a signed notice goes to the address that was subscribed, or nowhere.
"""

from collections.abc import Callable
from datetime import datetime

import httpx
import msgspec
from standardwebhooks import Webhook

from alerts.channels.secrets import SecretsError
from alerts.delivery.channel_port import PermanentFailure, SendReason, SendResult, Sent, TemporaryFailure
from alerts.delivery.ledger import DeliveryRequest

TIMEOUT_SECONDS = 10.0
MAX_RESPONSE_BYTES = 16 * 1024
_MAX_RETRY_AFTER_SECONDS = 3_600.0
_TRY_AGAIN = frozenset({408, 409, 423, 425})
"""Request timeout, conflict, locked, too early: states that pass by themselves."""


def sign_notice(*, secret: str, delivery: str, body: bytes, at: datetime) -> dict[str, str]:
    """Return the three headers of Standard Webhooks for a body sent at an instant.

    Raises `ValueError` for a secret that is no base64, and the library's error for an empty one.
    """
    signature = Webhook(secret).sign(msg_id=delivery, timestamp=at, data=body.decode())
    return {
        "webhook-id": delivery,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


def result_of_status(status_code: int, *, detail: str, retry_after: str | None) -> SendResult:
    """Read an HTTP status: 2xx is taken, 3xx and most 4xx are final, 5xx and a few 4xx pass."""
    if 200 <= status_code < 300:
        return Sent(status_code=status_code)
    if 300 <= status_code < 400:
        return PermanentFailure(
            reason=SendReason.REDIRECT_REFUSED,
            status_code=status_code,
            detail="the address answers with a redirect: subscribe the address it points to",
        )
    if status_code == 429 or status_code in _TRY_AGAIN or status_code >= 500:
        seconds = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
        return TemporaryFailure(
            reason=SendReason.RATE_LIMITED if status_code == 429 else SendReason.SERVER_ERROR,
            detail=detail,
            status_code=status_code,
            retry_after_seconds=min(seconds, _MAX_RETRY_AFTER_SECONDS) if seconds is not None else None,
        )
    reason = SendReason.GONE if status_code == 410 else SendReason.REFUSED
    return PermanentFailure(reason=reason, detail=detail, status_code=status_code)


class WebhookChannel:
    """Send notices over HTTP with a client of the caller, who also closes it; `find_secret` looks a secret up."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        find_secret: Callable[[str], str | None],
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._client = client
        self._find_secret = find_secret
        self._timeout = timeout_seconds

    async def send(self, request: DeliveryRequest, *, delivery: str, at: datetime) -> SendResult:
        """Sign and post one notice; never raises for what the receiver, the network or the secrets file does."""
        if request.url is None:
            return PermanentFailure(reason=SendReason.NO_ADDRESS, detail="the subscription has no address")
        body = msgspec.json.encode(request.body)  # the same bytes at every attempt: a mapping keeps its order
        try:
            secret = self._find_secret(request.secret_ref) if request.secret_ref else None
            if secret is None:
                return TemporaryFailure(
                    reason=SendReason.NO_SECRET,
                    detail=f"no secret named {request.secret_ref!r} here: put it into the secrets file of this worker",
                )
            headers = sign_notice(secret=secret, delivery=delivery, body=body, at=at)
        except (SecretsError, ValueError, OSError) as error:
            return TemporaryFailure(reason=SendReason.NO_SECRET, detail=str(error)[:300])
        return await self._post(request.url, body, headers)

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> SendResult:
        sent = {**headers, "content-type": "application/json", "user-agent": "monazite"}
        try:
            async with self._client.stream(
                "POST", url, content=body, headers=sent, timeout=self._timeout, follow_redirects=False
            ) as response:
                answer = await _bounded(response)
                return result_of_status(
                    response.status_code, detail=answer, retry_after=response.headers.get("retry-after")
                )
        except httpx.TimeoutException as error:
            return TemporaryFailure(reason=SendReason.TIMEOUT, detail=f"{type(error).__name__} after {self._timeout} s")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            return PermanentFailure(reason=SendReason.INVALID_ADDRESS, detail=str(error)[:300])
        except httpx.HTTPError as error:
            return TemporaryFailure(
                reason=SendReason.CONNECTION_FAILED, detail=f"{type(error).__name__}: {error}"[:300]
            )


async def _bounded(response: httpx.Response) -> str:
    """Read at most `MAX_RESPONSE_BYTES` of an answer and return its start as text."""
    read = bytearray()
    async for chunk in response.aiter_bytes(1024):
        read += chunk
        if len(read) >= MAX_RESPONSE_BYTES:
            break
    return bytes(read[:300]).decode("utf-8", "replace")
