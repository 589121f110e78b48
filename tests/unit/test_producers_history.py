"""The order of a replay: by the instant of recording, policy first, the same every time."""

import random
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from producers.history import UnreadableHistoryError, instants, read_history
from streams.contracts.codec import encode_event
from tests.support.examples import EXAMPLE_EVENTS, RECORDED

POLICY, PRICE = EXAMPLE_EVENTS[0], EXAMPLE_EVENTS[3]


def test_events_of_one_instant_stand_together_policy_first() -> None:
    """The measure book must be up to date before prices of the same instant are judged."""
    later = msgspec.structs.replace(PRICE, id="e-2", recorded_at=RECORDED + timedelta(seconds=1))
    found = list(instants([later, PRICE, POLICY], until=RECORDED + timedelta(days=1)))
    assert [(i.at, list(i.events)) for i in found] == [(RECORDED, [POLICY, PRICE]), (later.recorded_at, [later])]


def test_the_order_does_not_depend_on_the_files() -> None:
    """Two replays of one history must give one log."""
    events = [msgspec.structs.replace(e, id=f"e-{n}") for n in range(3) for e in EXAMPLE_EVENTS[:9]]
    expected = list(instants(events, until=RECORDED))
    random.Random(1).shuffle(events)
    assert list(instants(events, until=RECORDED)) == expected


def test_what_was_recorded_after_the_end_is_left_out() -> None:
    """The end is the last instant replayed, itself included."""
    assert list(instants([PRICE], until=RECORDED - timedelta(microseconds=1))) == []
    assert len(list(instants([PRICE], until=RECORDED))) == 1


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    """A replay with a hole would be a replay of something else."""
    (tmp_path / "a.jsonl").write_bytes(encode_event(PRICE) + b"\n\n{oops\n")
    with pytest.raises(UnreadableHistoryError, match=r"a\.jsonl:3: not_json"):
        read_history(tmp_path)


def test_a_directory_without_history_says_what_is_wanted(tmp_path: Path) -> None:
    """The usual mistake is the wrong directory."""
    with pytest.raises(UnreadableHistoryError, match=r"no \.jsonl files"):
        read_history(tmp_path)
