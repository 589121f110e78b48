"""The identity window: the same event once, another one under its name refused, over a bounded past."""

from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.assess.assess_core import AssessCore, decode_state, encode_state
from streams.assess.identity_window import Identity, IdentityWindow
from streams.contracts.codec import decode_event, encode_event
from streams.contracts.events import Event
from streams.contracts.records import Segment
from streams.runtime.stage_ports import Admitted, InMemoryStateStore
from tests.support.examples import EXAMPLE_EVENTS, RECORDED
from tests.support.stores import recovered

QUOTE = EXAMPLE_EVENTS[3]


def event(number: int, *, body: int = 0) -> Event:
    occurred = RECORDED - timedelta(minutes=body)
    return msgspec.structs.replace(QUOTE, id=f"e-{number}", occurred_at=occurred)


def window(store: InMemoryStateStore) -> IdentityWindow:
    return IdentityWindow(store, events_known=6, events_in_page=3)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), max_size=40), st.sets(st.integers(0, 39)))
def test_it_remembers_the_last_pages_and_a_restart_remembers_the_same(
    sent: list[tuple[int, int]], restarts: set[int]
) -> None:
    """What it says is that of a list of the newest pages, wherever it was recovered."""
    store = InMemoryStateStore()
    held = window(store)
    pages: list[dict[int, int]] = [{}]
    for n, (number, body) in enumerate(sent):
        if n in restarts:
            store = recovered(store, encode=encode_state, decode=decode_state)
            held = window(store)
        known = {name: said for page in pages for name, said in page.items()}
        expected = Identity.NEW if number not in known else (
            Identity.DUPLICATE if known[number] == body else Identity.CONFLICT
        )  # fmt: skip
        assert held.take(event(number, body=body)) is expected
        held.keep()
        if expected is Identity.NEW:
            if len(pages[-1]) == 3:
                pages = [*pages[-1:], {}]
            pages[-1][number] = body
    assert len(list(store.items())) <= 2


def test_when_it_was_recorded_and_how_it_was_written_is_no_other_body() -> None:
    """A route stamps its own instant and orders fields as it likes; the event is the same."""
    held = window(InMemoryStateStore())
    assert held.take(event(1)) is Identity.NEW
    other = msgspec.structs.replace(event(1), recorded_at=RECORDED + timedelta(days=3))
    assert held.take(other) is Identity.DUPLICATE
    fields = msgspec.json.decode(encode_event(event(1)))
    turned = {name: fields[name] for name in reversed(list(fields))}
    turned["data"] = {name: fields["data"][name] for name in reversed(list(fields["data"]))}
    assert held.take(decode_event(msgspec.json.encode(turned))) is Identity.DUPLICATE


def test_the_core_takes_an_event_once_counts_the_rest_and_refuses_another_body_with_what_to_do() -> None:
    """A, B, then A again raised a false alert."""
    core = AssessCore(partition=0, partitions=1, store=InMemoryStateStore())
    sent = [event(1), event(2), event(1), event(1, body=1)]
    raws = [msgspec.Raw(encode_event(each)) for each in sent]
    at = int(RECORDED.timestamp() * 1000)
    segment = Segment(topic="price", partition=0, offset=0, indexes=list(range(4)), events=raws, at=at)
    outcome = core.process(Admitted(position=0, segments=[segment], now=RECORDED))
    assert (outcome.duplicate_count, outcome.conflict_count) == (1, 1)
    (letter,) = outcome.dead_letters
    assert (letter.reason, letter.field, letter.index) == ("conflict", "/id", 3)
    assert "id of its own" in letter.detail
