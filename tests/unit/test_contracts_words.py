"""Identifiers, materials, topics and frames: the small words that everything else is made of."""

import zlib
from datetime import UTC, date, datetime, time

import msgspec
import pytest

from streams.contracts import topics
from streams.contracts.codec import BATCH_TYPE, decode_event, encode_event, split_record
from streams.contracts.dead_letters import NO_POSITION, DeadLetterRecord, decode_dead_letter, encode_dead_letter
from streams.contracts.directive import DirectiveGiven
from streams.contracts.events import PAYLOADS, family_of, subject_of
from streams.contracts.identifiers import parse_legal_date
from streams.contracts.materials import GROUPS, MATERIALS, RARE_EARTHS, expand, is_known
from streams.contracts.policy import ClaimMade, MeasureChanged, StandardPublished
from streams.contracts.provenance import Provenance
from streams.contracts.reasons import DecodeError
from tests.support.examples import EXAMPLE_EVENTS, EXAMPLES, RECORDED

HERE = Provenance(source="test")


def test_there_are_seventeen_rare_earths() -> None:
    """The lanthanides, yttrium and scandium (IUPAC)."""
    assert len(set(RARE_EARTHS)) == 17
    assert set(RARE_EARTHS) <= set(MATERIALS)


def test_a_group_expands_to_materials_in_the_order_of_the_table() -> None:
    """Instruments name groups; prices and scores are kept by material."""
    assert expand(["graphite", "gallium", "natural-graphite"]) == ("gallium", "natural-graphite", "artificial-graphite")
    assert all(is_known(name) and set(members) <= set(MATERIALS) for name, members in GROUPS.items())


def test_what_is_neither_material_nor_group_does_not_expand() -> None:
    """A typing mistake must not become an empty list."""
    with pytest.raises(KeyError, match="kryptonite"):
        expand(["gallium", "kryptonite"])


def test_every_input_family_has_its_topic() -> None:
    """Producers choose the topic by the family of the type."""
    families = {family_of(name) for name in PAYLOADS}
    assert set(topics.FAMILY_TOPICS) <= families
    assert families - set(topics.FAMILY_TOPICS) == {"risk", "alert", "delivery", "tick"}
    assert topics.topic_name(topics.PRICE, prefix="x") == "x.price.v1"


def test_the_partition_of_a_key_is_the_same_on_every_machine() -> None:
    """Python's own hash differs between processes; CRC-32 does not."""
    assert topics.partition_of("dysprosium", partitions=4) == zlib.crc32(b"dysprosium") % 4
    assert topics.home_partition("CN-2025-70", partitions=4) == topics.partition_of("CN-2025-70", partitions=4)


@pytest.mark.parametrize(
    ("text", "day", "at"),
    [("2026-11-10", date(2026, 11, 10), None), ("2026-11-10T18:30", date(2026, 11, 10), time(18, 30))],
)
def test_a_legal_date_is_a_day_and_perhaps_a_minute(text: str, day: date, at: time | None) -> None:
    """Some instruments give the time of day."""
    assert parse_legal_date(text, field="ends_at") == (day, at)


def test_every_payload_has_a_subject() -> None:
    """It is the key on the topic."""
    assert [subject_of(payload) for payload in EXAMPLES][:4] == ["CN-2025-70", "US-CLAIM-1", "IEC-1", "dysprosium"]


def test_a_withdrawn_directive_needs_no_content() -> None:
    """Taking something back names it only."""
    withdrawn = DirectiveGiven(kind="subscription", target="s-1", by="me", withdrawn=True)
    assert withdrawn.subscription is None
    assert DirectiveGiven(kind="key_revocation", target="ab12", by="me").withdrawn is False


def test_what_the_source_does_not_say_may_be_left_out() -> None:
    """Dates are unknown more often than not; unknown is a state."""
    measure = MeasureChanged(
        measure="CN-1", action="announce", instrument="x", issuer="MOFCOM", zone="UTC", provenance=HERE
    )
    claim = ClaimMade(claim="C-1", speaker="x", zone="UTC", legal_force="press", provenance=HERE)
    standard = StandardPublished(standard="S-1", issuer="IEC", title="x", provenance=HERE)
    assert (measure.ends_at, claim.claimed_end_at, standard.published_at) == (None, None, None)


def test_headers_that_are_no_envelope_change_nothing() -> None:
    """Tracing systems add headers of their own."""
    event = EXAMPLE_EVENTS[0]
    (raw,) = split_record(encode_event(event), [("traceparent", b"00-ab"), ("Content-Type", BATCH_TYPE.encode())])
    assert decode_event(raw) == event


def test_data_that_are_no_text_are_refused_without_a_record_around_them() -> None:
    """Whoever decodes an event of a log alone gets the same protection."""
    raw = encode_event(EXAMPLE_EVENTS[3]).replace(b"FOB China", b"FOB \xff")
    with pytest.raises(DecodeError, match="not_json at /data"):
        decode_event(raw)


def test_an_instant_in_another_zone_is_kept_in_utc() -> None:
    """Two spellings of one instant must be one value."""
    raw = encode_event(EXAMPLE_EVENTS[3]).replace(
        b'"time":"2025-11-10T16:00:00Z"', b'"time":"2025-11-11T00:00:00+08:00"'
    )
    event = decode_event(raw)
    assert event == EXAMPLE_EVENTS[3]
    assert event.occurred_at.tzinfo is UTC


def test_the_family_of_a_type_is_its_first_word() -> None:
    """Intake compares it with the topic."""
    assert family_of("org.monazite.capacity.trade-observed.v1") == "capacity"
    assert {event.type for event in EXAMPLE_EVENTS} == set(PAYLOADS)


def test_a_dead_letter_keeps_every_byte() -> None:
    """A replay must send what came, not what we made of it."""
    letter = DeadLetterRecord(
        reason="not_json", stage="intake", topic="monazite.price.v1", partition=2, offset=77, recorded_at=RECORDED,
        value=b"\x00\xff junk", key=b"\xfe", headers=[("content-type", b"\xfd")], index=3, field="/data", detail="why",
    )  # fmt: skip
    assert decode_dead_letter(encode_dead_letter(letter)) == msgspec.structs.replace(
        letter, headers=[("content-type", b"\xfd")]
    )
    assert letter.origin == b"monazite.price.v1/2/77/3"


def test_a_dead_letter_of_a_whole_record_has_no_index() -> None:
    """Its key is the place of the record."""
    letter = DeadLetterRecord(
        reason="tombstone", stage="gateway", topic="http", partition=NO_POSITION, offset=NO_POSITION,
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC), value=None,
    )  # fmt: skip
    assert letter.origin == b"http/-1/-1"
