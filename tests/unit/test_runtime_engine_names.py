"""The private and public names of faust-streaming 0.15.3 that the runtime overrides or calls."""

import inspect
from importlib.metadata import version
from typing import Any

import faust
import pytest
from faust.stores.base import Store
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.tables.table import Table
from faust.transport.consumer import Consumer
from faust.transport.drivers.aiokafka import Consumer as DriverConsumer
from faust.transport.drivers.aiokafka import Producer as DriverProducer


def test_the_engine_is_the_version_that_was_proved() -> None:
    """Two private names are overridden: another version must be proved anew before it is used."""
    assert version("faust-streaming") == "0.15.3"


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (faust.App, "_new_consumer", ["self"]),
        (Table, "_new_store", ["self"]),
        (Store, "on_rebalance", ["self", "assigned", "revoked", "newly_assigned", "generation_id"]),
        (Store, "persisted_offset", ["self", "tp"]),
        (Recovery, "on_recovery_completed", ["self", "generation_id"]),
        (Recovery, "_build_offsets", ["self", "consumer", "tps", "destination", "title"]),
        (Recovery, "_resume_streams", ["self", "generation_id"]),
        (TableManager, "on_partitions_revoked", ["self", "revoked"]),
        (TableManager, "on_rebalance", ["self", "assigned", "revoked", "newly_assigned", "generation_id"]),
        (Consumer, "perform_seek", ["self"]),
        (DriverConsumer, "seek_to_committed", ["self"]),
        (DriverConsumer, "seek_wait", ["self", "partitions"]),
        (DriverConsumer, "earliest_offsets", ["self", "partitions"]),
        (
            DriverProducer,
            "send",
            ["self", "topic", "key", "value", "partition", "timestamp", "headers", "transactional_id"],
        ),
    ],
)
def test_an_overridden_name_has_the_expected_parameters(owner: Any, name: str, parameters: list[str]) -> None:
    """A renamed method would silently bring back the engine's own recovery, which loses records."""
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


def test_the_seek_is_called_from_recovery_and_from_the_fetcher() -> None:
    """The flag `recovering` exists because `getmany` calls the seek in the middle of recovery."""
    assert "perform_seek" in inspect.getsource(Recovery.on_recovery_completed)
    assert "perform_seek" in inspect.getsource(Consumer.getmany)


def test_recovery_asks_the_property_of_the_table_manager() -> None:
    """`SafeRecovery` comes in through the property `recovery`; it must stay a property."""
    assert isinstance(inspect.getattr_static(TableManager, "recovery"), property)
