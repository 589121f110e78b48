"""Write the shipped histories from the shipped tables: `python -m streams.reference.curate [--check]`."""

import sys

from streams.contracts.codec import encode_event
from streams.reference.curate_policy import policy_history
from streams.reference.curate_prices import price_history
from streams.reference.curate_supply import capacity_history
from streams.reference.digests import DIGEST_FILE, broken_promises, read_digests, render_digests, with_new
from streams.reference.loaders import HISTORIES, HISTORY_DIRECTORY, HistoryKind

_MAKERS = {"policy": policy_history, "price": price_history, "capacity": capacity_history}


def render(kind: HistoryKind) -> bytes:
    """Return the file of one history: a CloudEvent in structured mode a line, in event-time order."""
    return b"".join(encode_event(event) + b"\n" for event in _MAKERS[kind]())


def main(arguments: list[str]) -> int:
    """Write the histories, or with `--check` answer 1 where a committed one differs from its tables.

    Nothing is written, and the answer is 1, where an event that was shipped would change or go (`digests`).
    """
    events = [event for maker in _MAKERS.values() for event in maker()]
    committed = read_digests()
    known = committed if "--check" in arguments else with_new(committed, events)
    wrong = broken_promises(known, events)
    if wrong:
        sys.stderr.write("".join(f"{line}\n" for line in wrong))
        return 1
    changed = 0
    if "--check" not in arguments:
        DIGEST_FILE.write_text(render_digests(known), encoding="utf-8")
    for kind in HISTORIES:
        path = HISTORY_DIRECTORY / f"{kind}.jsonl"
        made = render(kind)
        if not path.exists() or path.read_bytes() != made:
            changed += 1
            if "--check" not in arguments:
                path.write_bytes(made)
    return 1 if changed and "--check" in arguments else 0


if __name__ == "__main__":  # pragma: no cover
    sys.exit(main(sys.argv[1:]))
