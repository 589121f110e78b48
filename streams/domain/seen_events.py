"""Which events were taken before, by identity (source, id): a bounded window, kept in pages. Pure.

A page is the digests of `PAGE` events, 8 bytes each, in the order in which they came; the newest one grows and is put
once a record (so once a checkpoint into the changelog); the oldest goes when there are more than `PAGES`.
"""

import struct
from array import array

import msgspec

from streams.runtime.ports import StateStore

PAGE = 512
PAGES = 256
_PREFIX = b"seen/"


class SeenPage(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A page of digests."""

    number: int
    digests: bytes


class SeenEvents:
    """The window of one partition."""

    def __init__(self, store: StateStore, *, page: int = PAGE, pages: int = PAGES) -> None:
        self._store = store
        self._page, self._pages = page, pages
        held = sorted((v for _, v in store.items() if isinstance(v, SeenPage)), key=lambda p: p.number)
        self._held: dict[int, array[int]] = {}
        for each in held:
            digests: array[int] = array("Q")
            digests.frombytes(each.digests)
            self._held[each.number] = digests
        self._known = {digest for digests in self._held.values() for digest in digests}
        self._number = held[-1].number if held else 0
        self._open = self._held.setdefault(self._number, array("Q"))
        self._changed: set[int] = set()

    def is_new(self, digest: int) -> bool:
        """Tell whether an event is new, and note it."""
        if digest in self._known:
            return False
        self._known.add(digest)
        if len(self._open) >= self._page:
            self._number += 1
            self._open = self._held[self._number] = array("Q")
            gone = self._held.pop(self._number - self._pages, None)
            if gone is not None:
                self._known.difference_update(gone)
                self._changed.discard(self._number - self._pages)
                self._store.delete(_key(self._number - self._pages))
        self._open.append(digest)
        self._changed.add(self._number)
        return True

    def keep(self) -> None:
        """Put the pages that changed."""
        for number in self._changed:
            self._store.put(_key(number), SeenPage(number=number, digests=self._held[number].tobytes()))
        self._changed.clear()


def _key(number: int) -> bytes:
    return _PREFIX + struct.pack(">Q", number)
