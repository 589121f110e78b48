"""Dependency: a country's production or share joins the table of its edition, and the stage is assessed.

Aspect `supply`, one entity a stage (labels: stage) for world supply, and one a stage and home (`home`) for who supplies
a home country and how far it relies on imports. A row that changes no fact sends nothing, so an edition that comes row
by row speaks when its table is whole.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from streams.assess.assessors.assessor import Assessment, Assessor, PartitionContext, Result
from streams.assess.assessors.material_assessments import risk
from streams.assess.assessors.material_index import enter, index_entry_of
from streams.contracts.assessments import Fact
from streams.contracts.capacity import SupplyObserved
from streams.contracts.events import Event
from streams.domain.article_claims import us_output
from streams.domain.supply.dependency import Dependency, dependency_facts, dependency_of, facts_with_gaps, output_ratio
from streams.domain.supply.reliance import HomeStreams, Reliance, home_facts, reliance_of
from streams.domain.supply.supply_tables import SupplyStream, key_of, known_tables, next_stream, stream_key
from streams.reference.governance import governance_scores
from streams.runtime.stage_ports import StateStore

Facts: TypeAlias = tuple[dict[str, Fact], tuple[str, ...]]
View: TypeAlias = Callable[[str, str], SupplyStream | None]
"""From market and flow to the stream of one material and stage."""

WORLD = "global"
HOMES = ("US", "EU")
"""Homes that a market of `SupplyObserved` names."""


class DependencySubject(Assessor):
    """Take production, shares, sourcing and reliance; send the facts of the stage where a figure changed them."""

    name = "dependency"
    takes = (SupplyObserved,)
    keeps = (SupplyStream,)

    def on_event(self, context: PartitionContext, event: Event, now: datetime) -> Result:
        """Enter a figure; a repeat, a superseded one and one that changes no fact say nothing."""
        observed = event.data
        assert isinstance(observed, SupplyObserved)
        key = stream_key(observed)
        held: SupplyStream | None = context.store.get(key)
        stream = next_stream(held, event, observed)
        if stream is None:
            return ()
        view = view_of(context.store, observed.material, observed.stage)
        before, ratios = _all_facts(view), _us_ratios(context.store, observed.material)
        context.store.put(key, stream)
        if held is None:
            enter(context.store, observed.material, "supply", key)
        after = _all_facts(view)
        found = [
            _finding(event, now, observed, home, facts) for home, facts in after.items() if before.get(home) != facts
        ]
        for stage, ratio in _us_ratios(context.store, observed.material).items():
            if ratios.get(stage) != ratio:
                found.append(_us_finding(event, now, observed, stage, ratio))
        return found


def _finding(event: Event, now: datetime, observed: SupplyObserved, home: str | None, facts: Facts) -> Assessment:
    stage = observed.stage
    return risk(
        event,
        now,
        provenance=observed.provenance,
        aspect="supply",
        labels={"stage": stage},
        facts=facts,
        home=home,
        name=f"supply/{stage}" if home is None else f"supply/{stage}/{home}",
    )


def _us_ratios(store: StateStore, material: str) -> dict[str, tuple[float, str, str]]:
    """Return US output over China's mine output a stage, of the newest period that states both, and its edition."""
    mines = view_of(store, material, "mining")(WORLD, "production")
    periods = sorted({table.period for table in known_tables(mines)}, reverse=True)
    found: dict[str, tuple[float, str, str]] = {}
    for stage in stages_in(store, material):
        made = view_of(store, material, stage)(WORLD, "production")
        for period in periods:
            ratio, vintage = output_ratio(made, mines, of="US", to="CN", period=period)
            if ratio is not None:
                found[stage] = (ratio, period, vintage)
                break
    return found


def _us_finding(
    event: Event, now: datetime, observed: SupplyObserved, stage: str, found: tuple[float, str, str]
) -> Assessment:
    ratio, period, vintage = found
    said = us_output(
        material=observed.material,
        stage=stage,
        ratio=ratio,
        period=period,
        vintage=vintage,
        at=now,
        causes=(event.id,),
        sources=(observed.provenance.source,),
        synthetic=observed.provenance.synthetic,
    )
    return Assessment(name=f"us-output/{stage}", data=said)


def _all_facts(view: View) -> dict[str | None, Facts]:
    """Return the facts of the world (`None`) and of each home of which anything is known."""
    found: dict[str | None, Facts] = {}
    world = _dependency(view, WORLD, "production")
    if world is not None:
        found[None] = facts_with_gaps(dependency_facts(world), world.missing)
    for home in HOMES:
        reliance, sourcing = _reliance(view, home), _sourcing(view, home)
        if reliance is not None or sourcing is not None:
            found[home] = home_facts(reliance, sourcing)
    return found


def view_of(store: StateStore, material: str, stage: str) -> View:
    """Return how to find the streams of a material and stage in a store."""
    return lambda market, flow: store.get(key_of(material=material, stage=stage, market=market, flow=flow))


def _dependency(view: View, market: str, flow: str, known_at: datetime | None = None) -> Dependency | None:
    return dependency_of(view(market, flow), governance=governance_scores(), known_at=known_at)


def _sourcing(view: View, home: str, known_at: datetime | None = None) -> Dependency | None:
    imports = _dependency(view, home, "import_source", known_at)
    return imports if imports is not None else _dependency(view, home, "consumption", known_at)


def _reliance(view: View, home: str, known_at: datetime | None = None) -> Reliance | None:
    streams = HomeStreams(
        production=view(WORLD, "production"),
        consumption=view(home, "apparent_consumption"),
        published=view(home, "import_reliance"),
    )
    return reliance_of(streams, home=home, known_at=known_at)


def stages_in(store: StateStore, material: str) -> tuple[str, ...]:
    """Return the stages of which anything is known of a material, in order of name."""
    return tuple(sorted({key.split(b"/")[2].decode() for key in index_entry_of(store, material).supply}))


def dependency_in(
    store: StateStore, material: str, stage: str, *, known_at: datetime | None = None
) -> Dependency | None:
    """Return world supply of a material at a stage, as known at an instant (`None`: now); `None`: nothing is known.

    Its `hhi_ratio`, `top_share_ratio` and so on are `None` where no table is whole; `missing` says why.
    """
    return _dependency(view_of(store, material, stage), WORLD, "production", known_at)


def sourcing_in(
    store: StateStore, material: str, stage: str, *, home: str, known_at: datetime | None = None
) -> Dependency | None:
    """Return who supplies a home: its import sources, else (EU) its whole supply; `None`: nothing is known."""
    return _sourcing(view_of(store, material, stage), home, known_at)


def reliance_in(
    store: StateStore, material: str, stage: str, *, home: str, known_at: datetime | None = None
) -> Reliance | None:
    """Return the import reliance of a home on a material at a stage; `None`: nothing is known."""
    return _reliance(view_of(store, material, stage), home, known_at)
