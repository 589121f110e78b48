"""What a start of the stack does with the shipped history, decided from what its topics hold."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from deploy.stack.children import GATEWAY, INTAKE, plan_stack, replaying_children
from deploy.stack.plan import BrokerKind, free_ports
from deploy.stack.stack_history import HeldHistory, HistoryDecision, decide_history
from producers.held_events import digest_of_history, ids_of
from producers.history import Instant
from producers.replay import without
from streams.contracts.codec import encode_batch, encode_event
from tests.support.examples import EXAMPLE_EVENTS

END = datetime(2026, 11, 26, 23, 59, 59, tzinfo=UTC)
SHIPPED = ("a", "b", "c")
ALL = frozenset(SHIPPED)


@pytest.mark.parametrize(
    ("held", "asked", "expected"),
    [
        (HeldHistory(), False, HistoryDecision.NOT_WANTED),
        (HeldHistory(), True, HistoryDecision.REPLAY),
        (HeldHistory(is_live=True), False, HistoryDecision.NOT_WANTED),
        (HeldHistory(is_live=True), True, HistoryDecision.SEND_NEW),
        (HeldHistory(ids={"a"}), True, HistoryDecision.RESUME),
        (HeldHistory(ids={"a"}), False, HistoryDecision.RESUME),
        (HeldHistory(ids={"a"}, is_live=True), False, HistoryDecision.SEND_NEW),
        (HeldHistory(ids={"a"}, is_live=True), True, HistoryDecision.SEND_NEW),
        (HeldHistory(ids=ALL, is_live=True), True, HistoryDecision.COMPLETE),
        (HeldHistory(ids=ALL), True, HistoryDecision.RESUME),
        (HeldHistory(ids=ALL, replayed_until=END - timedelta(days=3)), False, HistoryDecision.RESUME),
        (HeldHistory(ids=ALL, replayed_until=END), False, HistoryDecision.COMPLETE),
        (HeldHistory(ids=ALL | {"of an older version"}, is_live=True), False, HistoryDecision.COMPLETE),
    ],
)
def test_what_the_topics_hold_decides(held: HeldHistory, asked: bool, expected: HistoryDecision) -> None:
    """New: lived through. Interrupted: taken up. Live: only what is new. Not asked and none held: nothing."""
    assert decide_history(shipped=SHIPPED, held=held, asked=asked, end=END) is expected


def test_ids_are_found_in_every_form_that_a_record_may_have() -> None:
    """Structured, batch and binary records hold the same events; what is no event is passed over."""
    first, second = EXAMPLE_EVENTS[0], EXAMPLE_EVENTS[3]
    source = first.source
    batch = encode_batch([first, msgspec.structs.replace(second, source="other")])
    assert list(ids_of(encode_event(first), source=source)) == [first.id]
    assert list(ids_of(batch, source=source)) == [first.id]
    whole = msgspec.json.decode(encode_event(first))
    body = msgspec.json.encode(whole.pop("data"))
    headers = [(f"ce_{name}", value.encode()) for name, value in whole.items()]
    headers.append(("content-type", b"application/json"))
    assert list(ids_of(body, headers, source=source)) == [first.id]
    assert [list(ids_of(bad, source=source)) for bad in (None, b"", b"{", b'{"id": 3}', b"[1]")] == [[]] * 5


def test_an_instant_goes_on_without_what_is_held() -> None:
    """A replay that ended within an instant sends the rest of it, once."""
    first, second = EXAMPLE_EVENTS[0], msgspec.structs.replace(EXAMPLE_EVENTS[0], id="second")
    instant = Instant(at=END, events=(first, second))
    assert without(instant, {first.id}) == Instant(at=END, events=(second,))
    assert without(instant, ()) == instant


def test_the_digest_of_a_history_is_that_of_its_identities() -> None:
    """The order of the files does not matter; an event more does."""
    events = EXAMPLE_EVENTS[:3]
    assert digest_of_history(events) == digest_of_history(list(reversed(events)))
    assert digest_of_history(events) != digest_of_history(EXAMPLE_EVENTS[:2])


def test_while_the_history_is_lived_through_no_live_time_is_stated_and_no_gateway_is_up(tmp_path: Path) -> None:
    """An event of today would move time past the history for good."""
    plan = plan_stack(run_directory=tmp_path, ports=free_ports(), tick_seconds=1.0)
    quiet = {child.name: child for child in replaying_children(plan)}
    live = {child.name: child for child in plan.children}
    assert live.keys() - quiet.keys() == {GATEWAY}
    assert quiet[INTAKE].argv[-2:] == ("--tick-seconds", "0")
    assert [name for name in quiet if quiet[name] != live[name]] == [INTAKE]


def test_each_broker_says_what_it_keeps() -> None:
    """A person who is told that nothing is kept must not be told so of Apache Kafka."""
    assert [kind for kind in BrokerKind if not kind.is_durable] == [BrokerKind.EMBEDDED]
    assert "keeps nothing" in BrokerKind.EMBEDDED.keeps
    assert all("nothing" not in kind.keeps for kind in BrokerKind if kind.is_durable)
