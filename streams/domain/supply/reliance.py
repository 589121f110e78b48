"""Import reliance of a home country on a material at a stage, computed where it can be, else as published.

`reliance = 1 - production / apparent consumption` (`methods.import_reliance`) needs both figures from one edition;
where one is withheld, what the edition publishes counts, as the interval it is (">95" is 0.95..1). A net exporter is
at 0.
"""

from datetime import UTC, datetime

import msgspec

from streams.contracts.assessments import Fact
from streams.domain.intervals import Interval, clamped, exact
from streams.domain.methods.import_reliance import import_reliance
from streams.domain.supply.dependency import Dependency, dependency_facts, facts_with_gaps
from streams.domain.supply.supply_tables import SupplyStream, SupplyTable, figure_of, known_tables

POINTS_PER_RATIO = 100


class HomeStreams(msgspec.Struct, frozen=True, kw_only=True):
    """The streams a reliance rests on: production anywhere, apparent consumption at home, reliance as published."""

    production: SupplyStream | None = None
    consumption: SupplyStream | None = None
    published: SupplyStream | None = None


class Reliance(msgspec.Struct, frozen=True, kw_only=True):
    """Net import reliance of a home country in one period of one edition.

    `ratio` bounds it (0..1, 0 for a net exporter); `ratio_known` is it where it is one number. `computed` tells a
    figure of ours from a published one. `change_points` (percentage points) compares with the same period in the
    edition before, else with the period before in the same edition.
    """

    home: str
    reference_period: str
    vintage: str
    source: str
    published_at: datetime
    ratio: Interval
    computed: bool
    production_tonnes: float | None = None
    consumption_tonnes: float | None = None
    published_as: str | None = None
    change_points: float | None = None
    synthetic: bool = False

    @property
    def ratio_known(self) -> float | None:
        """The reliance as one number; `None` where it is only known within bounds."""
        return self.ratio.low if self.ratio.low == self.ratio.high else None


def reliance_of(
    streams: HomeStreams,
    *,
    home: str,
    reference_period: str | None = None,
    vintage: str | None = None,
    known_at: datetime | None = None,
) -> Reliance | None:
    """Return the newest reliance known at `known_at` (`None`: now), of a period and a vintage where given."""
    found = _all(streams, home=home, known_at=known_at)
    wanted = [
        each for each in found if reference_period in (None, each.reference_period) and vintage in (None, each.vintage)
    ]
    if not wanted:
        return None
    newest = wanted[-1]
    restated = [
        r for r in found if r.reference_period == newest.reference_period and r.published_at < newest.published_at
    ]
    earlier = [r for r in found if r.vintage == newest.vintage and r.reference_period < newest.reference_period]
    before = next(iter(restated[-1:] or earlier[-1:]), None)
    return msgspec.structs.replace(newest, change_points=_change(newest, before))


def _change(newest: Reliance, before: Reliance | None) -> float | None:
    then = None if before is None else before.ratio_known
    now = newest.ratio_known
    return None if now is None or then is None else (now - then) * POINTS_PER_RATIO


def _all(streams: HomeStreams, *, home: str, known_at: datetime | None) -> list[Reliance]:
    """Return every reliance that is known, newest period last, newest edition of it last."""
    tables = {
        (table.period, *table.edition): table
        for stream in (streams.published, streams.consumption)
        for table in known_tables(stream, known_at=known_at)
        if home in table.figures
    }
    found = (_reliance(streams, table, home=home) for _, table in sorted(tables.items(), key=lambda item: item[0]))
    return [each for each in found if each is not None]


def _reliance(streams: HomeStreams, table: SupplyTable, *, home: str) -> Reliance | None:
    name = {"period": table.period, "vintage": table.vintage}
    made = figure_of(streams.production, home, **name)
    used = figure_of(streams.consumption, home, **name)
    stated = figure_of(streams.published, home, **name)
    production, consumption = made.tonnes if made else None, used.tonnes if used else None
    computed = import_reliance(production_tonnes=production, apparent_consumption_tonnes=consumption).reliance_ratio
    ratio = clamped(exact(computed)) if computed is not None else stated.share if stated else None
    if ratio is None:
        return None
    return Reliance(
        home=home,
        reference_period=table.period,
        vintage=table.vintage,
        source=table.source,
        ratio=ratio,
        computed=computed is not None,
        published_at=datetime.fromtimestamp(table.published, UTC),
        production_tonnes=production,
        consumption_tonnes=consumption,
        published_as=stated.mark if stated else None,
        synthetic=table.synthetic,
    )


def reliance_facts(reliance: Reliance | None) -> dict[str, Fact]:
    """Return the facts that rules may name; `None` is unknown."""
    return {
        "import_reliance_ratio": reliance.ratio_known if reliance else None,
        "import_reliance_low_ratio": reliance.ratio.low if reliance else None,
        "import_reliance_change_points": reliance.change_points if reliance else None,
    }


def home_facts(reliance: Reliance | None, sourcing: Dependency | None) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return what is known of a home: its reliance, and the shares of those it is supplied by; and what is missing.

    `reference_period` and `vintage` are those of the reliance, of the sourcing where there is none; the sourcing has
    its own beside them.
    """
    shares: dict[str, Fact] = {} if sourcing is None else dependency_facts(sourcing)
    facts: dict[str, Fact] = {
        **reliance_facts(reliance),
        **shares,
        "sourcing_reference_period": sourcing.reference_period if sourcing else None,
        "sourcing_vintage": sourcing.vintage if sourcing else None,
        "reference_period": reliance.reference_period if reliance else shares.get("reference_period"),
        "vintage": reliance.vintage if reliance else shares.get("vintage"),
    }
    return facts_with_gaps(facts, sourcing.missing if sourcing else ("sourcing: no table",))
