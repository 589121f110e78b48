"""How the assess core drives its assessors: events, measures that changed, and wake-ups in event time."""

from collections.abc import Sequence
from datetime import datetime

from streams.assess.assess_core import AssessCore
from streams.assess.assess_state import decode_state, encode_state
from streams.assess.assessors.assessor import Assessment, Assessor, PartitionContext, Result, TimerRequest
from streams.assess.assessors.material_assessments import risk
from streams.assess.assessors.material_index import index_entry_of
from streams.contracts.assessments import MeasureAssessed, RiskAssessed
from streams.contracts.capacity import LicenceDecided, StockReported, TradeObserved
from streams.contracts.codec import decode_event
from streams.contracts.events import Event, Payload, subject_of
from streams.contracts.provenance import Provenance
from streams.contracts.topics import partition_of
from streams.runtime.stage_ports import Admitted, InMemoryStateStore
from tests.support.legal import act, admitted, at, on
from tests.support.stores import recovered

BY_TEST = Provenance(source="a test")


def of_day(data: Payload, *, name: str, day: int) -> Event:
    return Event(id=name, source="t", subject=subject_of(data), occurred_at=at(day), recorded_at=at(day), data=data)


def licence(day: int, *, name: str, wake: str) -> Event:
    data = LicenceDecided(licence=wake, material="dysprosium", decision="granted", provenance=BY_TEST)
    return of_day(data, name=name, day=day)


class Sleeper(Assessor):
    """Ask to be woken three days after each licence; say when it was."""

    name = "sleeper"
    takes = (LicenceDecided,)

    def on_event(self, context: PartitionContext, event: Event, now: datetime) -> Result:
        """Ask, or withdraw what was asked for."""
        assert isinstance(event.data, LicenceDecided)
        if event.data.licence.startswith("never"):
            return (TimerRequest(name=event.data.licence.removeprefix("never-"), at=None),)
        return (
            TimerRequest(name=event.data.licence, at=at((event.recorded_at - at(0)).days + 3)),
            TimerRequest(name="past", at=now),
        )

    def on_timer(self, context: PartitionContext, name: str, at: datetime) -> Result:
        """Say that it is time."""
        return (Assessment(name="up", data=RiskAssessed(material="dysprosium", aspect="licence", at=at)),)


class Follower(Assessor):
    """Say which measures changed."""

    name = "follower"
    takes = (StockReported,)

    def on_event(self, context: PartitionContext, event: Event, now: datetime) -> Result:
        """Repeat the event as a finding."""
        return (risk(event, now, provenance=BY_TEST, aspect="stock", labels={}, facts=({}, ())),)

    def on_measures_changed(
        self, context: PartitionContext, changed: Sequence[MeasureAssessed], now: datetime
    ) -> Result:
        """Name the measures and their states."""
        labels = {each.measure: each.state.value for each in changed}
        return (Assessment(name="f", data=RiskAssessed(material="dysprosium", aspect="score", at=now, labels=labels)),)


def core(
    *assessors: Assessor, store: InMemoryStateStore | None = None, partition: int = 0, partitions: int = 1
) -> AssessCore:
    return AssessCore(
        partition=partition, partitions=partitions, store=store or InMemoryStateStore(), assessors=assessors
    )


def sent(it: AssessCore, *records: Admitted) -> list[tuple[str, datetime]]:
    outcomes = [it.process(record) for record in records]
    assert not any(outcome.dead_letters for outcome in outcomes)
    outputs = [decode_event(raw) for outcome in outcomes for raw in outcome.outputs]
    return [(each.id, each.occurred_at) for each in outputs if isinstance(each.data, RiskAssessed)]


def ticks(*days: int) -> Admitted:
    return Admitted(position=0, ticks=[at(day) for day in days])


def test_a_subject_is_woken_at_the_instant_it_asked_for() -> None:
    """A licence runs out by event time, whoever notices and however late the tick comes."""
    found = sent(core(Sleeper()), admitted(licence(0, name="e", wake="L-1")), ticks(2, 9, 10))
    assert found == [(f"sleeper/L-1/{at(3).isoformat()}/up", at(3))]


def test_a_new_instant_replaces_the_old_one_and_none_cancels_it() -> None:
    """One name has one instant: a licence that is prolonged does not run out twice."""
    twice = (licence(0, name="e", wake="L-1"), licence(2, name="f", wake="L-1"))
    assert [when for _, when in sent(core(Sleeper()), admitted(*twice), ticks(9))] == [at(5)]
    withdrawn = (licence(0, name="e", wake="L-1"), licence(2, name="f", wake="never-L-1"))
    assert sent(core(Sleeper()), admitted(*withdrawn), ticks(9)) == []


def test_wake_ups_survive_a_restart() -> None:
    """After a crash the heap is rebuilt from the encoded state; what was woken is not woken again."""
    store = InMemoryStateStore()
    assert sent(core(Sleeper(), store=store), admitted(licence(0, name="e", wake="L-1"))) == []
    fresh = recovered(store, encode=encode_state, decode=decode_state)
    assert [when for _, when in sent(core(Sleeper(), store=fresh), ticks(4))] == [at(3)]
    assert sent(core(Sleeper(), store=fresh), ticks(5)) == []


def test_subjects_follow_measures_after_an_event_and_at_a_legal_instant() -> None:
    """One call for all measures that changed at once, with the instant of the law."""
    it = core(Follower())
    announced = [
        act(f"i{n}", measure=n, action="announce", effective_at=on(3), published_at=on(0)) for n in ("M-1", "M-2")
    ]
    found = sent(it, admitted(*announced), ticks(9))
    assert [when for _, when in found] == [at(0), at(0), at(3)]
    assert found[-1][0] == f"measures/{at(3).isoformat()}/f"


def test_subjects_follow_measures_in_every_partition_and_one_partition_sends_them() -> None:
    """Each partition scores its own materials, wherever the measure is at home."""
    imposed = act("i", measure="M-1", action="impose")
    speaks = []
    for number in range(3):
        it = core(Follower(), partition=number, partitions=3)
        outputs = [decode_event(raw).data for raw in it.process(admitted(imposed, act("r", measure="M-1",
                   action="repeal", day=2))).outputs]  # fmt: skip
        followed = [each.labels for each in outputs if isinstance(each, RiskAssessed)]
        assert followed == [{"M-1": "in_force"}, {"M-1": "repealed"}]
        speaks.append(any(isinstance(each, MeasureAssessed) for each in outputs))
    assert speaks == [number == partition_of("M-1", partitions=3) for number in range(3)]


def test_an_assessment_says_who_says_it() -> None:
    """Absence is watched per source, so each assessment names the provenance source of its causes."""
    stock = StockReported(site="s", material="dysprosium", stock_tonnes=1.0, provenance=BY_TEST)
    outputs = core(Follower()).process(
        admitted(of_day(stock, name="e", day=0), act("i", measure="M-1", action="impose"))
    )
    told = [decode_event(raw).data for raw in outputs.outputs]
    assert [each.sources for each in told if isinstance(each, MeasureAssessed)] == [("test",)]
    assert next(each.sources for each in told if isinstance(each, RiskAssessed)) == ("a test",)


def test_a_material_page_names_every_key_once() -> None:
    """Whoever scores a material finds its flows without searching the store; a second month adds no key."""
    store = InMemoryStateStore()
    it = AssessCore(partition=0, partitions=1, store=store)
    for day, (month, reporter) in enumerate([("2025-04", "b"), ("2025-05", "b"), ("2025-04", "a")]):
        data = TradeObserved(
            material="terbium", exporter="CN", reference_period=month, tonnes=1.0, reported_by=reporter,
            provenance=BY_TEST,
        )  # fmt: skip
        it.process(admitted(of_day(data, name=f"e{day}", day=day)))
    page = index_entry_of(store, "terbium")
    assert page.flows == (b"trade/terbium/CN/all/month/a", b"trade/terbium/CN/all/month/b")
    assert all(store.get(key) is not None for key in page.flows)
    assert page.prices == ()
