"""When an admitted event counts as recorded: the broker's instant, or the one it brings where it is history."""

from datetime import timedelta

import msgspec
import pytest

from streams.contracts.codec import decode_event, encode_event
from streams.contracts.instants import HISTORY_AFTER, as_recorded, instant_of
from tests.support.examples import EXAMPLE_EVENTS, RECORDED

QUOTE = EXAMPLE_EVENTS[3]
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("appended", "counts"),
    [
        (RECORDED + SECOND, RECORDED + SECOND),
        (RECORDED - 800 * HISTORY_AFTER, RECORDED - 800 * HISTORY_AFTER),  # a clock years ahead says nothing
        (RECORDED + HISTORY_AFTER - SECOND, RECORDED + HISTORY_AFTER - SECOND),
        (RECORDED + HISTORY_AFTER, RECORDED),
        (None, RECORDED),
    ],
)
def test_only_history_says_when_it_was_recorded(appended: object, counts: object) -> None:
    """Which of two figures is newer must not hang on the clocks of those who send them."""
    assert as_recorded(QUOTE, at=appended).recorded_at == counts  # type: ignore[arg-type]
    raw = encode_event(QUOTE)
    read_by_steps = msgspec.json.encode({**msgspec.json.decode(raw), "unknownattribute": "x"})
    for written in (raw, read_by_steps):
        assert decode_event(written, appended_at=appended).recorded_at == counts  # type: ignore[arg-type]


def test_no_append_time_means_that_events_bring_their_instants() -> None:
    """A replay has none."""
    assert instant_of(0) is None
    assert instant_of(int(RECORDED.timestamp() * 1000)) == RECORDED
