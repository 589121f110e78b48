"""Every reference leads somewhere: links, paths, module names and citations in code, READMEs, docs, rules and runbooks.

What is looked at: Markdown files but the changelog, docstrings and comments of Python sources, YAML files as a whole.
"""

import ast
import builtins
import io
import re
import subprocess
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
THIS = Path(__file__).resolve()
TOPS = ("streams", "alerts", "producers", "deploy", "docs", "tests", "bench")
SUFFIXES = (".py", ".md", ".yaml", ".yml", ".json", ".jsonl", ".csv", ".txt", ".toml", ".lock")

Text = tuple[Path, int, str]
"""A file, the line on which a text in it begins, and the text."""

_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)(?:#[^)]*)?\)")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_PATH = re.compile(rf"(?<![\w/.\-])(?:{'|'.join(TOPS)})/[\w./*\-]*[\w*/]")
_RELATIVE_PATH = re.compile(r"[\w\-][\w.\-]*/[\w./*\-]+")
_FILE_NAME = re.compile(r"[\w\-]+\.(?:py|md|ya?ml)")
_FOLDER = re.compile(r"[\w\-]+(?:/[\w\-]+)*/")
_MODULE = re.compile(r"(?<![\w.\-/<>{])(?:streams|alerts|producers|deploy)(?:\.\w+)+(?![\w/\-])")
_TOPIC = re.compile(r"\.v\d+$")
_NUMBERS = r"(\d+(?:\.\d+)?(?:(?:, | and | to )\d+(?:\.\d+)?)*)"
_CITATION = re.compile(r"docs/([\w\-]+\.md)\)?\s" + _NUMBERS)
_CITATION_IN_DOCS = re.compile(r"\]\(([\w\-]+\.md)\)\s" + _NUMBERS)
_PROMISE = re.compile(r"\bpromise (\d+)", re.IGNORECASE)
_DOCUMENT = re.compile(r"(?<![\w/.\-])([\w\-]+\.md)\b")
_ELSEWHERE = re.compile(
    r"\b(?:DOMAIN|DESIGN|STYLE|FAUST|RUNTIME|GRAFANA)\b(?! *[=(\[])"
    r"|\b[Ii]ssues? #?\d|\b[Tt]he issue\b(?!r)|\b[Oo]f the design\b|\bsection \d[\d.]*"
)
NOT_THERE = "none.md"
"""What tests name where a document must be missing."""
OUTSIDE = ("CloudEvents HTTP binding, section 3.1.3.2", "US Merger Guidelines 2023, section 2.1")
"""Sections of documents that others publish."""


@cache
def committed() -> tuple[Path, ...]:
    """Return the files of the repository, those included that are about to be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return tuple(p for p in (ROOT / name for name in listed.stdout.splitlines()) if p.is_file())


def said_in(path: Path) -> Iterator[tuple[int, str]]:
    """Yield docstrings and runs of comments of a Python source, each with its first line."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value
    run: list[str] = []
    last = -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if run and token.start[0] != last + 1:
                yield last - len(run) + 1, "\n".join(run)
                run = []
            run.append(token.string)
            last = token.start[0]
    if run:
        yield last - len(run) + 1, "\n".join(run)


@cache
def texts() -> tuple[Text, ...]:
    """Return everything that is looked at."""
    found: list[Text] = []
    for path in committed():
        if path.suffix == ".py" and path != THIS:
            found += [(path, line, text) for line, text in said_in(path)]
        elif (path.suffix == ".md" and path.name != "CHANGELOG.md") or path.suffix in (".yaml", ".yml"):
            found.append((path, 1, path.read_text()))
    return tuple(found)


def at(text: Text, match: re.Match[str]) -> str:
    """Return where a match stands, as file and line."""
    path, line, whole = text
    return f"{path.relative_to(ROOT)}:{line + whole.count(chr(10), 0, match.start())}"


def exists(name: str, *, seen_from: Path) -> bool:
    """Tell whether a path is there, from the root, the folder of the file that names it, or that of its package."""
    top = ROOT / seen_from.relative_to(ROOT).parts[0]
    for folder in (ROOT, seen_from.parent, *((top,) if top.is_dir() else ())):
        if any(folder.glob(name)) if "*" in name else (folder / name).exists():
            return True
    return False


def spans() -> Iterator[tuple[Text, re.Match[str]]]:
    """Yield what stands in single backticks."""
    for text in texts():
        for match in _SPAN.finditer(re.sub(r"(?ms)^```.*?^```", lambda m: re.sub(r"[^\n]", " ", m[0]), text[2])):
            yield text, match


@cache
def names_below(folder: Path) -> frozenset[str]:
    """Return the names of all files below a folder."""
    return frozenset(p.name for p in committed() if p.is_relative_to(folder))


def numbers_of(document: str) -> frozenset[str]:
    """Return the numbers that can be cited of a document: sections, and points of sections (or points alone)."""
    found: list[str] = []
    section = ""
    for line in (ROOT / "docs" / document).read_text().splitlines():
        heading = re.match(r"## (\d+)\. ", line)
        point = re.match(r"(\d+)\. ", line)
        if heading:
            section = heading[1]
            found.append(section)
        elif point:
            found.append(f"{section}.{point[1]}" if section else point[1])
    assert len(found) == len(set(found)), f"docs/{document} gives a number twice: {found}"
    return frozenset(found)


def test_every_link_leads_to_a_file() -> None:
    """A reader who follows a link must arrive."""
    links = [
        (text, match) for text in texts() if text[0].suffix == ".md" for match in _LINK.finditer(text[2])
    ]  # fmt: skip
    assert len(links) > 15
    assert [f"{at(t, m)} {m[1]}" for t, m in links if not (t[0].parent / m[1]).exists()] == []


def test_every_path_is_that_of_a_file_or_folder() -> None:
    """A path of the tree of before sends the reader to nothing."""
    named = [(text, match, match[0]) for text in texts() for match in _PATH.finditer(text[2])]
    for text, match in spans():
        name = match[1]
        if _FOLDER.fullmatch(name) or (_RELATIVE_PATH.fullmatch(name) and name.endswith(SUFFIXES)):
            named.append((text, match, name))
    assert len(named) > 400
    assert [f"{at(t, m)} {name}" for t, m, name in named if not exists(name.rstrip("/"), seen_from=t[0])] == []


def test_every_file_named_alone_is_near() -> None:
    """`name.py` without a folder is a file below the folder of the text that names it."""
    named = [(text, match) for text, match in spans() if _FILE_NAME.fullmatch(match[1])]
    assert len(named) > 100
    assert [
        f"{at(t, m)} {m[1]}" for t, m in named
        if m[1] not in names_below(t[0].parent) and not (ROOT / m[1]).exists()
    ] == []  # fmt: skip


def test_every_module_in_the_map_of_a_package_is_there() -> None:
    """The first column of a table of modules is what a newcomer reads first."""
    named = []
    for path in committed():
        if path.name != "README.md":
            continue
        for table in re.finditer(
            r"^\| (?:Module|Part|Path|File) \|.*\n\|[-|]+\n((?:\|.*\n)+)", path.read_text(), re.MULTILINE
        ):
            for row in table[1].splitlines():
                named += [(path, name) for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert len(named) > 20
    assert [
        f"{path.relative_to(ROOT)} {name}" for path, name in named
        if not (path.parent / f"{name}.py").is_file() and not (path.parent / name).is_dir()
    ] == []  # fmt: skip


@cache
def defined_in(path: Path) -> dict[str, ast.AST]:
    """Return the names that a module defines or imports at its top."""
    return names_of(ast.parse(path.read_text()).body)


def names_of(body: list[ast.stmt]) -> dict[str, ast.AST]:
    """Return the names that statements bind."""
    found: dict[str, ast.AST] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
        elif isinstance(node, ast.Assign):
            found.update({each.id: node for target in node.targets for each in ast.walk(target)
                          if isinstance(each, ast.Name)})  # fmt: skip
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found.update({alias.asname or alias.name: node for alias in node.names})
    return found


def resolves(dotted: str) -> bool:
    """Tell whether a dotted name is a package, a module, or a name within one."""
    place = ROOT
    parts = dotted.split(".")
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    if not parts:
        return True
    module = place / f"{parts[0]}.py"
    if module.is_file():
        parts.pop(0)
    else:
        module = place / "__init__.py"
    if not module.is_file():
        return False
    names = defined_in(module)
    for part in parts:
        if part not in names:
            return False
        node = names[part]
        names = names_of(node.body) if isinstance(node, ast.ClassDef) else {}
    return True


def test_every_module_name_resolves() -> None:
    """A dotted name in backticks is one that can be imported, or a name within such a module."""
    named = [
        (text, match, dotted) for text, match in spans() for dotted in _MODULE.findall(match[1])
        if not _TOPIC.search(dotted) and not dotted.endswith(SUFFIXES)
    ]  # fmt: skip
    assert len(named) > 15
    assert [f"{at(t, m)} {dotted}" for t, m, dotted in named if not resolves(dotted)] == []


@cache
def errors_known() -> frozenset[str]:
    """Return the names of errors that are built in, defined or imported anywhere."""
    found = set(dir(builtins))
    for path in committed():
        if path.suffix == ".py":
            found.update(re.findall(r"\b\w+Error\b", re.sub(r"`[^`]*`", "", path.read_text())))
    return frozenset(found)


def test_every_error_named_in_a_text_exists() -> None:
    """Whoever catches what a docstring says is raised must be able to import it."""
    named = [(text, match) for text, match in spans() if re.fullmatch(r"[A-Z]\w*Error", match[1])]
    assert len(named) > 30
    assert [f"{at(t, m)} {m[1]}" for t, m in named if m[1] not in errors_known()] == []


def test_every_citation_of_a_document_names_a_number_that_it_has() -> None:
    """`docs/NAME.md N` is what code cites for a fact: the number must be there."""
    known = {p.name: numbers_of(p.name) for p in (ROOT / "docs").glob("*.md")}
    cited = []
    for path in committed():
        if path.suffix not in (".py", ".md", ".yaml", ".yml", ".toml") or path == THIS:
            continue
        whole: Text = (path, 1, path.read_text())
        matches = [*_CITATION.finditer(whole[2])]
        if path.parent == ROOT / "docs":
            matches += _CITATION_IN_DOCS.finditer(whole[2])
        cited += [(at(whole, m), m[1], n) for m in matches for n in re.split(r", | and | to ", m[2])]
        cited += [(at(whole, m), "promises.md", m[1]) for m in _PROMISE.finditer(whole[2])]
    assert len(cited) > 100
    assert [f"{where} {name} {n}" for where, name, n in cited if n not in known.get(name, ())] == []


def test_no_line_cites_a_document_that_is_not_there() -> None:
    """What is not in the repository cannot be read by whoever has the repository."""
    there = {path.name for path in committed() if path.suffix == ".md"}
    looked_at = 0
    found = []
    for path in committed():
        if path == THIS or path.suffix not in (".py", ".md", ".yaml", ".yml", ".toml", ".sh", ""):
            continue
        looked_at += 1
        whole: Text = (path, 1, path.read_text())
        for outside in OUTSIDE:
            whole = (path, 1, whole[2].replace(outside, ""))
        found += [f"{at(whole, m)} {m[0]}" for m in _ELSEWHERE.finditer(whole[2])]
        found += [f"{at(whole, m)} {m[0]}" for m in _DOCUMENT.finditer(whole[2]) if m[1] not in {*there, NOT_THERE}]
    assert looked_at > 500
    assert found == []


def test_the_layers_in_the_architecture_are_those_that_are_enforced() -> None:
    """A picture of layers that the linter does not hold would be believed."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    held = {c["containers"][0]: c["layers"] for c in contracts if c["type"] == "layers" and "containers" in c}
    text = (ROOT / "docs/architecture.md").read_text()
    drawn = {
        name: " ".join(layers.split()).split(" > ")
        for name, layers in re.findall(r"^    ([\w.]+): ([^:]+?)(?=\n    \w|\n\n)", text, re.MULTILINE)
    }
    assert len(held) > 2
    assert drawn == held


def test_every_document_is_in_the_index() -> None:
    """A document that nobody finds is not there."""
    index = (ROOT / "docs/README.md").read_text()
    documents = [p.name for p in (ROOT / "docs").glob("*.md") if p.name != "README.md"]
    assert len(documents) > 5
    assert [name for name in documents if f"({name})" not in index] == []
