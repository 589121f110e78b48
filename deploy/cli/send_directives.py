"""Giving directives to a running road, and reading those that were given."""

import getpass
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from deploy.cli.output import fail
from deploy.cli.recorded_events import LiveRoad
from streams.contracts.directive import DirectiveGiven

Kind = Literal["subscription", "acknowledgement", "silence", "rule_set", "key_revocation"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """A directive, and when it was given."""

    at: datetime
    directive: DirectiveGiven


def asking_user() -> str:
    """Return who asks."""
    return getpass.getuser()


def give(directive: DirectiveGiven, *, road: LiveRoad, at: datetime) -> None:
    """Send a directive down the road; the command ends with what to do where no broker takes it."""
    from kafka.errors import KafkaError

    from alerts.notify.directive_requests import directive_event
    from producers.publisher import Publisher

    try:
        publisher = Publisher(road.bootstrap, prefix=road.prefix, partitions=road.partitions, idempotent=False)
        try:
            publisher.publish(directive_event(directive, at=at))
        finally:
            publisher.close()
    except KafkaError as error:
        fail(f"the broker at {road.bootstrap} does not take it: {error}", hint="start one with `monazite stack up`")


def given(kind: Kind, *, road: LiveRoad) -> list[Given]:
    """Return the newest directive of a kind for each target, those taken back included, in order of target."""
    from kafka.errors import KafkaError

    from deploy.cli.pipeline_logs import read_directives

    try:
        events = read_directives(road.bootstrap, prefix=road.prefix, partitions=road.partitions)
    except KafkaError as error:
        fail(f"the broker at {road.bootstrap} does not answer: {error}", hint="start one with `monazite stack up`")
    newest: dict[str, Given] = {}
    for event in events:
        if isinstance(event.data, DirectiveGiven) and event.data.kind == kind:
            newest[event.data.target] = Given(at=event.recorded_at, directive=event.data)
    return [newest[target] for target in sorted(newest)]
