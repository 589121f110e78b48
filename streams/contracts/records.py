"""Frames of the records on the internal logs: what stands around the events, not the events themselves.

`signals` holds `SignalRecord`s written by intake; the logs behind it hold `LinkedRecord`s, whose two numbers let a
reader drop repeats and notice a hole without any other store.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeAlias

import msgspec


class Segment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The share of one input record that goes to one partition of `signals`.

    Intake never splits this share over two records, so one offset per origin partition suffices to recognise a
    segment that was admitted before. `indexes[i]` is the index of `events[i]` within the input record. `at` is when the
    broker appended the input record, in milliseconds since 1970; 0 where events bring their instants (a replay).
    """

    topic: str
    partition: int
    offset: int
    indexes: Sequence[int]
    events: Sequence[msgspec.Raw]
    at: int = 0


class Statement(msgspec.Struct, frozen=True, array_like=True):
    """What an intake worker knows of its inputs: all that the broker had up to an instant was admitted.

    `up_to`: milliseconds since 1970, 0 for not known yet (a sign of life). `owned`: the partitions it speaks for of
    each topic of `streams.contracts.topics.INPUTS`, in that order, as a bit mask in hexadecimal (bit 0 is partition 0).
    `counts`: how many partitions each topic has, so that a reader knows whom it waits for.
    """

    up_to: int
    owned: Sequence[str]
    counts: Sequence[int]


class SignalRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record of `signals`: admitted segments in the order that counts, and how far its writer has come.

    `ticks` are instants that a replay states for all inputs; `w` is the statement of a live intake worker, `s` the
    broker-side milliseconds at which it was written as far as the worker knows (0: not known). `i` names the life of
    the worker that wrote it, `q` counts its records with segments in this partition, this one included: a reader that
    misses a number has lost a record, while offsets alone have gaps where bare statements were compacted away.
    """

    segments: Sequence[Segment] = ()
    ticks: Sequence[datetime] = ()
    w: Statement | None = None
    s: int = 0
    i: str = ""
    q: int = 0


OutputPosition: TypeAlias = tuple[int, int]
"""A record of a linked log: the offset in `signals` it comes from, and its number among those of that offset."""

NOWHERE: Final = (-1, 0)
"""The place before the first record."""


class LinkedRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record of `assessments` or `alerts`.

    `o` is the offset in `signals` (same partition) that the outputs come from; `prev` is the `o` of the output
    record before this one, `None` for the first of a partition. `x` are CloudEvents in structured form. `e`: how many
    of them each event or timer gave, in order; empty for one each. `w`: the watermark of the partition after them, in
    milliseconds since 1970, 0 for none. `stalled`: the inputs that time goes on without, such as `price.v1/3`.

    Outputs of one `o` that are too large for one record stand in several: `n` counts them from 0, `prev_n` is the `n`
    of the record before. `more`: others of the same `o` may follow, so time has not come to `w` with this one yet.

    A record without outputs states the watermark alone. It is no link of the chain: the next `prev` does not name it.
    """

    o: int
    prev: int | None
    x: Sequence[msgspec.Raw]
    e: Sequence[int] = ()
    w: int = 0
    stalled: Sequence[str] = ()
    n: int = 0
    prev_n: int = 0
    more: bool = False

    @property
    def place(self) -> "OutputPosition":
        """Where the record stands in its log; places only grow."""
        return self.o, self.n


WATERMARK_KEY = b"w"
"""Key of records that only state how far time has come: compaction keeps the last of them."""
encode = msgspec.json.Encoder().encode
decode_signal = msgspec.json.Decoder(SignalRecord).decode
decode_linked = msgspec.json.Decoder(LinkedRecord).decode
