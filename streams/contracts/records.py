"""Frames of the records on the internal logs: what stands around the events, not the events themselves.

`signals` holds `SignalRecord`s written by intake (segments) and by tickers (ticks); the logs behind it hold
`LinkedRecord`s, whose two numbers let a reader drop repeats and notice a hole without any other store.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """The share of one input record that goes to one partition of `signals`.

    Intake never splits this share over two records, so one offset per origin partition suffices to recognise a
    segment that was admitted before. `indexes[i]` is the index of `events[i]` within the input record.
    """

    topic: str
    partition: int
    offset: int
    indexes: Sequence[int]
    events: Sequence[msgspec.Raw]


class SignalRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record of `signals`: admitted segments in the order that counts, or instants (ticks), never both."""

    segments: Sequence[Segment] = ()
    ticks: Sequence[datetime] = ()


class LinkedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One record of `assessments` or `alerts`.

    `o` is the offset in `signals` (same partition) that the outputs come from; `prev` is the `o` of the output
    record before this one, `None` for the first of a partition. `x` are CloudEvents in structured form.
    """

    o: int
    prev: int | None
    x: Sequence[msgspec.Raw]


encode = msgspec.json.Encoder().encode
decode_signal = msgspec.json.Decoder(SignalRecord).decode
decode_linked = msgspec.json.Decoder(LinkedRecord).decode
