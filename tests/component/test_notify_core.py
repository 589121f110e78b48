"""The notify and deliver cores: who is told, once, and what the ledger remembers."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from alerts.agents.delivering import LedgerCore
from alerts.delivery.deliver_core import MAX_CLOSED, ClosedDelivery, DeliverCore, OpenDelivery
from alerts.delivery.deliver_core import decode_state as decode_deliver
from alerts.delivery.deliver_core import encode_state as encode_deliver
from alerts.delivery.ledger import encode_entries, encode_entry, read_request, split_ledger_record
from alerts.notify.directive_requests import build_silence, build_subscription, withdraw_subscription
from alerts.notify.notify_core import DEFAULT_TARGET, NotifyCore, decode_state, encode_state
from streams.contracts.alert import AlertChanged, AlertState, DeliveryChanged, Severity
from streams.contracts.codec import decode_event
from streams.contracts.directive import Silence
from streams.contracts.events import Payload
from streams.contracts.records import LinkedRecord
from streams.contracts.records import encode as encode_record
from streams.runtime.stage_ports import Admitted, InMemoryStateStore
from tests.support.rule_road import as_item
from tests.support.stores import recovered

T0 = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
URL = "http://receiver.example/hook"
DYSPROSIUM = build_subscription(by="ada", materials=("dysprosium",), severity="warning", url=URL)


def alert(
    n: int, *, to: str = "firing", before: str = "ok", severity: Severity | None = "warning", step: str = "30d",
    materials: tuple[str, ...] = ("heavy-rare-earths",),
) -> AlertChanged:  # fmt: skip
    return AlertChanged(
        alert=f"a-{n}", fingerprint="f", rule="suspension-end", rule_hash="h", labels={"measure": "CN-1"},
        at=T0 + n * HOUR, from_state=AlertState(before), to_state=AlertState(to), occasion="legal_end 2026-11-10",
        severity=severity if to == "firing" else None, step=step if to == "firing" else None, summary="s",
        materials=materials,
    )  # fmt: skip


class Desk:
    """A notify core fed by hand, and the deliveries it asked for by subscription."""

    def __init__(self) -> None:
        self.store = InMemoryStateStore()
        self.core = NotifyCore(partition=0, store=self.store)
        self.raw: list[bytes] = []

    def take(self, *items: Payload) -> list[str]:
        outcome = self.core.process(Admitted(position=0, items=[as_item(item, at=T0) for item in items]))
        assert not outcome.dead_letters
        self.raw += outcome.outputs
        entries = [e for raw in outcome.outputs if isinstance(e := decode_event(raw).data, DeliveryChanged)]
        return [f"{e.alert} {e.reason}" for e in entries if e.subscription != DEFAULT_TARGET]

    def restart(self) -> None:
        self.store = recovered(self.store, encode=encode_state, decode=decode_state)
        self.core = NotifyCore(partition=0, store=self.store)


def test_the_default_subscription_gets_every_notice_in_the_structured_log() -> None:
    """A new installation must not be silent."""
    desk = Desk()
    desk.take(alert(1, severity="info"))
    entry = decode_event(desk.raw[0]).data
    assert isinstance(entry, DeliveryChanged)
    assert (entry.channel, entry.state, entry.delivery) == ("log", "requested", f"a-1.{DEFAULT_TARGET}")


def test_a_group_named_by_the_alert_reaches_a_subscriber_of_its_member() -> None:
    """An instrument names heavy rare earths; the buyer asked for dysprosium."""
    desk = Desk()
    assert desk.take(DYSPROSIUM, alert(1)) == ["a-1 firing"]
    assert desk.take(alert(2, materials=("gallium",), step="14d")) == []
    assert desk.take(alert(3, materials=(), step="7d")) == []


def test_a_severity_below_the_subscription_is_not_sent() -> None:
    """They asked for warnings."""
    assert Desk().take(DYSPROSIUM, alert(1, severity="info")) == []


def test_the_resolved_notice_goes_once_to_exactly_those_who_got_the_firing_one() -> None:
    """Promise 8."""
    desk = Desk()
    desk.take(alert(1))
    assert desk.take(DYSPROSIUM, alert(2, to="ok", before="firing")) == []
    assert desk.take(alert(3)) == ["a-3 firing"]
    desk.restart()
    assert desk.take(alert(4, to="ok", before="firing")) == ["a-4 resolved"]
    assert desk.take(alert(5, to="ok", before="firing")) == []


def test_back_from_clearing_with_nothing_new_is_not_told_again() -> None:
    """They know that it fires."""
    desk = Desk()
    desk.take(DYSPROSIUM, alert(1))
    assert desk.take(alert(2, to="clearing", before="firing"), alert(3, before="clearing")) == []
    assert desk.take(alert(4, before="firing", step="14d")) == ["a-4 firing"]


def test_a_withdrawn_subscription_gets_nothing_more() -> None:
    """Not even the resolved notice: they asked not to be told."""
    desk = Desk()
    desk.take(DYSPROSIUM, alert(1))
    desk.take(withdraw_subscription(DYSPROSIUM.target, by="ada"))
    assert desk.take(alert(2, to="ok", before="firing")) == []


def test_a_silence_holds_firing_notices_while_it_lasts() -> None:
    """And the alert that fired in it sends no resolved notice either."""
    desk = Desk()
    silence = Silence(matchers={"measure": "CN-1"}, starts_at=T0, ends_at=T0 + 2 * HOUR, by="ada")
    desk.take(DYSPROSIUM, build_silence(silence, target="s1"))
    assert desk.take(alert(1), alert(1, to="ok", before="firing")) == []
    assert desk.take(alert(2)) == ["a-2 firing"]


def test_the_request_names_the_secret_and_never_carries_it() -> None:
    """What stands on a topic is read by many."""
    desk = Desk()
    desk.take(DYSPROSIUM, alert(1))
    entry = next(e for raw in desk.raw if (e := decode_event(raw).data).channel == "webhook")  # type: ignore[union-attr]
    assert isinstance(entry, DeliveryChanged)
    request = read_request(entry)
    assert request is not None
    assert (request.url, request.secret_ref) == (URL, DYSPROSIUM.target)
    assert request.body["data"]["to"] == "firing"


def ledger() -> tuple[DeliverCore, InMemoryStateStore]:
    store = InMemoryStateStore()
    return DeliverCore(partition=0, store=store), store


def entries() -> tuple[DeliveryChanged, DeliveryChanged, DeliveryChanged]:
    desk = Desk()
    desk.take(alert(1))
    requested = decode_event(desk.raw[0]).data
    assert isinstance(requested, DeliveryChanged)
    replace = msgspec.structs.replace
    attempted = replace(
        requested, state="attempted", attempt=1, payload=None, at=T0 + 2 * HOUR, next_attempt_at=T0 + 3 * HOUR
    )
    return requested, attempted, replace(attempted, state="delivered", attempt=2, next_attempt_at=None)


def take(core: DeliverCore, *given: DeliveryChanged) -> None:
    outcome = core.process(Admitted(position=0, items=[msgspec.Raw(encode_entry(e)) for e in given]))
    assert not outcome.dead_letters


def test_the_ledger_knows_what_is_open_and_when_it_is_due() -> None:
    """What was asked for is sent after any crash, and not before its time."""
    core, store = ledger()
    requested, attempted, delivered = entries()
    take(core, requested)
    assert [d.attempt for d in core.open_deliveries()] == [0]
    take(core, attempted)
    assert core.open_deliveries(due_at=T0 + 2 * HOUR) == []
    (again,) = DeliverCore(partition=0, store=store).open_deliveries(due_at=T0 + 3 * HOUR)
    assert isinstance(decode_deliver(encode_deliver(again)), OpenDelivery)
    assert decode_deliver(encode_deliver(again)) == again
    take(core, delivered)
    assert core.open_deliveries() == []


def test_repeated_entries_change_nothing() -> None:
    """A notify agent that crashed asks again; a closed delivery stays closed."""
    core, _ = ledger()
    requested, attempted, delivered = entries()
    take(core, requested, requested, attempted, attempted, requested)
    assert [d.attempt for d in core.open_deliveries()] == [1]
    take(core, delivered, requested, attempted)
    assert core.open_deliveries() == []


def linked(number: int, *given: DeliveryChanged) -> msgspec.Raw:
    """Frame requests as notify writes them, coming from offset `number` in signals."""
    record = LinkedRecord(o=number, prev=None, x=[msgspec.Raw(encode_entry(e)) for e in given])
    return msgspec.Raw(encode_record(record))


def feed(core: LedgerCore, *records: msgspec.Raw) -> None:
    for record in records:
        assert not core.process(Admitted(position=0, items=[record])).dead_letters


def test_ended_deliveries_are_forgotten_but_for_the_newest_and_the_rest_stays_closed() -> None:
    """A state that keeps every delivery ever made grows without bound."""
    store = InMemoryStateStore()
    core = LedgerCore(partition=0, store=store)
    requested, _, delivered = entries()
    names = [f"d{n}" for n in range(MAX_CLOSED + 20)]
    asked = [msgspec.structs.replace(requested, delivery=name) for name in names]
    feed(core, linked(7, *asked))
    ended = [msgspec.structs.replace(delivered, delivery=name) for name in names]
    feed(core, *(msgspec.Raw(encode_entries(ended[n : n + 100])) for n in range(0, len(ended), 100)))
    assert core.due_deliveries(T0 + 9 * HOUR) == []
    kept = [value.delivery for _, value in store.items() if isinstance(value, ClosedDelivery)]
    assert sorted(kept) == sorted(names[20:])
    feed(core, linked(7, *asked))  # a notify that crashed writes the record again
    assert core.due_deliveries(T0 + 9 * HOUR) == []
    recovered = InMemoryStateStore()
    for key, value in store.items():
        recovered.put(key, decode_deliver(encode_deliver(value)))
    core = LedgerCore(partition=0, store=recovered)
    feed(core, linked(7, *asked), linked(8, msgspec.structs.replace(requested, delivery="new")))
    assert [d.delivery for d in core.due_deliveries(T0 + 9 * HOUR)] == ["new"]
    feed(core, msgspec.Raw(encode_entry(msgspec.structs.replace(delivered, delivery="new"))))
    kept = [value.delivery for _, value in recovered.items() if isinstance(value, ClosedDelivery)]
    assert sorted(kept) == sorted([*names[21:], "new"])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_entries_written_together_are_read_one_by_one(count: int) -> None:
    """Senders that end together write one record; a lone entry is a record of its own, as it always was."""
    given = list(entries()[:count])
    value = encode_entries(given)
    assert [decode_event(entry).data for entry in split_ledger_record(value).entries] == given
    assert (value == encode_entry(given[0])) == (count == 1)


@pytest.mark.parametrize("value", [b"[", b'{"o":', b'{"o":1}', b"[1", b"\xff", b"{}"])
def test_a_record_that_is_no_ledger_goes_to_the_dead_letters_whole(value: bytes) -> None:
    """What cannot be split is refused by whoever decodes it, and nothing raises."""
    outcome = LedgerCore(partition=0, store=InMemoryStateStore()).process(
        Admitted(position=0, items=[msgspec.Raw(value)])
    )
    assert [letter.value for letter in outcome.dead_letters] == [value]
