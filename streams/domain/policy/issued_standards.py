"""Standards an issuer has published, as far as they were seen: how many, and which materials they cover."""

import msgspec

from streams.contracts.policy import StandardPublished

STANDARDS_KEPT = 200
"""Ids of standards of one issuer that are remembered: about 20 bytes each, 4 KiB. The first by id are kept."""


class PublishedStandards(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ids of the standards of one issuer and the materials they cover, each in order of name."""

    standards: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()


def standards_key(issuer: str) -> bytes:
    """Return the key of an issuer's standards."""
    return b"standards/" + issuer.encode()


def next_standards(prior: PublishedStandards | None, published: StandardPublished) -> PublishedStandards | None:
    """Return the standards with one more; `None` where it is known and adds no material."""
    held = prior if prior is not None else PublishedStandards()
    standards = tuple(sorted({*held.standards, published.standard})[:STANDARDS_KEPT])
    made = PublishedStandards(standards=standards, scope=tuple(sorted({*held.scope, *published.scope})))
    return None if made == held else made
