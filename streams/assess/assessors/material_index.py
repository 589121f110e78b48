"""The page of a material: the keys of everything the store holds about it, so that nobody has to search the store."""

from typing import Literal, TypeAlias

import msgspec

from streams.runtime.stage_ports import StateStore

Shelf: TypeAlias = Literal["prices", "flows", "plants", "supply", "stocks", "licences"]


class MaterialPage(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Store keys about one material, each group in order of the key; written when a new key appears."""

    prices: tuple[bytes, ...] = ()
    flows: tuple[bytes, ...] = ()
    plants: tuple[bytes, ...] = ()
    supply: tuple[bytes, ...] = ()
    stocks: tuple[bytes, ...] = ()
    licences: tuple[bytes, ...] = ()


def page_key(material: str) -> bytes:
    """Return the key of a material's page."""
    return b"material/" + material.encode()


def page_of(store: StateStore, material: str) -> MaterialPage:
    """Return the page of a material; an empty one where nothing is known of it."""
    page: MaterialPage | None = store.get(page_key(material))
    return page if page is not None else MaterialPage()


def enter(store: StateStore, material: str, shelf: Shelf, key: bytes) -> None:
    """Enter a key on the page of a material. Call it when the key is new to the store: it searches the page."""
    page = page_of(store, material)
    known: tuple[bytes, ...] = getattr(page, shelf)
    if key not in known:
        store.put(page_key(material), msgspec.structs.replace(page, **{shelf: tuple(sorted((*known, key)))}))
