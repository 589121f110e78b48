"""How far the inputs of a partition of `signals` have come, as its log states it. Pure.

Every intake worker states, in the records that it writes, up to which instant everything on its input partitions was
admitted. The watermark is the least of them. An input partition of which nobody speaks (no owner, or a broker that
gives no answer) holds it back for at most `MAXIMUM_STALL_MS` of the time in which others spoke: while all are away no
time passes here, so an outage of everything is caught up in the order of its events.
"""

from collections.abc import Mapping

import msgspec

from streams.contracts.records import Statement

MAXIMUM_STALL_MS = 60_000
_LONGEST_STEP_MS = 2_000
"""The most that one record adds to the time in which somebody spoke."""


class InputClock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was stated, by topic and partition.

    `up_to`: the instants, in milliseconds. `heard`: `spoken` when something was last heard of the partition. `spoken`:
    milliseconds in which somebody spoke. `said_at`: when the last record was written. `now`: the watermark, 0 for none
    yet; it never goes back. `stalled`: inputs that time goes on without.
    """

    up_to: Mapping[str, Mapping[int, int]] = {}
    heard: Mapping[str, Mapping[int, int]] = {}
    counts: Mapping[str, int] = {}
    spoken: int = 0
    said_at: int = 0
    now: int = 0
    stalled: tuple[tuple[str, int], ...] = ()


def heard(clock: InputClock, said: Statement, *, said_at: int) -> InputClock:
    """Return the clock after one statement, written at `said_at` (0: not known)."""
    step = min(max(said_at - clock.said_at, 0), _LONGEST_STEP_MS) if said_at and clock.said_at else 0
    spoken = clock.spoken + step
    counts = clock.counts
    if any(counts.get(topic, 0) < count for topic, count in said.counts.items()):
        counts = {**counts, **{t: max(n, counts.get(t, 0)) for t, n in said.counts.items()}}
    up_to, ears = dict(clock.up_to), dict(clock.heard)
    for topic, partitions in said.of.items():
        stated, signs = dict(up_to.get(topic, {})), dict(ears.get(topic, {}))
        for partition in partitions:
            stated[partition] = max(stated.get(partition, 0), said.up_to)
            signs[partition] = spoken
        up_to[topic], ears[topic] = stated, signs
    least, stalled = None, []
    for topic, count in sorted(counts.items()):
        stated, signs = up_to.get(topic, {}), ears.get(topic, {})
        for partition in range(count):
            if spoken - signs.get(partition, 0) > MAXIMUM_STALL_MS:
                stalled.append((topic, partition))
                continue
            at = stated.get(partition, 0)
            least = at if least is None or at < least else least
    return InputClock(
        up_to=up_to, heard=ears, counts=counts, spoken=spoken, said_at=max(said_at, clock.said_at),
        now=max(clock.now, least or 0), stalled=tuple(stalled),
    )  # fmt: skip
