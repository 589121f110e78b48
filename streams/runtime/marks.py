"""What the progress record says beside the position: last origin seen, last origin sent, last offsets admitted.

The marks belong to the group they are written with, so a restart knows what it had seen and sent *at that point*;
everything later is done again and dropped downstream by its origin.
"""

from collections.abc import Mapping

import msgspec

from streams.contracts.records import OutputPosition
from streams.runtime.watermark import InputClock


class ProgressMetadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The marks of one partition; replaced, never changed in place.

    `seen` is the origin of the last linked record taken (`None` before the first), `sent` the origin of the last
    output written, `seen_part` and `sent_part` their numbers among the records of that origin. `origins` holds the last
    offset admitted per origin topic and partition, `writers` the number of the last record with segments by worker
    life, the latest heard of last. `clock`: what the intake workers stated of their inputs, and the watermark that
    follows; of a linked source only the watermark. `forwarded`: the watermark sent on last.
    """

    seen: int | None = None
    sent: int | None = None
    origins: Mapping[str, Mapping[int, int]] = {}
    writers: Mapping[str, int] = {}
    clock: InputClock = InputClock()
    forwarded: int = 0
    seen_part: int = 0
    sent_part: int = 0

    @property
    def seen_place(self) -> OutputPosition | None:
        """Return the place of the last linked record taken."""
        return None if self.seen is None else (self.seen, self.seen_part)


class Progress(msgspec.Struct, frozen=True, array_like=True):
    """The last record of a group: the position it brings the state to, and the one it started from.

    `key_count`: how many keys stand directly before it; `None` in groups written before this was told.
    """

    position: int
    previous: int
    marks: ProgressMetadata
    key_count: int | None = None


encode_progress = msgspec.msgpack.Encoder().encode
decode_progress = msgspec.msgpack.Decoder(Progress).decode
