"""We speak the format of the CloudEvents SDK, in both directions and both modes (Kafka protocol binding 1.0.2)."""

import subprocess
import sys
from datetime import datetime
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    from_binary_event,
    from_structured_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from streams.contracts.codec import decode_event, encode_binary, encode_event, split_record
from streams.contracts.events import PREFIX, Event
from tests.support.examples import EXAMPLE_EVENTS

by_type = pytest.mark.parametrize("event", EXAMPLE_EVENTS, ids=lambda event: event.type.removeprefix(PREFIX))


def as_sdk(event: Event) -> CloudEvent:
    return CloudEvent(
        {
            "id": event.id, "source": event.source, "type": event.type, "specversion": "1.0",
            "subject": event.subject, "time": event.occurred_at, "datacontenttype": "application/json",
            "recordedtime": event.recorded_at.isoformat(),
        },
        msgspec.json.decode(msgspec.json.encode(event.data)),
    )  # fmt: skip


def assert_same(found: Any, event: Event) -> None:
    assert (found.get_id(), found.get_source(), found.get_type()) == (event.id, event.source, event.type)
    assert (found.get_subject(), found.get_time()) == (event.subject, event.occurred_at)
    assert datetime.fromisoformat(str(found.get_attributes()["recordedtime"])) == event.recorded_at
    assert found.get_data() == msgspec.json.decode(msgspec.json.encode(event.data))


@by_type
def test_the_sdk_reads_our_structured_mode(event: Event) -> None:
    """Other systems read our logs with it."""
    headers = {"content-type": b"application/cloudevents+json"}
    assert_same(from_structured_event(KafkaMessage(headers, None, encode_event(event)), JSONFormat()), event)


@by_type
def test_the_sdk_reads_our_binary_mode(event: Event) -> None:
    """Other systems read our logs with it."""
    headers, value = encode_binary(event)
    assert_same(from_binary_event(KafkaMessage(dict(headers), None, value), JSONFormat()), event)


@by_type
def test_we_read_the_structured_mode_of_the_sdk(event: Event) -> None:
    """Other systems write to our topics with it."""
    message = to_structured_event(as_sdk(event), JSONFormat())
    (raw,) = split_record(message.value, list(message.headers.items()))
    assert decode_event(raw) == event


@by_type
def test_we_read_the_binary_mode_of_the_sdk(event: Event) -> None:
    """Other systems write to our topics with it."""
    message = to_binary_event(as_sdk(event), JSONFormat())
    (raw,) = split_record(message.value, list(message.headers.items()))
    assert decode_event(raw) == event


def test_the_contracts_import_no_engine_and_no_client() -> None:
    """Whoever wants to send or read events needs the contracts only (docs/architecture.md 4)."""
    program = (
        "import pkgutil, importlib, sys, streams.contracts as c\n"
        "[importlib.import_module(f'streams.contracts.{m.name}') for m in pkgutil.iter_modules(c.__path__)]\n"
        "bad = {'faust', 'aiokafka', 'kafka', 'redis', 'mode', 'streams.runtime'} & set(sys.modules)\n"
        "sys.exit(f'imported: {bad}' if bad else 0)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
