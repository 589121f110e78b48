"""What intake knows of time: the broker's clock, how far the inputs were read, and when that is stated alone."""

from dataclasses import dataclass
from itertools import pairwise

from aiokafka import TopicPartition

from streams.contracts.records import Segment, SignalRecord
from streams.intake.broker_clock import BELIEVED_AFTER_SECONDS, BrokerClock
from streams.intake.fetch_times import FetchAnswer
from streams.intake.held_records import MARGIN_MS, SILENT_AFTER_SECONDS, HeldRecords, Reach
from streams.intake.statements import Cadence, decide_statement, statement_of, with_statement

T0 = 1_800_000_000_000
PRICE, TRADE = TopicPartition("price", 0), TopicPartition("trade", 0)


@dataclass
class Record:
    """What intake reads of a consumer record."""

    offset: int
    timestamp: int
    topic: str = "price"
    partition: int = 0
    timestamp_type: int = 1


def broker_at(seconds: float) -> int:
    """A broker whose clock stood at T0 at second 0."""
    return int(T0 + seconds * 1000)


class Inputs:
    """Two inputs; positions and ends are given by hand."""

    def __init__(self) -> None:
        self.held = HeldRecords()
        self.held.assign([PRICE, TRADE], now=0.0)
        self.answered: dict[TopicPartition, FetchAnswer] = {}
        self.positions: dict[TopicPartition, int] = {PRICE: 0, TRADE: 0}

    def read(self, place: TopicPartition, *records: Record, now: float) -> None:
        self.held.add(place, records, now=now, broker_ms=broker_at(now))
        if records:
            self.positions[place] = records[-1].offset + 1

    def reach(self, now: float) -> Reach:
        return self.held.reach(
            position=self.positions.get, answered=self.answered, broker_at=broker_at, now=now
        )  # fmt: skip


def test_inputs_at_their_end_are_known_up_to_the_fetch_less_a_margin() -> None:
    """A record is stamped before it can be read: the margin is for that."""
    inputs = Inputs()
    inputs.answered = {PRICE: FetchAnswer(1.0, 0), TRADE: FetchAnswer(2.0, 0)}
    assert inputs.reach(2.1) == Reach(None, T0 + 1_000 - MARGIN_MS, (PRICE, TRADE))


def test_nothing_goes_before_every_input_has_answered_once() -> None:
    """After an assignment one of them may hold what is older than all."""
    inputs = Inputs()
    inputs.read(PRICE, Record(0, T0 + 500), now=1.0)
    inputs.answered = {PRICE: FetchAnswer(0.9, 1)}
    reach = inputs.reach(1.0)
    assert (reach.frontier, reach.up_to) == (0, 0)
    assert inputs.held.take(reach.frontier) == []


def test_inputs_that_are_behind_are_caught_up_in_the_order_of_their_instants() -> None:
    """After an outage a price of noon goes before a trade of one o'clock, whichever was read first."""
    inputs = Inputs()
    inputs.read(TRADE, Record(0, T0 + 10, "trade"), Record(1, T0 + 40, "trade"), now=1.0)
    inputs.read(PRICE, Record(0, T0 + 20), Record(1, T0 + 30), now=1.0)
    inputs.answered = {PRICE: FetchAnswer(0.9, 9), TRADE: FetchAnswer(0.9, 9)}
    reach = inputs.reach(1.0)
    assert [held.at - T0 for held in inputs.held.take(reach.frontier)] == [10, 20, 30]
    assert inputs.reach(1.0).up_to == T0 + 29
    inputs.answered[PRICE] = FetchAnswer(1.1, 2)
    assert [held.at - T0 for held in inputs.held.take(inputs.reach(1.2).frontier)] == [40]


def test_an_input_at_its_end_holds_nobody_back() -> None:
    """What comes alone is admitted at once."""
    inputs = Inputs()
    inputs.answered = {PRICE: FetchAnswer(0.9, 1), TRADE: FetchAnswer(0.5, 0)}
    inputs.read(PRICE, Record(0, T0 + 950), now=1.0)
    assert len(inputs.held.take(inputs.reach(1.0).frontier)) == 1


def test_an_input_that_gives_no_answer_is_not_spoken_of() -> None:
    """Its leader may be gone: whoever reads the statements knows by that, and counts how long."""
    inputs = Inputs()
    inputs.answered = {PRICE: FetchAnswer(9.0, 0), TRADE: FetchAnswer(1.0, 0)}
    assert inputs.reach(1.0 + SILENT_AFTER_SECONDS).inputs == (PRICE, TRADE)
    assert inputs.reach(1.1 + SILENT_AFTER_SECONDS).inputs == (PRICE,)


def test_an_input_behind_an_open_transaction_is_not_spoken_of_after_a_while_and_holds_nobody_back() -> None:
    """It has records that nobody may read yet; its end is beyond its position for as long as that lasts."""
    inputs = Inputs()
    inputs.read(PRICE, Record(0, T0 + 10), now=1.0)
    inputs.held.take(None)
    inputs.answered = {PRICE: FetchAnswer(9.0, 5), TRADE: FetchAnswer(9.0, 0)}
    assert inputs.reach(2.0).up_to == T0 + 9
    later = inputs.reach(1.1 + SILENT_AFTER_SECONDS)
    assert later.inputs == (TRADE,)
    assert later.frontier is None


def test_a_stamp_of_the_producer_counts_neither_ahead_of_the_broker_nor_behind_what_was_stated() -> None:
    """A broker that does not stamp keeps what producers write: years ahead, or long ago."""
    inputs = Inputs()
    inputs.held.stated(T0 + 500, [PRICE])
    years = 800 * 86_400_000
    inputs.read(
        PRICE, Record(0, T0 + years, timestamp_type=0), Record(1, T0 - years, timestamp_type=0),
        Record(2, T0 + 700, timestamp_type=0), now=1.0,
    )  # fmt: skip
    assert [held.at - T0 for held in inputs.held.take(None)] == [1_000, 1_000, 1_000]


def test_stamps_of_a_broker_whose_clock_was_set_back_count_as_of_what_was_stated() -> None:
    """They keep their order, and time does not wait an hour for them; what is late by milliseconds is left alone."""
    inputs = Inputs()
    inputs.held.stated(T0 + 500, [PRICE])
    inputs.read(PRICE, Record(0, T0 + 450), now=1.0)
    inputs.read(PRICE, Record(1, T0 - 3_600_000), now=1.1)
    inputs.read(TRADE, Record(0, T0 - 3_600_000, "trade"), now=1.1)  # nothing was stated of it: it was away
    assert [held.at - T0 for held in inputs.held.take(None)] == [-3_600_000, 450, 500]


def test_instants_of_a_partition_never_go_back() -> None:
    """The broker's wall clock may be set back; the log keeps its order."""
    inputs = Inputs()
    inputs.read(PRICE, Record(0, T0 + 900), Record(1, T0 + 100), now=1.0)
    assert [held.at - T0 for held in inputs.held.take(None)] == [900, 900]


def test_the_broker_clock_goes_on_by_the_monotonic_one() -> None:
    """Between two acknowledgements nothing is read off the wall clock."""
    clock = BrokerClock()
    assert clock.at(1.0) is None
    clock.observe(T0, 1.0)
    clock.observe(T0 + 900, 2.0)  # came late: a lower bound
    assert clock.at(3.0) == T0 + 2_000


def test_a_jump_ahead_is_believed_when_it_has_stood_and_a_passing_one_never() -> None:
    """Time that was moved ahead stays ahead, so one wrong clock must not do it."""
    clock = BrokerClock()
    clock.observe(T0, 0.0)
    clock.observe(T0 + 3_600_000 + 1_000, 1.0)
    clock.observe(T0 + 2_000, 2.0)
    assert clock.at(3.0) == T0 + 3_000
    for second in range(3, 4 + int(BELIEVED_AFTER_SECONDS)):
        clock.observe(T0 + 3_600_000 + second * 1_000, float(second))
    assert clock.at(40.0) == T0 + 3_600_000 + 40_000
    assert clock.jump_count == 2


def test_a_clock_that_is_set_back_neither_stops_time_nor_turns_it() -> None:
    """An hour without deadlines would be worse than an hour that is a little slow."""
    clock = BrokerClock()
    clock.observe(T0, 0.0)
    known = [T0]
    for second in range(1, 3_600):
        clock.observe(T0 - 3_600_000 + second * 1_000, float(second))
        known.append(clock.at(float(second)) or 0)
    steps = [after - before for before, after in pairwise(known)]
    assert 990 <= min(steps) <= max(steps) <= 1_000
    assert clock.jump_count == 0


def test_a_clock_that_was_set_back_between_two_lives_is_seen_by_what_was_stated() -> None:
    """Time would stand still until the broker's clock has caught up."""
    clock = BrokerClock()
    clock.begin_at(T0)
    clock.observe(T0 - 3_600_000, 1.0)
    clock.observe(T0 - 3_599_000, 2.0)
    assert T0 + 998 <= (clock.at(2.0) or 0) <= T0 + 1_000
    usual = BrokerClock()
    usual.begin_at(T0)
    usual.observe(T0 + 3_600_000, 1.0)
    assert usual.at(2.0) == T0 + 3_601_000


def test_a_clock_that_runs_a_little_slower_is_followed() -> None:
    """A statement ahead of the broker would be false."""
    clock = BrokerClock()
    for second in range(1_000):
        clock.observe(T0 + second * 999.9, float(second))
    assert abs((clock.at(999.0) or 0) - (T0 + 999 * 999.9)) <= 2


def test_the_whole_statement_stands_on_the_last_record_of_a_batch_only() -> None:
    """Those before it are read before what follows: they may say no more than they go."""
    segments = [Segment(topic="t", partition=0, offset=n, indexes=[0], events=[], at=T0 + n) for n in (5, 9)]
    statement = statement_of(T0 + 7, [TRADE], topics=["price", "trade"], counts={"price": 4, "trade": 1})
    assert (statement.owned, statement.counts) == (["0", "1"], [4, 1])
    first, last = with_statement([SignalRecord(segments=[s]) for s in segments], statement, said_at=T0 + 10)
    assert first.w is not None
    assert last.w is not None
    assert (first.w.up_to, last.w.up_to, last.s) == (T0 + 4, T0 + 7, T0 + 10)


def cadence(**changed: float) -> Cadence:
    usual: dict[str, float] = {
        "since_written_seconds": 0.1, "since_event_seconds": 0.2, "last_event_at": T0, "stated_up_to": T0 - 50,
        "up_to": T0 - 10, "every_seconds": 1.0, "idle_every_seconds": 5.0, "idle_after_seconds": 60.0,
    }  # fmt: skip
    return decide_statement(**{**usual, **changed})  # type: ignore[arg-type]


def test_a_bare_statement_comes_once_when_it_passes_the_last_event_and_then_by_the_cadence() -> None:
    """Timers and composites wait for it; an idle stack must not fill a disk with it."""
    assert cadence() is Cadence.WAIT
    assert cadence(up_to=T0) is Cadence.PASSED_EVENTS
    assert cadence(up_to=T0 + 5, stated_up_to=T0) is Cadence.WAIT
    assert cadence(up_to=T0 + 5, stated_up_to=T0, since_written_seconds=1.0) is Cadence.DUE
    idle = {"up_to": T0 + 5, "stated_up_to": T0, "since_event_seconds": 61.0}
    assert cadence(**idle, since_written_seconds=4.9) is Cadence.WAIT
    assert cadence(**idle, since_written_seconds=5.0) is Cadence.DUE
