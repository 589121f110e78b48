"""The last assessment of every entity: write-behind, stored once a record, or as soon as it is needed."""

from typing import Any

from alerts.engine.rules_state import known_key
from alerts.rules.entities import Assessed, KnownEntity, assessment_of_source, known_entity
from streams.contracts.assessments import RiskAssessed
from streams.runtime.stage_ports import StateStore

SourceReport = tuple[str, RiskAssessed]
"""A source and the assessment it contributed to: the assessment of a source, not built until it is read."""


class LastAssessments:
    """Last assessments by store key, with those of the running record in memory."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._pending: dict[bytes, Assessed | SourceReport] = {}

    def put(self, key: bytes, assessed: Assessed | SourceReport) -> None:
        """Set the last assessment of an entity."""
        self._pending[key] = assessed

    def of(self, kind: str, labels: dict[str, str]) -> Assessed | None:
        """Return the last assessment of an entity by its kind and labels; `None` for one never assessed."""
        key = known_key(kind, labels)
        if (pending := self._pending.get(key)) is not None:
            return assessment_of_source(*pending) if isinstance(pending, tuple) else pending
        known: KnownEntity | None = self._store.get(key)
        return known.assessed if known is not None else None

    def newest_at(self, key: bytes) -> Any:
        """Return the instant of the last assessment under a key, `None` for none."""
        pending: Any = self._pending.get(key)
        if pending is None:
            known: KnownEntity | None = self._store.get(key)
            return known.assessed.at if known is not None else None
        return pending[1].at if isinstance(pending, tuple) else pending.at

    def flush(self) -> None:
        """Write the assessments of the running record to the store."""
        for key, pending in self._pending.items():
            assessed = assessment_of_source(*pending) if isinstance(pending, tuple) else pending
            self._store.put(key, known_entity(assessed))
        self._pending.clear()
