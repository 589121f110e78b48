"""The page of a material: the keys of everything the store holds about it, so that nobody has to search the store."""

from typing import Literal, TypeAlias

import msgspec

from streams.runtime.stage_ports import StateStore

IndexSection: TypeAlias = Literal["prices", "flows", "plants", "supply", "stocks", "licences"]


class MaterialIndex(msgspec.Struct, frozen=True, kw_only=True, tag="MaterialPage", omit_defaults=True):
    """Store keys about one material, each group in order of the key; written when a new key appears."""

    prices: tuple[bytes, ...] = ()
    flows: tuple[bytes, ...] = ()
    plants: tuple[bytes, ...] = ()
    supply: tuple[bytes, ...] = ()
    stocks: tuple[bytes, ...] = ()
    licences: tuple[bytes, ...] = ()


def index_key(material: str) -> bytes:
    """Return the key of a material's page."""
    return b"material/" + material.encode()


def index_entry_of(store: StateStore, material: str) -> MaterialIndex:
    """Return the page of a material; an empty one where nothing is known of it."""
    page: MaterialIndex | None = store.get(index_key(material))
    return page if page is not None else MaterialIndex()


def enter(store: StateStore, material: str, shelf: IndexSection, key: bytes) -> None:
    """Enter a key on the page of a material. Call it when the key is new to the store: it searches the page."""
    page = index_entry_of(store, material)
    known: tuple[bytes, ...] = getattr(page, shelf)
    if key not in known:
        store.put(index_key(material), msgspec.structs.replace(page, **{shelf: tuple(sorted((*known, key)))}))
