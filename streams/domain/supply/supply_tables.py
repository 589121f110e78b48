"""Supply tables: what one edition of a source states about one reference period, kept beside other editions.

State of one stream (material, stage, market, flow) is at most `TABLES_KEPT` tables, the newest by reference period and
edition; a table is at most one figure a country, about 60 bytes each. Ten years of a yearly statistic with twenty
producers in three editions are 12 * 20 * 60 = 14 KiB a stream. A table older than all kept is forgotten; its past is in
the log.

A stream is a function of the *set* of events it was shown (as far as it reaches back): within a table the telling of a
country recorded last counts, so order, repeats and late arrival cannot matter.
"""

import re
from datetime import datetime

import msgspec

from streams.contracts.capacity import SupplyObserved
from streams.contracts.events import Event
from streams.domain.intervals import Interval
from streams.domain.observations import digest_of, supersedes

TABLES_KEPT = 12
FIGURES_KEPT = 120
"""Countries of one table: there are about 250, no statistic lists more than 68; the first by code are kept."""
_MARK_LENGTH = 12


class Figure(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a table states of a country: tonnes, or a share as an interval, or neither with the mark that stands there.

    `recorded` (seconds since 1970) and `digest` decide which telling counts.
    """

    tonnes: float | None
    low: float | None
    high: float | None
    mark: str | None
    trade_factor: float | None
    recorded: float
    digest: int

    @property
    def share(self) -> Interval | None:
        """The share stated, 0..1; `None` where none is."""
        return None if self.low is None or self.high is None else Interval(self.low, self.high)

    @property
    def is_unknown(self) -> bool:
        """Neither tonnes nor share: withheld ("W"), a dash, blank."""
        return self.tonnes is None and self.low is None


class SupplyTable(msgspec.Struct, frozen=True, kw_only=True):
    """One reference period as one edition states it.

    `published` and `known` are the earliest instants (seconds since 1970) at which a row was published and recorded.
    `world_tonnes` is the total the edition states, with the telling that counts; `rounding_ratio` half a unit of the
    last digit of its shares; `rows_count` how many countries it lists (0: not said).
    """

    period: str
    vintage: str
    source: str
    published: float
    known: float
    figures: dict[str, Figure]
    world_tonnes: tuple[float, float, int] | None = None
    rounding_ratio: float = 0.0
    rows_count: int = 0
    synthetic: bool = False

    @property
    def edition(self) -> tuple[float, str]:
        """What orders editions of one period: publication, then name. A later vintage supersedes."""
        return (self.published, self.vintage)

    @property
    def is_read(self) -> bool:
        """All rows that the table lists have come, as far as it says how many there are."""
        return len(self.figures) >= min(self.rows_count, FIGURES_KEPT)


class SupplyStream(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The newest tables of one material, stage, market and flow, in order of reference period and vintage."""

    tables: tuple[SupplyTable, ...] = ()


def stream_key(observed: SupplyObserved) -> bytes:
    """Return the key of the stream a figure belongs to."""
    return key_of(material=observed.material, stage=observed.stage, market=observed.market, flow=observed.flow)


def key_of(*, material: str, stage: str, market: str, flow: str) -> bytes:
    """Return the key of a stream."""
    return f"supply/{material}/{stage}/{market}/{flow}".encode()


def next_stream(prior: SupplyStream | None, event: Event, observed: SupplyObserved) -> SupplyStream | None:
    """Return the stream with a figure, `None` where it changes nothing (a repeat, superseded, or too old to keep)."""
    tables = prior.tables if prior is not None else ()
    name = (observed.reference_period, observed.vintage)
    held = next((table for table in tables if (table.period, table.vintage) == name), None)
    if held is None and len(tables) >= TABLES_KEPT and name < (tables[0].period, tables[0].vintage):
        return None
    table = _with_figure(held if held is not None else _new_table(event, observed), event, observed)
    if table == held:
        return None
    others = [each for each in tables if each is not held]
    ordered = sorted([*others, table], key=lambda each: (each.period, each.vintage))
    return SupplyStream(tables=tuple(ordered[-TABLES_KEPT:]))


def _new_table(event: Event, observed: SupplyObserved) -> SupplyTable:
    return SupplyTable(
        period=observed.reference_period,
        vintage=observed.vintage,
        source=observed.provenance.source,
        published=event.occurred_at.timestamp(),
        known=event.recorded_at.timestamp(),
        figures={},
    )


def _with_figure(table: SupplyTable, event: Event, observed: SupplyObserved) -> SupplyTable:
    recorded, digest = event.recorded_at.timestamp(), digest_of(source=event.source, event=event.id)
    figures, world = table.figures, table.world_tonnes
    held = figures.get(observed.country)
    if held is None or supersedes((recorded, digest), (held.recorded, held.digest)):
        figure = Figure(
            tonnes=observed.tonnes,
            low=observed.share_low_ratio,
            high=observed.share_high_ratio,
            mark=(observed.published_as or "")[:_MARK_LENGTH] or None,
            trade_factor=observed.trade_factor,
            recorded=recorded,
            digest=digest,
        )
        figures = dict(sorted({**figures, observed.country: figure}.items())[:FIGURES_KEPT])
    # Every row of an edition repeats its total: which row it is read off must not depend on their order.
    if observed.world_tonnes is not None and (world is None or (recorded, digest) > world[1:]):
        world = (observed.world_tonnes, recorded, digest)
    return msgspec.structs.replace(
        table,
        figures=figures,
        world_tonnes=world,
        source=min(table.source, observed.provenance.source),
        published=min(table.published, event.occurred_at.timestamp()),
        known=min(table.known, recorded),
        rounding_ratio=max(table.rounding_ratio, _half_unit(observed)),
        rows_count=max(table.rows_count, observed.rows_count or 0),
        synthetic=table.synthetic or observed.provenance.synthetic,
    )


_DIGITS = re.compile(r"^\d+(?:\.(\d+))?")


def _half_unit(observed: SupplyObserved) -> float:
    """Return half a unit of the last digit of an exact published percentage: 9.9% is 0.0005; else 0."""
    if observed.share_low_ratio is None or observed.share_low_ratio != observed.share_high_ratio:
        return 0.0
    found = _DIGITS.match(observed.published_as or "")
    return 0.0 if found is None else 0.005 / 10 ** len(found[1] or "")


def half_unit_of(total: float) -> float:
    """Return half a unit of the last digit that is not zero of a rounded total: 390,000 is 5,000, at most 5% of it."""
    unit = 1.0
    while total % (unit * 10) == 0 and unit * 10 <= total:
        unit *= 10
    return min(unit / 2, total * 0.05)


def figure_of(stream: SupplyStream | None, country: str, *, period: str, vintage: str) -> Figure | None:
    """Return what a stream holds of a country in one table; `None` where it holds nothing."""
    for table in stream.tables if stream is not None else ():
        if (table.period, table.vintage) == (period, vintage):
            return table.figures.get(country)
    return None


def known_tables(stream: SupplyStream | None, *, known_at: datetime | None = None) -> list[SupplyTable]:
    """Return the tables known at an instant (`None`: all) whose rows have all come, newest period and edition last."""
    limit = float("inf") if known_at is None else known_at.timestamp()
    tables = [t for t in (stream.tables if stream is not None else ()) if t.known <= limit and t.is_read]
    return sorted(tables, key=lambda each: (each.period, *each.edition))
