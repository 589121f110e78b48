"""How far the inputs of a partition of `signals` have come, as its log states it. Pure.

Every intake worker states, in the records that it writes, up to which instant everything on its input partitions was
admitted. The watermark is the least of them. An input partition of which nobody speaks (no owner, or a broker that
gives no answer) holds it back for at most `MAXIMUM_STALL_MS` of the time in which others spoke: while all are away no
time passes here, so an outage of everything is caught up in the order of its events.
"""

from collections.abc import Sequence

import msgspec

from streams.contracts.records import Statement
from streams.contracts.topics import INPUTS

MAXIMUM_STALL_MS = 50_000
"""With the 5 s after which a worker stops to speak of a silent input, and the cadence of statements: a minute."""
_LONGEST_STEP_MS = 6_000
"""The most that one record adds to the time in which somebody spoke: a little over the idle cadence of statements."""


class InputClock(msgspec.Struct, frozen=True, array_like=True):
    """What was stated of each input partition, in the order of `INPUTS` and of partition numbers.

    `now`: the watermark in milliseconds since 1970, 0 for none yet; it never goes back. `counts`: partitions by topic.
    `lead`: how far beyond `now` each input was stated to have come, in milliseconds, negative where it is behind `now`
    because time went on without it, `None` where nothing was stated yet. `silent`: milliseconds in which others spoke
    and nobody spoke of it. `said_at`: when the last record was written, in milliseconds since 1970.
    """

    now: int = 0
    counts: tuple[int, ...] = ()
    lead: tuple[int | None, ...] = ()
    silent: tuple[int, ...] = ()
    said_at: int = 0

    @property
    def inputs(self) -> dict[tuple[str, int], bool]:
        """Return the input partitions, by topic and number, and whether time goes on without them."""
        places = [(topic, p) for topic, count in zip(INPUTS, self.counts, strict=False) for p in range(count)]
        return {place: ms > MAXIMUM_STALL_MS for place, ms in zip(places, self.silent, strict=True)}

    @property
    def stalled(self) -> tuple[str, ...]:
        """Name the inputs that time goes on without, such as `price.v1/3`."""
        if not self.silent or max(self.silent) <= MAXIMUM_STALL_MS:
            return ()
        return tuple(f"{topic}/{partition}" for (topic, partition), stalled in self.inputs.items() if stalled)


def after_statement(clock: InputClock, said: Statement, *, said_at: int) -> InputClock:
    """Return the clock after one statement, written at `said_at` (milliseconds since 1970, 0: not known)."""
    step = min(max(said_at - clock.said_at, 0), _LONGEST_STEP_MS) if said_at and clock.said_at else 0
    if tuple(said.counts) != clock.counts:
        clock = _with_counts(clock, said.counts)
    stated: list[int | None] = [None if lead is None else clock.now + lead for lead in clock.lead]
    silent = [ms + step for ms in clock.silent] if step else list(clock.silent)
    first = 0
    for mask, count in zip(said.owned, clock.counts, strict=False):
        owned = int(mask, 16)
        for partition in range(count):
            if owned >> partition & 1:
                place = first + partition
                known = stated[place]
                if known is None or known < said.up_to:
                    stated[place] = said.up_to
                silent[place] = 0
        first += count
    least = _least(stated, silent)
    now = least if least is not None and least > clock.now else clock.now
    lead = tuple([None if at is None else at - now for at in stated])
    return InputClock(now, clock.counts, lead, tuple(silent), max(clock.said_at, said_at))


def _least(stated: Sequence[int | None], silent: Sequence[int]) -> int | None:
    """Return the instant that all inputs have reached but those that are stalled, `None` where one is not known."""
    least: int | None = None
    for at, ms in zip(stated, silent, strict=True):
        if ms > MAXIMUM_STALL_MS:
            continue
        if not at:  # not heard of yet, or a sign of life without an instant
            return None
        if least is None or at < least:
            least = at
    return least


def _with_counts(clock: InputClock, counts: Sequence[int]) -> InputClock:
    """Make room for partitions that were added; a worker that knows of fewer takes none away."""
    wanted = [max(count, known) for count, known in zip(counts, clock.counts or (0,) * len(counts), strict=True)]
    lead: list[int | None] = []
    silent: list[int] = []
    first = 0
    for known, count in zip(clock.counts or (0,) * len(counts), wanted, strict=True):
        lead += [*clock.lead[first : first + known], *[None] * (count - known)]
        silent += [*clock.silent[first : first + known], *[0] * (count - known)]
        first += known
    return InputClock(clock.now, tuple(wanted), tuple(lead), tuple(silent), clock.said_at)
