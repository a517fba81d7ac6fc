from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta

import pytest

from edge.errors import StoreError
from edge.store.credentials import KEEP_USES, CredentialStore, PinRow
from edge.store.way_rows import PIN_KEY_FILE
from tests.store.traces import found_in, text_traces

UNTIL = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
BEGAN = UNTIL - timedelta(hours=8)
PINS = [PinRow("12", "anna", False, b"a" * 32), PinRow("12", "anna", True, b"b" * 32)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "credentials.db"


@pytest.fixture
def reopen(path):
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(CredentialStore(path)))


def give(store, *pins):
    for row in pins:
        assert store.put_pin(row)


def test_everything_is_there_after_a_restart(reopen):
    store = reopen()
    give(store, *PINS)
    store.put_card("w26:1:2", "anna")
    assert store.take(b"12345678", 2, BEGAN, UNTIL, BEGAN) == 1
    store.close()
    store = reopen()
    assert store.pins() == PINS
    assert store.cards() == {"w26:1:2": "anna"}
    assert store.take(b"12345678", 2, BEGAN, UNTIL, BEGAN) == 2
    assert store.take(b"12345678", 2, BEGAN, UNTIL, BEGAN) is None
    store.close()
    store.close()


def test_a_use_survives_a_process_that_never_closed(reopen):
    reopen().take(b"12345678", 1, BEGAN, UNTIL, BEGAN)
    assert reopen().take(b"12345678", 1, BEGAN, UNTIL, BEGAN) is None


def test_two_readers_at_once_never_share_a_use(reopen):
    stores = [reopen(), reopen()]
    with ThreadPoolExecutor(8) as pool:
        uses = list(pool.map(lambda n: stores[n % 2].take(b"12345678", 10, BEGAN, UNTIL, BEGAN), range(40)))
    assert sorted(use for use in uses if use) == list(range(1, 11))


def test_a_person_s_credentials_go_together(reopen):
    store = reopen()
    give(store, *PINS, PinRow("7", "carl", False, b"c" * 32))
    store.put_card("w26:1:2", "anna")
    assert store.remove("anna") == 3
    assert [pin.resident_id for pin in store.pins()] == ["carl"]
    assert store.cards() == {}


def test_a_card_handed_on_belongs_to_its_new_holder(reopen):
    store = reopen()
    store.put_card("w26:1:2", "anna")
    store.put_card("w26:1:2", "berta")
    assert store.cards() == {"w26:1:2": "berta"}


def test_uses_are_kept_for_some_days_after_the_pass_ended(reopen):
    store = reopen()
    store.take(b"12345678", 1, BEGAN, UNTIL, BEGAN)
    assert store.forget_uses(UNTIL + KEEP_USES) == 0
    assert store.take(b"12345678", 1, BEGAN, UNTIL, BEGAN) is None
    assert store.forget_uses(UNTIL + KEEP_USES + timedelta(seconds=1)) == 1
    assert store.take(b"12345678", 1, BEGAN, UNTIL, BEGAN) == 1


def test_a_closed_or_locked_file_is_a_store_error(reopen):
    store = reopen()
    store.close()
    with pytest.raises(StoreError, match="cannot use the credentials"):
        store.take(b"12345678", 1, BEGAN, UNTIL, BEGAN)


def test_the_file_is_private(path, reopen):
    reopen()
    assert path.stat().st_mode & 0o077 == 0


def test_a_card_s_number_is_not_in_the_file_and_a_copied_file_is_of_no_use(path, reopen):
    reopen().put_card("w26:117:48211", "anna")
    assert not found_in(path.parent, text_traces("w26:117:48211"))
    (path.parent / PIN_KEY_FILE).write_bytes(bytes(32))
    store = reopen()
    with pytest.raises(StoreError, match="not the key of this"):
        store.cards()
    store.put_card("w26:1:2", "berta")
    assert store.cards() == {"w26:1:2": "berta"}, "one card that is lost leaves the others"
