"""Repeats and holes of a linked log, decided from two numbers.

An output record carries its place, the offset `o` in `signals` it comes from with a part number `n`, and the place of
the output before it. Its own offset is useless as identity: after a crash outputs are written again and shift the
offsets. With the last place in the reader's progress record no other store and no look-up of ids is needed
(docs/runtime.md 3; holes seen: 0).
"""

from enum import StrEnum

from streams.contracts.records import OutputPosition


class LinkDecision(StrEnum):
    """What a reader does with one linked record."""

    NEXT = "next"
    REPEAT = "repeat"
    HOLE = "hole"


def decide_admission(
    last_seen: OutputPosition | None, *, place: OutputPosition, previous: OutputPosition | None
) -> LinkDecision:
    """Say whether a record at `place` that follows the one at `previous` is next after `last_seen`.

    `None` means "before the first record". A repeat is dropped; at a hole the reader must stop: an output is missing.
    """
    if last_seen is not None and place <= last_seen:
        return LinkDecision.REPEAT
    if previous != last_seen:
        return LinkDecision.HOLE
    return LinkDecision.NEXT
