"""The evidence of a partition at hand, by entity; what was heard goes into the store once a record, or when asked for.

A score reads the store, so whoever scores asks for `flush` first.
"""

from datetime import datetime
from typing import Any

import msgspec

from streams.assess.assessors.assessor import Assessment
from streams.contracts.materials import MATERIALS
from streams.domain.score.evidence import Evidence, counts, entity_name
from streams.domain.score.evidence_builder import EvidenceBuilder
from streams.domain.score.score_parameters import ScoreParameters
from streams.runtime.stage_ports import StateStore


class ScoredMaterial(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What a material is scored from: store keys of its evidence, and ids of the measures that named it."""

    evidence: tuple[bytes, ...] = ()
    measures: tuple[str, ...] = ()


_NOTHING = ScoredMaterial()


def scored_key(material: str) -> bytes:
    """Return the key of what a material is scored from."""
    return b"scored/" + material.encode()


def scored_material(store: StateStore, material: str) -> ScoredMaterial:
    """Return what a material is scored from."""
    known: ScoredMaterial | None = store.get(scored_key(material))
    return known if known is not None else _NOTHING


class EvidenceCache:
    """Evidence by entity; `asked`: the instant at which each material is already due to be scored."""

    def __init__(self, store: StateStore, *, parameters: ScoreParameters) -> None:
        self._store = store
        self._parameters = parameters
        self.asked: dict[str, datetime] = {}
        self._entities: dict[str, EvidenceBuilder] = {}
        self._dirty: dict[str, EvidenceBuilder] = {}

    def update(self, finding: Assessment, now: datetime) -> bool:
        """Update the evidence; return whether the material must be scored again. Groups have no score."""
        assessed: Any = finding.data
        name = finding.entity or entity_name(assessed.material, assessed.aspect, assessed.home, assessed.labels)
        entity = self._entities.get(name)
        if entity is None:
            if not counts(assessed) or assessed.material not in MATERIALS:
                return False
            entity = EvidenceBuilder(self._store.get(_evidence_key(name)), parameters=self._parameters)
            self._entities[name] = entity
        if not entity.dirty:
            self._dirty[name] = entity
        due = self.asked.get(assessed.material)
        if due is None or due <= now:
            return entity.update(assessed, at=now)
        entity.update(assessed, at=now, asked=False)
        return False

    def flush(self) -> None:
        """Write changed evidence to the store."""
        for name, entity in self._dirty.items():
            key = _evidence_key(name)
            evidence, before = entity.held, self._store.get(key)
            if evidence is None or evidence is before:
                continue
            self._store.put(key, evidence)
            if before is None:
                material = name.partition("/")[0]
                known = scored_material(self._store, material)
                entries = tuple(sorted({*known.evidence, key}))
                self._store.put(scored_key(material), msgspec.structs.replace(known, evidence=entries))
        self._dirty.clear()


def _evidence_key(name: str) -> bytes:
    return b"evidence/" + name.encode()


def held_evidence(store: StateStore, material: str) -> list[Evidence]:
    """Return the evidence of a material as the store holds it."""
    return [store.get(key) for key in scored_material(store, material).evidence]
