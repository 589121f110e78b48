"""Read the shipped tables and histories from the installed package."""

import csv
import io
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from streams.contracts.codec import decode_event
from streams.contracts.events import Event
from streams.domain.prices.conversions import Conversions, conversions_of

HistoryKind = Literal["policy", "price", "capacity"]
HISTORIES: tuple[HistoryKind, ...] = ("policy", "price", "capacity")
HISTORY_DIRECTORY = Path(str(files("streams.reference"))) / "history"


def read_text(path: str) -> str:
    """Return the text of a shipped file, given relative to this package."""
    return files("streams.reference").joinpath(path).read_text(encoding="utf-8")


def load_table(name: str) -> list[dict[str, str]]:
    """Return the rows of a shipped table by its name without `.csv`; raises `FileNotFoundError` for an unknown one."""
    return list(csv.DictReader(io.StringIO(read_text(f"data/{name}.csv"))))


@lru_cache(maxsize=1)
def load_conversions() -> Conversions:
    """Return the shipped table of currency rates, read once."""
    return conversions_of(load_table("currency_rates"))


def newest_first(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return rows of an edition with the newest year first, else in their order.

    An edition gives several years at one instant; told in this order, what is current is said first, and no old year
    looks new for a moment.
    """
    return sorted(rows, key=lambda row: row["year"], reverse=True)


@lru_cache(maxsize=4)
def _load(kind: HistoryKind) -> tuple[Event, ...]:
    return tuple(decode_event(line.encode()) for line in read_text(f"history/{kind}.jsonl").splitlines() if line)


def load_history(kind: HistoryKind | None = None) -> list[Event]:
    """Return the shipped history of one kind, or (`None`) of all kinds in event-time order.

    The order of events of one instant is policy, price, capacity, then that of the file; it never changes.
    """
    if kind is not None:
        return list(_load(kind))
    return sorted((event for each in HISTORIES for event in _load(each)), key=lambda event: event.occurred_at)
