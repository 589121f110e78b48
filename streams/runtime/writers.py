"""Records of `signals` that a reader never got, noticed by the numbers their writers give them. Pure.

Offsets alone do not tell: compaction takes old bare statements away and leaves gaps. Every intake worker numbers its
records with segments in a partition from 1 on, under a name for its present life; what carries no segments repeats the
number of the last that did. A reader knows the last number of the latest writers.
"""

from collections.abc import Mapping
from enum import StrEnum

from streams.contracts.records import SignalRecord

WRITERS_KEPT = 16
"""Lives of workers remembered in a partition; older ones have ended, or are taken as they come."""

Writers = Mapping[str, int]


class SequenceDecision(StrEnum):
    """Whether a record follows what its writer wrote before."""

    NEXT = "next"
    HOLE = "hole"


def decide_sequence(writers: Writers, record: SignalRecord) -> SequenceDecision:
    """Say whether a record follows the last one seen of its writer; one of an unknown writer always does."""
    if not record.i:
        return SequenceDecision.NEXT
    known = writers.get(record.i)
    if known is None:
        return SequenceDecision.NEXT
    expected = known + 1 if record.segments else known
    return SequenceDecision.NEXT if record.q <= expected else SequenceDecision.HOLE


def writers_after(writers: Writers, record: SignalRecord) -> Writers:
    """Return the numbers after a record; the very same mapping where nothing changed."""
    if not record.i or writers.get(record.i, -1) >= record.q:
        return writers
    others = {name: number for name, number in writers.items() if name != record.i}
    kept = list(others.items())[-(WRITERS_KEPT - 1) :]
    return {**dict(kept), record.i: record.q}
