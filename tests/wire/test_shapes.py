"""Shapes say what is wrong in a sentence that names the place, the rule and, for words, the way out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import SyncError
from edge.wire.compound import AnyOf, Either, Listing, Maybe, Named, Table
from edge.wire.shapes import Exactly, Flag, Number, Text, Time, Whole, Word, require

PUT = Table({"op": Word(("put",)), "name": Text(5)})
DEEP = Table({"ops": Listing(Either("op", {"put": PUT, "del": Table({"op": Word(("del",))})}), 2)})


@pytest.mark.parametrize(
    ("shape", "value", "flaw"),
    [
        (Text(3), "long", "x must be 1 to 3 characters"),
        (Text(3), "a\nb", "x must be printable"),
        (Text(9, pattern="[a-z]+"), "Ab", "x must match [a-z]+"),
        (Whole(1, 5), True, "x must be a whole number from 1 to 5"),
        (Whole(1, 5), 1.0, "x must be a whole number from 1 to 5"),
        (Number(1, 30), math.nan, "x must be a number"),
        (Number(1, 30), 10**400, "x must be 1 to 30"),
        (Flag(), 1, "x must be true or false"),
        (Exactly(1), True, "x must be 1"),
        (Word(("a",)), "b", "x must be a"),
        (Word(("a", "b", "c")), ["a"], "x must be a, b or c"),
        (Time(), "2026-03-01T08:00:00", "x must be an ISO time with its zone, such as 2026-03-01T08:00:00Z"),
        (Time(), "2026-02-30T08:00:00Z", "x must be a day that exists"),
        (
            DEEP,
            {"ops": [{"op": "del"}, {"op": "put", "name": 7}]},
            "x: ops: 1: name must be 1 to 5 characters",
        ),
        (DEEP, {"ops": [{"op": ["put"]}]}, "x: ops: 0 must be one of: put, del"),
        (DEEP, {"ops": [{"op": "del"}] * 3}, "x: ops must be a list of 0 to 2"),
        (PUT, {"op": "put"}, "x: needs name"),
        (PUT, {"op": "put", "name": "n", "y": 1}, "x: unknown field 'y'"),
        (PUT, [], "x must be an object"),
        (Named("[a-z]+", Flag(), 1), {"A": True}, "x: 'A' must match [a-z]+"),
        (Named("[a-z]+", Flag(), 1), {"a": 1}, "x: a must be true or false"),
        (AnyOf((Flag(), Whole())), "no", "x must be a whole number from 0 to 9007199254740991"),
    ],
)
def test_a_flaw_is_told_with_its_place_and_rule(shape, value, flaw):
    with pytest.raises(SyncError) as refused:
        require(shape, value, "x")
    assert str(refused.value) == flaw


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (Maybe(Flag()), None),
        (Table({"a": Flag()}, optional=frozenset("a")), {}),
        (Table({"a": Flag()}, is_open=True), {"a": False, "b": object()}),
        (AnyOf((Flag(), Whole())), 3),
        (Time(), "2026-03-01 08:00+01:00"),
        (Text(3, least=0, is_free=True), "\n"),
    ],
)
def test_what_fits_is_taken(shape, value):
    require(shape, value, "x")


def test_an_extended_table_asks_for_more_and_leaves_the_first_as_it_was():
    more = PUT.extended({"age": Whole(), "name": Text(1)}, "more")
    assert more.flaw({"op": "put", "name": "n"}) == ": needs age"
    assert more.flaw({"op": "put", "name": "nn", "age": 1}) == ": name must be 1 to 1 characters"
    assert PUT.flaw({"op": "put", "name": "nn"}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_no_shape_raises_whatever_it_is_shown(value):
    for shape in (DEEP, Named("[a-z]+", Maybe(Time()), 3), AnyOf((Number(0, 1), Word(("a",)), Exactly(1)))):
        assert shape.flaw(value) is None or isinstance(shape.flaw(value), str)
