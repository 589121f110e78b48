"""The nine claims of the article with what the data say of each, out of a set of events: `monazite indicators`.

The core lives through the events that were published by the day asked for and known by the other; what it said last
about each entity counts. States of measures are asked of the measure book, which answers for any day.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from streams.assess.assess_core import AssessCore
from streams.contracts.assessments import Fact
from streams.contracts.codec import decode_event, encode_event
from streams.contracts.dates import noon_of
from streams.contracts.events import Event
from streams.contracts.indicators import IndicatorAssessed
from streams.contracts.materials import RARE_EARTHS
from streams.contracts.records import Segment
from streams.domain.article_claims import CLAIMS, indicators_of
from streams.domain.policy.measure_status import StatusQuestions
from streams.runtime.stage_ports import Admitted, InMemoryStateStore

NO_DATA = {
    "purity": "grade: no table by supplier exists",
    "standards": "standards: none was seen; no figures exist",
    "price-influence": "premium: no quote outside China with a comparable Chinese one was seen",
    "one-year-is-a-warning": "independence: no build-out to compare with the next legal end was seen",
    "end-uses": "exposure: no score to spread was seen",
}
"""What is said of a claim about which nothing was seen."""
_RARE = frozenset({*RARE_EARTHS, "rare-earth-oxides", "neodymium-praseodymium", "dysprosium-terbium"})
_ORDER = {"holds": 0, "open": 1, "does_not_hold": 2, "unknown": 3}


def indicators(events: Sequence[Event], *, as_of: date, known_at: date | None = None) -> list[dict[str, Any]]:
    """Return the nine claims in the order of the article, each with its verdicts and figures.

    `known_at` `None`: all that is known. Ages are whole days from the instant a figure was last seen to `as_of`.
    """
    noon = noon_of(as_of, zone="UTC")
    known = [event for event in events if known_at is None or event.recorded_at.date() <= known_at]
    questions = StatusQuestions(known)
    found = {
        (said.indicator, said.about): said for said in _lived([e for e in known if e.occurred_at <= noon], to=noon)
    }
    found = {key: said for key, said in found.items() if key[0] != "one-year-delay"}
    for measure in questions.assess_all(as_of=as_of):
        for said in indicators_of(measure):
            found[said.indicator, said.about] = said
    by_id = {event.id: event for event in known}
    return [
        _claim(name, [said for said in found.values() if said.indicator == name], noon=noon, events=by_id)
        for name in CLAIMS
    ]


def _lived(events: Sequence[Event], *, to: datetime) -> list[IndicatorAssessed]:
    """Live through events in the order in which they were recorded; return what was said about claims."""
    core = AssessCore(partition=0, partitions=1, store=InMemoryStateStore())
    raws = [msgspec.Raw(encode_event(event)) for event in sorted(events, key=lambda event: event.recorded_at)]
    segment = Segment(topic="recorded", partition=0, offset=0, indexes=tuple(range(len(raws))), events=tuple(raws))
    outcome = core.process(Admitted(position=0, segments=(segment,), ticks=(to,)))
    return [said for raw in outcome.outputs if isinstance(said := decode_event(raw).data, IndicatorAssessed)]


def _claim(
    name: str, said: Sequence[IndicatorAssessed], *, noon: datetime, events: Mapping[str, Event]
) -> dict[str, Any]:
    words = sorted(said, key=_rank)
    counts = {verdict: sum(each.verdict == verdict for each in words) for verdict in _ORDER}
    data = [_entity(each, noon=noon, events=events) for each in words]
    seen = [each["last_seen"] for each in data if each["last_seen"] is not None]
    return {
        "indicator": name,
        "claim": CLAIMS[name],
        "verdicts": {verdict: count for verdict, count in counts.items() if count},
        "says": _sentence(name, words, counts),
        "last_seen": max(seen, default=None),
        "data": data,
        "missing": [] if counts["unknown"] < len(words) else [NO_DATA.get(name, "no data were seen")],
    }


def _rank(said: IndicatorAssessed) -> tuple[int, bool, bool, float, str]:
    """Order what is said: by verdict, rare earths first (the article is about them), known and large figures first."""
    headline = next((each.value for each in said.figures), None)
    size = float(headline) if isinstance(headline, (int, float)) else 0.0
    words = set(said.about.split("/"))
    return (_ORDER[said.verdict], not words & _RARE, headline is None, -size, said.about)


def _sentence(name: str, words: Sequence[IndicatorAssessed], counts: dict[str, int]) -> str:
    """Say how many entities bear the claim out, and the first of each verdict as an example."""
    known = [each for each in words if each.verdict != "unknown"]
    if not known:
        return "unknown: " + NO_DATA.get(name, "no data were seen")
    spelt = {"holds": "holds for", "open": "open for", "does_not_hold": "does not hold for", "unknown": "unknown for"}
    parts = []
    for verdict, count in counts.items():
        examples = list(dict.fromkeys(each.summary for each in words if each.verdict == verdict))[:2]
        if count:
            parts.append(f"{spelt[verdict]} {count}" + (f" ({'; '.join(examples)})" if verdict != "unknown" else ""))
    return ", ".join(parts)


def _source_of(event: Event) -> str:
    provenance = getattr(event.data, "provenance", None)
    return provenance.source if provenance is not None else event.source


def _entity(said: IndicatorAssessed, *, noon: datetime, events: Mapping[str, Event]) -> dict[str, Any]:
    """Give one entity's word; what names no source (an exposure) has those of the events behind it."""
    behind = [events[cause] for cause in said.causes if cause in events]
    seen = max((event.occurred_at for event in behind), default=None)
    return {
        "about": said.about,
        "verdict": said.verdict,
        "summary": said.summary,
        "last_seen": seen.astimezone(UTC).isoformat() if seen else None,
        "age_days": (noon - seen).days if seen else None,
        "sources": list(said.sources) or sorted({_source_of(event) for event in behind}),
        "figures": [_figure(figure.name, figure.value, figure) for figure in said.figures],
        "missing": list(said.missing),
        "synthetic": said.synthetic,
        "causes": list(said.causes),
    }


def _figure(name: str, value: Fact, figure: Any) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": figure.unit,
        "reference_period": figure.reference_period,
        "vintage": figure.vintage,
    }
