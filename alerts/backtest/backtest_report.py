"""What a backtest says about rules: what would have fired, when, how often, how long."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from alerts.backtest.episodes import Episode, episodes
from streams.contracts.alert import AlertChanged, AlertState

FLAP_WITHIN = timedelta(days=7)
"""An alert that fires again within a week of its end has flapped: nobody has had the time to put it away."""


class RuleReport(msgspec.Struct, frozen=True, kw_only=True):
    """One rule over a history.

    `fired_count`: times an alert of it began to fire; `entities_count`: different alerts; `told_count`: firing changes,
    steps and repeats included; `flaps_count`: fired again within a week; `open_days`: sum over its alerts;
    `open_share_ratio`: part of the history in which any was open; `no_data_count`: times its facts went unknown.
    """

    rule: str
    fired_count: int = 0
    entities_count: int = 0
    told_count: int = 0
    critical_count: int = 0
    flaps_count: int = 0
    open_count: int = 0
    open_days: float = 0.0
    open_share_ratio: float = 0.0
    no_data_count: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None


class BacktestReport(msgspec.Struct, frozen=True, kw_only=True):
    """All rules over a history, those that never fired included."""

    since: datetime | None
    until: datetime
    changes_count: int
    rules: tuple[RuleReport, ...]


def _any_open(of: Sequence[Episode], *, until: datetime) -> timedelta:
    """Add up the time in which at least one episode was open; `of` is in order of start."""
    total, reached = timedelta(0), None
    for each in of:
        end = each.ended_at or until
        start = each.started_at if reached is None else max(each.started_at, reached)
        if end > start:
            total += end - start
            reached = end
    return total


def _flaps(of: Sequence[Episode]) -> int:
    ended: dict[str, datetime] = {}
    count = 0
    for each in of:
        before = ended.get(each.fingerprint)
        count += before is not None and each.started_at - before <= FLAP_WITHIN
        if each.ended_at is not None:
            ended[each.fingerprint] = each.ended_at
    return count


def _rule_report(rule: str, of: Sequence[Episode], *, gaps: int, since: datetime | None, until: datetime) -> RuleReport:
    if not of:
        return RuleReport(rule=rule, no_data_count=gaps)
    span = until - (since or of[0].started_at)
    return RuleReport(
        rule=rule,
        fired_count=len(of),
        entities_count=len({each.fingerprint for each in of}),
        told_count=sum(each.told for each in of),
        critical_count=sum(each.worst == "critical" for each in of),
        flaps_count=_flaps(of),
        open_count=sum(each.ended_at is None for each in of),
        open_days=round(sum((each.open_for(until=until) for each in of), timedelta(0)) / timedelta(days=1), 2),
        open_share_ratio=round(_any_open(of, until=until) / span, 4) if span else 0.0,
        no_data_count=gaps,
        first_at=of[0].started_at,
        last_at=max(each.started_at for each in of),
    )


def report(
    changes: Iterable[AlertChanged], *, rules: Iterable[str], since: datetime | None, until: datetime
) -> BacktestReport:
    """Report on an alert log, oldest change first; `rules` are those that ran, `since` where the history begins."""
    log = list(changes)
    gaps: dict[str, int] = {}
    for change in log:
        gaps[change.rule] = gaps.get(change.rule, 0) + (change.to_state is AlertState.NO_DATA)
    by_rule: dict[str, list[Episode]] = {rule: [] for rule in rules}
    for each in episodes(log):
        by_rule.setdefault(each.rule, []).append(each)
    made = [_rule_report(rule, of, gaps=gaps.get(rule, 0), since=since, until=until) for rule, of in by_rule.items()]
    ordered = sorted(made, key=lambda r: (-r.fired_count, r.rule))
    return BacktestReport(since=since, until=until, changes_count=len(log), rules=tuple(ordered))


def instant(at: datetime | None) -> str | None:
    """Write an instant as RFC 3339 in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def report_row(made: BacktestReport) -> dict[str, Any]:
    """Return a report as plain data."""
    document: dict[str, Any] = msgspec.to_builtins(made)
    return document
