"""Which rules an entity meets, where their alerts are kept, and between which facts they change nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alerts.engine.evaluation_cache import Calm, Reads, RuleReads, calm_around, reads_of, reads_of_all
from alerts.engine.rules_state import alert_key, known_key, memory_key
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.rules.entities import Assessed, SourceAssessed, heard_from, kind_of, labels_of
from alerts.rules.fingerprint import fingerprint_of
from alerts.rules.ruleset import Rule, Rules
from streams.contracts.assessments import RiskAssessed

_CACHED_ENTITIES = 100_000


@dataclass(slots=True, eq=False)
class Seat:
    """A rule that an entity meets, and where what is remembered of it is kept.

    `reads`: what it reads, `None` where more than facts can change it. `calm`: facts within which it leaves its alert
    as it is, `None` for none known; `behind`: what was read to know that.
    """

    rule: Rule
    fingerprint: str
    labels: dict[str, str]
    alert_key: bytes
    memory_key: bytes
    reads: RuleReads | None
    calm: Calm | None = None
    behind: Reads | None = None

    def note(self, assessed: Assessed, evaluation: Evaluation, *, prior: Alert | None, stays: bool) -> None:
        """Take note of an evaluation: whether it left the alert `prior` as it was, at this instant and any later."""
        calms = stays and evaluation.verdict is not Verdict.ERROR and isinstance(assessed, RiskAssessed)
        if self.reads is None or not calms:
            self.calm = self.behind = None
            return
        self.behind = self.reads.behind(evaluation, prior=prior)
        self.calm = calm_around(self.behind, assessed)  # type: ignore[arg-type]


@dataclass(slots=True, eq=False)
class Seats:
    """All that an entity meets: where it is kept, its seats, and the sources that speak of it by name.

    `calm`: facts within which none of its rules changes anything, `None` where one may.
    """

    known_key: bytes
    seats: tuple[Seat, ...]
    heard: dict[str, "Seats"] = field(default_factory=dict)
    calm: Calm | None = None


class SeatBook:
    """The seats of every entity seen; both depend on the labels of the entity alone, so they are found once."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._reads: dict[int, RuleReads | None] = {}
        self._joined: dict[tuple[Reads | None, ...], Reads] = {}
        self._seats: dict[tuple[Any, ...], Seats] = {}
        self._at: dict[str, list[tuple[Seats, Seat]]] = {}

    def of_risk(self, assessed: RiskAssessed) -> Seats:
        """Return the seats of an entity with a risk assessment."""
        labels = assessed.labels
        key = (assessed.aspect, assessed.material, assessed.home, *labels, *labels.values())
        return self._seats.get(key) or self._found(key, assessed)

    def of(self, assessed: Assessed) -> Seats:
        """Return the seats of any entity."""
        if isinstance(assessed, RiskAssessed):
            return self.of_risk(assessed)
        if isinstance(assessed, SourceAssessed):
            key: tuple[Any, ...] = (SourceAssessed, assessed.source, assessed.aspect, assessed.material)
        else:
            key = (type(assessed), *labels_of(assessed).values())
        return self._seats.get(key) or self._found(key, assessed)

    def of_source(self, seats: Seats, source: str, assessed: RiskAssessed) -> Seats:
        """Return the seats of a source that speaks of the entity of some seats."""
        found = seats.heard.get(source)
        if found is None:
            found = seats.heard[source] = self.of(heard_from(source, assessed))
        return found

    def join(self, seats: Seats, assessed: RiskAssessed) -> None:
        """Put together between which facts none of the rules of an entity changes anything."""
        behind = tuple([seat.behind for seat in seats.seats])
        if None in behind:
            seats.calm = None
            return
        reads = self._joined.get(behind)
        if reads is None:
            reads = self._joined[behind] = reads_of_all(read for read in behind if read is not None)
        seats.calm = calm_around(reads, assessed)

    def disturb(self, fingerprint: str) -> None:
        """Forget the calm around an alert that was moved."""
        for seats, seat in self._at.get(fingerprint, ()):
            seats.calm = seat.calm = seat.behind = None

    def _found(self, key: tuple[Any, ...], assessed: Assessed) -> Seats:
        if len(self._seats) >= _CACHED_ENTITIES:
            self._seats.clear()
            self._at.clear()
        labels, kind = labels_of(assessed), kind_of(assessed)
        found = tuple(self._seat(rule, named) for rule in self._rules.meeting(kind, labels)
                      if (named := rule.identity(labels)) is not None)  # fmt: skip
        seats = Seats(known_key(kind, labels), found)
        for seat in seats.seats:
            if seat.reads is not None:
                self._at.setdefault(seat.fingerprint, []).append((seats, seat))
        self._seats[key] = seats
        return seats

    def _seat(self, rule: Rule, labels: Mapping[str, str]) -> Seat:
        fingerprint = fingerprint_of(rule.id, labels)
        if id(rule) not in self._reads:
            self._reads[id(rule)] = reads_of(rule)
        return Seat(
            rule, fingerprint, dict(labels), alert_key(fingerprint), memory_key(rule.id, fingerprint),
            self._reads[id(rule)],
        )  # fmt: skip
