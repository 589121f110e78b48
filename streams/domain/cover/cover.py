"""Cover: how long own stocks and licensed quantities last, against how long a licence takes and the next legal end."""

from collections.abc import Iterable
from datetime import date, timedelta

import msgspec

from streams.contracts.assessments import Fact, LegalState, MeasureAssessed
from streams.contracts.calendars import calendar
from streams.contracts.capacity import StockReported
from streams.contracts.events import Event
from streams.contracts.materials import RARE_EARTHS
from streams.domain.methods.time_to_survive import time_to_survive
from streams.domain.observations import digest_of, supersedes
from streams.domain.supply.independence import Independence

Amount = tuple[float, float, int]
"""A stated amount, when it was recorded (seconds since 1970) and the digest of the event, which decide what counts."""


class CoverParameters(msgspec.Struct, frozen=True, kw_only=True):
    """How long a licence takes: 45 working days by law, 60 to 120 days in practice (docs/domain.md 12).

    `issuer` is the country whose offices count (ISO 3166 alpha-2).
    """

    statutory_working_days: int = 45
    observed_low_days: int = 60
    observed_high_days: int = 120
    issuer: str = "CN"


DEFAULTS = CoverParameters()


class SiteStock(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What a site holds and uses of a material, the newest stated of each; `None`: never stated. Under 1 KB.

    `source` and `event` are of the newest report, `sent` are the facts sent last.
    """

    material: str
    site: str
    stock: Amount
    use: Amount | None = None
    source: str
    event: str
    synthetic: bool = False
    sent: dict[str, Fact] = msgspec.field(default_factory=dict)


def stock_key(material: str, site: str) -> bytes:
    """Return the key of what a site holds of a material."""
    return f"stock/{material}/{site}".encode()


def next_stock(prior: SiteStock | None, event: Event, report: StockReported) -> SiteStock | None:
    """Return the stock with a report, `None` where it changes nothing (a repeat, or superseded).

    Use that a newer report leaves out keeps its last stated value.
    """
    told = event.recorded_at.timestamp(), digest_of(source=event.source, event=event.id)
    newest = prior is None or supersedes(told, prior.stock[1:])
    use = prior.use if prior is not None else None
    if report.daily_use_tonnes is not None and (use is None or supersedes(told, use[1:])):
        use = (report.daily_use_tonnes, *told)
    if prior is not None and not newest:
        return None if use == prior.use else msgspec.structs.replace(prior, use=use)
    return SiteStock(
        material=report.material,
        site=report.site,
        stock=(report.stock_tonnes, *told),
        use=use,
        source=report.provenance.source,
        event=event.id,
        synthetic=report.provenance.synthetic,
        sent=prior.sent if prior is not None else {},
    )


class Controls(msgspec.Struct, frozen=True, kw_only=True):
    """What the measures say of exports of a material: is a licence needed (`None`: no measure is known), until when.

    `is_banned`: a ban for all destinations is in force. `next_end` is the next last day of a suspension, or the latest
    that passed with nothing following; `ends` names its measure.
    """

    needs_licence: bool | None
    is_banned: bool = False
    next_end: date | None = None
    ends: str | None = None


_CONTROLS = frozenset({"licence_requirement", "export_ban"})
_STANDING = frozenset({LegalState.ANNOUNCED, LegalState.IN_FORCE, LegalState.SUSPENDED, LegalState.LAPSED_UNCONFIRMED})
RARE_EARTH_CHAIN = frozenset(
    {"rare-earth-technology", "rare-earth-equipment", "rare-earth-auxiliary-materials", "rare-earth-items-abroad"}
)
"""What controls of 2025 (announcements 56, 61, 62) name instead of elements: they end for every rare earth at once."""
_RARE_EARTH_PRODUCTS = frozenset(
    {
        *RARE_EARTHS,
        "neodymium-praseodymium",
        "dysprosium-terbium",
        "rare-earth-oxides",
        "mischmetal",
        "neodymium-magnets",
        "samarium-cobalt-magnets",
        "heavy-rare-earth-magnets",
        "rare-earths",
        "light-rare-earths",
        "heavy-rare-earths",
        "rare-earth-magnets",
    }
)


def _binds(measure: MeasureAssessed) -> bool:
    """Leave out what aims at named users only: it does not stop every line."""
    return measure.targets is None or measure.targets.scope in ("all", "countries")


def controls_on(material: str, measures: Iterable[MeasureAssessed]) -> Controls:
    """Return what measures mean for exports of a material, whoever the buyer is."""
    known = list(measures)
    standing = [each for each in known if each.state in _STANDING and _binds(each)]
    named = [each for each in standing if material in each.materials]
    controls = [each for each in named if each.kind in _CONTROLS]
    chain = [each for each in standing if RARE_EARTH_CHAIN.intersection(each.materials)]
    bearing = [*named, *chain] if material in _RARE_EARTH_PRODUCTS else named
    ends = [(each.state, each.legal_end, each.measure) for each in bearing if each.legal_end is not None]
    suspended = [(day, name) for state, day, name in ends if state is LegalState.SUSPENDED]
    lapsed = [(day, name) for state, day, name in ends if state is LegalState.LAPSED_UNCONFIRMED]
    end = min(suspended) if suspended else max(lapsed, default=(None, None))
    banned = any(
        each.kind == "export_ban"
        and each.state is LegalState.IN_FORCE
        and (each.targets is None or each.targets.scope == "all")
        for each in controls
    )
    return Controls(needs_licence=bool(controls) if known else None, is_banned=banned, next_end=end[0], ends=end[1])


def statutory_days(today: date, *, parameters: CoverParameters = DEFAULTS) -> int:
    """Return how many calendar days the statutory working days take from a day on (the day itself not counted)."""
    offices, day, left = calendar(parameters.issuer), today, parameters.statutory_working_days
    while left:
        day += timedelta(days=1)
        left -= offices.is_working_day(day)
    return (day - today).days


def lead_facts(controls: Controls, *, today: date, parameters: CoverParameters = DEFAULTS) -> dict[str, Fact]:
    """Return how long a licence takes: 0 where none is needed; where nobody knows whether one is, as if it were.

    `licence_lead_days_count` is what to plan with: the longer of the statute and the upper end of what is observed.
    """
    if controls.needs_licence is False:
        return dict.fromkeys(
            ("licence_lead_days_count", "licence_lead_statutory_days_count", "licence_lead_low_days_count"), 0.0
        )
    statutory = statutory_days(today, parameters=parameters)
    return {
        "licence_lead_days_count": float(max(statutory, parameters.observed_high_days)),
        "licence_lead_statutory_days_count": float(statutory),
        "licence_lead_low_days_count": float(parameters.observed_low_days),
    }


def stock_facts(
    stock: SiteStock,
    *,
    licensed_tonnes: float | None,
    controls: Controls,
    independence: Independence,
    today: date,
    parameters: CoverParameters = DEFAULTS,
) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return the facts of the cover of a site and the names of those that are unknown.

    `time_to_survive_days_count` is stock over daily use; `effective_cover_days_count` adds what granted, unexpired
    licences still allow. Time to recover is the licence lead time, under a ban for all the time to independence.
    `buffer_gap_days_count` is independence minus the next legal end: positive, the end comes first.
    """
    lead = lead_facts(controls, today=today, parameters=parameters)
    wait = lead["licence_lead_days_count"]
    if controls.is_banned:
        wait = None if independence.on is None else float((independence.on - today).days)
    assert wait is None or isinstance(wait, float)
    survival = time_to_survive(
        stock_tonnes=stock.stock[0],
        daily_use_tonnes=None if stock.use is None else stock.use[0],
        time_to_recover_days_count=wait,
        licensed_tonnes=licensed_tonnes,
    )
    gap = None
    if independence.on is not None and controls.next_end is not None:
        gap = float((independence.on - controls.next_end).days)
    facts: dict[str, Fact] = {
        "stock_tonnes": stock.stock[0],
        "daily_use_tonnes": None if stock.use is None else stock.use[0],
        "licensed_tonnes": licensed_tonnes,
        "cover_days_count": _days(survival.time_to_survive_days_count),
        "effective_cover_days_count": _days(survival.effective_cover_days_count),
        **lead,
        "time_to_survive_days_count": _days(survival.time_to_survive_days_count),
        "time_to_recover_days_count": wait,
        "independence_on": None if independence.on is None else independence.on.isoformat(),
        "independence_reason": independence.reason.value,
        "next_legal_end": None if controls.next_end is None else controls.next_end.isoformat(),
        "next_legal_end_of": controls.ends,
        "buffer_gap_days_count": gap,
    }
    return facts, tuple(name for name, value in facts.items() if value is None)


LONGEST_DAYS = 36_500.0
"""A hundred years: a stock that lasts longer is shown as that, so that almost no use is no infinity."""


def _days(days: float | None) -> float | None:
    return None if days is None else min(days, LONGEST_DAYS)
