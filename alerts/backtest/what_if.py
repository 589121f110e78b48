"""What if: hypothetical events on top of recorded ones, and what would differ. Nothing is sent, nothing is kept.

Both worlds are folded by the cores that run live, to the same instant: the recorded events alone, and with the
hypothetical ones. The answer is the difference in legal states, scores, exposures of end uses, and alerts.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from alerts.backtest.backtest_report import instant
from alerts.backtest.run_backtest import backtest
from alerts.delivery.ledger import alert_row
from alerts.rules.ruleset import Rules
from streams.contracts.alert import AlertChanged
from streams.contracts.codec import decode_event
from streams.contracts.events import Event
from streams.contracts.materials import MATERIALS
from streams.contracts.reasons import DecodeError
from streams.domain.policy.measure_status import status_json
from streams.domain.score.score import Score
from streams.domain.score.score_parameters import FACTORS
from streams.queries.risk_queries import RiskQuestions, instant_of

SMALLEST_CHANGE = 1e-9
"""Scores and exposures that differ by less are the same: it is the noise of floating point."""
_OPEN = frozenset({"pending", "firing", "clearing", "no_data", "stale", "error"})


class _Times(msgspec.Struct):
    time: datetime
    recordedtime: datetime | None = None


def decode_hypothetical(line: bytes) -> Event:
    """Decode one hypothetical CloudEvent; one without `recordedtime` is recorded when it happens.

    Raises `DecodeError` with reason and field, as the road would.
    """
    try:
        times = msgspec.json.decode(line, type=_Times)
    except msgspec.MsgspecError:
        return decode_event(line)  # refuses it, with the reason
    return decode_event(line, recorded_at=times.recordedtime or times.time)


def read_hypothetical(lines: Iterable[bytes]) -> list[Event]:
    """Decode hypothetical events, one a line; raises `ValueError` naming the line that is none."""
    events = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                events.append(decode_hypothetical(line))
            except DecodeError as error:
                raise ValueError(f"line {number}: {error}") from error
    return events


def what_if(
    recorded: Sequence[Event],
    hypothetical: Sequence[Event],
    *,
    as_of: date | datetime,
    rules: Rules,
    homes: Sequence[str] | None = None,
    until: datetime | None = None,
) -> dict[str, Any]:
    """Return what hypothetical events would change, as the JSON of `what-if`.

    States, scores and exposures are compared as of a day, for `homes` (`None`: all); alerts up to `until` (`None`: the
    instant asked about), both as opened and closed on the way and as they stand at the end. Raises `PipelineError` or
    `RiskQuestionError` for an event that the road would refuse.
    """
    until = until or instant_of(as_of)
    worlds = ([*recorded], [*recorded, *hypothetical])
    before, after = (RiskQuestions(events, as_of=as_of) for events in worlds)
    chosen = tuple(homes if homes is not None else before.parameters.homes)
    logs = [list(backtest(events, until=until, rules=rules)) for events in worlds]
    return {
        "as_of": as_of.isoformat(),
        "until": instant(until),
        "events": [event.id for event in hypothetical],
        "states": _states(before, after),
        "scores": _scores(before, after, chosen),
        "exposures": _exposures(before, after, chosen),
        "alerts": _alerts(*logs),
    }


def _states(before: RiskQuestions, after: RiskQuestions) -> list[dict[str, Any]]:
    """Return the measures whose status differs, with both; `from` or `to` is null where one world has none."""
    old, new = ({m.measure: _shown(status_json(m)) for m in each.measures} for each in (before, after))
    return [
        {"measure": measure, "from": old.get(measure), "to": new.get(measure)}
        for measure in sorted(old.keys() | new.keys())
        if old.get(measure) != new.get(measure)
    ]


def _shown(status: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in status.items() if name not in ("measure", "causes")}


def _scores(before: RiskQuestions, after: RiskQuestions, homes: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for material in MATERIALS:
        old, new = before.scores(material), after.scores(material)
        for home in homes:
            was, becomes = old.of(home), new.of(home)
            if _differ(was, becomes):
                rows.append(
                    {
                        "material": material,
                        "home": home,
                        "from": _score_row(was),
                        "to": _score_row(becomes),
                        "change": becomes.score_ratio - was.score_ratio,
                    }
                )
    return sorted(rows, key=lambda row: (-abs(row["change"]), row["material"], row["home"]))


def _score_row(score: Score) -> dict[str, Any]:
    return {
        "score": score.score_ratio,
        "interval": [score.low_ratio, score.high_ratio],
        "contributions": {factor.value: score.contributions[factor] for factor in FACTORS},
    }


def _differ(was: Score, becomes: Score) -> bool:
    ends = [(getattr(was, end), getattr(becomes, end)) for end in ("score_ratio", "low_ratio", "high_ratio")]
    parts = ((was.contributions[factor], becomes.contributions[factor]) for factor in FACTORS)
    return any(abs(a - b) > SMALLEST_CHANGE for a, b in (*ends, *parts))


def _exposures(before: RiskQuestions, after: RiskQuestions, homes: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for home in homes:
        old, new = before.exposures(home=home), after.exposures(home=home)
        for end_use, becomes in new.items():
            was = old[end_use]
            if abs(becomes.exposure_ratio - was.exposure_ratio) > SMALLEST_CHANGE:
                rows.append(
                    {
                        "end_use": end_use,
                        "home": home,
                        "from": was.exposure_ratio,
                        "to": becomes.exposure_ratio,
                        "change": becomes.exposure_ratio - was.exposure_ratio,
                        "path": list(becomes.path),
                    }
                )
    return sorted(rows, key=lambda row: (-abs(row["change"]), row["end_use"], row["home"]))


def _alerts(before: Sequence[AlertChanged], after: Sequence[AlertChanged]) -> dict[str, Any]:
    """Return changes of alerts that only one world has, and alerts that stand at the end of only one."""
    old, new = ({_told(each): each for each in log} for log in (before, after))
    standing_old, standing_new = (_standing(log) for log in (before, after))
    return {
        "gained": [_change(each) for told, each in new.items() if told not in old],
        "lost": [_change(each) for told, each in old.items() if told not in new],
        "open_gained": [standing_new[f] for f in sorted(standing_new.keys() - standing_old.keys())],
        "open_lost": [standing_old[f] for f in sorted(standing_old.keys() - standing_new.keys())],
    }


def _told(change: AlertChanged) -> tuple[Any, ...]:
    """Return what makes a change another one for who is told of it: not which events are behind it."""
    return change.at, change.fingerprint, change.from_state, change.to_state, change.severity, change.step


def _change(change: AlertChanged) -> dict[str, Any]:
    row = alert_row(change)
    row["at"] = instant(change.at)
    return row


def _standing(log: Iterable[AlertChanged]) -> dict[str, dict[str, Any]]:
    last = {change.fingerprint: change for change in log}
    return {f: _change(change) for f, change in last.items() if change.to_state.value in _OPEN}
