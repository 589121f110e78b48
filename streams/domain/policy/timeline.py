"""The timeline of one measure: a function of the set of acts upon it, so order, repeats and lateness cannot matter."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from streams.contracts.assessments import LegalState
from streams.domain.policy.acts import Act, End, end_of
from streams.domain.policy.measure_transitions import Trigger, next_state

_IMPOSING = frozenset({"announce", "impose", "licence"})
_FOREVER = datetime.max.replace(tzinfo=UTC)

# Within one instant: what suspends goes before the day of effect, or a measure suspended on that very day would have
# operated for no time at all.
_RANK = {
    Trigger.PUBLISHED: 0,
    Trigger.SUSPENDED: 1,
    Trigger.EXTENDED: 2,
    Trigger.LIFTED: 3,
    Trigger.TAKES_EFFECT: 4,
    Trigger.REPEALED: 5,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Bearing:
    """An act as it bears on one measure; `through` is set where it acts on the instrument that suspended it."""

    act: Act
    through: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """The measure from `at` on, until the next point.

    `end` is the end of the suspension while suspended or lapsed, else that of the measure's own term; `operated` is
    `None` where no act that announced or imposed it was seen. `act` is the one that counts, `None` for a passed end.
    """

    at: datetime
    trigger: Trigger
    state: LegalState
    end: End | None
    operated: bool | None
    act: Act | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Step:
    at: datetime
    trigger: Trigger
    act: Act

    @property
    def key(self) -> tuple[datetime, int, tuple[datetime, str, str]]:
        return self.at, _RANK[self.trigger], self.act.order


def current_acts(bearings: Iterable[Bearing]) -> list[Bearing]:
    """Drop what was corrected: of one legal act told several times, the one recorded last counts.

    One legal act is the same measure, action and instrument published on the same day.
    """
    newest: dict[tuple[str, ...], Bearing] = {}
    for bearing in sorted(bearings, key=lambda b: b.act.order):
        act = bearing.act
        told = act.published_at or f"{act.source}\0{act.id}"
        newest[(act.measure, act.action, act.instrument, told, bearing.through or "")] = bearing
    return list(newest.values())


def _steps(bearing: Bearing) -> Iterable[_Step]:
    act = bearing.act
    published, effective = act.published_instant, act.effective_instant
    acts_from = published if effective is None else effective
    if bearing.through is not None:
        if act.action == "extend":
            yield _Step(at=min(published, acts_from), trigger=Trigger.EXTENDED, act=act)
        elif act.action == "repeal":
            yield _Step(at=acts_from, trigger=Trigger.LIFTED, act=act)
    elif act.action in _IMPOSING:
        yield _Step(at=min(published, acts_from), trigger=Trigger.PUBLISHED, act=act)
        # An announcement that names no day of effect stays one; what is imposed without a day counts at once.
        if effective is not None or act.action != "announce":
            yield _Step(at=acts_from, trigger=Trigger.TAKES_EFFECT, act=act)
    elif act.action == "extend":
        # A new end counts from its publication, although the added days only begin after the old end.
        yield _Step(at=min(published, acts_from), trigger=Trigger.EXTENDED, act=act)
    else:
        trigger = Trigger.SUSPENDED if act.action == "suspend" else Trigger.REPEALED
        yield _Step(at=acts_from, trigger=trigger, act=act)


@dataclass(kw_only=True, slots=True)
class _Walk:
    """The walk along the steps of one measure."""

    state: LegalState = LegalState.UNKNOWN
    suspension: End | None = None
    term: End | None = None
    stopped: tuple[datetime, datetime] | None = None
    seen: bool = False
    in_effect: bool = False
    operated: bool = False
    points: list[Point] = field(default_factory=list)

    def take(self, step: _Step) -> None:
        self.let_ends_pass(before=step.at)
        trigger, act = step.trigger, step.act
        if trigger is Trigger.PUBLISHED:
            self.seen = True
            self.term = end_of(act)
        elif trigger is Trigger.TAKES_EFFECT:
            self.in_effect = True
            if self.stopped is not None and (act.published_instant, act.recorded_at) > self.stopped:
                trigger = Trigger.REIMPOSED
        elif trigger is Trigger.SUSPENDED:
            self.stopped = (step.at, act.recorded_at)
            self.suspension = end_of(act)
        elif trigger is Trigger.REPEALED:
            self.stopped = (step.at, act.recorded_at)
        elif trigger is Trigger.LIFTED and not self.in_effect:
            trigger = Trigger.LIFTED_EARLY
        elif trigger is Trigger.EXTENDED:
            self._extend(act)
        self._move(at=step.at, trigger=trigger, act=act)

    def _extend(self, act: Act) -> None:
        if self.state in (LegalState.IN_FORCE, LegalState.EXPIRED):
            self.term = end_of(act) if self.term is not None else None
        elif self.state in (LegalState.SUSPENDED, LegalState.LAPSED_UNCONFIRMED, LegalState.UNKNOWN):
            self.suspension = end_of(act)

    def let_ends_pass(self, *, before: datetime) -> None:
        while (due := self._next_end()) is not None and due[0] < before:
            self._move(at=due[0], trigger=due[1], act=None)

    def _next_end(self) -> tuple[datetime, Trigger] | None:
        ends = []
        if self.state is LegalState.SUSPENDED and self.suspension is not None:
            ends.append((self.suspension.lapse_at, Trigger.SUSPENSION_PASSED))
        if self.term is not None and self.state not in (LegalState.REPEALED, LegalState.EXPIRED):
            ends.append((self.term.lapse_at, Trigger.TERM_PASSED))
        if not ends:
            return None
        # An end that had passed before the act that names it lets the measure lapse with that act, not before it.
        lapse_at, trigger = min(ends)
        return max(lapse_at, self.points[-1].at), trigger

    def _move(self, *, at: datetime, trigger: Trigger, act: Act | None) -> None:
        self.state = next_state(self.state, trigger)
        self.operated = self.operated or self.state is LegalState.IN_FORCE
        self.points.append(
            Point(
                at=at,
                trigger=trigger,
                state=self.state,
                end=self._end(),
                act=act,
                operated=True if self.operated else (False if self.seen else None),
            )
        )

    def _end(self) -> End | None:
        if self.state in (LegalState.SUSPENDED, LegalState.LAPSED_UNCONFIRMED):
            return self.suspension
        return None if self.state is LegalState.REPEALED else self.term


def timeline(bearings: Iterable[Bearing]) -> tuple[Point, ...]:
    """Return the points of a measure in order of time, future ends included. Empty without acts."""
    steps = sorted((step for bearing in current_acts(bearings) for step in _steps(bearing)), key=lambda step: step.key)
    walk = _Walk()
    for step in steps:
        walk.take(step)
    walk.let_ends_pass(before=_FOREVER)
    return tuple(walk.points)
