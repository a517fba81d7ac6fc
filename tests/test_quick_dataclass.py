"""The quick dataclass behaves as the library's does."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import FrozenInstanceError, field
from typing import ClassVar

import pytest

from edge.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """A point."""

    kind: ClassVar[str] = "point"
    x: int
    y: int = 2
    told: list[str] = field(default_factory=list, compare=False)
    secret: str = field(default="s", repr=False)
    count: int = field(default=7, init=False)


@dataclasses.dataclass(frozen=True, slots=True)
class TheirPoint:
    """A point."""

    kind: ClassVar[str] = "point"
    x: int
    y: int = 2
    told: list[str] = field(default_factory=list, compare=False)
    secret: str = field(default="s", repr=False)
    count: int = field(default=7, init=False)


@dataclass(frozen=True, slots=True)
class One:
    only: int

    def __post_init__(self) -> None:
        if self.only < 0:
            raise ValueError("negative")


@dataclass(slots=True)
class Tally:
    seen: int = 0
    names: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    size: int


@dataclass(frozen=True, slots=True)
class Nothing:
    pass


@dataclass(frozen=True, slots=True)
class Further(Point):
    z: int = 3


def test_an_object_is_made_as_the_library_makes_it() -> None:
    ours, theirs = Point(1, told=["a"]), TheirPoint(1, told=["a"])
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert repr(ours) == repr(theirs).replace("Their", "")
    assert str(inspect.signature(Point)) == str(inspect.signature(TheirPoint))
    assert Point.__match_args__ == TheirPoint.__match_args__
    assert (Point.__doc__, One.__doc__) == ("A point.", None)
    assert Point(1).told is not Point(1).told
    with pytest.raises(TypeError, match=r"Point\.__init__\(\) missing 1 required positional argument: 'x'"):
        Point()  # type: ignore[call-arg]


def test_objects_of_equal_fields_are_equal_and_those_of_another_class_are_not() -> None:
    assert Point(1, told=["a"]) == Point(1)
    assert hash(Point(1, told=["a"])) == hash(Point(1))
    assert Point(1) != Point(2)
    assert Point(1) != TheirPoint(1)  # type: ignore[comparison-overlap]
    assert (One(1) == One(1), One(1) == One(2), len({One(1), One(1)})) == (True, False, 1)
    assert Nothing() == Nothing()
    assert Thing(1) != Thing(1)
    assert len({Thing(1), Thing(1)}) == 2
    assert Tally(1) == Tally(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(Tally())


def test_a_frozen_object_refuses_changes_and_another_takes_them() -> None:
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        Point(1).x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del Point(1).x
    tally = Tally()
    tally.seen += 1
    assert tally == Tally(1)
    with pytest.raises(AttributeError):
        tally.other = 1  # type: ignore[attr-defined]


def test_copies_pickles_and_changed_copies_are_objects_of_their_own() -> None:
    point = Point(1, told=["a"])
    deep = copy.deepcopy(point)
    assert deep == point
    assert deep.told is not point.told
    assert copy.copy(point).told is point.told
    assert pickle.loads(pickle.dumps(point)) == point
    assert dataclasses.replace(point, x=5) == Point(5)
    with pytest.raises(ValueError, match="negative"):
        dataclasses.replace(One(1), only=-1)


def test_a_class_can_be_derived() -> None:
    assert Further(1, z=9) == Further(1, z=9)
    assert Further(1).z == 3
    with pytest.raises(FrozenInstanceError):
        Further(1).z = 2  # type: ignore[misc]


def test_an_object_that_holds_itself_is_shown() -> None:
    tally = Tally()
    tally.names["self"] = tally  # type: ignore[assignment]
    assert repr(tally) == "Tally(seen=0, names={'self': ...})"
