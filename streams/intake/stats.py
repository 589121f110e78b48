"""Counters of an intake worker, kept as plain numbers; the metrics collector reads them at scrape time."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

from streams.intake.intake_core import IntakeDecision

MAX_SOURCES = 200
"""Sources come from outside, so as a metric label they are bounded; later ones count under `OTHER_SOURCES`."""
OTHER_SOURCES = "other"


class IntakeStats:
    """What an intake worker has done since it started.

    `events` counts by (topic, outcome) with outcome `admitted` or `dead_letter`; `dead_letters` by (topic, reason);
    `last_event_at` is the newest recorded instant by source. `busy_seconds` is CPU time spent on records.
    `turned_at_seconds` is when the loop turned last, by the monotonic clock; `read_inputs` gives, for each input
    partition, the offset to admit next and the end of the log as far as it is known.
    """

    def __init__(self) -> None:
        self.events: Counter[tuple[str, str]] = Counter()
        self.dead_letters: Counter[tuple[str, str]] = Counter()
        self.last_event_at: dict[str, datetime] = {}
        self.records_read = 0
        self.records_written = 0
        self.statements = 0
        self.commits = 0
        self.failed_commits = 0
        self.rebalances = 0
        self.busy_seconds = 0.0
        self.assigned: frozenset[tuple[str, int]] = frozenset()
        self.positions: dict[tuple[str, int], int] = {}
        self.ready = False
        self.turned_at_seconds = 0.0
        self.read_inputs: Callable[[], Mapping[tuple[str, int], tuple[int, int | None]]] = dict

    def count(self, topic: str, admission: IntakeDecision) -> None:
        """Count one record and what became of its events."""
        self.records_read += 1
        if admission.admitted_count:
            self.events[topic, "admitted"] += admission.admitted_count
        for letter in admission.dead_letters:
            self.events[topic, "dead_letter"] += 1
            self.dead_letters[topic, letter.reason] += 1
        for source, instant in admission.last_event_at.items():
            name = source if source in self.last_event_at or len(self.last_event_at) < MAX_SOURCES else OTHER_SOURCES
            known = self.last_event_at.get(name)
            if known is None or instant > known:
                self.last_event_at[name] = instant
