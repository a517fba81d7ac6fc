"""`@dataclass(slots=True)` as the standard library makes it, in a third of the time.

The library writes six methods of each class as text and compiles them: a third of what a door's imports
cost, for 230 classes. Here only `__init__` is compiled, which must be fast and have a signature; comparing,
hashing, showing and refusing changes are the same few functions for every class.
"""

from __future__ import annotations

import sys
from dataclasses import MISSING, FrozenInstanceError, field, fields
from dataclasses import dataclass as library_dataclass
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from dataclasses import Field

T = TypeVar("T")

UNSLOTTED = ("__dict__", "__weakref__")
"""What a class without slots has in their place."""

_set = object.__setattr__


class _Factory:
    """Stands for a default that is made anew for each object."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()


@dataclass_transform(field_specifiers=(field,))
def dataclass(*, slots: Literal[True], frozen: bool = False, eq: bool = True) -> Callable[[type[T]], type[T]]:
    """Return a decorator that makes a dataclass with slots, to which `fields`, `replace` and `asdict` apply.

    `slots` is there to be read. A class that is derived from another dataclass is left to the library.
    """

    def decorate(cls: type[T]) -> type[T]:
        if any(hasattr(base, "__dataclass_fields__") for base in cls.__bases__):
            return library_dataclass(slots=slots, frozen=frozen, eq=eq)(cls)
        return _made(cls, frozen=frozen, eq=eq)

    return decorate


def _made(cls: type[T], *, frozen: bool, eq: bool) -> type[T]:
    told = cls.__doc__
    cls.__doc__ = told or cls.__name__  # of a class without one the library works out the signature
    plain: Any = library_dataclass(init=False, repr=False, eq=False)(cls)
    plain.__dataclass_params__.frozen = frozen
    every = fields(plain)
    names = tuple(one.name for one in every)
    parts = {name: part for name, part in vars(plain).items() if name not in {*names, *UNSLOTTED}}
    # One class made of everything: each method that is set on a class later costs a look through all slots.
    methods = _methods(plain, every, frozen=frozen, eq=eq and "__eq__" not in parts)
    parts = methods | parts | {"__slots__": names, "__doc__": told, "__qualname__": plain.__qualname__}
    return type(plain)(plain.__name__, plain.__bases__, parts)  # type: ignore[no-any-return]


def _methods(cls: type[Any], every: Sequence[Field[Any]], *, frozen: bool, eq: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"__init__": _init(cls, every, frozen=frozen), "__repr__": _repr}
    if frozen:
        found |= FROZEN
    if eq:
        compared = [one.name for one in every if one.compare]
        hashed = [one.name for one in every if (one.compare if one.hash is None else one.hash)]
        found["__eq__"] = _comparing(_reader(compared))
        found["__hash__"] = _hashing(_reader(hashed)) if frozen else None
    return found


def _init(cls: type[Any], every: Sequence[Field[Any]], *, frozen: bool) -> Callable[..., None]:
    """Return what fills an object of `cls`, compiled: it is called for every frame and every face."""
    known: dict[str, Any] = {"_factory": _FACTORY, "_set": _set}
    wanted, lines = [], []
    for one in every:
        parameter, value = _parameter(one, known)
        wanted += [parameter] if one.init else []
        if one.init or value != one.name:
            lines.append(f"_set(self, {one.name!r}, {value})" if frozen else f"self.{one.name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    text = f"def _make({', '.join(known)}):\n def __init__({', '.join(['self', *wanted])}):\n  "
    text += "\n  ".join(lines or ["pass"]) + "\n return __init__"
    spaces: dict[str, Any] = {}
    exec(text, vars(sys.modules[cls.__module__]), spaces)  # noqa: S102 - of the names of fields, as the library
    init: Any = spaces["_make"](**known)
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__annotations__ = {one.name: one.type for one in every if one.init} | {"return": None}
    return init  # type: ignore[no-any-return]


def _parameter(one: Field[Any], known: dict[str, Any]) -> tuple[str, str]:
    """Return a field's parameter and its value as text; what these name is added to `known`."""
    name = one.name
    if one.default_factory is not MISSING:
        known[f"_new_{name}"] = one.default_factory
        fresh = f"_new_{name}()"
        return f"{name}=_factory", f"{fresh} if {name} is _factory else {name}" if one.init else fresh
    if one.default is not MISSING:
        known[f"_usual_{name}"] = one.default
        return f"{name}=_usual_{name}", name if one.init else f"_usual_{name}"
    return name, name


def _reader(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what takes these attributes of an object."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda one: tuple(getattr(one, name) for name in names)


def _comparing(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any, object], bool]:
    def __eq__(self: Any, other: object) -> bool:  # noqa: N807 - the method's name in a traceback
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hashing(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:  # noqa: N807 - the method's name in a traceback
        return hash(values(self))

    return __hash__


@recursive_repr()
def _repr(self: Any) -> str:
    told = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{type(self).__qualname__}({told})"


def _refuse_set(_self: object, name: str, _value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(_self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, one.name) for one in fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for one, value in zip(fields(self), state, strict=True):
        _set(self, one.name, value)


FROZEN = {
    "__setattr__": _refuse_set,
    "__delattr__": _refuse_delete,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}
