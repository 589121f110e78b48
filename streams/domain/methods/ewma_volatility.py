"""EWMA volatility of a price series: the RiskMetrics recursion, with zero returns and gaps.

`v_t = 0.94 v_(t-1) + 0.06 r_t^2`, annualised `sqrt(252 v)`: J.P. Morgan/Reuters, RiskMetrics Technical Document, 4th
edition 1996, chapter 5 (decay factor lambda = 0.94 for daily data, zero mean). `r_t` is the logarithmic return.
"""

import math
from collections.abc import Iterable

import msgspec

from streams.domain.methods.inputs import checked

DECAY = 0.94
PERIODS_PER_YEAR = 252


class EwmaVolatility(msgspec.Struct, frozen=True, kw_only=True):
    """Volatility after the last price: `variance` of one period, `annualised_ratio` (0.3 is 30% a year).

    `returns_count` is how many returns entered. `None` with `missing` where there are fewer than two prices.
    """

    variance: float | None
    annualised_ratio: float | None
    returns_count: int
    missing: tuple[str, ...] = ()


def next_variance(variance: float | None, *, log_return: float, periods_count: int = 1, decay: float = DECAY) -> float:
    """Return the variance of one period after a logarithmic return over `periods_count` periods.

    Over a gap of k periods the return enters as k equal daily variances, `r^2/k`: `v' = decay^k v + (1-decay^k) r^2/k`,
    which is the recursion itself for k = 1. A zero return decays the variance, it does not end it. The first return
    starts the recursion (`variance` `None`).
    """
    shock = log_return * log_return / periods_count
    if variance is None:
        return shock
    kept: float = decay**periods_count
    return kept * variance + (1 - kept) * shock


def annualised(variance: float, *, periods_per_year: int = PERIODS_PER_YEAR) -> float:
    """Return the volatility of a year from the variance of one period, as a ratio."""
    return math.sqrt(periods_per_year * variance)


def ewma_volatility(prices: Iterable[float | None], *, decay: float = DECAY) -> EwmaVolatility:
    """Return the volatility of prices in order, one a period; `None` is a period without a price (a gap).

    Prices are of one series in one unit. Raises `FieldError` for a price of zero or less.
    """
    variance: float | None = None
    last: float | None = None
    count = elapsed = 0
    for index, price in enumerate(prices):
        elapsed += 1
        if price is None:
            continue
        checked(price, field=f"prices/{index}", low=math.nextafter(0.0, 1.0))
        if last is not None:
            variance = next_variance(variance, log_return=math.log(price / last), periods_count=elapsed, decay=decay)
            count += 1
        last, elapsed = price, 0
    if variance is None:
        return EwmaVolatility(variance=None, annualised_ratio=None, returns_count=0, missing=("prices",))
    return EwmaVolatility(variance=variance, annualised_ratio=annualised(variance), returns_count=count)
