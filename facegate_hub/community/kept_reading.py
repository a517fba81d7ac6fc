"""What anybody may ask for is read from the book once for many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from facegate_hub.community.book import Book

Read = TypeVar("Read")


class KeptReading(Generic[Read]):
    """What `make` reads from a book, read anew once it is `seconds` old. Any thread."""

    def __init__(self, book: Book, make: Callable[[], Read], seconds: int) -> None:
        self._book = book
        self._make = make
        self._seconds = seconds
        self._kept: tuple[int, Read] | None = None

    def read(self) -> Read:
        """Return it as it is now, or was at most so many seconds ago."""
        kept, now = self._kept, self._book.now()
        if kept is None or not 0 <= now - kept[0] < self._seconds:
            kept = (now, self._make())
            self._kept = kept
        return kept[1]
