"""One event in memory, the closed table of event types, and which topic family each belongs to."""

from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec

from streams.contracts.alert import AlertChanged, DeliveryChanged
from streams.contracts.assessments import ExposureAssessed, MeasureAssessed, RiskAssessed
from streams.contracts.capacity import (
    CapacityReported,
    LicenceDecided,
    StockReported,
    SupplyObserved,
    TradeObserved,
)
from streams.contracts.directive import DirectiveGiven
from streams.contracts.indicators import IndicatorAssessed
from streams.contracts.policy import ClaimMade, MeasureChanged, StandardPublished
from streams.contracts.price import PriceQuoted

PREFIX = "org.monazite."


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """Time has reached the event's `occurred_at`; nothing else happened."""


Payload: TypeAlias = (
    MeasureChanged
    | ClaimMade
    | StandardPublished
    | PriceQuoted
    | CapacityReported
    | SupplyObserved
    | TradeObserved
    | StockReported
    | LicenceDecided
    | MeasureAssessed
    | RiskAssessed
    | ExposureAssessed
    | IndicatorAssessed
    | AlertChanged
    | DeliveryChanged
    | DirectiveGiven
    | Tick
)

PAYLOADS: MappingProxyType[str, type[Payload]] = MappingProxyType(
    {
        f"{PREFIX}policy.measure-changed.v1": MeasureChanged,
        f"{PREFIX}policy.claim-made.v1": ClaimMade,
        f"{PREFIX}policy.standard-published.v1": StandardPublished,
        f"{PREFIX}price.quoted.v1": PriceQuoted,
        f"{PREFIX}capacity.reported.v1": CapacityReported,
        f"{PREFIX}capacity.supply-observed.v1": SupplyObserved,
        f"{PREFIX}capacity.trade-observed.v1": TradeObserved,
        f"{PREFIX}capacity.stock-reported.v1": StockReported,
        f"{PREFIX}capacity.licence-decided.v1": LicenceDecided,
        f"{PREFIX}risk.measure-assessed.v1": MeasureAssessed,
        f"{PREFIX}risk.assessed.v1": RiskAssessed,
        f"{PREFIX}risk.exposure-assessed.v1": ExposureAssessed,
        f"{PREFIX}risk.indicator-assessed.v1": IndicatorAssessed,
        f"{PREFIX}alert.changed.v1": AlertChanged,
        f"{PREFIX}delivery.changed.v1": DeliveryChanged,
        f"{PREFIX}directive.given.v1": DirectiveGiven,
        f"{PREFIX}tick.v1": Tick,
    }
)
TYPE_OF: MappingProxyType[type[Payload], str] = MappingProxyType({p: name for name, p in PAYLOADS.items()})


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event: who says it (`source`, `id` identify it), about what (`subject`), when, and the typed `data`.

    `occurred_at`: when it happened or takes effect; `recorded_at`: when it was recorded. Both aware UTC.
    """

    id: str
    source: str
    subject: str
    occurred_at: datetime
    recorded_at: datetime
    data: Payload

    @property
    def type(self) -> str:
        """Name of the event type, such as `org.monazite.price.quoted.v1`."""
        return TYPE_OF[type(self.data)]


def family_of(type_name: str) -> str:
    """Return the family of an event type, such as `policy`, `price` or `tick`."""
    return type_name.removeprefix(PREFIX).split(".", 1)[0]


_SUBJECTS: MappingProxyType[type[Payload], Callable[[Any], str]] = MappingProxyType(
    {
        MeasureChanged: attrgetter("measure"),
        MeasureAssessed: attrgetter("measure"),
        ClaimMade: attrgetter("claim"),
        StandardPublished: attrgetter("standard"),
        ExposureAssessed: attrgetter("end_use"),
        IndicatorAssessed: lambda data: f"{data.indicator}/{data.about}",
        AlertChanged: attrgetter("fingerprint"),
        DeliveryChanged: attrgetter("delivery"),
        DirectiveGiven: lambda data: f"{data.kind}/{data.target}",
        Tick: lambda _: "tick",
    }
)
_material = attrgetter("material")


def subject_of(data: Payload) -> str:
    """Return the id that an event about `data` has as its subject, which is also its key on the topic."""
    subject: str = _SUBJECTS.get(type(data), _material)(data)
    return subject
