"""Reading YAML from people we do not know: bounded, no aliases, no key twice, and the line of every field kept.

YAML 1.1 would read the key `on` as true and `2026-01-01` as a date: here every key and every such value is a text.
"""

from typing import Any

import yaml

MAX_CHARACTERS = 400_000
MAX_DEPTH = 12
DocumentPath = tuple[str | int, ...]
"""Keys and indexes that lead to a field."""


class DocumentRefused(Exception):  # noqa: N818 - reads as what happened
    """A document that is refused: the `line`, and the `detail` with what to do."""

    def __init__(self, line: int, detail: str) -> None:
        super().__init__(detail)
        self.line = line
        self.detail = detail


def _read_node(node: yaml.Node, path: DocumentPath, lines: dict[DocumentPath, int]) -> Any:
    """Turn a YAML node into data and note the line of every path; refuses what `safe_load` lets pass."""
    line = node.start_mark.line + 1
    lines[path] = line
    if isinstance(node, yaml.SequenceNode):
        return [_read_node(item, (*path, n), lines) for n, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node)
    made: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
        here = key_node.start_mark.line + 1
        if key in made:
            raise DocumentRefused(here, f"has the key {key!r} twice: keep one of them")
        made[key] = _read_node(value_node, (*path, key), lines)
        lines[*path, key] = here
    return made


def _scalar(node: yaml.Node) -> Any:
    made = yaml.SafeLoader("").construct_object(node)
    return made if isinstance(made, str | int | float | bool) or made is None else str(node.value)


def _check_events(text: str) -> None:
    """Refuse aliases and deep nesting while the text is being read: whole, 5,000 brackets would take seconds."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise DocumentRefused(line, "uses an alias (*name): write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise DocumentRefused(line, f"is nested deeper than {MAX_DEPTH}: no rule file needs that")


def compose_document(text: str) -> tuple[Any, dict[DocumentPath, int]]:
    """Read a document as plain data, every key a text, with the line of every path. Raise `DocumentRefused`."""
    if len(text) > MAX_CHARACTERS:
        raise DocumentRefused(1, f"has {len(text)} characters, at most {MAX_CHARACTERS}: split the file")
    try:
        _check_events(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise DocumentRefused(mark.line + 1 if mark else 1, f"is no YAML: {problem}") from error
    except RecursionError as error:
        raise DocumentRefused(1, "is nested too deeply") from error
    if node is None:
        raise DocumentRefused(1, "is empty: a rule file begins with `groups:`")
    lines: dict[DocumentPath, int] = {}
    return _read_node(node, (), lines), lines


def read_document(text: str) -> Any:
    """Read a rule file as plain data, every key a text (YAML 1.1 would read the key `on` as true)."""
    return compose_document(text)[0]
