"""CEL conditions, made safe: every name checked at load, bounded in length and nesting, unknown kept apart from false.

CEL lets `a == "x" || nope` pass although `nope` does not exist (`||` swallows the error of the other side), ends the
process on a chain of 15,000 terms, and runs nested comprehensions for as long as they like with the interpreter held
(measured: docs/engine-traps.md 25 and 26). What is refused here can do none of that.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

import cel

from alerts.rules.facts import FactSpec, sample_of

MAX_CHARACTERS = 2_000
"""A flat chain of this length is far below the 15,000 terms that end the process."""
_FUNCTIONS = frozenset(
    {"size", "contains", "startsWith", "endsWith", "matches", "has", "double", "int", "string", "bool", "min", "max"}
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_MACRO = re.compile(r"([A-Za-z_]\w*)\s*\.\s*(?:exists_one|exists|all|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")
_ANY_MACRO = re.compile(r"\.\s*(?:exists_one|exists|all|map|filter)\s*\(")
_HIDING = re.compile(r"\b[rRbB]{1,2}[\"']|\"\"\"|//")
"""Raw, bytes and triple-quoted strings and comments, in which a comprehension could hide from these patterns."""
_MATCHES = re.compile(r"\bmatches\b")
_MATCHES_PLAIN = re.compile(r"\.\s*matches\s*\(\s*\"(_*)\"\s*\)")
_PLAIN_PATTERN = re.compile(r"(?:[^\\{]|\\\\[.+*?()|\[\]^$/-]){1,100}")
"""Regular expressions are compiled at each evaluation: `\\w{90}` costs 18 ms, what this lets through under 0.5 ms."""
_SELECTED = re.compile(r"\.\s*[A-Za-z_]\w*\s*(\(?)")
_COMPARED = re.compile(r"\b([A-Za-z_]\w*)\s*(?:==|!=)\s*(\"[^\"]*\"|'[^']*')")
_LISTED = re.compile(r"\b([A-Za-z_]\w*)\s+in\s*\[([^\]]*)\]")


class Truth(Enum):
    """Result of a condition. `UNKNOWN`: a fact it needs is unknown, which is neither true nor false. `ERROR`: all facts
    are known and evaluating failed, such as a division by zero."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"
    ERROR = "error"


class ExpressionError(ValueError):
    """An expression that is refused at load; the message says why and what to do."""


def blank_strings(text: str) -> str:
    """Replace what stands in strings, so that it is taken for nothing else; every place in the text stays."""
    return _STRING.sub(lambda found: '"' + "_" * (len(found.group()) - 2) + '"', text)


def _compile(text: str) -> Any:
    try:
        return cel.compile(text)
    except ValueError as error:
        raise ExpressionError(f"is no CEL expression: {str(error).splitlines()[0][:200]}") from error


def _closing(text: str, start: int) -> int:
    depth = 0
    for index in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return index
    raise ExpressionError("has a parenthesis that is never closed")


def _without_comprehensions(text: str, blanked: str) -> tuple[str, list[tuple[str, str]]]:
    """Replace each comprehension by its list compared with nothing; give its variable and body beside it."""
    bodies: list[tuple[str, str]] = []
    while found := _MACRO.search(blanked):
        end = _closing(blanked, blanked.index("(", found.start()))
        body = text[found.end() : end]
        if _ANY_MACRO.search(blanked[found.end() : end]):
            raise ExpressionError("has a comprehension inside a comprehension, which has no bound: split the rule")
        bodies.append((found.group(2), body))
        substitute = f"(size({found.group(1)}) > 0)"
        text = text[: found.start()] + substitute + text[end + 1 :]
        blanked = blanked[: found.start()] + substitute + blanked[end + 1 :]
    if _ANY_MACRO.search(blanked):
        raise ExpressionError("has a comprehension over something that is no fact: write fact.exists(x, ...)")
    return text, bodies


def _check_names(program: Any, *, known: Iterable[str]) -> set[str]:
    references = program.references()
    names = set(references["variables"])
    allowed = set(known)
    if unknown := sorted(names - allowed):
        listed = ", ".join(sorted(allowed))
        raise ExpressionError(f"names {unknown[0]!r}, which is no fact of this entity; known are: {listed}")
    functions = {f for f in references["functions"] if f.isidentifier() and not f.startswith("_")}
    if strange := sorted(functions - _FUNCTIONS):
        raise ExpressionError(f"calls {strange[0]!r}; only {', '.join(sorted(_FUNCTIONS))} may be called")
    return names


def _check_choices(text: str, catalogue: Mapping[str, FactSpec]) -> None:
    pairs = [(name, literal) for name, literal in _COMPARED.findall(text)]
    for name, inner in _LISTED.findall(text):
        pairs += [(name, literal) for literal in _STRING.findall(inner)]
    for name, literal in pairs:
        choices = catalogue[name].choices if name in catalogue else ()
        if choices and literal[1:-1] not in choices:
            raise ExpressionError(
                f"compares {name} with {literal}, which it never is; it is one of {', '.join(choices)}"
            )


def _check_bounds(text: str, blanked: str) -> None:
    if found := _HIDING.search(blanked):
        raise ExpressionError(f"has {found.group()} in it: write plain strings and no comments")
    plain = list(_MATCHES_PLAIN.finditer(blanked))
    if len(plain) < len(_MATCHES.findall(blanked)):
        raise ExpressionError('matches against what is no plain text: write fact.matches("pattern")')
    for found in plain:
        pattern = text[found.start(1) : found.end(1)]
        if not _PLAIN_PATTERN.fullmatch(pattern) or "(?" in pattern:
            raise ExpressionError(
                f"has the pattern {pattern[:40]!r}; a pattern has 1 to 100 characters, no {{}}, no (?...) and no "
                "classes such as \\d: write [0-9]"
            )


class Condition:
    """A checked condition over facts. Raises `ExpressionError` when built from one that is refused."""

    def __init__(self, text: str, catalogue: Mapping[str, FactSpec]) -> None:
        if len(text) > MAX_CHARACTERS:
            raise ExpressionError(f"is {len(text)} characters long, at most {MAX_CHARACTERS}: split the rule")
        blanked = blank_strings(text)
        _check_bounds(text, blanked)
        if any(not call for call in _SELECTED.findall(blanked)):
            raise ExpressionError("reads a field with a dot; facts are flat: write legal_end, not measure.legal_end")
        plain, bodies = _without_comprehensions(text, blanked)
        program = _compile(plain)
        names = _check_names(program, known=catalogue)
        for variable, body in bodies:
            if variable in catalogue:
                raise ExpressionError(f"uses {variable!r}, the name of a fact, as a variable: choose another name")
            names |= _check_names(_compile(body), known=[*catalogue, variable]) - {variable}
        _check_choices(text, catalogue)
        self.text = text
        self.names = tuple(sorted(names))
        self._program = program if plain == text else _compile(text)
        try:
            tried = self._program.execute({name: sample_of(catalogue[name]) for name in self.names})
        except (TypeError, KeyError, RuntimeError, ValueError, IndexError, ArithmeticError) as error:
            raise ExpressionError(f"fails on facts of the right type: {str(error)[:200]}") from error
        if not isinstance(tried, bool):
            raise ExpressionError(f"gives {tried!r}, not true or false: compare it with something")

    def evaluate(self, facts: Mapping[str, Any]) -> Truth:
        """Evaluate over facts; an unknown (`None` or absent) fact that decides gives `UNKNOWN`, a failure `ERROR`."""
        given = {name: facts.get(name) for name in self.names}
        try:
            result = self._program.execute(given)
        except (TypeError, KeyError, RuntimeError, ValueError, IndexError, ArithmeticError):
            return Truth.UNKNOWN if None in given.values() else Truth.ERROR
        return Truth.TRUE if result is True else Truth.FALSE if result is False else Truth.UNKNOWN
