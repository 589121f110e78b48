"""The factors that figures make: from a figure with its provenance to an input with its stress.

Each function makes one input; a factor is the worst of its inputs (`readings.worst_of`). The unit is in the name of the
figure and the scale of the same name says what it means.
"""

from datetime import datetime, timedelta

import msgspec

from streams.domain.score.readings import Input
from streams.domain.score.scales import Scale


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a figure comes from and how long figures of its kind are fresh; `None`: not known."""

    source: str | None = None
    reference_period: str | None = None
    vintage: str | None = None
    published_at: datetime | None = None
    rhythm: timedelta | None = None
    event: str | None = None
    synthetic: bool = False


def figure(
    name: str,
    low: float | None,
    high: float | None = None,
    *,
    of: str,
    scale: Scale,
    origin: Origin,
    said: str | None = None,
    sees: bool = True,
) -> Input:
    """Return the input of a figure known as `low`..`high` (`high` `None`: exact; `low` `None`: unknown)."""
    ends: tuple[float, float] | None = None
    stress: tuple[float, float] | None = None
    if low is not None:
        ends = (low, low if high is None else high)
        stress = scale.stress_interval(*ends)
    return Input(
        name=name,
        of=of,
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
        low_stress_ratio=stress[0] if stress else None,
        stress_ratio=stress[1] if stress else None,
        said=said,
        source=origin.source,
        reference_period=origin.reference_period,
        vintage=origin.vintage,
        published_at=origin.published_at,
        rhythm=origin.rhythm,
        event=origin.event,
        synthetic=origin.synthetic,
        sees=sees,
    )
