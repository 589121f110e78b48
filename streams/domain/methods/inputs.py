"""Checks of the inputs of a method: what cannot be is refused with its field, what is missing is named."""

import math
from collections.abc import Mapping

from streams.contracts.reasons import FieldError, RejectReason


def checked(value: float, *, field: str, low: float = 0.0, high: float = math.inf) -> float:
    """Return a number that lies in `low`..`high`; raises `FieldError` with the field for any other, NaN included."""
    if math.isnan(value) or value < low or value > high or math.isinf(value):
        bound = f"{low:g} or more" if math.isinf(high) else f"{low:g} to {high:g}"
        raise FieldError(reason=RejectReason.OUT_OF_RANGE, field=field, detail=f"{value} is not {bound}")
    return value


def missing_of(inputs: Mapping[str, float | None]) -> tuple[str, ...]:
    """Return the names of the inputs that are not known, in their order."""
    return tuple(name for name, value in inputs.items() if value is None)


def check_known(inputs: Mapping[str, float | None], *, low: float = 0.0, high: float = math.inf) -> None:
    """Refuse a known input outside `low`..`high`."""
    for name, value in inputs.items():
        if value is not None:
            checked(value, field=name, low=low, high=high)
