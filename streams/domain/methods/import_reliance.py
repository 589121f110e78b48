"""Net import reliance of a country, as the US Geological Survey defines it.

`NIR = 100 * (1 - production / apparent consumption)`, percent; apparent consumption = production + imports - exports
(+- stocks). USGS Mineral Commodity Summaries 2026, appendix B and the table "net import reliance"; values over 95 are
published as ">95" and a net exporter as "E", so a published figure is an interval (`intervals.published_percent`).
"""

import msgspec

from streams.domain.methods.inputs import check_known, missing_of


class ImportReliance(msgspec.Struct, frozen=True, kw_only=True):
    """Net import reliance: `reliance_ratio`, at most 1; below 0 the country exports more than it imports.

    `net_exporter` is true where the ratio is not positive (USGS prints "E"). Both `None` with `missing` where
    production or consumption is unknown or consumption is zero.
    """

    reliance_ratio: float | None
    net_exporter: bool | None = None
    missing: tuple[str, ...] = ()


def import_reliance(*, production_tonnes: float | None, apparent_consumption_tonnes: float | None) -> ImportReliance:
    """Return the net import reliance of a period from production and apparent consumption, both in tonnes.

    Raises `FieldError` for a negative amount.
    """
    inputs = {"production_tonnes": production_tonnes, "apparent_consumption_tonnes": apparent_consumption_tonnes}
    check_known(inputs)
    missing = missing_of(inputs) or (() if apparent_consumption_tonnes else ("apparent_consumption_tonnes",))
    if missing:
        return ImportReliance(reliance_ratio=None, missing=missing)
    assert production_tonnes is not None
    assert apparent_consumption_tonnes is not None
    ratio = 1 - production_tonnes / apparent_consumption_tonnes
    return ImportReliance(reliance_ratio=ratio, net_exporter=ratio <= 0)
