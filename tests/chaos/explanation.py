"""Why two roads differ about what several inputs feed: the lone changes of both sides, put in pairs. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

from streams.contracts.alert import AlertChanged

NEAR_SECONDS = 60.0
SAME_INSTANT = "same instant, state and severity, causes in another order"
MOVED = "same change at another instant"
UNPAIRED = "on one road alone"


def explain(first: Iterable[AlertChanged], second: Iterable[AlertChanged]) -> dict[str, int]:
    """Count how the changes that stand on one road alone belong together; an id holds instant and causes.

    `first` and `second` are those of each road whose id the other does not have. Pairs count once.
    """
    waiting: dict[tuple[object, ...], list[datetime]] = defaultdict(list)
    for change in second:
        waiting[_what(change)].append(change.at)
    counts: Counter[str] = Counter()
    for change in sorted(first, key=lambda c: c.at):
        others = waiting[_what(change)]
        near = min(others, key=lambda at: abs(at - change.at), default=None)
        if near is None or abs((near - change.at).total_seconds()) > NEAR_SECONDS:
            counts[UNPAIRED] += 1
            continue
        others.remove(near)
        counts[SAME_INSTANT if near == change.at else MOVED] += 1
    counts[UNPAIRED] += sum(len(others) for others in waiting.values())
    return {what: count for what, count in sorted(counts.items()) if count}


def _what(change: AlertChanged) -> tuple[object, ...]:
    return change.fingerprint, change.from_state, change.to_state, change.severity
