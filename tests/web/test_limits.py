"""Seats, bytes and who is known: rules that hold whatever is asked of them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from edge.web.limits import MOST_KNOWN, BodyBudget, KnownBrowsers, Limits, Seats, is_device

SMALL = Limits(connections=4, of_one_address=2, for_device=3, body_bytes_at_once=100)


def test_only_loopback_is_the_device():
    assert is_device("127.0.0.1")
    assert is_device("::1")
    assert not is_device("192.168.1.7")
    assert not is_device("localhost.example")


def test_an_address_that_has_too_many_displaces_its_own_silent_one():
    seats = Seats(SMALL)
    assert seats.take("a1", "10.0.0.1") == (True, None)
    assert seats.take("a2", "10.0.0.1") == (True, None)
    assert seats.take("b1", "10.0.0.2") == (True, None)
    assert seats.take("a3", "10.0.0.1") == (True, "a1")


def test_a_full_house_displaces_a_silent_one_of_the_address_with_most():
    seats = Seats(SMALL)
    for seat, address in (("b1", "10.0.0.2"), ("a1", "10.0.0.1"), ("a2", "10.0.0.1"), ("c1", "10.0.0.3")):
        seats.take(seat, address)
    assert seats.take("d1", "10.0.0.4") == (True, "a1")


def test_whoever_is_being_answered_is_never_displaced():
    seats = Seats(SMALL)
    for seat in ("a1", "a2"):
        seats.take(seat, "10.0.0.1")
        seats.asks(seat)
    assert seats.take("a3", "10.0.0.1") == (False, None)
    seats.is_answered("a2")
    assert seats.take("a3", "10.0.0.1") == (True, "a2")


def test_the_device_has_seats_that_nobody_else_takes():
    seats = Seats(SMALL)
    for number in range(4):
        seats.take(f"x{number}", f"10.0.0.{number}")
    assert seats.take("display", "127.0.0.1") == (True, None)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["take", "asks", "answered", "leave"]),
            st.integers(0, 30),
            st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3", "127.0.0.1"]),
        ),
        max_size=80,
    )
)
def test_no_order_of_calls_gives_out_more_seats_than_there_are(calls):
    seats = Seats(SMALL)
    seated: dict[int, str] = {}
    asking: set[int] = set()
    for act, number, address in calls:
        if act == "take" and number not in seated:
            given_, displaced = seats.take(number, address)
            assert displaced is None or displaced in seated
            assert displaced not in asking
            if displaced is not None:
                del seated[displaced]
            if given_:
                seated[number] = address
        elif act == "asks" and number in seated:
            seats.asks(number)
            asking.add(number)
        elif act == "answered":
            seats.is_answered(number)
            asking.discard(number)
        elif act == "leave":
            seats.leave(number)
            seated.pop(number, None)
            asking.discard(number)
        others = Counter(theirs for theirs in seated.values() if not is_device(theirs))
        assert others.total() <= SMALL.connections
        assert all(count <= SMALL.of_one_address for count in others.values())
        assert len(seated) - others.total() <= SMALL.for_device


@given(st.lists(st.integers(0, 60), max_size=30))
def test_bodies_together_stay_within_the_budget(sizes):
    budget, taken = BodyBudget(SMALL), []
    for size in sizes:
        if budget.take(size):
            taken.append(size)
        elif taken:
            budget.give_back(taken.pop())
        assert sum(taken) <= SMALL.body_bytes_at_once


def test_a_browser_is_known_while_somebody_is_logged_in():
    known = KnownBrowsers()
    known.note("token", is_logged_in=True)
    assert "token" in known
    known.note("token", is_logged_in=False)
    assert "token" not in known


def test_many_logins_forget_the_oldest():
    known = KnownBrowsers()
    for number in range(MOST_KNOWN + 1):
        known.note(f"token-{number}", is_logged_in=True)
    assert "token-0" not in known
    assert f"token-{MOST_KNOWN}" in known
