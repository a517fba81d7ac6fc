from __future__ import annotations

import pytest

from edge.policy.pin import MAX_PER_NUMBER, PinBook, PinEntry, PinMatch, check_pin

KEY = b"k" * 32


@pytest.fixture(scope="module")
def book() -> PinBook:
    return (
        PinBook(KEY)
        .with_pin("1203", "anna", "483920")
        .with_pin("1203", "berta", "771204")
        .with_pin("1203", "anna", "483921", is_duress=True)
        .with_pin("7", "carl", "90210446")
    )


def test_number_and_pin_together_name_the_resident(book):
    assert book.match("1203", "771204") == PinMatch("berta", is_duress=False)
    assert book.match("1203", "483921") == PinMatch("anna", is_duress=True)


@pytest.mark.parametrize(
    ("number", "pin"), [("1203", "90210446"), ("7", "483920"), ("8", "483920"), ("", ""), ("7", "x")]
)
def test_a_pin_of_another_number_or_of_nobody_opens_nothing(book, number, pin):
    assert book.match(number, pin) is None


def test_another_site_cannot_use_the_digests(book):
    assert PinBook(b"x" * 32, book.entries).match("1203", "771204") is None


def test_a_pin_is_replaced_and_removed(book):
    changed = book.with_pin("1203", "berta", "338827")
    assert changed.match("1203", "771204") is None
    assert changed.match("1203", "338827") == PinMatch("berta", is_duress=False)
    assert changed.without({"berta"}).match("1203", "338827") is None
    assert changed.without({"anna"}).owners_of("1203") == ("berta",)


def test_one_pin_is_one_persons(book):
    with pytest.raises(ValueError, match="cannot be used with number 1203"):
        book.with_pin("1203", "dora", "483920")


def test_a_duress_pin_must_differ_from_the_ordinary_one(book):
    with pytest.raises(ValueError, match="cannot be used"):
        book.with_pin("7", "carl", "90210446", is_duress=True)


def test_a_number_holds_so_many_and_no_more():
    full = PinBook(KEY, [PinEntry("5", f"r{n}", bytes([n] * 32)) for n in range(1, MAX_PER_NUMBER + 1)])
    with pytest.raises(ValueError, match="16 PINs already"):
        full.with_pin("5", "one more", "483920")


@pytest.mark.parametrize(
    "pin", ["", "48392", "4839204839204", "48392a", "111111", "123456", "987654", "890123", "٤٨٣٩٢٠"]
)
def test_weak_pins_are_refused(pin):
    with pytest.raises(ValueError, match="the PIN"):
        check_pin("1203", pin)


@pytest.mark.parametrize("number", ["", "12a", "123456789", "-1"])
def test_a_number_is_digits(number):
    with pytest.raises(ValueError, match="number"):
        check_pin(number, "483920")


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="at least 16"):
        PinBook(b"short")


def test_the_digest_is_not_shown(book):
    assert "digest" not in repr(book.entries[0])
