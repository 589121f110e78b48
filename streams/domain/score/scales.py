"""Scales: from a figure in its own unit to stress in 0..1, piecewise linear, with the reason beside the points."""

from functools import lru_cache
from itertools import pairwise
from math import floor

import msgspec


class Scale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points (figure, stress) in order of the figure; between them straight lines, outside them the end values.

    Stress is in 0..1 and never turns back: it rises along the points, or falls along them. `because` says where the
    points come from. Raises `ValueError` for points that are out of order, out of range or too few.
    """

    points: tuple[tuple[float, float], ...]
    because: str

    def __post_init__(self) -> None:
        if len(self.points) < 2:
            raise ValueError("a scale needs at least two points")
        if any(b[0] <= a[0] for a, b in pairwise(self.points)):
            raise ValueError("the figures of a scale must rise from point to point")
        stresses = [stress for _, stress in self.points]
        if not all(0.0 <= stress <= 1.0 for stress in stresses):
            raise ValueError("stress is in 0..1")
        if stresses not in (sorted(stresses), sorted(stresses, reverse=True)):
            raise ValueError("stress must rise along the points, or fall along them, not both")

    def stress_ratio(self, figure: float) -> float:
        """Return the stress of a figure, 0..1."""
        if figure <= self.points[0][0]:
            return self.points[0][1]
        for (low, below), (high, above) in pairwise(self.points):
            if figure < high:  # at a point itself the stress is that of the point, unrounded
                stress = below + (above - below) * (figure - low) / (high - low)
                # Rounding may leave the line near its ends, and then stress would turn back there by a hair.
                return min(max(stress, min(below, above)), max(below, above))
        return self.points[-1][1]

    def stress_interval(self, low: float, high: float) -> tuple[float, float]:
        """Return the least and the greatest stress of a figure known to lie in `low`..`high`."""
        ends = self.stress_ratio(low), self.stress_ratio(high)
        return min(ends), max(ends)


@lru_cache(maxsize=256)
def step_edges(scale: Scale, steps: int) -> tuple[float, ...]:
    """Return the figures at which the stress enters another of `steps` to 1, in order: where two figures lie between
    the same edges (`bisect_right`), their stresses lie in the same step.

    Stress never turns back and neither does its rounding, so the figures of a step are neighbours: each edge is the
    first floating-point number beyond the step before.
    """
    found: list[float] = []

    def step(figure: float) -> int:
        return floor(scale.stress_ratio(figure) * steps)

    def search(low: float, high: float) -> None:
        """Enter the edges after `low` up to `high`."""
        if step(low) == step(high):
            return
        middle = low / 2 + high / 2
        if middle <= low or middle >= high:
            found.append(high)
            return
        search(low, middle)
        search(middle, high)

    search(scale.points[0][0], scale.points[-1][0])
    return tuple(found)
