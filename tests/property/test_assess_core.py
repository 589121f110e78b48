"""The assess core over drawn logs of every family: cuts, repeats, order within an instant, cores made anew anywhere."""

from datetime import UTC, datetime, timedelta
from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.assess.assess_core import AssessCore, decode_state, encode_state
from streams.assess.assessors.last_scores import LastScore
from streams.contracts.events import Event
from streams.contracts.policy import MeasureChanged
from streams.contracts.provenance import Provenance
from streams.domain.policy.measure_book import MeasurePage
from streams.domain.prices.price_series import PriceSeries
from streams.domain.supply.trade_flows import TradeSeries
from streams.runtime.stage_ports import Admitted, InMemoryStateStore
from tests.support.drawn_events import SIGNALS, draw_events
from tests.support.legal import admitted
from tests.support.stores import recovered


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
        sent, held = assessed(record, store=recovered(held, encode=encode_state, decode=decode_state))
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
def test_the_order_of_subjects_within_an_instant_changes_neither_figures_nor_scores(
    log: list[Event], data: st.DataObject
) -> None:
    """Series and measures are the same at once. Scores are when the minute is over in which figures are entered.

    A score is told when it leaves its step, so two orders may have told it at another place within the same step. A
    material that one act upon a measure names and another of the same instant does not is left out: it is scored anew
    in that instant in one of the orders only.
    """
    shuffled: list[Event] = []
    for _, each_instant in groupby(log, key=lambda event: event.recorded_at):
        group = list(each_instant)
        in_order: dict[str, list[Event]] = {}  # of one subject the order of the log counts
        for event in group:
            in_order.setdefault(event.subject, []).append(event)
        drawn = data.draw(st.permutations(group))
        shuffled += [of_subject.pop(0) for each in drawn if (of_subject := in_order[each.subject])]
    minute = Admitted(position=1, ticks=[log[-1].recorded_at + timedelta(minutes=1)])
    known = []
    for each in (log, shuffled):
        _, store = assessed(each)
        AssessCore(partition=0, partitions=1, store=store).process(minute)
        known.append(_known(store))
    torn = {b"last-score/" + material.encode() for material in _named_by_some(log)}
    one, other = ({k: v for k, v in of.items() if k.rpartition(b"/")[0] not in torn} for of in known)
    assert one == other


def test_exposures_follow_the_score_also_within_its_step() -> None:
    """Two acts of one instant give scores in one step whose exposures lie in two: the last counts in either order."""
    at = datetime(2026, 1, 5, 2, tzinfo=UTC)

    def act(name: str, ends_at: str) -> Event:
        data = MeasureChanged(
            measure="CN-2", action="suspend", instrument="Instrument CN-2", issuer="Office", zone="Asia/Shanghai",
            kind="licence_requirement", materials=("gallium",), ends_at=ends_at, ends_inclusive=True,
            legal_force="instrument", provenance=Provenance(source="Customs"),
        )  # fmt: skip
        return Event(id=name, source="test", subject="CN-2", occurred_at=at, recorded_at=at, data=data)

    both = [act("e2", "2026-01-27"), act("e3", "2026-02-03")]
    one, other = (_known(assessed(log)[1]) for log in (both, both[::-1]))
    assert one == other
    assert any(key.startswith(b"last-score/gallium/") for key in one)


def _named_by_some(log: list[Event]) -> set[str]:
    """Give the materials that some but not all acts upon one measure in one instant name."""
    acts: dict[tuple[object, str], list[set[str]]] = {}
    for event in log:
        if isinstance(event.data, MeasureChanged):
            acts.setdefault((event.recorded_at, event.subject), []).append(set(event.data.materials))
    return {name for named in acts.values() for name in named[0].union(*named) - named[0].intersection(*named)}


def _known(store: InMemoryStateStore) -> dict[bytes, object]:
    known: dict[bytes, object] = {}
    for key, value in store.items():
        if isinstance(value, PriceSeries | MeasurePage | TradeSeries):
            known[key] = encode_state(value)
        elif isinstance(value, LastScore):
            known[key] = (value.steps, value.exposures)
    return known
