"""Where a page is found: an address that a browser can open, never one that stands for all of them."""

from __future__ import annotations

import pytest

from edge.here import EVERYWHERE, own_addresses, reached_at


@pytest.mark.parametrize("host", sorted(EVERYWHERE))
def test_a_page_that_answers_everywhere_is_found_at_this_machines_address(host):
    assert reached_at(host) == own_addresses()[0]


@pytest.mark.parametrize(
    ("host", "shown"),
    [("192.0.2.7", "192.0.2.7"), ("gate.lan", "gate.lan"), ("2001:db8::7", "[2001:db8::7]")],
)
def test_another_one_where_it_listens(host, shown):
    assert reached_at(host) == shown
