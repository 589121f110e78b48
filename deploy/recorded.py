"""Events for the commands that need no stack: the shipped history, or a file that somebody recorded."""

from collections.abc import Sequence
from pathlib import Path

from deploy.output import EXIT_USAGE, fail
from streams.contracts.codec import decode_event
from streams.contracts.events import Event
from streams.contracts.reasons import DecodeError


def load_events(origin: str) -> Sequence[Event]:
    """Load the shipped history (`history`) or a file of structured CloudEvents, one a line.

    A line that is no event ends the command: what a person computes on must be whole.
    """
    if origin == "history":
        from streams.reference import load_history

        events: Sequence[Event] = load_history()
        return events
    path = Path(origin)
    if not path.is_file():
        fail(f"--from {origin}: there is no such file", code=EXIT_USAGE, hint="use history, live, or a path")
    events = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                events.append(decode_event(line))
            except DecodeError as error:
                fail(f"{path}:{number}: {error}", hint="mend the line; `produce file` checks a whole file")
    return events
