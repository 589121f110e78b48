"""How a refused record stands on the dead-letters topic: the original bytes, key and headers, and why it was refused.

Every writer (gateway, intake, workers) and every reader (command line, replay of dead letters) uses this frame.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

NO_POSITION = -1
"""Partition and offset of what was refused before it was on any topic, such as an event of an HTTP request."""


class DeadLetterRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One refused record or event, enough to inspect and to replay it.

    `topic`, `partition` and `offset` say which source record it came from; `index` the place of the event within its
    input record, `None` when the whole record is meant. `last_offset` is set where it stands for a batch that could not
    be decoded: all offsets from `offset` to it. `field` is a JSON pointer into the value. `recorded_at` is the
    broker's instant of the source record. `attempt` counts replays from 1, `version` is the version of this frame.
    `cut_from` is the size in bytes of a value that was too large to be kept whole, else `None`. Bytes are Base64.
    """

    reason: str
    stage: str
    topic: str
    partition: int
    offset: int
    recorded_at: datetime
    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    index: int | None = None
    field: str = ""
    detail: str = ""
    attempt: int = 1
    version: int = 1
    cut_from: int | None = None
    last_offset: int | None = None

    @property
    def origin(self) -> bytes:
        """Key on the topic: the place it came from, so that repeats of one letter share a key."""
        place = f"{self.topic}/{self.partition}/{self.offset}"
        return (place if self.index is None else f"{place}/{self.index}").encode()


encode_dead_letter = msgspec.json.Encoder().encode
decode_dead_letter = msgspec.json.Decoder(DeadLetterRecord).decode
