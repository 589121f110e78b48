"""How a refused record stands on the dead-letters topic: the original value and key, and headers that say why.

Every writer (intake, gateway, workers) and every reader (the command line, replay) goes through this module.
The original headers travel with the prefix `original_`, so that a replay can restore them.
"""

from collections.abc import Mapping, Sequence

import msgspec

VERSION = 1
MAX_DETAIL_CHARACTERS = 500
_ORIGINAL = "original_"


class DeadLetterNote(msgspec.Struct, frozen=True, kw_only=True):
    """Why and where a record was refused.

    `reason` is a `RejectReason` value, `field` a JSON pointer ("" for the whole), `stage` who refused it. `topic`,
    `partition`, `offset` are its origin (`None`: it was never on a topic, such as a refused HTTP request); `index` its
    place in a batch record, `None` for a whole record. `attempt` counts from 1, one more for each replay. `cut_from` is
    the original size in bytes where the value was too large to keep whole, else `None`.
    """

    reason: str
    field: str
    detail: str
    stage: str
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    index: int | None = None
    attempt: int = 1
    cut_from: int | None = None
    version: int = VERSION


_NAMES = tuple(field.name for field in msgspec.structs.fields(DeadLetterNote))


def encode_headers(note: DeadLetterNote, original: Sequence[tuple[str, bytes | None]] = ()) -> list[tuple[str, bytes]]:
    """Return the Kafka headers of a dead letter; `None` values have no header."""
    values = {name: getattr(note, name) for name in _NAMES}
    values["detail"] = note.detail[:MAX_DETAIL_CHARACTERS]
    headers = [
        (name, str(value).encode("utf-8", "backslashreplace")) for name, value in values.items() if value is not None
    ]
    headers.extend((f"{_ORIGINAL}{name}", content or b"") for name, content in original)
    return headers


def decode_headers(headers: Sequence[tuple[str, bytes | None]]) -> tuple[DeadLetterNote, list[tuple[str, bytes]]]:
    """Read the note and the original headers back; raises `ValueError` where the headers are no dead letter's."""
    named: Mapping[str, str] = {
        name: (content or b"").decode("utf-8", "replace") for name, content in headers if not name.startswith(_ORIGINAL)
    }
    original = [
        (name.removeprefix(_ORIGINAL), content or b"") for name, content in headers if name.startswith(_ORIGINAL)
    ]
    try:
        note = msgspec.convert({name: named[name] for name in _NAMES if name in named}, DeadLetterNote, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"these are not the headers of a dead letter: {error}") from error
    return note, original


def letter_key(note: DeadLetterNote) -> bytes | None:
    """Return the key of a dead letter, made of its origin, so that repeats of it share a key; `None` without one."""
    if note.topic is None:
        return None
    place = f"{note.topic}/{note.partition}/{note.offset}"
    return (place if note.index is None else f"{place}/{note.index}").encode()
