"""Licences of our own: what became of an application, since when it pends, and what it still allows."""

from datetime import UTC, date, datetime

import msgspec

from streams.contracts.assessments import Fact
from streams.contracts.capacity import LicenceDecided
from streams.contracts.dates import lapse_instant, legal_day
from streams.contracts.events import Event
from streams.domain.observations import digest_of, supersedes

_FIELDS = ("decision", "exporter", "site", "quantity_tonnes", "expires_at", "measure")
PENDING = frozenset({"applied", "held"})
"""No answer is often a hold, not a refusal: both pend."""

Stated = tuple[float | str, float, int]


class LicenceState(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The newest stated value of each field of one licence; a field never stated is not there. Under 1 KB.

    `applied` is when it was applied for (seconds since 1970): the earliest that is stated, else that of the first event
    that says "applied". `zone` is the IANA zone whose midnight ends it. `sources` and `events` name the last telling.
    """

    material: str
    licence: str
    zone: str
    stated: dict[str, Stated]
    applied: float | None = None
    source: str
    event: str
    synthetic: bool = False

    def text(self, name: str) -> str | None:
        """Return a stated text; `None` where it was never stated."""
        return str(self.stated[name][0]) if name in self.stated else None

    @property
    def lapses_at(self) -> datetime | None:
        """The first instant after its last day, in UTC; `None` where it names no end."""
        ends = self.text("expires_at")
        return None if ends is None else lapse_instant(ends, ends_inclusive=None, zone=self.zone)


def licence_key(material: str, licence: str) -> bytes:
    """Return the key of a licence."""
    return f"licence/{material}/{licence}".encode()


def next_licence(
    prior: LicenceState | None, event: Event, decided: LicenceDecided, *, zone: str
) -> LicenceState | None:
    """Return the licence with a decision, `None` where it changes nothing (a repeat, or superseded).

    A field that a newer event leaves out keeps its last stated value: a grant need not repeat the application.
    """
    told = event.recorded_at.timestamp(), digest_of(source=event.source, event=event.id)
    stated = dict(prior.stated) if prior is not None else {}
    for name in _FIELDS:
        value = getattr(decided, name)
        held = stated.get(name)
        if value is not None and (held is None or supersedes(told, held[1:])):
            stated[name] = (value, *told)
    known = prior.applied if prior is not None else None
    applied = decided.applied_at or (event.occurred_at if decided.decision == "applied" else None)
    if applied is not None and (known is None or applied.timestamp() < known):
        known = applied.timestamp()
    if prior is not None and stated == prior.stated and known == prior.applied:
        return None
    newest = stated["decision"][1:] == told
    if prior is not None and not newest:
        return msgspec.structs.replace(prior, stated=stated, applied=known)
    return LicenceState(
        material=decided.material,
        licence=decided.licence,
        zone=zone,
        stated=stated,
        applied=known,
        source=decided.provenance.source,
        event=event.id,
        synthetic=decided.provenance.synthetic,
    )


def decision_at(licence: LicenceState, at: datetime) -> str:
    """Return what became of a licence: a granted one whose last day has passed is `expired`."""
    decision = str(licence.stated["decision"][0])
    lapses = licence.lapses_at
    return "expired" if decision == "granted" and lapses is not None and lapses <= at else decision


def remaining_tonnes(licence: LicenceState, at: datetime) -> float | None:
    """Return what a licence still allows: 0 where it is not granted or has expired, `None` where nobody says."""
    if decision_at(licence, at) != "granted":
        return 0.0
    quantity = licence.stated.get("quantity_tonnes")
    return None if quantity is None else float(quantity[0])


def applied_on(licence: LicenceState) -> date | None:
    """Return the UTC day of the application; `None` where it is not known."""
    return None if licence.applied is None else datetime.fromtimestamp(licence.applied, UTC).date()


def licence_labels(licence: LicenceState) -> dict[str, str]:
    """Return the labels that identify a licence."""
    return {"licence": licence.licence}


def licence_facts(licence: LicenceState, *, at: datetime) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return the facts of a licence at an instant and the names of those that are unknown.

    `days_pending_count` is 0 once an answer has come, so that an alert about waiting ends.
    """
    decision, since = decision_at(licence, at), applied_on(licence)
    pending: float | None = 0.0
    if decision in PENDING:
        pending = None if since is None else float(max(0, (at.astimezone(UTC).date() - since).days))
    ends = licence.text("expires_at")
    facts: dict[str, Fact] = {
        "decision": decision,
        "days_pending_count": pending,
        "remaining_tonnes": remaining_tonnes(licence, at),
        "site": licence.text("site"),
        "exporter": licence.text("exporter"),
        "measure": licence.text("measure"),
        "expires_at": None if ends is None else legal_day(ends).isoformat(),
    }
    return facts, tuple(name for name in ("days_pending_count", "remaining_tonnes") if facts[name] is None)
