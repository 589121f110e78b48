"""Which rules an entity meets, where their alerts are kept, and between which facts they change nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alerts.adapters.rules_state import alert_key, known_key, memory_key
from alerts.rules.calm import Calm, Reads, calm_around, reads_of, reads_of_all
from alerts.rules.entities import Assessed, SourceAssessed, heard_from, kind_of, labels_of
from alerts.rules.ruleset import Rule, Rules
from alerts.rules.wording import fingerprint_of
from streams.contracts.assessments import RiskAssessed

_CACHED_ENTITIES = 100_000


@dataclass(slots=True, eq=False)
class Seat:
    """A rule that an entity meets. `calm`: facts within which it leaves its alert as it is, `None` for none known."""

    rule: Rule
    fingerprint: str
    labels: dict[str, str]
    alert_key: bytes
    memory_key: bytes
    reads: Reads | None
    calm: Calm | None = None


@dataclass(slots=True, eq=False)
class Seats:
    """All that an entity meets: where it is kept, its seats, and the sources that speak of it by name.

    `reads`: what all its rules read, `None` where more than facts can change one. `calm`: facts within which none of
    its rules changes anything, `None` where one may.
    """

    known_key: bytes
    seats: tuple[Seat, ...]
    reads: Reads | None
    heard: dict[str, "Seats"] = field(default_factory=dict)
    calm: Calm | None = None

    def note_calm(self, assessed: RiskAssessed) -> None:
        """Take note of the facts around an assessment where all rules are calm, or forget them where one is not."""
        settled = self.reads is not None and all(seat.calm is not None for seat in self.seats)
        self.calm = calm_around(self.reads, assessed) if settled and self.reads is not None else None


class SeatBook:
    """The seats of every entity seen; both depend on the labels of the entity alone, so they are found once."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._reads: dict[int, Reads | None] = {}
        self._seats: dict[tuple[Any, ...], Seats] = {}
        self._at: dict[str, list[tuple[Seats, Seat]]] = {}

    def of(self, assessed: Assessed) -> Seats:
        """Return the seats of an entity."""
        if isinstance(assessed, RiskAssessed):
            labels = assessed.labels
            key: tuple[Any, ...] = (assessed.aspect, assessed.material, assessed.home, *labels, *labels.values())
        elif isinstance(assessed, SourceAssessed):
            key = (SourceAssessed, assessed.source, assessed.aspect, assessed.material)
        else:
            key = (type(assessed), *labels_of(assessed).values())
        return self._seats.get(key) or self._found(key, assessed)

    def of_source(self, seats: Seats, source: str, assessed: RiskAssessed) -> Seats:
        """Return the seats of a source that speaks of the entity of some seats."""
        found = seats.heard.get(source)
        if found is None:
            found = seats.heard[source] = self.of(heard_from(source, assessed))
        return found

    def disturb(self, fingerprint: str) -> None:
        """Forget the calm around an alert that was moved."""
        for seats, seat in self._at.get(fingerprint, ()):
            seats.calm = seat.calm = None

    def _found(self, key: tuple[Any, ...], assessed: Assessed) -> Seats:
        if len(self._seats) >= _CACHED_ENTITIES:
            self._seats.clear()
            self._at.clear()
        labels, kind = labels_of(assessed), kind_of(assessed)
        found = tuple(self._seat(rule, named) for rule in self._rules.meeting(kind, labels)
                      if (named := rule.identity(labels)) is not None)  # fmt: skip
        read = [seat.reads for seat in found if seat.reads is not None]
        reads = reads_of_all(read) if len(read) == len(found) and isinstance(assessed, RiskAssessed) else None
        seats = Seats(known_key(kind, labels), found, reads)
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
