"""Promtool's expanding notation for series: `1+2x5 _x3 stale`.

`a+bxn` is a, then n further samples that grow by b; `a-bxn` shrink by b; `axn` stay. `_` is a gap: nothing is heard at
that instant. `stale` says that the value is no longer known. Source: Prometheus, "Unit testing for rules".
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import TypeAlias

MAX_SAMPLES = 10_000
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_EXPANDED = re.compile(rf"^({_NUMBER})(?:([+-])({_NUMBER}))?x(\d+)$")
_PLAIN = re.compile(rf"^{_NUMBER}$")
_GAPS = re.compile(r"^_x(\d+)$")


class Mark(Enum):
    """A sample that is no value."""

    GAP = "_"
    STALE = "stale"


Sample: TypeAlias = float | str | bool | Mark


class NotationError(ValueError):
    """A text that is no series; the message says which part, and what to write."""


def expand(text: str) -> tuple[Sample, ...]:
    """Expand the notation to its samples, at most 10,000. Raise `NotationError`."""
    samples: list[Sample] = []
    for part in text.split():
        for sample in _expand_part(part):
            samples.append(sample)
            if len(samples) > MAX_SAMPLES:
                raise NotationError(f"{text[:40]!r} has more than {MAX_SAMPLES} samples: use a longer interval")
    if not samples:
        raise NotationError("is empty: write samples such as '1+2x5 _x3 stale'")
    return tuple(samples)


def _expand_part(part: str) -> Iterator[Sample]:
    if part in ("_", "stale"):
        yield Mark(part)
    elif part in ("true", "false"):
        yield part == "true"
    elif found := _GAPS.match(part):
        yield from (Mark.GAP for _ in range(min(int(found[1]), MAX_SAMPLES + 1)))
    elif _PLAIN.match(part):
        yield float(part)
    elif found := _EXPANDED.match(part):
        start, step = float(found[1]), float(found[3] or 0.0) * (-1 if found[2] == "-" else 1)
        yield from (start + step * n for n in range(min(int(found[4]), MAX_SAMPLES) + 1))
    else:
        raise NotationError(
            f"has {part!r}, which is no sample: write a number, 1+2x5, 7x3, true, false, _ (a gap), _x3 or stale; "
            "texts go into a list, as in ['operating', _, stale]"
        )


def read_samples(given: "str | float | bool | list[str | float | bool | None]") -> tuple[Sample, ...]:
    """Read a series: the notation, one number, or a list whose items stand for themselves (`null` is stale)."""
    if isinstance(given, str):
        return expand(given)
    if isinstance(given, list):
        if not given or len(given) > MAX_SAMPLES:
            raise NotationError(f"has {len(given)} samples: give 1 to {MAX_SAMPLES}")
        marks = {"_": Mark.GAP, "stale": Mark.STALE}
        return tuple(
            Mark.STALE if item is None else marks.get(item, item) if isinstance(item, str) else item for item in given
        )
    return (given,)
