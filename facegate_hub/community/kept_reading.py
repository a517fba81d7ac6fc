"""Caches for a few seconds what many visitors ask for, so that the book is read once for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from facegate_hub.community.book import Book

Read = TypeVar("Read")


class KeptReading(Generic[Read]):
    """The result of `make`, which is called again once the result is `seconds` old. Any thread.

    Two threads that find it too old both call `make`; that costs a second read and needs no lock.
    """

    def __init__(self, book: Book, make: Callable[[], Read], seconds: int) -> None:
        self._book = book
        self._make = make
        self._seconds = seconds
        self._kept: tuple[int, Read] | None = None

    def read(self) -> Read:
        """Return the result, at most `seconds` old."""
        kept, now = self._kept, self._book.now()
        # A negative age means that the clock went back: without the 0 the result would stay for as long.
        if kept is None or not 0 <= now - kept[0] < self._seconds:
            kept = (now, self._make())
            self._kept = kept
        return kept[1]
