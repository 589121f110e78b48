"""Which Chinese series a quote outside China is held against, without a look at every pair of series.

A material may have over a thousand series. What identities decide about comparing two of them depends on few fields, so
it is worked out once for each combination of these; and of the series that are alike the first that stands on the same
day, in the same currency and unit, needs no ordering of the others.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence

from streams.domain.observations import Observation
from streams.domain.prices.conversions import Conversions
from streams.domain.prices.price_comparison import (
    Compared,
    Comparison,
    Terms,
    compare_on,
    days_apart,
    refused,
    terms_of,
    vat_of,
)
from streams.domain.prices.price_series import PriceIdentity, SeriesView

_ACROSS = frozenset({"basis", "grade", "assessor"})


def counterpart(series: SeriesView, period: str) -> Observation:
    """Return the observation that one of a period is held against: of days the latest, of longer periods the same one.

    The spread of today is that of the two prices that stand today, although one may be a week older. Where the same
    month or year is not known it is the latest too, which is then refused as far apart.
    """
    if series.identity.period != "day":
        for seen in reversed(series.ring):
            if seen.period == period:
                return seen
    return series.ring[-1]


class ComparableSeries:
    """The Chinese series of a market, by grade and assessor; places are in the order of the series given.

    Of several that compare, the same grade goes before another, then the same assessor, the nearest day, the same
    currency, the same unit, the order given.
    """

    def __init__(self, chinese: Sequence[SeriesView]) -> None:
        self.series = list(chinese)
        self._alike: dict[Hashable, list[int]] = {}
        self._of_grade: dict[Hashable, list[int]] = {}
        self._of_assessor: dict[Hashable, list[int]] = {}
        self._terms: dict[Hashable, Terms] = {}
        self._is_sorted = False

    def _sort(self) -> None:
        """Enter the series by what they are looked up by; a market without a series outside needs none of it."""
        self._is_sorted = True
        for place, each in enumerate(self.series):
            identity = each.identity
            self._alike.setdefault((identity.grade, identity.assessor), []).append(place)
            self._of_grade.setdefault(identity.grade, []).append(place)
            self._of_assessor.setdefault(identity.assessor, []).append(place)

    def premium_of(self, outside: SeriesView, *, table: Conversions) -> tuple[Comparison | None, SeriesView | None]:
        """Compare the last quote of a series with the Chinese one it is most like, and name that one.

        A refusal is that of the first that does not compare; `None`: there is no Chinese quote.
        """
        if not self._is_sorted:
            self._sort()
        last = outside.ring[-1]
        first: tuple[Comparison, SeriesView] | None = None
        for place, seen in self._in_order(outside.identity, last):
            other = self.series[place]
            terms = self._terms_of(outside.identity, place)
            found = compare_on(terms, last, seen, table=table)
            if isinstance(found, Compared):
                return found, other
            if first is None:
                named = Terms(left=outside.identity, right=other.identity, unlike=terms.unlike)
                first = refused(named, last, seen, found), other
        return first if first is not None else (None, None)

    def _in_order(self, own: PriceIdentity, last: Observation) -> Iterator[tuple[int, Observation]]:
        for group in self._groups(own):
            later: list[tuple[tuple[int, bool, bool, int], Observation]] = []
            for place in group:
                each = self.series[place]
                seen, like = counterpart(each, last.period), each.identity
                apart = days_apart(seen.period, last.period)
                other_currency, other_unit = like.currency != own.currency, like.per_unit != own.per_unit
                if apart or other_currency or other_unit:
                    later.append(((apart, other_currency, other_unit, place), seen))
                else:
                    yield place, seen
            for (_, _, _, place), seen in sorted(later, key=lambda each: each[0]):
                yield place, seen

    def _groups(self, own: PriceIdentity) -> Iterator[Iterable[int]]:
        series, grade, assessor = self.series, own.grade, own.assessor
        yield self._alike.get((grade, assessor), ())
        yield (p for p in self._of_grade.get(grade, ()) if series[p].identity.assessor != assessor)
        yield (p for p in self._of_assessor.get(assessor, ()) if series[p].identity.grade != grade)
        yield (
            p for p, each in enumerate(series) if each.identity.grade != grade and each.identity.assessor != assessor
        )

    def _terms_of(self, own: PriceIdentity, place: int) -> Terms:
        """Return what two identities decide; the pair named in it is any pair of their sorts."""
        like = self.series[place].identity
        sorts = (_sort_of(own), _sort_of(like))
        terms = self._terms.get(sorts)
        if terms is None:
            terms = self._terms[sorts] = terms_of(own, like, across=_ACROSS)
        return terms


def _sort_of(identity: PriceIdentity) -> Hashable:
    """Return all of an identity that terms of comparing it depend on, where basis, grade and assessor may differ."""
    return (
        identity.material,
        identity.form,
        identity.content,
        identity.period,
        identity.vat_included,
        vat_of(identity),
        identity.per_unit,
        identity.currency,
    )
