"""Weights and scales of the score as frozen values; the one YAML under `streams/reference` holds them with reasons."""

from datetime import timedelta
from enum import StrEnum

import msgspec

from streams.domain.score.scales import Scale


class Factor(StrEnum):
    """The seven factors of a score, in the order they are shown."""

    POLICY = "policy"
    CONCENTRATION = "concentration"
    IMPORT_RELIANCE = "import_reliance"
    PRICE_STRESS = "price_stress"
    SUPPLY_STRESS = "supply_stress"
    THIN_COVER = "thin_cover"
    BLINDNESS = "blindness"

    __hash__ = str.__hash__
    """The hash of an enum is a Python function: scores look factors up some hundred times each."""


FACTORS = tuple(Factor)
"""All factors, in order."""


class Weight(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of the distance to 1 a factor at its worst takes: above 0, below 1."""

    weight_ratio: float
    because: str

    def __post_init__(self) -> None:
        if not 0.0 < self.weight_ratio < 1.0:
            raise ValueError(f"a weight is above 0 and below 1, not {self.weight_ratio}")


class Reasoned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number in 0..1 with the reason for it."""

    ratio: float
    because: str

    def __post_init__(self) -> None:
        if not 0.0 <= self.ratio <= 1.0:
            raise ValueError(f"must be in 0..1, is {self.ratio}")


class StateSeverity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a legal state leaves of a measure's severity: `far` from its next change, and `near` on the day of it.

    `low` and `high` are the ends where what holds is not known (a suspension that lapsed with nothing seen);
    `None`: it is known.
    """

    far: float
    near: float
    low: float | None = None
    high: float | None = None
    because: str

    def __post_init__(self) -> None:
        ends = [end for end in (self.low, self.high) if end is not None]
        if not all(0.0 <= value <= 1.0 for value in (self.far, self.near, *ends)):
            raise ValueError("far, near, low and high are in 0..1")
        if self.near < self.far:
            raise ValueError("a state cannot weigh less as its change comes nearer")


class PolicyScale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How legal states, kinds of measures and their targets add up to the policy factor.

    `kinds`: severity of a measure in force that hits a home in full; kinds that are not named do not enter. `states`:
    what a legal state leaves of it; states that are not named leave nothing. `reach`: share of the home's demand that a
    scope of targets hits, for a home that it names. `horizon_days_count`: how long before a change it starts to press,
    week by week, and day by day in the last `daily_days_count` days.
    """

    kinds: dict[str, Reasoned]
    stricter_checks: Reasoned
    states: dict[str, StateSeverity]
    reach: dict[str, Reasoned]
    horizon_days_count: int
    daily_days_count: int
    horizon_because: str

    def __post_init__(self) -> None:
        if self.horizon_days_count < 1 or self.daily_days_count < 1:
            raise ValueError("horizon_days_count and daily_days_count are at least 1")


class Rhythm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a figure of one kind is fresh; it is half stale after once that time, stale after twice."""

    days_count: int
    because: str

    def __post_init__(self) -> None:
        if self.days_count < 1:
            raise ValueError("days_count is at least 1")

    @property
    def span(self) -> timedelta:
        """Time for which a figure is fresh."""
        return timedelta(days=self.days_count)


class Home(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A country or union that scores are kept for; `members`: codes that a measure may name instead of it."""

    name: str
    members: tuple[str, ...] = ()


class ScoreParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it. `rhythms` go by kind of input, or by kind and vintage such as `supply/EU CRM study`."""

    version: str
    homes: dict[str, Home]
    weights: dict[Factor, Weight]
    policy: PolicyScale
    scales: dict[str, Scale]
    rhythms: dict[str, Rhythm]

    def __post_init__(self) -> None:
        if missing := [factor.value for factor in Factor if factor not in self.weights]:
            raise ValueError(f"weights are missing for {', '.join(missing)}")
        if missing := sorted(SCALES - self.scales.keys()):
            raise ValueError(f"scales are missing: {', '.join(missing)}")
        if missing := sorted(RHYTHMS - self.rhythms.keys()):
            raise ValueError(f"rhythms are missing: {', '.join(missing)}")

    def rhythm(self, kind: str, *, vintage: str | None = None) -> timedelta:
        """Return how long a figure is fresh: by the longest name of a vintage that fits, else by its kind."""
        if vintage is not None:
            fitting = [name for name in self.rhythms if f"{kind}/{vintage}".startswith(name) and "/" in name]
            if fitting:
                return self.rhythms[max(fitting, key=len)].span
        return self.rhythms[kind].span


SCALES = frozenset(
    {
        "hhi_ratio",
        "import_reliance_ratio",
        "change_30_observations_ratio",
        "volatility_to_median_ratio",
        "premium_ratio",
        "to_trailing_median_ratio",
        "month_on_month_ratio",
        "outage_share_outside_ratio",
        "slip_months_count",
        "actual_to_nameplate_ratio",
        "cover_to_lead_ratio",
        "survive_to_recover_ratio",
    }
)
"""Scales that the factors read, by the figure they are for."""

RHYTHMS = frozenset({"supply", "price/day", "price/month", "price/year", "trade", "capacity", "stock"})
"""Rhythms that the factors read, by kind of input."""
