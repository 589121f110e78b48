"""The declaration of a stage, and who is told about its records and checkpoints."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from streams.runtime.stage_ports import PartitionCore, StateStore


class SourceKind(StrEnum):
    """How the records of a source topic are framed: `SignalRecord`, `LinkedRecord`, or one raw value each."""

    SIGNALS = "signals"
    LINKED = "linked"
    PLAIN = "plain"


class CheckpointObserver(Protocol):
    """Told what became durable, for read views and metrics. Called in the event loop: must not block.

    What it raises is logged and otherwise ignored: a view must not stop the alerts.
    """

    def on_ready(self, stage: str, partition: int, state: StateStore) -> None:
        """Take note that a partition was recovered and its records flow."""

    def on_checkpoint(self, stage: str, partition: int, progress: int, changed: Mapping[bytes, Any | None]) -> None:
        """Take note that a group is durable: `changed` holds the new values, `None` for a deleted key."""

    def on_dropped(self, stage: str, partition: int) -> None:
        """Take note that a partition is no longer ours; whatever hangs on it must go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTaken:
    """One source record as a stage left it: `event_count` events and ticks, none where the record was a repeat.

    `seconds` is what it took from the offset guard to the end of the record, a checkpoint it closed included;
    `refused` are the reasons of its dead letters, `conflict_count` of which say that the identity was taken;
    `duplicate_count` are events that were taken before.
    """

    stage: str
    topic: str
    partition: int
    seconds: float
    event_count: int
    repeated: bool
    refused: tuple[str, ...] = ()
    duplicate_count: int = 0
    conflict_count: int = 0
    outputs: Sequence[bytes] = ()


class RecordObserver(Protocol):
    """Told of every record and every hand-out of partitions, for metrics. Called in the event loop: must not block."""

    def on_record(self, taken: RecordTaken) -> None:
        """Take note of one record that was processed or dropped as a repeat."""

    def on_assigned(self) -> None:
        """Take note that the partitions were handed out anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """One stage: a source topic, a pure core with durable state, at most one output topic.

    `encode_value` and `decode_value` turn state values into bytes and back, exactly; the default is MessagePack of
    plain values, a stage with typed state gives the pair of a tagged union. `output_topic` must have the partition
    count of the source: outputs keep the partition. `forwards_time`: the watermark of the source goes on with the
    outputs, and alone once a second, for a next stage that has timers. `remedy` is what an operator can do when the
    core refuses too much.
    """

    name: str
    source_topic: str
    source_kind: SourceKind
    make_core: Callable[[int, StateStore], PartitionCore]
    output_topic: str | None = None
    forwards_time: bool = False
    remedy: str = "mend what sends them, or this program"
    encode_value: Callable[[Any], bytes] = field(default=msgspec.msgpack.Encoder().encode)
    decode_value: Callable[[bytes], Any] = field(default=msgspec.msgpack.Decoder().decode)
