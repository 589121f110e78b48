"""Types of the small words on events: ids, countries, zones, stages, dates. Each is checked when an event is built."""

import re
import zoneinfo
from datetime import MAXYEAR, MINYEAR, date, datetime, time
from functools import lru_cache
from typing import Annotated, Literal

import msgspec

from streams.contracts.materials import is_known
from streams.contracts.reasons import FieldError, RejectReason

_IDENTIFIER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:+/@-]*$"
_PERIOD_PATTERN = r"^\d{4}(-(\d{2}(-\d{2})?|Q[1-4]|H[12]))?$"
Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_IDENTIFIER_PATTERN)]
MeasureId = Annotated[str, msgspec.Meta(min_length=2, max_length=80, pattern=r"^[A-Z0-9][A-Za-z0-9-]*$")]
MaterialId = Annotated[str, msgspec.Meta(max_length=60)]
"""Checked against the table of materials when the event is built, so it needs no pattern."""
Country = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""
LegalDate = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2})?$")]
"""A date (or date and minute) on the wall of the instrument's zone; no offset, the zone stands beside it."""
ReferencePeriod = Annotated[str, msgspec.Meta(max_length=21, pattern=_PERIOD_PATTERN)]
"""A year, half, quarter, month or day: `2025`, `2025-H1`, `2025-Q3`, `2025-04`, `2025-04-09`."""
CheckedIdentifier = Annotated[
    str, msgspec.Meta(min_length=1, max_length=200, extra_json_schema={"pattern": _IDENTIFIER_PATTERN})
]
CheckedPeriod = Annotated[str, msgspec.Meta(max_length=21, extra_json_schema={"pattern": _PERIOD_PATTERN})]
"""The same as `Identifier` and `ReferencePeriod` for types whose texts repeat, with `check_texts` when one is built: a
pattern is matched anew in every event and costs 0.3 microseconds, a text that was seen before costs a look."""
ShortText = Annotated[str, msgspec.Meta(max_length=400)]
LongText = Annotated[str, msgspec.Meta(max_length=4000)]
Ratio = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Tonnes = Annotated[float, msgspec.Meta(ge=0.0, le=1e12)]
Positive = Annotated[float, msgspec.Meta(gt=0.0, le=1e12)]
Stage = Literal["mining", "concentrate", "separation", "metal", "alloy", "magnet", "recycling", "refining", "product"]
LegalForce = Literal["instrument", "statement", "press"]


_IDENTIFIER = re.compile(_IDENTIFIER_PATTERN)
_PERIOD = re.compile(_PERIOD_PATTERN)


@lru_cache(maxsize=8192)
def _is_identifier(text: str) -> bool:
    return _IDENTIFIER.search(text) is not None


@lru_cache(maxsize=8192)
def _is_period(text: str) -> bool:
    return _PERIOD.search(text) is not None


def check_texts(*, assessor: str, reference_period: str) -> None:
    """Refuse what is no identifier or no period, as the field of its name."""
    if not _is_identifier(assessor):
        raise FieldError(
            reason=RejectReason.OUT_OF_RANGE,
            field="assessor",
            detail=f"{assessor!r} is no identifier: letters, digits and ._:+/@- after a letter or digit",
        )
    if not _is_period(reference_period):
        raise FieldError(
            reason=RejectReason.OUT_OF_RANGE,
            field="reference_period",
            detail=f"{reference_period!r} is no period such as 2025, 2025-H1, 2025-Q3, 2025-04, 2025-04-09",
        )


def check_material(name: str) -> None:
    """Refuse a name that is neither a material nor a group, as field `material`."""
    if not is_known(name):
        check_materials((name,), field="material")


def check_materials(names: tuple[str, ...] | list[str], *, field: str) -> None:
    """Refuse a name that is neither a material nor a group."""
    for index, name in enumerate(names):
        if not is_known(name):
            raise FieldError(
                reason=RejectReason.UNKNOWN_MATERIAL,
                field=f"{field}/{index}" if len(names) > 1 or field == "materials" else field,
                detail=f"{name!r} is neither a known material nor a group; see streams/contracts/materials.py",
            )


@lru_cache(maxsize=256)
def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """Load an IANA time zone; raises `FieldError` for a name that is none."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise FieldError(
            reason=RejectReason.OUT_OF_RANGE, field="zone", detail=f"{name!r} is no IANA time zone"
        ) from error


def parse_legal_date(text: str, *, field: str) -> tuple[date, time | None]:
    """Split a legal date into its day and, where the instrument gives one, its time of day."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise FieldError(
            reason=RejectReason.OUT_OF_RANGE, field=field, detail=f"{text!r} is no date of the calendar"
        ) from error
    check_year(instant, field=field)
    return instant.date(), None if len(text) == 10 else instant.time()


def check_year(instant: datetime, *, field: str) -> None:
    """Refuse the first and the last year of the calendar: no day before or after them, so no other zone either."""
    if not MINYEAR < instant.year < MAXYEAR:
        raise FieldError(
            reason=RejectReason.OUT_OF_RANGE, field=field, detail=f"{instant.isoformat()} is at an end of the calendar"
        )
