"""Write the shipped histories from the shipped tables: `python -m streams.reference.curate [--check]`."""

import sys
from pathlib import Path

from streams.contracts.codec import encode_event
from streams.reference.curate_policy import policy_history
from streams.reference.curate_prices import price_history
from streams.reference.curate_supply import capacity_history
from streams.reference.loaders import HISTORIES, HistoryKind

HISTORY_DIRECTORY = Path(__file__).parent / "history"

_MAKERS = {"policy": policy_history, "price": price_history, "capacity": capacity_history}


def render(kind: HistoryKind) -> bytes:
    """Return the file of one history: a CloudEvent in structured mode a line, in event-time order."""
    return b"".join(encode_event(event) + b"\n" for event in _MAKERS[kind]())


def main(arguments: list[str]) -> int:
    """Write the histories, or with `--check` answer 1 where a committed one differs from its tables."""
    changed = 0
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
