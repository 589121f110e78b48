"""The assess core over drawn logs of every family: cuts, repeats, order within an instant, cores made anew anywhere."""

from datetime import timedelta
from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.adapters.assess import AssessCore, decode_state, encode_state
from streams.adapters.subjects.score_memory import LastScore
from streams.contracts.events import Event
from streams.domain.measures import MeasurePage
from streams.domain.prices import PriceSeries
from streams.domain.trade import TradeSeries
from streams.runtime.ports import Admitted, InMemoryStateStore
from tests.support.drawn_events import SIGNALS, draw_events
from tests.support.legal import admitted


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    return draw_events(draw, SIGNALS, most=14)


def state_of(store: InMemoryStateStore) -> dict[bytes, bytes]:
    return {key: encode_state(value) for key, value in store.items()}


def assessed(*records: list[Event], store: InMemoryStateStore | None = None) -> tuple[list[bytes], InMemoryStateStore]:
    """Take records one after the other; give what was sent, in order, and the store."""
    store = store or InMemoryStateStore()
    core = AssessCore(partition=0, partitions=1, store=store)
    sent = [output for record in records for output in core.process(admitted(*record)).outputs]
    return sent, store


def copied(store: InMemoryStateStore) -> InMemoryStateStore:
    """Give the store as it comes back from the changelog."""
    restored = InMemoryStateStore()
    for key, value in store.items():
        restored.put(key, decode_state(encode_state(value)))
    return restored


@settings(max_examples=60, deadline=None)
@given(log=logs(), data=st.data())
def test_how_a_log_is_cut_and_where_a_core_is_made_anew_change_nothing(log: list[Event], data: st.DataObject) -> None:
    """Batches of any size, and a restart from the changelog between any two events."""
    whole, store = assessed(log)
    at = sorted(data.draw(st.sets(st.integers(1, max(1, len(log) - 1)))))
    ends = [*at, len(log)]
    records = [log[start:end] for start, end in zip([0, *at], ends, strict=True)]
    cut, cut_store = assessed(*records)
    assert cut == whole
    assert state_of(cut_store) == state_of(store)
    anew: list[bytes] = []
    held = InMemoryStateStore()
    for record in records:
        sent, held = assessed(record, store=copied(held))
        anew += sent
    assert anew == whole
    assert state_of(held) == state_of(store)


@settings(max_examples=60, deadline=None)
@given(log=logs(), data=st.data())
def test_an_event_that_comes_again_is_taken_once(log: list[Event], data: st.DataObject) -> None:
    """Right behind, or at any later place within its instant: nothing is sent and nothing changes."""
    whole, store = assessed(log)
    twice: list[Event] = []
    for event in log:
        twice += [event] * data.draw(st.integers(1, 3))
    again, again_store = assessed(twice)
    assert again == whole
    assert state_of(again_store) == state_of(store)


@settings(max_examples=60, deadline=None)
@given(log=logs(), data=st.data())
def test_the_order_within_an_instant_changes_neither_figures_nor_scores(log: list[Event], data: st.DataObject) -> None:
    """Series and measures are the same at once. Scores are when the minute is over in which figures are entered.

    A score is told when it leaves its step, so two orders may have told it at another place within the same step. A
    material that an act named and another act of the same instant took back is scored in one of the orders only.
    """
    shuffled: list[Event] = []
    for _, group in groupby(log, key=lambda event: event.recorded_at):
        shuffled += data.draw(st.permutations(list(group)))
    minute = Admitted(position=1, ticks=[log[-1].recorded_at + timedelta(minutes=1)])
    known = []
    for each in (log, shuffled):
        _, store = assessed(each)
        AssessCore(partition=0, partitions=1, store=store).process(minute)
        known.append(_known(store))
    one, other = known
    only = [key for key in one.keys() ^ other.keys() if not key.startswith(b"last-score/")]
    assert not only
    assert {key: one[key] for key in one.keys() & other.keys()} == {
        key: other[key] for key in one.keys() & other.keys()
    }


def _known(store: InMemoryStateStore) -> dict[bytes, object]:
    known: dict[bytes, object] = {}
    for key, value in store.items():
        if isinstance(value, PriceSeries | MeasurePage | TradeSeries):
            known[key] = encode_state(value)
        elif isinstance(value, LastScore):
            known[key] = (value.steps, value.exposures)
    return known
