"""Digests of the shipped history: an event that was shipped never changes under its id.

A stack that has an event is never sent it again, so a changed body would reach new stacks only, and the two would
disagree for ever. What was wrong is put right by a new event: of policy with `amends`, of a figure with a later vintage
and `amends_vintage`, of a price with a new id.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

import msgspec

from streams.contracts.codec import encode_event
from streams.contracts.events import Event
from streams.reference.loaders import HISTORY_DIRECTORY

DIGEST_FILE = HISTORY_DIRECTORY / "digests.txt"


def digest_of(event: Event) -> str:
    """Return a digest of all that an event says, independent of the order in which it is written."""
    said = msgspec.json.decode(encode_event(event))
    return sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:16]


def read_digests(path: Path = DIGEST_FILE) -> dict[str, str]:
    """Read the committed digests by id; raises `ValueError` for a line that is not `DIGEST id`."""
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        digest, _, name = line.partition(" ")
        if len(digest) != 16 or not name or name in found:
            raise ValueError(f"{path.name}:{number}: not a digest and an id that stands nowhere else: {line!r}")
        found[name] = digest
    return found


def render_digests(digests: Mapping[str, str]) -> str:
    """Return the text of the file: a line an event, in order of the ids."""
    return "".join(f"{digest} {name}\n" for name, digest in sorted(digests.items()))


def with_new(committed: Mapping[str, str], events: Iterable[Event]) -> dict[str, str]:
    """Return the digests with those of events that were never shipped; what was shipped keeps its digest."""
    return {event.id: digest_of(event) for event in events} | dict(committed)


def broken_promises(committed: Mapping[str, str], events: Iterable[Event]) -> list[str]:
    """Return what is wrong with a history, in words: ids that changed, that are gone, or whose digest is not there."""
    now: dict[str, str] = {}
    wrong = []
    for event in events:
        if event.id in now:
            wrong.append(f"{event.id}: stands twice in the history; an id is given once")
        now[event.id] = digest_of(event)
    for name, digest in sorted(now.items()):
        if name not in committed:
            wrong.append(f"{name}: is new and has no digest: run `python -m streams.reference.curate`")
        elif committed[name] != digest:
            wrong.append(f"{name}: was shipped with another body: keep that, and say what is right in a new event")
    wrong += [
        f"{name}: was shipped and is gone: stacks that have it keep it; put it back"
        for name in sorted(committed.keys() - now.keys())
    ]
    return wrong
