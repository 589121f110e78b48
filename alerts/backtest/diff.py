"""Two rule sets over one history: which alerts are gained, lost, moved or of another severity."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from alerts.backtest.episodes import Episode, episodes
from streams.contracts.alert import AlertChanged, Severity

NEAR = timedelta(days=92)
"""Two episodes of one alert that do not overlap are the same one moved when they start within a quarter."""


class AlertDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One episode that is not the same under both rule sets.

    `started_by_seconds` and `ended_by_seconds` say how much later (negative: earlier) it starts and ends under the new
    one; `None` where it has no start or end there or here.
    """

    what: Literal["gained", "lost", "moved", "severity"]
    rule: str
    labels: dict[str, str]
    summary: str
    started_before: datetime | None = None
    started_after: datetime | None = None
    ended_before: datetime | None = None
    ended_after: datetime | None = None
    severity_before: Severity | None = None
    severity_after: Severity | None = None
    started_by_seconds: float | None = None
    ended_by_seconds: float | None = None


class RuleSetDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two rule sets, as written and over a history."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    edited: tuple[str, ...]
    same_alerts_count: int
    alerts: tuple[AlertDifference, ...]

    @property
    def same(self) -> bool:
        """Tell whether both give the same alerts; rules may be written differently."""
        return not self.alerts


def _seconds(before: datetime | None, after: datetime | None) -> float | None:
    return None if before is None or after is None else (after - before).total_seconds()


def _pairs(old: Sequence[Episode], new: Sequence[Episode]) -> list[tuple[Episode | None, Episode | None]]:
    """Pair the episodes of one alert: the same start first, then in order those that overlap or start near."""
    left_new = list(new)
    pairs: list[tuple[Episode | None, Episode | None]] = []
    rest: list[Episode] = []
    for each in old:
        same = next((n for n in left_new if n.started_at == each.started_at), None)
        if same is None:
            rest.append(each)
        else:
            left_new.remove(same)
            pairs.append((each, same))
    for each in rest:
        near = min(
            (n for n in left_new if _overlap(each, n) or abs(n.started_at - each.started_at) <= NEAR),
            key=lambda n: abs(n.started_at - each.started_at),
            default=None,
        )
        if near is not None:
            left_new.remove(near)
        pairs.append((each, near))
    return [*pairs, *((None, n) for n in left_new)]


def _overlap(a: Episode, b: Episode) -> bool:
    return (a.ended_at is None or b.started_at < a.ended_at) and (b.ended_at is None or a.started_at < b.ended_at)


def _difference(old: Episode | None, new: Episode | None) -> AlertDifference | None:
    shown = new or old
    assert shown is not None
    what: Literal["gained", "lost", "moved", "severity"]
    if old is None or new is None:
        what = "gained" if old is None else "lost"
    elif (old.started_at, old.ended_at) != (new.started_at, new.ended_at):
        what = "moved"
    elif old.worst != new.worst:
        what = "severity"
    else:
        return None
    started = (old.started_at if old else None, new.started_at if new else None)
    ended = (old.ended_at if old else None, new.ended_at if new else None)
    return AlertDifference(
        what=what,
        rule=shown.rule,
        labels=shown.labels,
        summary=shown.summary,
        started_before=started[0],
        started_after=started[1],
        ended_before=ended[0],
        ended_after=ended[1],
        severity_before=old.worst if old else None,
        severity_after=new.worst if new else None,
        started_by_seconds=_seconds(*started),
        ended_by_seconds=_seconds(*ended),
    )


def _by_alert(of: Iterable[Episode]) -> dict[str, list[Episode]]:
    found: dict[str, list[Episode]] = {}
    for each in of:
        found.setdefault(each.fingerprint, []).append(each)
    return found


def diff(
    old: Iterable[AlertChanged],
    new: Iterable[AlertChanged],
    *,
    old_rules: Mapping[str, str],
    new_rules: Mapping[str, str],
) -> RuleSetDiff:
    """Compare two alert logs of one history; the mappings are rule ids and their content hashes."""
    before, after = _by_alert(episodes(old)), _by_alert(episodes(new))
    found: list[AlertDifference] = []
    same = 0
    for fingerprint in sorted({*before, *after}):
        for a, b in _pairs(before.get(fingerprint, []), after.get(fingerprint, [])):
            difference = _difference(a, b)
            if difference is None:
                same += 1
            else:
                found.append(difference)
    shared = old_rules.keys() & new_rules.keys()
    return RuleSetDiff(
        added=tuple(sorted(new_rules.keys() - shared)),
        removed=tuple(sorted(old_rules.keys() - shared)),
        edited=tuple(sorted(rule for rule in shared if old_rules[rule] != new_rules[rule])),
        same_alerts_count=same,
        alerts=tuple(sorted(found, key=lambda d: (d.started_after or d.started_before, d.rule, str(d.labels)))),
    )


def diff_row(made: RuleSetDiff) -> dict[str, Any]:
    """Return a diff as plain data, with `same` beside it."""
    document: dict[str, Any] = msgspec.to_builtins(made)
    return {"same": made.same, **document}
