"""An alert log as episodes: one for each time an alert fired, from its first firing change to its end."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from streams.contracts.alert import AlertChanged, AlertState, Severity

_RANK: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """One time an alert fired. `ended_at` is `None` while it is open; `told` counts its firing changes and repeats."""

    rule: str
    fingerprint: str
    labels: dict[str, str]
    summary: str
    started_at: datetime
    ended_at: datetime | None = None
    told: int = 1
    severities: tuple[Severity, ...] = field(default=())

    @property
    def worst(self) -> Severity:
        """The highest severity it reached."""
        return max(self.severities, key=_RANK.__getitem__, default="info")

    def open_for(self, *, until: datetime) -> timedelta:
        """How long it was open, up to `until`."""
        return (self.ended_at or until) - self.started_at


def episodes(changes: Iterable[AlertChanged]) -> list[Episode]:
    """Fold an alert log, oldest change first, into its episodes in order of their start."""
    done: list[Episode] = []
    open_: dict[str, Episode] = {}
    for change in changes:
        now = open_.get(change.fingerprint)
        if change.to_state is AlertState.FIRING and change.severity is not None:
            severities = (*(now.severities if now else ()), change.severity)
            if now is None:
                now = Episode(
                    rule=change.rule,
                    fingerprint=change.fingerprint,
                    labels=change.labels,
                    summary=change.summary,
                    started_at=change.at,
                    severities=severities,
                )
            else:
                told = now.told + (change.from_state is AlertState.FIRING)
                now = replace(now, severities=severities, told=told, summary=change.summary)
            open_[change.fingerprint] = now
        elif change.to_state is AlertState.OK and now is not None:
            done.append(replace(open_.pop(change.fingerprint), ended_at=change.at))
    return sorted([*done, *open_.values()], key=lambda e: (e.started_at, e.rule, e.fingerprint))
