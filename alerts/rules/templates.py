"""Texts of alerts: `{name}` and `{name:format}` over facts, every name checked at load, unknown spelt out.

Filling a text never raises: a value that its format does not fit stands as it is, and is counted.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)(?::([a-z]+))?\}")
_STRAY = re.compile(r"[{}]")


class TextError(ValueError):
    """A text with a name or format that does not exist; the message lists those that do."""


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if isinstance(value, list | tuple):
        return ", ".join(str(v) for v in value) if value else "materials the source does not name"
    return str(value).replace("_", " ") if isinstance(value, str) and value.islower() else str(value)


_FORMATS: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        "percent": lambda value: f"{float(value) * 100:+.0f}%",
        "share": lambda value: f"{float(value) * 100:.0f}%",
        "number": lambda value: f"{float(value):,.2f}".rstrip("0").rstrip("."),
        "days": lambda value: "1 day" if value == 1 else f"{value:.0f} days",
    }
)


class FormatFaults:
    """Counts values that did not fit their format, for the texts of one rule; whoever publishes it begins again."""

    def __init__(self) -> None:
        self.count = 0

    def take(self) -> int:
        """Return the count and begin again at zero."""
        count, self.count = self.count, 0
        return count


class Text:
    """A checked text. Raises `TextError` when built with an unknown name, format or stray brace."""

    def __init__(self, text: str, *, known: Iterable[str], faults: FormatFaults | None = None) -> None:
        self._faults = faults or FormatFaults()
        allowed = sorted(set(known))
        for name, format_name in _PLACEHOLDER.findall(text):
            if name not in allowed:
                raise TextError(f"names {{{name}}}, which does not exist here; known are: {', '.join(allowed)}")
            if format_name and format_name not in _FORMATS:
                raise TextError(f"formats {{{name}:{format_name}}}; formats are: {', '.join(sorted(_FORMATS))}")
        if _STRAY.search(_PLACEHOLDER.sub("", text)):
            raise TextError("has a brace that is no placeholder: write {name} or {name:percent}")
        self.text = text
        self.names = tuple(sorted({name for name, _ in _PLACEHOLDER.findall(text)}))
        # what stands between the names, and each name with its format, one after the other
        pieces = _PLACEHOLDER.split(text)
        self._parts = tuple(
            zip(pieces[1::3], (_FORMATS.get(f, _words) for f in pieces[2::3]), pieces[3::3], strict=True)
        )
        self._begins = pieces[0]

    def render(self, values: Mapping[str, Any]) -> str:
        """Fill the text; an unknown value reads `unknown`."""
        told = [self._begins]
        for name, form, then in self._parts:
            value = values.get(name)
            told.append("unknown" if value is None else self._filled(form, value))
            told.append(then)
        return " ".join("".join(told).split())

    def _filled(self, form: Callable[[Any], str], value: Any) -> str:
        try:
            return form(value)
        except Exception:  # noqa: BLE001 - an alert must be told whatever is wrong with its text
            self._faults.count += 1
        try:
            return str(value)
        except Exception:  # noqa: BLE001 - a value that cannot even be written
            return "unknown"
