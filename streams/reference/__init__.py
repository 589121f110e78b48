"""Reference data, curated history and their loaders."""

from streams.reference.loaders import HISTORIES, HistoryKind, load_history, load_table

__all__ = ["HISTORIES", "HistoryKind", "load_history", "load_table"]
