"""Damage to record batches where they lie on a broker's disk: what no producer can write, for the broker checks."""

import struct
from collections.abc import Callable
from pathlib import Path

from crc32c import crc32c

_CRC_AT, _COVERED_FROM, _CODEC_AT, _RECORDS_FROM = 17, 21, 22, 61
_LENGTH_FROM = 12

Damage = Callable[[bytearray], None]


def _seal(batch: bytearray) -> None:
    struct.pack_into(">I", batch, _CRC_AT, crc32c(bytes(batch[_COVERED_FROM:])))


def wrong_checksum(batch: bytearray) -> None:
    """Flip bits of the records."""
    batch[-1] ^= 0xFF


def wrong_checksum_and_end(batch: bytearray) -> None:
    """Flip bits of the number of the last offset: the header itself says nonsense."""
    batch[23] ^= 0x7F


def unknown_codec(batch: bytearray) -> None:
    """Name a codec that there is not; the checksum is right."""
    batch[_CODEC_AT] |= 0x07
    _seal(batch)


def malformed_frame(batch: bytearray) -> None:
    """Put junk where the compressed records begin; the checksum is right."""
    batch[_RECORDS_FROM : _RECORDS_FROM + 8] = b"\xde\xad\xbe\xef\x00\x01\x02\x03"
    _seal(batch)


def truncated_records(batch: bytearray) -> None:
    """Leave nothing of the second half of the records; the checksum is right."""
    middle = (_RECORDS_FROM + len(batch)) // 2
    batch[middle:] = bytes(len(batch) - middle)
    _seal(batch)


def damage_batch(folder: Path, *, topic: str, partition: int, offset: int, how: Damage) -> int:
    """Damage the batch that holds an offset, in place under a running broker; return its last offset.

    `folder` is searched for the partition. The broker does not look at what it hands out, so readers get it as it is.
    """
    (log,) = folder.rglob(f"{topic}-{partition}/00000000000000000000.log")
    content = log.read_bytes()
    at = 0
    while at + _RECORDS_FROM <= len(content):
        base, length = struct.unpack_from(">qi", content, at)
        last = base + struct.unpack_from(">i", content, at + 23)[0]
        end = at + _LENGTH_FROM + length
        if base <= offset <= last:
            batch = bytearray(content[at:end])
            how(batch)
            with log.open("r+b") as file:
                file.seek(at)
                file.write(batch)
            return int(last)
        at = end
    raise ValueError(f"{log} holds no batch with offset {offset}")
