"""Counts of what the runtime did, per stage, for metrics and for tests that must see a guard at work."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class StageCounters:
    """Monotonic counts of one stage since the process started."""

    records_total: int = 0
    repeats_total: int = 0
    outputs_total: int = 0
    checkpoints_total: int = 0
    changelog_records_total: int = 0
    dead_letters_total: int = 0
    duplicate_events_total: int = 0
    conflicting_events_total: int = 0
    rollbacks_total: int = 0
    healed_keys_total: int = 0
    unread_tails_total: int = 0
    missed_generations_total: int = 0
    checkpoint_reasons: dict[str, int] = field(default_factory=dict)
    copy_faults: dict[str, int] = field(default_factory=dict)
