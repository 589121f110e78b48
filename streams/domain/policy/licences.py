"""Does a material need an export licence to a country on a day, as far as the measures say?"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from streams.contracts.assessments import LegalState, MeasureAssessed
from streams.contracts.events import Event
from streams.contracts.materials import MATERIALS
from streams.domain.policy.measure_status import StatusQuestions, When


class Requirement(StrEnum):
    """What an exporter of the controlling country faces."""

    NONE = "none"
    LICENCE = "licence"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """A measure's suspension has passed and nothing followed: a licence may be needed."""


class LicenceReason(StrEnum):
    """Why the answer is what it is."""

    NO_MEASURE = "no_measure_in_force"
    ORDINARY_LICENCE = "licence_requirement_in_force"
    BAN = "export_ban_in_force"
    LAPSED_UNCONFIRMED = "suspension_lapsed_unconfirmed"


STRICTER_CHECKS_ONLY = MappingProxyType(
    {("CN-2024-46-2", "natural-graphite"): True, ("CN-2024-46-2", "artificial-graphite"): True}
)
"""Measure and material where a ban only asks stricter end-use checks (46 of 2024 para. 2, on graphite)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenceAnswer:
    """The answer: `measures` decide it, `suspended` and `conditional` (end users, entities) are to be looked at."""

    requirement: Requirement
    reason: LicenceReason
    measures: tuple[str, ...] = ()
    suspended: tuple[str, ...] = ()
    conditional: tuple[str, ...] = ()


_CONTROLS = frozenset({"licence_requirement", "export_ban"})
_CONDITIONAL = frozenset({"entities", "military_end_use"})


def _aims_at(measure: MeasureAssessed, country: str) -> bool:
    targets = measure.targets
    return targets is None or targets.scope == "all" or not targets.countries or country in targets.countries


def _bans(measure: MeasureAssessed, material: str) -> bool:
    return measure.kind == "export_ban" and (measure.measure, material) not in STRICTER_CHECKS_ONLY


def licence_requirement(
    events: Iterable[Event], *, material: str, country: str, on: When, known_at: When | None = None, issuer: str = "CN"
) -> LicenceAnswer:
    """Say what an export of a material from `issuer` (prefix of the measure ids) to `country` needs on a day.

    `country` is ISO 3166-1 alpha-2. Measures aimed at entities or military end use do not bind every exporter: they are
    named as conditional. Raises `KeyError` for a name that is no material.
    """
    if material not in MATERIALS:
        raise KeyError(material)
    statuses = [
        each
        for each in StatusQuestions(events).assess_all(as_of=on, known_at=known_at)
        if each.measure.startswith(f"{issuer}-") and each.kind in _CONTROLS
        if material in each.materials and _aims_at(each, country)
    ]
    conditional = tuple(each.measure for each in statuses if each.targets and each.targets.scope in _CONDITIONAL)
    binding = [each for each in statuses if each.measure not in conditional]
    in_force = [each for each in binding if each.state is LegalState.IN_FORCE]
    lapsed = [each for each in binding if each.state is LegalState.LAPSED_UNCONFIRMED]
    suspended = tuple(each.measure for each in binding if each.state is LegalState.SUSPENDED)
    bans = [each for each in in_force if _bans(each, material)]
    requirement, reason, deciding = Requirement.NONE, LicenceReason.NO_MEASURE, in_force
    if bans:
        requirement, reason, deciding = Requirement.REFUSED, LicenceReason.BAN, bans
    elif in_force:
        requirement, reason = Requirement.LICENCE, LicenceReason.ORDINARY_LICENCE
    elif lapsed:
        requirement, reason, deciding = Requirement.UNKNOWN, LicenceReason.LAPSED_UNCONFIRMED, lapsed
    return LicenceAnswer(
        requirement=requirement,
        reason=reason,
        measures=tuple(each.measure for each in deciding),
        suspended=suspended,
        conditional=conditional,
    )
