"""From an HTTP request to CloudEvents in structured form: the three modes of the HTTP binding. Pure.

CloudEvents 1.0.2 HTTP protocol binding: structured and batched mode are told by the content type, binary mode by
`ce-` headers, whose values are percent-encoded (section 3.1.3.2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote_to_bytes

import msgspec

from streams.contracts.codec import BATCH_TYPE, STRUCTURED_TYPE, split_record
from streams.contracts.reasons import DecodeError, RejectReason


class Mode(StrEnum):
    """Content mode of a request."""

    STRUCTURED = "structured"
    BATCH = "batch"
    BINARY = "binary"


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """The events of a request, undecoded, and the mode they came in."""

    mode: Mode
    events: Sequence[bytes | msgspec.Raw]


def mode_of(headers: Mapping[str, str]) -> Mode | None:
    """Return the content mode; `None` for a request that is no CloudEvent. Header names are lower case."""
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == BATCH_TYPE:
        return Mode.BATCH
    if content_type == STRUCTURED_TYPE:
        return Mode.STRUCTURED
    if "ce-specversion" in headers or "ce-id" in headers:
        return Mode.BINARY
    return None


def receive(body: bytes, *, headers: Mapping[str, str], mode: Mode, max_bytes: int) -> Received:
    """Split a request body into events; raises `DecodeError` for one that as a whole cannot be any."""
    if mode is Mode.BINARY:
        attributes = [
            (f"ce_{name.removeprefix('ce-')}", unquote_to_bytes(value))
            for name, value in headers.items()
            if name.startswith("ce-")
        ]
        return Received(mode=mode, events=split_record(body, attributes, max_bytes=max_bytes))
    events = split_record(body, max_bytes=max_bytes)
    is_list = body.lstrip()[:1] == b"["
    if is_list != (mode is Mode.BATCH):
        found, wanted = ("a list", mode) if is_list else ("no list", mode)
        raise DecodeError(
            reason=RejectReason.INVALID_ENVELOPE,
            field="",
            detail=f"sent as {wanted}, but the body is {found}",
        )
    return Received(mode=mode, events=events)
