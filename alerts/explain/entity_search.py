"""Finding the entities a person means, and what was assessed about them over a history."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from alerts.rules.entities import Assessed, SourceAssessed, kind_of, labels_of, materials_of, sources_in
from streams.contracts.assessments import ExposureAssessed, MeasureAssessed, RiskAssessed
from streams.contracts.events import Event
from streams.contracts.materials import expand, is_known

EntityKey = tuple[str, tuple[tuple[str, str], ...]]
"""Kind, and labels in order of name."""


@dataclass(kw_only=True, slots=True)
class EntityHistory:
    """An entity, and what was assessed about it, oldest first."""

    kind: str
    labels: dict[str, str]
    assessments: list[tuple[datetime, Assessed]] = field(default_factory=list)


class Watch:
    """Collects what is assessed of some kinds about the entities a text means.

    A text is a word (a material, a measure, an end use, any label) or `label=value` parts with commas between; all
    parts must hold. A material also means the groups it is in.
    """

    def __init__(self, text: str, *, kinds: Iterable[str]) -> None:
        self._parts = [part.strip() for part in text.split(",") if part.strip()]
        self._kinds = frozenset(kinds)
        self.sighted: dict[EntityKey, EntityHistory] = {}
        self.others: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Take note of an assessment."""
        data = event.data
        if not isinstance(data, RiskAssessed | MeasureAssessed | ExposureAssessed):
            return
        self._note(data)
        if "source" in self._kinds and isinstance(data, RiskAssessed):
            for heard in sources_in(data):
                self._note(heard)

    def _note(self, assessed: Assessed) -> None:
        kind, labels = kind_of(assessed), labels_of(assessed)
        if kind not in self._kinds:
            return
        if not self._parts or not all(_means(part, labels, assessed) for part in self._parts):
            self.others.update(v for k, v in labels.items() if k in ("material", "measure", "end_use", "source"))
            return
        key = (kind, tuple(sorted(labels.items())))
        found = self.sighted.setdefault(key, EntityHistory(kind=kind, labels=labels))
        found.assessments.append((assessed.at, assessed))


def _means(part: str, labels: dict[str, str], assessed: Assessed) -> bool:
    name, equals, value = part.partition("=")
    if equals:
        return labels.get(name.strip(), "").casefold() == value.strip().casefold()
    word = part.casefold()
    if any(word == value.casefold() for value in labels.values()):
        return True
    if isinstance(assessed, SourceAssessed) or not is_known(word):
        return False
    known = [name for name in materials_of(assessed) if is_known(name)]
    return bool(set(expand((word,))) & set(expand(known)))


def nearest_names(names: Iterable[str], *, limit: int = 12) -> Sequence[str]:
    """Return some of the names there are, for a message."""
    found = sorted(names)
    return [*found[:limit], "..."] if len(found) > limit else found
