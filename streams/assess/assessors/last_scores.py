"""The last scores of a material as they stand in the store: compact, since every home has one and they read the same.

A score that was sent names up to four inputs a factor, most of them the same for every home: they are kept once a
material, by number, and numbers that no score names any more are dropped. Facts are kept without their names. In memory
the score that was sent stays beside it, so that only what was read back from the changelog is put together again.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from streams.contracts.assessments import FactorInput, RiskAssessed
from streams.domain.score.material_score import SCORE_FACTS, weightiest_inputs
from streams.domain.score.readings import Input
from streams.domain.score.score import Score
from streams.runtime.stage_ports import StateStore

_PREFIX = b"last-score/"


class LastScore(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True, dict=True):
    """The last score that was sent for a home: its figures in the order of `SCORE_FACTS`, numbers of its inputs, the
    steps it and its exposures stand on."""

    at: datetime
    figures: tuple[float | None, ...]
    steps: tuple[int | None, ...]
    inputs: tuple[int, ...] = ()
    missing: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    synthetic: bool = False
    exposures: dict[str, int] = {}


class ScoreInputs(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The inputs that the last scores of a material read, by number."""

    inputs: dict[int, FactorInput] = {}


class LastScores:
    """The last scores of one material while it is scored anew; `close` when all homes are done."""

    def __init__(self, store: StateStore, material: str) -> None:
        self._store = store
        self._material = material
        self._key = _inputs_key(material)
        kept: ScoreInputs | None = store.get(self._key)
        self._inputs = dict(kept.inputs) if kept is not None else {}
        self._numbers: dict[int, int] = {}
        self._next = max(self._inputs, default=-1) + 1
        self._written = False

    def last(self, home: str) -> LastScore | None:
        """Return the last score that was sent for a home, `None` where none was."""
        last: LastScore | None = self._store.get(_score_key(self._material, home))
        return last

    def keep(
        self, sent: RiskAssessed, score: Score, *, steps: tuple[int | None, ...], exposures: dict[str, int]
    ) -> None:
        """Keep a score that is sent, with the inputs it shows."""
        shown = zip(weightiest_inputs(score), sent.inputs, strict=True)
        numbers = [self._number(read, said) for (_, read), said in shown]
        facts: Any = sent.facts
        last = LastScore(
            at=sent.at,
            figures=tuple([facts[name] for name in SCORE_FACTS]),
            inputs=tuple(numbers),
            steps=steps,
            missing=sent.missing,
            causes=sent.causes,
            synthetic=sent.synthetic,
            exposures=exposures,
        )
        last.__dict__["sent"] = sent
        self._store.put(_score_key(self._material, str(sent.home)), last)
        self._written = True

    def _number(self, read: Input, said: FactorInput) -> int:
        number = self._numbers.get(id(read))  # the scores being made hold it, so its identity is its own
        if number is None:
            number = self._numbers[id(read)] = self._next
            self._inputs[number] = said
            self._next += 1
        return number

    def close(self, homes: tuple[str, ...]) -> None:
        """Keep the inputs that the scores of the homes name, and no others."""
        if self._written:
            named = {number for home in homes if (last := self.last(home)) is not None for number in last.inputs}
            kept = {number: read for number, read in self._inputs.items() if number in named}
            self._store.put(self._key, ScoreInputs(inputs=kept))


def last_scores(store: StateStore) -> Iterator[RiskAssessed]:
    """Return the last score that was sent of each material that a partition owns, for each home."""
    for key, value in store.items():
        if isinstance(value, LastScore):
            yield value.__dict__.get("sent") or _sent(store, key, value)


def _sent(store: StateStore, key: bytes, last: LastScore) -> RiskAssessed:
    material, home = key.removeprefix(_PREFIX).decode().split("/")
    kept: ScoreInputs = store.get(_inputs_key(material)) or ScoreInputs()
    sent = RiskAssessed(
        material=material,
        home=home,
        aspect="score",
        at=last.at,
        missing=last.missing,
        causes=last.causes,
        facts=dict(zip(SCORE_FACTS, last.figures, strict=True)),
        synthetic=last.synthetic,
        inputs=tuple(kept.inputs[number] for number in last.inputs),
    )
    last.__dict__["sent"] = sent
    return sent


def _inputs_key(material: str) -> bytes:
    return b"score-inputs/" + material.encode()


def _score_key(material: str, home: str) -> bytes:
    return _PREFIX + f"{material}/{home}".encode()
