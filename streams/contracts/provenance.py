"""Where a figure or a statement comes from; carried by every event from outside."""

from typing import Literal

import msgspec

from streams.contracts.identifiers import ShortText


class Provenance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Source of an event.

    `source` names who says so; `address` is where to read it (`None`: not known); `row` names the row of the shipped
    table the event was made from; `vintage` is the edition of a restated statistic; `confidence` is what the collector
    thought of it (`None`: not said); `synthetic` is true for made-up data and is shown wherever the figure is.
    """

    source: ShortText
    address: ShortText | None = None
    row: ShortText | None = None
    vintage: ShortText | None = None
    confidence: Literal["high", "medium", "low"] | None = None
    synthetic: bool = False
    note: ShortText | None = None
