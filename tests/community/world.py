"""A small compound for tests: a book in a temporary folder, whose clock stands still until told."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge.runtime.clock import ManualClock
from facegate_hub.community.book import SYSTEM, Book, Change
from facegate_hub.community.database import open_book
from facegate_hub.community.schema import FLATS, PEOPLE

if TYPE_CHECKING:
    from pathlib import Path

MONDAY = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""Ten in the morning in Shanghai."""


def new_book(folder: Path, url: str | None = None) -> tuple[Book, ManualClock]:
    clock = ManualClock(MONDAY)
    return open_book(folder, url, clock), clock


def fill(book: Book, entries: int = 40, seed: int = 0) -> None:
    """Write entries of every shape: rows made, rows changed, texts kept, texts dropped."""
    rng = random.Random(seed)
    for number in range(entries):
        person = f"p{rng.randrange(8)}"
        with book.writing() as writing:
            if rng.random() < 0.3:
                flat: dict[str, str | int | None] = {"building": str(rng.randrange(5)), "unit": str(number)}
                writing.enter(SYSTEM, "flat.put", f"flat:{number}", Change(FLATS, str(number), flat))
                continue
            name = writing.keep(f"name {number} of {person}", person)
            row: dict[str, str | int | None] = {
                "state": "active",
                "language": "zh",
                "name": name,
                "since": writing.at,
            }
            writing.enter(SYSTEM, "person.put", f"person:{person}", Change(PEOPLE, person, row), why="test")
