"""Time to survive and time to recover, and cover for goods that need a licence.

`TTS` is how long a node can match supply with demand after a disruption, `TTR` how long until it is back; a node is
exposed where TTS < TTR: Simchi-Levi, Schmidt, Wei 2014, "From superstorms to factory fires", Harvard Business Review
92(1); Simchi-Levi et al. 2015, Interfaces 45(5), 375-390. For goods bound by a licence, cover counts what is granted:
`(stock + quantity on granted, unexpired licences) / daily use`.
"""

import msgspec

from streams.domain.methods.inputs import check_known, missing_of


class TimeToSurvive(msgspec.Struct, frozen=True, kw_only=True):
    """Days of cover: `time_to_survive_days_count` from stock alone, `effective_cover_days_count` with licences.

    `exposed` is TTS < TTR, `gap_days_count` TTR - TTS (negative: to spare); `None` where an input is missing. With no
    use at all stock lasts without end: infinity is not a number of days, so it is `None` and `daily_use_tonnes` is in
    `missing`.
    """

    time_to_survive_days_count: float | None
    effective_cover_days_count: float | None
    exposed: bool | None
    gap_days_count: float | None
    missing: tuple[str, ...] = ()


def time_to_survive(
    *,
    stock_tonnes: float | None,
    daily_use_tonnes: float | None,
    time_to_recover_days_count: float | None,
    licensed_tonnes: float | None = None,
) -> TimeToSurvive:
    """Return TTS in days against TTR; `licensed_tonnes` is what granted, unexpired licences still allow.

    Raises `FieldError` for a negative input.
    """
    inputs = {
        "stock_tonnes": stock_tonnes,
        "daily_use_tonnes": daily_use_tonnes,
        "time_to_recover_days_count": time_to_recover_days_count,
        "licensed_tonnes": licensed_tonnes,
    }
    check_known(inputs)
    missing = list(missing_of(inputs))
    survive = effective = None
    if daily_use_tonnes == 0:
        missing.append("daily_use_tonnes")
    elif daily_use_tonnes is not None and stock_tonnes is not None:
        survive = stock_tonnes / daily_use_tonnes
        if licensed_tonnes is not None:
            effective = (stock_tonnes + licensed_tonnes) / daily_use_tonnes
    gap = None
    if survive is not None and time_to_recover_days_count is not None:
        gap = time_to_recover_days_count - survive
    return TimeToSurvive(
        time_to_survive_days_count=survive,
        effective_cover_days_count=effective,
        exposed=None if gap is None else gap > 0,
        gap_days_count=gap,
        missing=tuple(missing),
    )
