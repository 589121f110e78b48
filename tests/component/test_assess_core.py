"""The assess core over the shipped history: what it sends, when, and that cuts, ticks and restarts do not matter."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from streams.assess.assess_core import AssessCore, cause_of, decode_state, encode_state
from streams.contracts.assessments import MeasureAssessed, RiskAssessed
from streams.contracts.capacity import StockReported
from streams.contracts.codec import decode_event, encode_event
from streams.contracts.directive import DirectiveGiven
from streams.contracts.events import Event, Payload, Tick, family_of, subject_of
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance
from streams.contracts.records import Segment
from streams.contracts.topics import BROADCAST_FAMILIES, partition_of
from streams.reference import load_history
from streams.runtime.stage_ports import Admitted, InMemoryStateStore
from tests.support.legal import T0, act, admitted, at, claim, on
from tests.support.stores import recovered

END = datetime(2026, 11, 23, 12, tzinfo=UTC)
HISTORY = load_history()
SEVEN = {"CN-2025-55", "CN-2025-56", "CN-2025-57", "CN-2025-58", "CN-2025-61a", "CN-2025-61b", "CN-2025-62"}


def core(store: InMemoryStateStore | None = None, *, partition: int = 0, partitions: int = 1) -> AssessCore:
    return AssessCore(partition=partition, partitions=partitions, store=store or InMemoryStateStore())


def ticks(*instants: datetime) -> Admitted:
    return Admitted(position=0, ticks=instants)


def run(it: AssessCore, records: Iterable[Admitted]) -> list[bytes]:
    outputs: list[bytes] = []
    for record in records:
        outcome = it.process(record)
        assert not outcome.dead_letters
        outputs += outcome.outputs
    return outputs


def decoded(outputs: Iterable[bytes]) -> list[Event]:
    return [decode_event(raw) for raw in outputs]


def without_ticks(outputs: Iterable[bytes]) -> list[bytes]:
    return [raw for raw in outputs if b'"org.monazite.tick.v1"' not in raw]


def measures(outputs: Iterable[bytes]) -> list[MeasureAssessed]:
    return [event.data for event in decoded(outputs) if isinstance(event.data, MeasureAssessed)]


def records(events: Sequence[Event], *, size: int = 1, every: timedelta | None = None) -> list[Admitted]:
    """Cut events into records of at most `size`, with a tick at each step of `every` before what came after it."""
    made: list[Admitted] = []
    waiting: list[Event] = []
    clock = events[0].recorded_at
    for event in [*events, None]:
        until = event.recorded_at if event else END
        while every and clock + every < until:
            if waiting:
                made.append(admitted(*waiting))
                waiting = []
            clock += every
            made.append(ticks(clock))
        if event:
            waiting.append(event)
            if len(waiting) == size:
                made.append(admitted(*waiting))
                waiting = []
    return [*made, *([admitted(*waiting)] if waiting else []), ticks(END)]


WHOLE = without_ticks(run(core(), records(HISTORY)))


def test_the_history_ends_as_the_demo_must_show_it() -> None:
    """Seven limbs lapsed with the claim beside them, paragraph 2 suspended, 18 of 2025 in force."""
    last = {each.measure: each for each in measures(WHOLE)}
    for measure in SEVEN:
        assert last[measure].state == "lapsed_unconfirmed"
        assert last[measure].previous_state == "suspended"
        assert last[measure].at == datetime(2026, 11, 10, 16, tzinfo=UTC)
        assert {str(end.day) for end in last[measure].claimed_ends} == {"2027-01-10"}
    assert (last["CN-2024-46-2"].state, str(last["CN-2024-46-2"].legal_end)) == ("suspended", "2026-11-27")
    assert last["CN-2025-18"].state == "in_force"


def states(measure: str) -> list[tuple[str, str]]:
    return [(str(each.at.date()), each.state.value) for each in measures(WHOLE) if each.measure == measure]


def test_the_worked_examples_hold_on_the_log() -> None:
    """docs/domain.md 6, as instants in UTC on the log of assessments."""
    assert states("CN-2025-18") == [("2025-04-04", "in_force")]
    assert ("2025-10-09", "announced") in states("CN-2025-57")
    assert ("2025-11-07", "suspended") in states("CN-2025-57")
    assert "in_force" not in dict(reversed(states("CN-2025-57"))).values()
    assert states("CN-2025-57")[-1] == ("2026-11-10", "lapsed_unconfirmed")
    assert states("CN-2024-46-2") == [("2024-12-03", "in_force"), ("2025-11-09", "suspended")]
    assert states("CN-2023-23") == [("2023-07-03", "announced"), ("2023-07-31", "in_force")]


def test_claims_are_assessed_when_they_are_made() -> None:
    """The conflict of September 2026 is on the log in September."""
    found = [each for each in measures(WHOLE) if each.measure == "CN-2025-57" and each.claimed_ends]
    assert [(str(each.at.date()), len(each.claimed_ends)) for each in found[:2]] == [
        ("2026-09-23", 1),
        ("2026-09-28", 2),
    ]


@pytest.mark.parametrize("size", [7, 500])
def test_how_the_records_were_cut_does_not_matter(size: int) -> None:
    """Batches of 1, 7 and 500 give the same bytes."""
    assert without_ticks(run(core(), records(HISTORY, size=size))) == WHOLE


@pytest.mark.parametrize("every", [timedelta(days=1), timedelta(hours=7)])
def test_how_often_the_clock_ticks_does_not_matter(every: timedelta) -> None:
    """What the law changes carries the instant of the law, not that of the tick that noticed it."""
    assert without_ticks(run(core(), records(HISTORY, every=every))) == WHOLE


def test_the_number_of_partitions_does_not_matter() -> None:
    """Policy goes to all and speaks once; the rest goes to the partition of its material."""
    cores = [core(partition=p, partitions=4) for p in range(4)]
    outputs: list[bytes] = []
    for event in HISTORY:
        everywhere = family_of(event.type) in BROADCAST_FAMILIES
        for number, each in enumerate(cores):
            if everywhere or partition_of(event.subject, partitions=4) == number:
                outputs += run(each, [admitted(event)])
    for each in cores:
        outputs += run(each, [ticks(END)])
    assert sorted(without_ticks(outputs)) == sorted(WHOLE)


@pytest.mark.parametrize("every", [1, 97])
def test_a_core_made_anew_over_the_same_state_continues_identically(every: int) -> None:
    """After a crash the state comes back through its encoded form and the heap is rebuilt from it."""
    store, outputs = InMemoryStateStore(), []
    todo = records(HISTORY, size=5)
    for start in range(0, len(todo), every):
        outputs += run(core(store), todo[start : start + every])
        store = recovered(store, encode=encode_state, decode=decode_state)
    assert without_ticks(outputs) == WHOLE


def test_the_same_history_again_sends_nothing() -> None:
    """Identity is (source, id): a second delivery by any route changes nothing."""
    store = InMemoryStateStore()
    it = core(store)
    run(it, records(HISTORY, size=50))
    before = dict(store.items())
    assert run(it, records(HISTORY, size=3)[:-1]) == []
    assert dict(store.items()) == before


def test_ids_are_unique_and_bounded() -> None:
    """A reader that knows an id has seen its content."""
    ids = [event.id for event in decoded(WHOLE)]
    assert len(set(ids)) == len(ids)
    assert max(map(len, ids)) <= 200


def test_an_extension_changes_the_measure_at_once_and_moves_the_lapse() -> None:
    """The event that everybody waits for: a suspension extended to a new date."""
    store = InMemoryStateStore()
    it = core(store)
    imposed = act("i", measure="M-1", action="impose", effective_at=on(0))
    suspended = act("s", measure="S-1", action="suspend", day=1, amends=("M-1",), ends_at=on(10))
    extended = act("e", measure="S-1", action="extend", day=5, ends_at=on(20))
    run(it, [admitted(imposed), admitted(suspended)])
    found = measures(run(it, [admitted(extended)]))
    assert [(each.measure, each.state, str(each.legal_end), each.at) for each in found] == [
        ("M-1", "suspended", on(20), at(5))
    ]
    assert measures(run(it, [ticks(at(15))])) == []
    assert [each.at for each in measures(run(it, [ticks(at(30))]))] == [at(21)]


def test_a_late_event_is_assessed_when_it_comes() -> None:
    """Time never goes back; the state takes the late event into account from now on."""
    it = core()
    run(it, [ticks(at(50))])
    found = measures(run(it, [admitted(act("i", measure="M-1", action="impose", day=3))]))
    assert [(each.state, each.at) for each in found] == [("in_force", at(50))]


def test_due_transitions_come_before_the_event_that_moves_time() -> None:
    """In order of instant, then measure, each with its own instant."""
    it = core()
    for name in ("M-2", "M-1"):
        run(it, [admitted(act(f"i{name}", measure=name, action="announce", effective_at=on(3), published_at=on(0)))])
    found = measures(run(it, [admitted(act("x", measure="M-3", action="impose", day=5))]))
    assert [(each.measure, each.at) for each in found] == [("M-1", at(3)), ("M-2", at(3)), ("M-3", at(5))]
    assert found[0].previous_state == "announced"


def test_a_claim_that_changes_nothing_shown_sends_nothing() -> None:
    """A claim without an end stands beside the state, but nothing that rules may name has changed."""
    it = core()
    run(it, [admitted(act("i", measure="M-1", action="impose"))])
    assert run(it, [admitted(claim("c", claim_id="C-1", day=1, about=("M-1", "M-9")))]) == []


def event(data: Payload, *, name: str = "x", day: int = 0, source: str = "test") -> Event:
    return Event(id=name, source=source, subject=subject_of(data), occurred_at=at(day), recorded_at=at(day), data=data)


def quote(day: int, amount: float = 100.0, **fields: Any) -> Event:
    data = PriceQuoted(
        material="dysprosium", form="oxide", basis="FOB China", assessor="a", amount=amount, currency="USD",
        per_unit="kg", reference_period=(T0 + timedelta(days=day)).date().isoformat(),
        provenance=Provenance(source="test", synthetic=True), **fields,
    )  # fmt: skip
    return event(data, name=f"q{day}", day=day)


def test_each_new_quote_is_assessed_with_its_labels_and_marked_synthetic() -> None:
    """Made-up data are labelled wherever they are shown."""
    found = [e.data for e in decoded(run(core(), [admitted(quote(0), quote(1, 150.0))]))]
    last = found[-1]
    assert isinstance(last, RiskAssessed)
    assert last.synthetic
    assert last.facts["change_previous_ratio"] == pytest.approx(0.5)
    assert last.labels["basis"] == "FOB China"
    assert "change_30_observations_ratio" in last.missing


def test_directives_are_sent_on_as_they_came_and_once() -> None:
    """Each stage sees what people asked for in its place on the log."""
    it = core()
    given = event(DirectiveGiven(kind="silence", target="s1", by="me", withdrawn=True), name="d1")
    assert run(it, [admitted(given)]) == [encode_event(given)]
    assert run(it, [admitted(given)]) == []


def test_ticks_are_sent_on_once_and_never_back() -> None:
    """A tick that is not later than the last one says nothing."""
    it = core()
    found = decoded(run(it, [ticks(at(1), at(1), at(0), at(2)), admitted(event(Tick(), day=3))]))
    assert [each.occurred_at for each in found] == [at(1), at(2), at(3)]


def test_a_stock_alone_is_assessed_with_its_gaps() -> None:
    """What nobody has said is unknown, and named."""
    stock = StockReported(site="s", material="dysprosium", stock_tonnes=1.0, provenance=Provenance(source="t"))
    first = decoded(run(core(), [admitted(event(stock))]))[0].data
    assert isinstance(first, RiskAssessed)
    assert (first.aspect, first.labels, first.facts["stock_tonnes"]) == ("stock", {"site": "s"}, 1.0)
    assert {"daily_use_tonnes", "cover_days_count", "buffer_gap_days_count"} <= set(first.missing)


def test_what_cannot_be_used_becomes_a_dead_letter_and_the_rest_goes_on() -> None:
    """Intake checks first; a failure here must still not stop the road."""
    wrong = event(RiskAssessed(material="dysprosium", aspect="price", at=at(0)))
    raws = (msgspec.Raw(b"{"), msgspec.Raw(encode_event(wrong)), msgspec.Raw(encode_event(quote(0))))
    segment = Segment(topic="t", partition=0, offset=0, indexes=(4, 5, 6), events=raws)
    outcome = core().process(Admitted(position=0, segments=(segment,)))
    assert [(dead.index, dead.reason) for dead in outcome.dead_letters] == [(4, "not_json"), (5, "wrong_topic")]
    assert outcome.dead_letters[0].value == b"{"
    assert len(outcome.outputs) == 1


def test_a_long_cause_is_shortened_without_a_clash() -> None:
    """Ids have a limit of 200 characters; sources and ids may each be that long."""
    long, other = event(Tick(), name="n" * 200), event(Tick(), name="n" * 199)
    assert len(cause_of(long)) == 32
    assert cause_of(long) != cause_of(other)
