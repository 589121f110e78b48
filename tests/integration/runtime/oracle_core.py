"""Two pure cores with a cross-key cell, and the replay that says what their logs and states must be.

The cell (`book`) changes with every seventh event and enters every output, so a state that mixes two positions shows
at once: the outputs after it differ.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from streams.contracts.records import LinkedRecord, decode_signal, encode
from streams.runtime.marks import ProgressMetadata
from streams.runtime.origins import admit_segments
from streams.runtime.stage_ports import Admitted, InMemoryStateStore, Outcome, PartitionCore, StateStore

ALERT_EVERY_COUNT = 10
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.decode


def _crc(*parts: object) -> int:
    return zlib.crc32("|".join(map(str, parts)).encode())


class AssessCore:
    """Counts events per key; every output carries a digest of the shared cell. Ticks are forwarded."""

    def __init__(self, partition: int, state: StateStore) -> None:
        self._state = state
        self._book: int = state.get(b"book") or 0

    def process(self, admitted: Admitted) -> Outcome:
        outputs = []
        for tick in admitted.ticks:
            now = max(self._state.get(b"now") or 0.0, tick.timestamp())
            self._state.put(b"now", now)
            outputs.append(_encode({"tick": now}))
        for segment in admitted.segments:
            outputs.extend(self._count(_decode(event)) for event in segment.events)
        return Outcome(outputs=outputs)

    def _count(self, event: Mapping[str, Any]) -> bytes:
        if event["id"] % 7 == 0:
            self._book = _crc(self._book, event["id"])
            self._state.put(b"book", self._book)
        key = b"k:" + event["key"].encode()
        count, chain = self._state.get(key) or (0, 0)
        count, chain = count + 1, _crc(chain, event["id"], self._book)
        self._state.put(key, (count, chain))
        return _encode({"id": event["id"], "key": event["key"], "n": count, "c": chain})


class RulesCore:
    """Alerts at every tenth output of a key; the digest depends on the last tick seen."""

    def __init__(self, partition: int, state: StateStore) -> None:
        self._state = state

    def process(self, admitted: Admitted) -> Outcome:
        outputs = []
        for raw in admitted.items:
            event = _decode(raw)
            if "tick" in event:
                now = max(self._state.get(b"now") or 0.0, event["tick"])
                self._state.put(b"now", now)
                outputs.append(_encode({"tick": now}))
                continue
            key = b"k:" + event["key"].encode()
            count, digest = self._state.get(key) or (0, 0)
            count, digest = count + 1, _crc(digest, event["c"], self._state.get(b"now") or 0.0)
            self._state.put(key, (count, digest))
            if count % ALERT_EVERY_COUNT == 0:
                outputs.append(_encode({"alert": f"{event['key']}/{count}", "x": digest, "id": event["id"]}))
        return Outcome(outputs=outputs)


def linked(core: PartitionCore, admitted: Sequence[Admitted]) -> list[LinkedRecord]:
    """Return the linked log that a core makes of a sequence of records."""
    log: list[LinkedRecord] = []
    sent: int | None = None
    for one in admitted:
        outputs = core.process(one).outputs
        if outputs:
            log.append(LinkedRecord(o=one.position, prev=sent, x=[msgspec.Raw(output) for output in outputs]))
            sent = one.position
    return log


def replay_signals(values: Sequence[bytes], admitted_at: Any) -> list[Admitted]:
    """Return what the assess core is handed of a `signals` partition, repeats dropped."""
    marks = ProgressMetadata()
    admitted = []
    for offset, value in enumerate(values):
        record = decode_signal(value)
        segments, origins = admit_segments(marks.origins, record.segments)
        marks = ProgressMetadata(origins=origins)
        if segments or record.ticks:
            admitted.append(Admitted(position=offset, recorded_at=admitted_at, segments=segments, ticks=record.ticks))
    return admitted


def expected(
    values: Sequence[bytes], admitted_at: Any
) -> tuple[list[bytes], dict[bytes, Any], list[bytes], dict[bytes, Any]]:
    """Return assessments, state of assess, alerts and state of rules for one partition of `signals`."""
    assess_state, rules_state = InMemoryStateStore(), InMemoryStateStore()
    assessments = linked(AssessCore(0, assess_state), replay_signals(values, admitted_at))
    handed = [Admitted(position=record.o, recorded_at=admitted_at, items=record.x) for record in assessments]
    alerts = linked(RulesCore(0, rules_state), handed)
    return (
        [encode(record) for record in assessments],
        dict(assess_state.items()),
        [encode(record) for record in alerts],
        dict(rules_state.items()),
    )
