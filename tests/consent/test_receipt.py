"""The receipt a resident keeps: signed, checkable, not forgeable."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from edge.consent.receipt import Receipt, printed, signed, verified
from edge.errors import ConsentRefused

KEY = Ed25519PrivateKey.generate()
RECEIPT = Receipt("gate-1", "安娜", "2026-06-01T00:00:00+00:00", 6, 1, "0123456789abcdef")
LINE = signed(RECEIPT, KEY)


def test_a_receipt_is_checked_with_the_doors_public_key():
    assert verified(LINE, KEY.public_key()) == RECEIPT


def test_another_door_did_not_sign_it():
    with pytest.raises(ConsentRefused, match="not a receipt"):
        verified(LINE, Ed25519PrivateKey.generate().public_key())


@given(st.integers(0, len(LINE) - 1), st.characters(min_codepoint=33, max_codepoint=126))
def test_no_other_line_is_this_receipt(place, letter):
    forged = LINE[:place] + letter + LINE[place + 1 :]
    try:
        assert verified(forged, KEY.public_key()) == RECEIPT  # the last bits of base64 carry nothing
    except ConsentRefused:
        assert forged != LINE


@given(st.text())
def test_anything_else_is_refused_and_nothing_worse(text):
    with pytest.raises(ConsentRefused):
        verified(text, KEY.public_key())


@pytest.mark.parametrize("language", ["en", "zh", "xx"])
def test_the_page_holds_every_fact_and_the_signed_line(language):
    page = printed(RECEIPT, LINE, language)
    assert all(str(fact) in page for fact in ("gate-1", "安娜", 6, "0123456789abcdef", LINE))
