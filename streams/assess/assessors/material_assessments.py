"""Findings made of one event: what every subject that assesses a material says in the same way."""

from datetime import datetime
from typing import Literal

from streams.assess.assessors.assessor import Assessment
from streams.contracts.assessments import Fact, RiskAssessed
from streams.contracts.events import Event
from streams.contracts.provenance import Provenance

Aspect = Literal["price", "capacity", "supply", "trade", "stock", "licence", "score"]


def risk(
    event: Event,
    now: datetime,
    *,
    provenance: Provenance,
    aspect: Aspect,
    labels: dict[str, str],
    facts: tuple[dict[str, Fact], tuple[str, ...]],
    name: str | None = None,
    home: str | None = None,
    synthetic: bool | None = None,
) -> Assessment:
    """Return the finding that an event makes of its own material at the instant of the event.

    `labels` may be shared by many findings: nobody writes to them. `facts` are the facts and the names of those that
    are unknown; `name` is the aspect, unless one event finds several; `home` is the country the facts are for (`None`:
    all); `synthetic` is that of the event, unless figures of other events enter.
    """
    data = RiskAssessed(
        material=event.subject,
        aspect=aspect,
        at=now,
        labels=labels,
        facts=facts[0],
        home=home,
        missing=facts[1],
        synthetic=provenance.synthetic if synthetic is None else synthetic,
        causes=(event.id,),
        sources=(provenance.source,),
    )
    return Assessment(name=name or aspect, data=data)
