"""What comes into a test, by instant: events for assess, ready-made assessments for rules, directives."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from alerts.notify.directive_requests import directive_event
from alerts.rules.facts import CATALOGUE
from alerts.ruletest.case_instants import InstantError, nth_instant, parse_instant
from alerts.ruletest.notation import Mark, NotationError, Sample, read_samples
from alerts.ruletest.ruletest_specification import (
    AcknowledgementSpec,
    CloudEventSpec,
    EventSpec,
    RuleTestSpec,
    SeriesSpec,
    SilenceCase,
    SubscriptionSpec,
    event_type,
)
from streams.contracts.assessments import ExposureAssessed, Fact, RiskAssessed
from streams.contracts.codec import decode_event
from streams.contracts.directive import DirectiveGiven, Silence, Subscription
from streams.contracts.events import PAYLOADS, Event, Payload, subject_of
from streams.contracts.reasons import DecodeError

_PROVENANCE = {"source": "rule test"}


class InputError(ValueError):
    """An event or series that cannot be; `where` is its place in the test."""

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(f"{where} {detail}")
        self.where = where
        self.detail = detail


@dataclass(kw_only=True, slots=True)
class Arrivals:
    """What arrives at one instant, in this order."""

    events: list[Event] = field(default_factory=list)
    assessments: list[Event] = field(default_factory=list)
    acknowledgements: list[AcknowledgementSpec] = field(default_factory=list)


def arrivals(test: RuleTestSpec, *, start: datetime, interval: str) -> dict[datetime, Arrivals]:
    """Return what arrives in a test, by instant. Raise `InputError`."""
    found: dict[datetime, Arrivals] = defaultdict(Arrivals)
    for event in _directives(test, start=start):
        found[event.recorded_at].events.append(event)
    for n, spec in enumerate(test.events):
        where = f"events.{n}"
        event = _cloud_event(spec, where=where) if isinstance(spec, CloudEventSpec) else _event(spec, n, start, where)
        _put(found, event, start=start, where=where)
    facts: dict[tuple[Any, ...], _Entity] = {}
    for n, series in enumerate(test.series):
        for event in _series(series, n, start=start, interval=series.interval or interval, facts=facts):
            _put(found, event, start=start, where=f"series.{n}")
    for entity in facts.values():
        for event in entity.assessments():
            found[event.recorded_at].assessments.append(event)
    for n, taken in enumerate(test.acknowledgements):
        found[_at(taken.at, start, f"acknowledgements.{n}.at")].acknowledgements.append(taken)
    return dict(found)


def _put(found: dict[datetime, Arrivals], event: Event, *, start: datetime, where: str) -> None:
    if event.recorded_at < start:
        raise InputError(where, f"is recorded at {event.recorded_at.isoformat()}, before the start of the test")
    ready = isinstance(event.data, RiskAssessed | ExposureAssessed) or event.type.endswith("risk.measure-assessed.v1")
    place = found[event.recorded_at]
    (place.assessments if ready else place.events).append(event)


def _at(text: str | int, start: datetime, where: str) -> datetime:
    try:
        return parse_instant(text, start=start)
    except InstantError as error:
        raise InputError(where, str(error)) from error


def _directives(test: RuleTestSpec, *, start: datetime) -> Iterator[Event]:
    specs: Iterable[SubscriptionSpec | SilenceCase] = (*test.subscriptions, *test.silences)
    for spec in specs:
        where = f"{'subscriptions' if isinstance(spec, SubscriptionSpec) else 'silences'} {spec.id}"
        try:
            given = _subscription(spec) if isinstance(spec, SubscriptionSpec) else _silence(spec, start, where)
        except (ValueError, msgspec.ValidationError) as error:
            raise InputError(where, str(error)) from error
        yield directive_event(given, at=_at(spec.at, start, where))


def _subscription(spec: SubscriptionSpec) -> DirectiveGiven:
    asked = Subscription(materials=spec.materials, severity=spec.severity, rules=spec.rules, channel="log")
    subscription = None if spec.withdrawn else asked
    return DirectiveGiven(
        kind="subscription", target=spec.id, by="rule-test", withdrawn=spec.withdrawn, subscription=subscription
    )


def _silence(spec: SilenceCase, start: datetime, where: str) -> DirectiveGiven:
    silence = Silence(
        matchers=spec.matchers,
        starts_at=_at(spec.from_, start, where),
        ends_at=_at(spec.to, start, where),
        by="rule-test",
    )
    return DirectiveGiven(
        kind="silence",
        target=spec.id,
        by="rule-test",
        withdrawn=spec.withdrawn,
        silence=None if spec.withdrawn else silence,
    )


def _cloud_event(spec: CloudEventSpec, *, where: str) -> Event:
    try:
        return decode_event(msgspec.json.encode(spec.model_dump()))
    except DecodeError as error:
        raise InputError(where, f"is refused: {error}") from error


def _event(spec: EventSpec, number: int, start: datetime, where: str) -> Event:
    at = _at(spec.at, start, f"{where}.at")
    occurred = at if spec.time is None else _happened(spec.time, start, f"{where}.time")
    return _made(
        spec.type,
        spec.data,
        id_=spec.id or f"event-{number}",
        source=spec.source,
        at=at,
        occurred=occurred,
        where=where,
    )


def _happened(text: str | int, start: datetime, where: str) -> datetime:
    """Read when something happened, which may be before the test starts."""
    try:
        return parse_instant(text, start=start)
    except InstantError as error:
        try:
            return parse_instant(text, start=datetime(1950, 1, 1, tzinfo=start.tzinfo))
        except InstantError:
            raise InputError(where, str(error)) from error


def _made(
    type_: str, data: Mapping[str, Any], *, id_: str, source: str, at: datetime, occurred: datetime, where: str
) -> Event:
    try:
        name = event_type(type_)
        fields = {f.encode_name for f in msgspec.structs.fields(PAYLOADS[name])}
        whole = {"provenance": _PROVENANCE, **data} if "provenance" in fields else dict(data)
        document = {
            "specversion": "1.0",
            "id": id_,
            "source": source,
            "type": name,
            "time": occurred,
            "recordedtime": at,
            "data": whole,
        }
        return decode_event(msgspec.json.encode(document))
    except DecodeError as error:
        raise InputError(where, f"is refused: {error}") from error
    except (ValueError, TypeError) as error:
        raise InputError(where, str(error)) from error


def _series(
    spec: SeriesSpec, number: int, *, start: datetime, interval: str, facts: dict[tuple[Any, ...], "_Entity"]
) -> Iterator[Event]:
    where = f"series.{number}"
    begins = _at(spec.from_, start, f"{where}.from")
    samples: dict[str, tuple[Sample, ...]] = {}
    for name, given in spec.values.items():
        try:
            samples[name] = read_samples(given)
        except NotationError as error:
            raise InputError(f"{where}.values.{name}", str(error)) from error
    entity = None
    if spec.on is not None:
        _check_facts(spec, where)
        key = (spec.on, spec.material, spec.home, spec.end_use, *sorted(spec.labels.items()))
        entity = facts.setdefault(key, _Entity(spec=spec, where=where))
    for n in range(max(len(each) for each in samples.values())):
        try:
            at = nth_instant(begins, step=interval, n=n)
        except (InstantError, OverflowError) as error:
            raise InputError(f"{where}.interval", str(error)) from error
        heard = {name: each[n] for name, each in samples.items() if n < len(each) and each[n] is not Mark.GAP}
        if not heard:
            continue
        if entity is not None:
            entity.hear(at, heard)
        else:
            yield _sampled(spec, heard, number=number, n=n, at=at, where=f"{where} sample {n}")


def _check_facts(spec: SeriesSpec, where: str) -> None:
    known = CATALOGUE.get(spec.on or "")
    if known is None or spec.on == "measure":
        kinds = ", ".join(sorted(kind for kind in CATALOGUE if kind != "measure"))
        raise InputError(f"{where}.on", f"is {spec.on!r}; facts are given of: {kinds} (measures come as events)")
    for name in spec.values:
        if name not in known:
            raise InputError(f"{where}.values", f"names {name!r}, no fact of {spec.on}; known are: {', '.join(known)}")


def _sampled(spec: SeriesSpec, heard: Mapping[str, Sample], *, number: int, n: int, at: datetime, where: str) -> Event:
    assert spec.event is not None
    if Mark.STALE in heard.values():
        raise InputError(where, "is `stale`, which no event says: leave a gap (_), or give facts with `on`")
    data = {name: _dated(value, at) for name, value in spec.data.items()} | dict(heard)
    return _made(spec.event, data, id_=f"series-{number}-{n}", source="rule-test", at=at, occurred=at, where=where)


def _dated(value: Any, at: datetime) -> Any:
    if isinstance(value, str):
        return value.replace("{date}", f"{at:%Y-%m-%d}").replace("{month}", f"{at:%Y-%m}").replace("{year}", f"{at:%Y}")
    if isinstance(value, dict):
        return {key: _dated(each, at) for key, each in value.items()}
    return value


class _Entity:
    """An entity whose facts several series tell; at one instant they make one assessment, and what was known stays."""

    def __init__(self, *, spec: SeriesSpec, where: str) -> None:
        self._spec = spec
        self._where = where
        self._heard: dict[datetime, dict[str, Sample]] = defaultdict(dict)

    def hear(self, at: datetime, heard: Mapping[str, Sample]) -> None:
        """Note samples of an instant."""
        self._heard[at].update(heard)

    def assessments(self) -> Iterator[Event]:
        """Yield an assessment for each instant at which something was heard."""
        facts: dict[str, Fact] = {}
        for at in sorted(self._heard):
            for name, sample in self._heard[at].items():
                facts[name] = None if isinstance(sample, Mark) else sample
            data = self._assessed(dict(facts), at)
            yield Event(
                id=f"{self._spec.on}/{'/'.join(self._spec.labels.values())}/{at.isoformat()}",
                source="rule-test",
                subject=subject_of(data),
                occurred_at=at,
                recorded_at=at,
                data=data,
            )

    def _assessed(self, facts: dict[str, Fact], at: datetime) -> Payload:
        spec = self._spec
        missing = tuple(name for name, value in facts.items() if value is None)
        fields: dict[str, Any] = {"at": at, "facts": facts, "causes": (f"sample-{at:%Y-%m-%dT%H:%M:%S}",)}
        if spec.on == "exposure":
            fields |= {"end_use": spec.end_use or "end-use"}
        else:
            fields |= {
                "material": spec.material,
                "aspect": spec.on,
                "labels": spec.labels,
                "missing": missing,
                "home": spec.home,
                "synthetic": spec.synthetic,
            }
        if spec.sources:
            fields["sources"] = spec.sources
        try:
            # through plain data, so that an unknown aspect or a wrong type is refused as on the road
            plain = msgspec.to_builtins(fields)
            if spec.on == "exposure":
                return msgspec.convert(plain, ExposureAssessed)
            return msgspec.convert(plain, RiskAssessed)
        except msgspec.ValidationError as error:
            raise InputError(self._where, f"makes no assessment: {error}") from error
