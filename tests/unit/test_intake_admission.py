"""What intake makes of one record: where its events go, and what is refused."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from streams.contracts.codec import decode_event, encode_batch, encode_binary, encode_event
from streams.contracts.topics import partition_of
from streams.intake.intake_core import InputRecord, admission_rules, admit
from streams.intake.limit import DeadLetterLimit, DeadLetterPolicy, LimitReached
from streams.intake.stats import MAX_SOURCES, OTHER_SOURCES, IntakeStats
from tests.support.examples import EXAMPLE_EVENTS, RECORDED

RULES = admission_rules(prefix="m", partitions=4)
POLICY, PRICE, DIRECTIVE = EXAMPLE_EVENTS[0], EXAMPLE_EVENTS[3], EXAMPLE_EVENTS[14]
RECEIVED = RECORDED + timedelta(milliseconds=20)
HOME = partition_of("dysprosium", partitions=4)


def record(value: bytes | None, *, topic: str = "m.price.v1", received_at: datetime | None = RECEIVED) -> InputRecord:
    return InputRecord(topic=topic, partition=2, offset=7, value=value, key=b"k", received_at=received_at)


def test_a_price_goes_to_the_partition_of_its_material() -> None:
    """One partition owns a material, so that its order is fixed once."""
    admission = admit(record(encode_event(PRICE)), rules=RULES)
    assert list(admission.segments) == [HOME]
    segment = admission.segments[HOME]
    assert (segment.topic, segment.partition, segment.offset, segment.indexes) == ("m.price.v1", 2, 7, [0])
    assert admission.last_event_at == {PRICE.source: RECORDED}


@pytest.mark.parametrize(("event", "topic"), [(POLICY, "m.policy.v1"), (DIRECTIVE, "m.directives.v1")])
def test_policy_and_directives_go_everywhere(event: object, topic: str) -> None:
    """Every partition keeps the whole measure book (docs/architecture.md 5.2)."""
    admission = admit(record(encode_event(event), topic=topic), rules=RULES)  # type: ignore[arg-type]
    assert sorted(admission.segments) == [0, 1, 2, 3]
    assert {bytes(segment.events[0]) for segment in admission.segments.values()} == {encode_event(event)}  # type: ignore[arg-type]
    assert admission.admitted_count == 1


def test_the_original_bytes_are_passed_on() -> None:
    """Encoding again would cost, and would drop attributes that others understand."""
    raw = encode_event(PRICE).replace(b"{", b'{"traceparent":"00-ab",', 1)
    (segment,) = admit(record(raw), rules=RULES).segments.values()
    assert bytes(segment.events[0]) == raw


def test_an_event_without_recorded_instant_gets_the_one_of_the_broker() -> None:
    """It must stand in the log: nobody behind intake has a clock to ask."""
    raw = encode_event(PRICE).replace(b'"recordedtime":"2025-11-10T18:30:15.250000Z",', b"")
    (segment,) = admit(record(raw), rules=RULES).segments.values()
    assert decode_event(segment.events[0]) == msgspec.structs.replace(PRICE, recorded_at=RECEIVED)


def test_an_event_without_any_recorded_instant_is_refused() -> None:
    """Inventing one would make the log depend on who read it."""
    raw = encode_event(PRICE).replace(b'"recordedtime":"2025-11-10T18:30:15.250000Z",', b"")
    (letter,) = admit(record(raw, received_at=None), rules=RULES).dead_letters
    assert (letter.reason, letter.field) == ("missing_field", "/recordedtime")


def test_binary_mode_is_admitted_in_structured_form() -> None:
    """Behind intake there is one form."""
    headers, value = encode_binary(PRICE)
    binary = InputRecord(topic="m.price.v1", partition=0, offset=0, value=value, headers=headers, received_at=RECEIVED)
    (segment,) = admit(binary, rules=RULES).segments.values()
    assert decode_event(segment.events[0]) == PRICE


def test_a_bad_binary_event_is_kept_as_it_came() -> None:
    """A replay of the dead letter needs headers and value, not what we made of them."""
    headers, _ = encode_binary(PRICE)
    bad = InputRecord(topic="m.price.v1", partition=0, offset=0, value=b'{"material":1}', headers=headers)
    (letter,) = admit(bad, rules=RULES).dead_letters
    assert (letter.value, list(letter.headers), letter.index) == (b'{"material":1}', headers, None)


def test_an_event_on_the_topic_of_another_family_is_refused() -> None:
    """It would be keyed wrongly: another partition than its material's, or order lost."""
    (letter,) = admit(record(encode_event(POLICY)), rules=RULES).dead_letters
    assert (letter.reason, letter.field) == ("wrong_topic", "/type")


@pytest.mark.parametrize("event", EXAMPLE_EVENTS[9:14] + EXAMPLE_EVENTS[15:], ids=lambda event: event.type)
def test_what_the_road_itself_says_is_not_taken_from_outside(event: object) -> None:
    """A forged tick or alert would move time, or wake people."""
    for topic in RULES.families:
        (letter,) = admit(record(encode_event(event), topic=topic), rules=RULES).dead_letters  # type: ignore[arg-type]
        assert letter.reason == "wrong_topic"


def test_an_event_recorded_in_the_future_is_refused() -> None:
    """Time in a partition never goes back, so one wrong clock would move it for good (docs/runtime.md 7)."""
    ahead = msgspec.structs.replace(PRICE, recorded_at=RECEIVED + timedelta(seconds=6))
    (letter,) = admit(record(encode_event(ahead)), rules=RULES).dead_letters
    assert (letter.reason, letter.field) == ("out_of_range", "/recordedtime")
    within = msgspec.structs.replace(PRICE, recorded_at=RECEIVED + timedelta(seconds=5))
    assert admit(record(encode_event(within)), rules=RULES).admitted_count == 1


def test_history_may_be_as_old_as_it_is() -> None:
    """A replay sends what was recorded years ago."""
    old = msgspec.structs.replace(PRICE, recorded_at=datetime(2010, 9, 1, tzinfo=UTC))
    assert admit(record(encode_event(old)), rules=RULES).admitted_count == 1


def test_a_bad_event_of_a_batch_takes_no_other_with_it() -> None:
    """The good ones keep their index, the bad one its bytes and place."""
    raws = [encode_event(PRICE), b'{"id":1}', encode_event(PRICE)]
    admission = admit(record(b"[" + b",".join(raws) + b"]"), rules=RULES)
    assert admission.segments[HOME].indexes == [0, 2]
    (letter,) = admission.dead_letters
    assert (letter.index, letter.value, letter.key) == (1, b'{"id":1}', b"k")


def test_a_record_that_is_no_events_at_all_is_one_dead_letter() -> None:
    """Nothing can be taken from it."""
    for value, reason in ((b"junk", "not_json"), (None, "tombstone"), (b"[1,", "not_json")):
        admission = admit(record(value), rules=RULES)
        assert [(letter.reason, letter.value) for letter in admission.dead_letters] == [(reason, value)]
        assert (admission.segments, admission.admitted_count) == ({}, 0)


def test_an_empty_batch_is_nothing() -> None:
    """It says nothing, and is no mistake."""
    admission = admit(record(encode_batch([])), rules=RULES)
    assert (admission.segments, list(admission.dead_letters), admission.admitted_count) == ({}, [], 0)


def test_a_run_of_dead_letters_reaches_the_limit() -> None:
    """A topic must not run into the dead letters unnoticed."""
    limit = DeadLetterLimit(DeadLetterPolicy(max_run_count=3))
    assert [limit.observe(admitted_count=0, refused_count=1) for _ in range(4)] == [None, None, None, "run_length"]


def test_one_good_event_ends_a_run() -> None:
    """One broken sender among many must not stop the others' road."""
    limit = DeadLetterLimit(DeadLetterPolicy(max_run_count=3))
    for _ in range(10):
        assert limit.observe(admitted_count=0, refused_count=3) is None
        assert limit.observe(admitted_count=1, refused_count=0) is None


def test_a_high_share_of_dead_letters_reaches_the_limit_once_the_window_is_full() -> None:
    """The first bad records of a quiet day are no flood."""
    limit = DeadLetterLimit(DeadLetterPolicy(max_run_count=1_000, max_ratio=0.5, window_count=10))
    assert [limit.observe(admitted_count=1, refused_count=4) for _ in range(2)] == [None, LimitReached.RATIO]


def test_an_old_flood_leaves_the_window() -> None:
    """What matters is now."""
    limit = DeadLetterLimit(DeadLetterPolicy(max_run_count=1_000, max_ratio=0.5, window_count=10))
    limit.observe(admitted_count=0, refused_count=9)
    for _ in range(20):
        reached = limit.observe(admitted_count=1, refused_count=0)
    assert reached is None


def test_the_counters_add_up_by_topic_outcome_and_reason() -> None:
    """They are what the metrics show."""
    stats = IntakeStats()
    batch = b"[" + encode_event(PRICE) + b",{}]"
    for _ in range(2):
        stats.count("m.price.v1", admit(record(batch), rules=RULES))
    assert dict(stats.events) == {("m.price.v1", "admitted"): 2, ("m.price.v1", "dead_letter"): 2}
    assert dict(stats.dead_letters) == {("m.price.v1", "invalid_envelope"): 2}
    assert (stats.records_read, stats.last_event_at) == (2, {PRICE.source: RECORDED})


def test_sources_are_bounded() -> None:
    """They come from outside and become a metric label."""
    stats = IntakeStats()
    for number in range(MAX_SOURCES + 50):
        event = msgspec.structs.replace(PRICE, source=f"s{number}")
        stats.count("m.price.v1", admit(record(encode_event(event)), rules=RULES))
    assert len(stats.last_event_at) == MAX_SOURCES + 1
    assert OTHER_SOURCES in stats.last_event_at
