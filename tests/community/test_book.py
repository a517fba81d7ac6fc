"""The book: one commit with its entry, verified by replaying, and able to forget a person."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from edge.errors import StoreError
from facegate_hub.community.book import SYSTEM, Change
from facegate_hub.community.database import clear_away, open_book
from facegate_hub.community.schema import CONTENTS, FLATS, LEDGER, METADATA, PEOPLE
from facegate_hub.community.verify import verify
from tests.community.tamper import trials
from tests.community.world import fill, new_book


def check(book, noted=None):
    with book.looking() as connection:
        return verify(connection, book.sealer, noted)


def test_a_book_that_nobody_touched_is_whole(tmp_path):
    book, _ = new_book(tmp_path)
    fill(book)
    found = check(book)
    assert (found.count, found.problems) == (40, [])
    assert check(book, {40: found.head[:12], 7: found.heads[7].upper()}).problems == []


def test_an_error_undoes_the_change_and_its_entry(tmp_path):
    book, _ = new_book(tmp_path)

    def half() -> None:
        with book.writing() as writing:
            writing.enter(SYSTEM, "flat.put", "flat:1", Change(FLATS, "1", {"building": "1"}))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    with book.looking() as connection:
        assert book.head(connection)[0] == 0
        assert connection.execute(sa.select(FLATS)).all() == []


@pytest.mark.parametrize("statement", [sa.update(LEDGER).values(kind="x"), sa.delete(LEDGER)])
def test_the_database_itself_refuses_to_change_an_entry(tmp_path, statement):
    book, _ = new_book(tmp_path)
    fill(book, 3)
    with pytest.raises(sa.exc.IntegrityError, match="never changed"), book.engine.begin() as connection:
        connection.execute(statement)


def test_whatever_is_tampered_with_is_found(tmp_path):
    assert trials(tmp_path, 80, seed=1) == []


def test_a_chain_that_was_cut_off_shows_to_who_noted_its_head(tmp_path):
    book, _ = new_book(tmp_path)
    fill(book)
    assert check(book, {41: "0123456789ab"}).problems == [
        "entry 41 is not the one that was noted: the chain was rebuilt or cut off"
    ]


def test_who_was_erased_leaves_no_byte_and_the_chain_verifies(tmp_path):
    book, _ = new_book(tmp_path)
    fill(book)
    with book.writing() as writing:
        mark = writing.keep("Zhang Wei 张伟 138 0013 8000", "p99")
        writing.enter(SYSTEM, "person.put", "person:p99", Change(PEOPLE, "p99", {"name": mark}))
    with book.looking() as connection:
        row = connection.execute(sa.select(CONTENTS).where(CONTENTS.c.owner == "p99")).one()
    secret = [row.sealed, row.salt, "张伟".encode(), b"0013 8000"]
    with book.writing() as writing:
        writing.drop(CONTENTS.c.owner == "p99")
        writing.enter(SYSTEM, "person.erased", "person:p99", Change(PEOPLE, "p99", {"state": "erased"}))
    clear_away(book)
    book.engine.dispose()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "community.db" for path in files)
    for path in files:
        for piece in secret:
            assert piece not in path.read_bytes(), path
    assert check(book).problems == []


def test_a_content_that_vanished_without_an_entry_is_found(tmp_path):
    book, _ = new_book(tmp_path)
    fill(book)
    with book.engine.begin() as connection:
        connection.execute(sa.delete(CONTENTS).where(CONTENTS.c.owner == "p1"))
    problems = check(book).problems
    assert problems
    assert all("deleted without an entry" in problem for problem in problems)
    assert check(book).problems


def test_migrations_make_what_the_schema_says(tmp_path):
    book, _ = new_book(tmp_path)
    with book.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, METADATA)
    assert [change for change in found if "community_version" not in str(change)] == []


def test_a_second_start_changes_nothing_and_another_key_is_refused(tmp_path):
    book, clock = new_book(tmp_path)
    fill(book)
    again = open_book(tmp_path, None, clock)
    assert check(again).problems == []
    (tmp_path / "community" / "community.key").write_bytes(b"x" * 32)
    stranger = open_book(tmp_path, None, clock)
    assert any("cannot be opened" in problem for problem in check(stranger).problems)
    with stranger.looking() as connection, pytest.raises(StoreError):
        stranger.texts(connection, set(connection.execute(sa.select(PEOPLE.c.name)).scalars()))
