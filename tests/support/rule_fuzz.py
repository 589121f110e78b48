"""Hostile rule texts, and the child process that loads them: `python -m tests.support.rule_fuzz SEED SECONDS LAST`.

The child prints how many texts were loaded and refused. It writes each text to the file LAST before it loads it, so
that a crash leaves the text that caused it. Code 3: an exception other than `RuleFileError`, or a text that took too
long; a text that hangs ends the child through faulthandler.
"""

import faulthandler
import random
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from alerts.rules.facts import CATALOGUE
from alerts.rules.loader import RuleFileError, load_texts, shipped_rules_directory

LONGEST_SECONDS = 5.0
"""Processor time one text may take: a text of the largest allowed size with valid rules takes about one."""
HANGS_SECONDS = 60
_MEMORY_BYTES = 3 * 1024**3
_WORDS = ('"', "'", "(", ")", "[", "]", "{", "}", ":", "\n", "- ", "&a ", "*a", "!!python/name:os.system ", "? ", "| ",
          "\t", "\0", "\ufeff", "\ud800", "é", "null", ".inf", ".nan", "1e999", "-0", "0x7fffffffffffffffff", "9" * 30,
          "2026-02-30", "190:20:30", "99999999999d", "0s", "-5d", "\\", '"\\ud800"', "<<: ", "%YAML 1.2\n", "---\n",
          "...\n", "#", "||", "&&", "!", "-", "r'", '"""', "materials", "last_amount", "matches", "in", "==", "? 1 :",
          ".all(x, ", ".map(x, ", "double(", "int(", "/ 0", "% 0", "9223372036854775807", "timestamp(", "duration(",
          "{summary}", "{material:percent}", "\u2028", "composite", "sequence", "absence")  # fmt: skip


def _shipped() -> list[str]:
    return [path.read_text("utf-8") for path in sorted(shipped_rules_directory().glob("*.yaml"))]


def _document(*rules: dict[str, Any]) -> str:
    told = [{"annotations": {"summary": "{labels}"}, **rule} for rule in rules]
    return msgspec.json.encode({"groups": [{"name": "fuzz", "rules": told}]}).decode()


def _when(text: str, *, on: str = "measure") -> str:
    return _document({"id": "fuzz", "kind": "threshold", "on": on, "when": text, "severity": "info"})


def deep_nesting(r: random.Random) -> str:
    """Nest brackets, indentation or CEL parentheses as deep as the limits let through, and deeper."""
    deep = r.choice([10, 100, 950, 990, 5_000, 190_000])
    opened, closed = r.choice(["[]", "{}", "()", ("{a: ", "}"), ("- ", ""), ("? ", ""), ("!(", ")"), ("-(", ")"),
                               ("[[", "]]"), ("size([", "])"), ("!", ""), ("-", ""), ("1+(", ")"),
                               ("true?", ":true")])  # fmt: skip
    text = opened * deep + r.choice(["", "true", "1"]) + closed * r.choice([deep, deep - 1, 0])
    return r.choice([text, "groups: " + text, _when(text[:2_100]), _when(text[: r.randint(1, 2_000)])])


def huge_lists(r: random.Random) -> str:
    """Write lists and mappings as long as a file may be, and longer."""
    many = r.choice([60, 500, 5_000, 60_000, 200_000])
    made = [
        lambda: "groups: [" + "1," * many + "]",
        lambda: "groups: {" + ",".join(f"k{n}: 1" for n in range(min(many, 60_000))) + "}",
        lambda: "groups: " + "x" * many * 2,
        lambda: _when("state in [" + ",".join(["'repealed'"] * min(many, 150)) + "]"),
        lambda: _when("size([" + ",".join("1" * min(many, 900)) + "]) > 3"),
        lambda: "groups:\n- name: a\n  rules:\n" + "  - {kind: threshold}\n" * min(many, 15_000),
        lambda: _document({"id": "c", "kind": "composite", "of": [f"r{n}" for n in range(many % 5_000)],
                           "needs": "any", "severity": "info"}),
        lambda: _document(*({"id": f"r{n}", "kind": "threshold", "on": "price", "fact": "last_amount", "above": n,
                             "severity": "info"} for n in range(min(many, 2_500)))),
    ]  # fmt: skip
    return r.choice(made)()


def long_chains(r: random.Random) -> str:
    """Chain operators to the length that a condition may have, and beyond."""
    term, operator = r.choice([("1", "+"), ("true", "||"), ("true", "&&"), ("state", "=="), ("1", "-"), ("1", "%"),
                               ("true", "?true:"), ("2", "*"), ("[1]", "+"), ('"a"', "+"), ("1", "<")])  # fmt: skip
    text = operator.join([term] * r.choice([5, 100, 400, 990, 20_000]))
    return _when(text + r.choice(["", " == 3", " > 0"]))


def regular_expression_bombs(r: random.Random) -> str:
    """Give patterns that cost time or memory, several in a condition, many rules in a file."""
    pattern = r.choice(["(a+)+$", "(a|aa)*b", "((a{1,100}){1,100}){1,100}", "(x{1000}){1000}", "(.*){30}z",
                        "\\\\w{900}", "\\\\pL{500}", "[^a]{1000}", "(?i)\\\\p{L}{1000}", "(" * 300 + ")" * 300,
                        "(?:" * 200 + "a" + "){9}" * 200, "(a?){500}a{500}", "[" * 500, "((((a{30}){30}){30}){30})",
                        "(?P<n>a)\\\\k<n>", "\\\\d{400}"])  # fmt: skip
    one = f'state.matches("{pattern}")'
    text = r.choice([" || ", " && "]).join([one] * max(1, r.choice([1, 1_900]) // (len(one) + 4)))
    rules = r.choice([1, 1, 20, 180])
    return _document(*({"id": f"r{n}", "kind": "threshold", "on": "measure", "when": text, "severity": "info"}
                       for n in range(rules)))  # fmt: skip


def functions_and_comprehensions(r: random.Random) -> str:
    """Call what does not exist, and put comprehensions into comprehensions, some behind raw and triple quotes."""
    deep = r.randint(1, 60)
    macro = r.choice(["all", "exists", "exists_one", "map", "filter", "fold", "all\n", "all /**/"])
    nested = "".join(f"materials.{macro}(x{n}, " for n in range(deep)) + "true" + ")" * deep
    ranged = "".join(f"[1,2,3,4,5,6,7,8,9].{macro}(x{n}, " for n in range(deep)) + "true" + ")" * deep
    names = list(CATALOGUE["measure"])
    hidden = (
        "".join(f"[1,2,3,4,5,6,7,8,9].all({names[n]}, " for n in range(min(deep, 18))) + "true" + ")" * min(deep, 18)
    )
    text = r.choice([
        nested, ranged, f'r"\\" != "" && {hidden} && r"\\" != ""', f'r"\\" != "" && {nested} || r"\\" != ""',
        f'"""a"b""" != "" && {ranged}', f"'''\"''' != {nested}",
        f"true // \" \n && {ranged} // \"", "system('x') == 1", "__import__('os') == 1", "timestamp('x') > now()",
        'duration("9999999999h") > duration("1s")', "size(materials, materials) > 1", "int(1e300) > 1",
        "double('nan') > 1.0", "9223372036854775807 + 1 > 0", "-9223372036854775808 / -1 > 0",
        "-9223372036854775808 % -1 == 0", "1 / 0 == 1", "[1][9223372036854775807] == 1", "{1: 2}[1] == 2",
        "string(materials) == ''", "b'\\xff' == b''", "has(materials)", "has(state.x)", "min() > 1", "max([]) > 1",
        "size('" + "é" * 900 + "') > 1", "materials.map(x, x + x + x + x).size() > 1", "'a' * 1000000000 == ''",
        "'\\ud800' == ''", "'\\U0011ffff' == ''", "int('" + "9" * 500 + "') > 1", "0x" + "f" * 400 + " > 1",
        "1e400 > 1.0", "\0", "state.startsWith(1)", "in in in", "true ? 1 : 'x'", "dyn(1) == 1", "type(1) == int",
    ])  # fmt: skip
    return _when(text, on=r.choice(["measure", "price", "trade", "source", "score"]))


def composites(r: random.Random) -> str:
    """Let composites name themselves, each other, long chains and wide layers."""
    many = r.choice([1, 2, 9, 64, 500, 1_500])
    width = r.choice([1, 2, 8])
    style = r.choice(["ring", "chain", "layers", "lost"])

    def of(n: int) -> list[str]:
        if style == "layers":
            return [f"c{m}" for m in range((n // width + 1) * width, (n // width + 2) * width) if m < many] or ["p"]
        after = [f"c{(n + step) % many if style == 'ring' else n + step}" for step in range(1, width + 1)]
        return after if style in ("ring", "lost") or n + width < many else ["p"]

    plain = {"id": "p", "kind": "threshold", "on": "price", "fact": "last_amount", "above": 1, "severity": "info"}
    made = [{"id": f"c{n}", "kind": "composite", "of": of(n), "needs": "any", "severity": "info"} for n in range(many)]
    r.shuffle(made)
    return _document(plain, *made)


def yaml_oddities(r: random.Random) -> str:
    """Write what YAML allows and nobody means."""
    laughs = "a: &a [x,x]\n" + "".join(f"{b}: &{b} [*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    return r.choice([
        laughs, "groups: &g [*g]", "groups: !!python/object/apply:os.system ['true']", "<<: {groups: []}", "? [a]\n: b",
        "groups: [{name: " + "9" * r.choice([30, 5_000]) + ", rules: []}]", "%YAML 9.9\n---\ngroups: []",
        "--- a\n--- b",
        "\ufeffgroups: []", "groups:\n\t- a", "groups: |\n" + " x\n" * 1_000, "groups: >-\n" + "\n" * 100_000, "...",
        "groups: []\ngroups: []", "{}", "[]", "", "#", "null", "~", "- - - -", "'", '"\\', "a: b: c", "@", "`", "%",
        "\x00", "\x85groups: []", "!<tag:x> groups", "! groups", "groups: ! []", '"\\ud83d"', '"\\x00": 1', "\ud800",
        "a: " + "0b" + "1" * 38, "a: 1:" + "59:" * 12 + "1", "a: 0o" + "7" * 30, "a: 1_" + "0_" * 15, "a: 0x", "a: -",
        "a: 0b", "a: 0x_", "a: +.inf", "a: 1e" + "9" * 30, "a: 2026-13-45", "a: 0_", "a: _", "a: 1:", "a: -0b_", "=: =",
    ])  # fmt: skip


def strange_values(r: random.Random) -> str:
    """Take a valid rule of each kind and put a value nobody expects into some of its fields."""
    kinds: list[dict[str, Any]] = [
        {"kind": "threshold", "on": "price", "fact": "last_amount", "above": 1, "for": "1d", "limit": 5},
        {"kind": "change", "on": "price", "fact": "last_amount", "over": 3, "above": 0.2, "as": "ratio"},
        {"kind": "absence", "on": "price", "after": "10d", "learn": {"times": 3, "gaps": 8}},
        {"kind": "sequence", "on": "measure", "first": "state == 'repealed'", "then": "true", "within": "1d"},
        {"kind": "composite", "of": ["a"], "needs": "all", "by": ["material"]},
        {"kind": "deadline", "on": "measure", "date": "legal_end", "ladder": [{"before": "1d", "severity": "info"}]},
    ]
    rule = {"id": "a", "severity": "warning", **r.choice(kinds)}
    fields = [*rule, "for", "keep_firing_for", "resolve_when", "max_age", "limit", "occasion", "annotations", "where",
              "by", "missing", "rhythms", "passed", "ladder", "then_on", "observation", "as", "below"]  # fmt: skip
    step = {"value": 1, "severity": "info"}
    values: list[Any] = [
        None, True, -1, 0, 10**18, 2**63, 2**64 - 1, 0.5, 1e308, -1e308, "", "x", "9" * 35, "99999999999999d", "0d",
        [], {}, [[]], [{}], [{**step, "value": 1e308}] * 9, [step] * 2, {"a": "1d"}, ["a"] * 70, *CATALOGUE,
        [{"before": "999999999d", "severity": "info"}], [{"before": "9" * 30 + "d", "severity": "info"}],
        {"summary": "{a"}, {"summary": "{labels"}, "{summary}", "material", "legal_end", "true", "1d", 400, 401,
    ]  # fmt: skip
    for _ in range(r.randint(1, 3)):
        rule[r.choice(fields)] = r.choice(values)
    return _document(rule) if r.random() < 0.8 else _document(rule).replace("1", r.choice(_WORDS), 1)


def mutated_shipped_files(r: random.Random) -> str:
    """Cut, copy, swap and spoil pieces of a shipped rule file."""
    text = r.choice(_shipped())
    for _ in range(r.choice([1, 1, 1, 3, 30])):
        a, b = sorted(r.randint(0, len(text)) for _ in range(2))
        short = text[a : min(b, a + 200)]
        spoilt = [
            text[:a] + text[min(b, a + 20) :],
            text[:a] + short + text[a:],
            text[:a] + r.choice(_WORDS) + text[a:],
            text[:a] + r.choice(_WORDS) + text[a + 1 :],
            text[:a],
            text[:a] + chr(r.randrange(0x11000)) + text[a:],
        ]
        text = r.choice(spoilt)
    return text


def words_at_random(r: random.Random) -> str:
    """Throw the words of YAML and CEL together."""
    text = "".join(r.choice(_WORDS) for _ in range(r.choice([3, 20, 200])))
    if r.random() < 0.5:
        return text
    return _when(text.encode("utf-8", "replace").decode()[:2_000])


GENERATORS: tuple[Callable[[random.Random], str], ...] = (
    deep_nesting, huge_lists, long_chains, regular_expression_bombs, functions_and_comprehensions, composites,
    yaml_oddities, strange_values, mutated_shipped_files, words_at_random,
)  # fmt: skip


def _load_one(text: str, counts: dict[str, int]) -> str | None:
    """Load one text; say what was wrong with how that went."""
    began = time.process_time()
    try:
        load_texts([("fuzz.yaml", text)])
        counts["loaded"] += 1
    except RuleFileError as refused:
        counts["refused"] += 1
        if not refused.faults:
            return "was refused without a fault"
    except BaseException:
        return traceback.format_exc(limit=-6)
    took = time.process_time() - began
    counts["longest_milliseconds"] = max(counts["longest_milliseconds"], int(took * 1000))
    return f"took {took:.1f} s" if took > LONGEST_SECONDS else None


def run(seed: int, seconds: float, last: Path) -> int:
    """Load hostile texts for a time; return the exit code."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    r = random.Random(seed)
    counts = {"loaded": 0, "refused": 0, "longest_milliseconds": 0}
    end = time.monotonic() + seconds
    rounds = 0
    while rounds == 0 or time.monotonic() < end:
        for generator in GENERATORS:
            text = generator(r)
            last.write_bytes(f"# {generator.__name__}\n{text}".encode("utf-8", "surrogatepass"))
            faulthandler.dump_traceback_later(HANGS_SECONDS, exit=True)
            wrong = _load_one(text, counts)
            faulthandler.cancel_dump_traceback_later()
            if wrong is not None:
                print(f"{generator.__name__}: {wrong}")
                return 3
        rounds += 1
    print(msgspec.json.encode({"rounds": rounds, **counts}).decode())
    return 0


if __name__ == "__main__":
    faulthandler.enable()
    sys.exit(run(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])))
