"""The book of shared faces: what is noted after a place in it is offered, whatever was forgotten since."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing

import pytest

from edge.store.face_book import FACES, PENDING, FaceBook, Reach
from edge.store.sealer import AesGcmSealer


def reach(consent):
    return Reach(consent, "back", "mei", PENDING)


@pytest.fixture
def book(tmp_path):
    with closing(FaceBook(tmp_path / "faces.db", AesGcmSealer(secrets.token_bytes(32)))) as book:
        yield book


def test_what_is_noted_after_the_last_was_forgotten_is_offered(book):
    """SQLite gives the number of a deleted last row to the next one."""
    book.expect([reach("a"), reach("b")])
    place, offered = book.offered_after(0)
    assert [one.consent for one in offered] == ["a", "b"]
    book.forget_reach(["b"])
    book.expect([reach("c")])
    place, offered = book.offered_after(place)
    assert [one.consent for one in offered] == ["c"]
    book.forget_reach(["a", "c"])
    assert book.offered_after(place) == (place, [])
    book.expect([reach("d")])
    assert [one.consent for one in book.offered_after(place)[1]] == ["d"]


def test_a_book_that_begins_with_less_is_read_from_its_beginning(book):
    """After it was mended, in a door that goes on."""
    book.expect([reach("a")])
    assert [one.consent for one in book.offered_after(700)[1]] == ["a"]


def test_a_book_of_an_older_version_keeps_what_it_knows_in_order(tmp_path):
    with closing(sqlite3.connect(tmp_path / "faces.db")) as old:
        for step in FACES.migrations[:2]:
            for statement in step:
                old.execute(statement)
        rows = [("b", "back", "mei", PENDING), ("a", "back", "mei", PENDING), ("a", "side", "mei", "known")]
        old.executemany("INSERT INTO reach VALUES (?, ?, ?, ?)", rows)
        old.execute(f"PRAGMA application_id = {FACES.application_id}")
        old.execute("PRAGMA user_version = 2")
        old.commit()
    with closing(FaceBook(tmp_path / "faces.db", AesGcmSealer(secrets.token_bytes(32)))) as book:
        assert [one.consent for one in book.offered_after(0)[1]] == ["b", "a"]
        assert len(book.reach()) == 3
        book.expect([reach("a")])
        assert len(book.reach()) == 3, "each face and door once"
