"""Outputs that one record cannot hold: cut over several in order, or refused one by one."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.reasons import RejectReason
from streams.runtime.splitting import bounded, split
from streams.runtime.stage_ports import DeadLetter, Outcome

LIMIT_BYTES = 1_000
MOST_BYTES = LIMIT_BYTES - 512
OUTPUTS = st.lists(st.integers(0, MOST_BYTES).map(lambda size: b"x" * size), max_size=30)


@given(OUTPUTS)
def test_parts_hold_every_output_once_in_order_and_are_as_few_as_fit(outputs: list[bytes]) -> None:
    """What is made again after a crash is cut at the same places, so a part is known by its number."""
    parts = [part for part, _ in split(Outcome(outputs=outputs), limit_bytes=LIMIT_BYTES)]
    assert [output for part in parts for output in part] == outputs
    assert parts == [part for part, _ in split(Outcome(outputs=outputs), limit_bytes=LIMIT_BYTES)]
    assert all(parts) or parts == [[]]
    for part, following in pairwise(parts):
        assert len(part) == 1 or sum(len(output) + 1 for output in part) <= MOST_BYTES
        assert sum(len(output) + 1 for output in [*part, following[0]]) > MOST_BYTES


def test_what_one_event_gave_stays_together_where_a_record_holds_it() -> None:
    """Composites are decided after each event, and must not be decided halfway through one."""
    outcome = Outcome(outputs=[b"x" * 200] * 6 + [b"y" * 300] * 2, output_counts=[2, 1, 3, 2])
    assert [(len(outputs), list(counts)) for outputs, counts in split(outcome, limit_bytes=LIMIT_BYTES)] == [
        (2, [2]), (2, [1, 1]), (2, [1, 1]), (1, [1]), (1, [1]),
    ]  # fmt: skip


def test_an_output_that_no_record_holds_becomes_a_dead_letter_with_its_size_and_takes_no_other_with_it() -> None:
    """It must not end the worker at the same record for ever."""
    known = DeadLetter(value=None, reason="known", field="", detail="")
    large = b"y" * (MOST_BYTES + 1)
    outcome = bounded(Outcome(outputs=[b"a", large, b"b"], dead_letters=[known]), limit_bytes=LIMIT_BYTES)
    assert outcome.outputs == [b"a", b"b"]
    assert [letter.reason for letter in outcome.dead_letters] == ["known", RejectReason.OUTPUT_TOO_LARGE]
    assert f"{len(large)} bytes" in outcome.dead_letters[1].detail
    assert outcome.dead_letters[1].value == large


def test_what_fits_is_handed_on_as_it_is() -> None:
    """The usual case costs a look at the sizes."""
    outcome = Outcome(outputs=[b"a" * MOST_BYTES])
    assert bounded(outcome, limit_bytes=LIMIT_BYTES) is outcome
