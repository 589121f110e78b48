"""Reading YAML from people we do not know: bounded, no aliases, no key twice, and the line of every field kept.

YAML 1.1 would read the key `on` as true and `2026-01-01` as a date: here every key and every such value is a text. The
text is read once, event by event (by libyaml where PyYAML has it: thirty times faster), so that what is nested too
deeply or uses an alias is refused before anything is built from it.
"""

from collections.abc import Iterator
from typing import Any

import yaml

MAX_CHARACTERS = 400_000
MAX_DEPTH = 12
DocumentPath = tuple[str | int, ...]
"""Keys and indexes that lead to a field."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALARS = yaml.SafeLoader("")
_MAX_NUMBER_CHARACTERS = 40
"""A number longer than this is no number anybody means; Python refuses to read thousands of digits."""


class DocumentRefused(Exception):  # noqa: N818 - reads as what happened
    """A document that is refused: the `line`, and the `detail` with what to do."""

    def __init__(self, line: int, detail: str) -> None:
        super().__init__(detail)
        self.line = line
        self.detail = detail


def _line_of(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


class _Reader:
    """Builds plain data from the events of one document, and notes the line of every path."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._depth = 0
        self.lines: dict[DocumentPath, int] = {}

    def next_event(self) -> yaml.Event:
        event = next(self._events)
        if isinstance(event, yaml.AliasEvent):
            raise DocumentRefused(_line_of(event), "uses an alias (*name): write the value out")
        return event

    def read(self, event: Any, path: DocumentPath) -> Any:
        """Read what begins with an event."""
        self.lines[path] = _line_of(event)
        if event.tag is not None and event.tag != "!":
            raise DocumentRefused(_line_of(event), f"uses a tag ({event.tag[:40]}): write the plain value")
        if isinstance(event, yaml.ScalarEvent):
            return _plain(event.value) if event.implicit[0] else event.value
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise DocumentRefused(_line_of(event), f"is nested deeper than {MAX_DEPTH}: no rule file needs that")
        made = self._sequence(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)
        self._depth -= 1
        return made

    def _sequence(self, path: DocumentPath) -> list[Any]:
        made: list[Any] = []
        while not isinstance(event := self.next_event(), yaml.SequenceEndEvent):
            made.append(self.read(event, (*path, len(made))))
        return made

    def _mapping(self, path: DocumentPath) -> dict[str, Any]:
        made: dict[str, Any] = {}
        while not isinstance(event := self.next_event(), yaml.MappingEndEvent):
            line = _line_of(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise DocumentRefused(line, "has a list or a mapping as a key: a key is a plain word")
            key = str(event.value)
            if key in made:
                raise DocumentRefused(line, f"has the key {key!r} twice: keep one of them")
            made[key] = self.read(self.next_event(), (*path, key))
            self.lines[*path, key] = line
        return made


def _plain(value: str) -> Any:
    """Read an unquoted scalar as a number, a truth or nothing; all else, dates as well, is a text."""
    first = value[:1]
    if first.isalpha() and value.lower() not in _WORDS:
        return value
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers.get(first, ())
    tag = next((tag for tag, pattern in resolvers if pattern.match(value)), "")
    kind = tag.rpartition(":")[2]
    if kind not in ("int", "float", "bool", "null") or len(value) > _MAX_NUMBER_CHARACTERS:
        return value
    return _SCALARS.construct_object(yaml.ScalarNode(tag, value))


_WORDS = frozenset({"yes", "no", "true", "false", "on", "off", "null"})


def _read(text: str) -> tuple[Any, dict[DocumentPath, int]]:
    events = yaml.parse(text, Loader=_LOADER)
    reader = _Reader(events)
    next(events)  # the start of the stream
    if not isinstance(next(events), yaml.DocumentStartEvent):
        raise DocumentRefused(1, "is empty: a rule file begins with `groups:`")
    made = reader.read(reader.next_event(), ())
    next(events)  # the end of the document
    event = next(events)
    if not isinstance(event, yaml.StreamEndEvent):
        raise DocumentRefused(_line_of(event), "is no YAML: expected a single document")
    return made, reader.lines


def compose_document(text: str) -> tuple[Any, dict[DocumentPath, int]]:
    """Read a document as plain data, every key a text, with the line of every path. Raise `DocumentRefused`."""
    if len(text) > MAX_CHARACTERS:
        raise DocumentRefused(1, f"has {len(text)} characters, at most {MAX_CHARACTERS}: split the file")
    try:
        made, lines = _read(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise DocumentRefused(mark.line + 1 if mark else 1, f"is no YAML: {problem}") from error
    except (ValueError, RecursionError) as error:
        raise DocumentRefused(1, f"is no YAML: {str(error)[:200]}") from error
    if made is None:
        raise DocumentRefused(1, "is empty: a rule file begins with `groups:`")
    return made, lines


def read_document(text: str) -> Any:
    """Read a rule file as plain data, every key a text (YAML 1.1 would read the key `on` as true)."""
    return compose_document(text)[0]
