"""Shapes made of shapes: what may be null, lists, objects, and one of several objects."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from edge.wire.shapes import told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.wire.shapes import Shape


@dataclass(frozen=True, slots=True)
class Maybe:
    """A value of a shape, or null."""

    shape: Shape

    def flaw(self, value: Any) -> str | None:
        """See `Shape`."""
        return None if value is None else self.shape.flaw(value)

    def schema(self) -> dict[str, Any]:
        """See `Shape`."""
        return {"oneOf": [{"type": "null"}, self.shape.schema()]}


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of `least` to `most` items of one shape."""

    item: Shape
    most: int
    least: int = 0
    about: str = ""

    def flaw(self, value: Any) -> str | None:
        """See `Shape`."""
        if not isinstance(value, list) or not self.least <= len(value) <= self.most:
            return f" must be a list of {self.least} to {self.most}"
        for number, item in enumerate(value):
            if flaw := self.item.flaw(item):
                return f": {number}{flaw}"
        return None

    def schema(self) -> dict[str, Any]:
        """See `Shape`."""
        limits = {"minItems": self.least, "maxItems": self.most}
        return told({"type": "array", "items": self.item.schema(), **limits}, self.about)


@dataclass(frozen=True, slots=True)
class Table:
    """An object: all of `fields` but the `optional` ones; others only when `is_open`."""

    fields: Mapping[str, Shape] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    is_open: bool = False
    about: str = ""

    def flaw(self, value: Any) -> str | None:
        """See `Shape`."""
        if not isinstance(value, dict):
            return " must be an object"
        for name in self.fields:
            if name not in value and name not in self.optional:
                return f": needs {name}"
        for name, item in value.items():
            shape = self.fields.get(name)
            if shape is None and not self.is_open:
                return f": unknown field {str(name)[:40]!r}"
            if shape is not None and (flaw := shape.flaw(item)):
                return f": {name}{flaw}"
        return None

    def schema(self) -> dict[str, Any]:
        """See `Shape`."""
        rules: dict[str, Any] = {
            "type": "object",
            "properties": {name: shape.schema() for name, shape in self.fields.items()},
            "required": [name for name in self.fields if name not in self.optional],
            "additionalProperties": self.is_open,
        }
        return told(rules, self.about)

    def extended(self, fields: Mapping[str, Shape], about: str) -> Table:
        """Return this table with further fields, all of them needed, or with stricter ones."""
        return replace(self, fields={**self.fields, **fields}, about=about)


@dataclass(frozen=True, slots=True)
class Either:
    """One of several tables, told apart by the word in one field."""

    by: str
    tables: Mapping[str, Table]

    def flaw(self, value: Any) -> str | None:
        """See `Shape`."""
        kind = value.get(self.by) if isinstance(value, dict) else None
        table = self.tables.get(kind) if isinstance(kind, str) else None
        if table is None:
            return f" must be one of: {', '.join(self.tables)}"
        return table.flaw(value)

    def schema(self) -> dict[str, Any]:
        """See `Shape`."""
        return {"oneOf": [table.schema() for table in self.tables.values()]}


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A value of one of several shapes; the flaw told is that of the last."""

    shapes: tuple[Shape, ...]

    def flaw(self, value: Any) -> str | None:
        """See `Shape`."""
        flaws = [shape.flaw(value) for shape in self.shapes]
        return flaws[-1] if all(flaws) else None

    def schema(self) -> dict[str, Any]:
        """See `Shape`."""
        return {"anyOf": [shape.schema() for shape in self.shapes]}


@dataclass(frozen=True, slots=True)
class Named:
    """An object with up to `most` names that match `pattern`, all values of one shape."""

    pattern: str
    item: Shape
    most: int
    about: str = ""

    def flaw(self, value: Any) -> str | None:
        """See `Shape`."""
        if not isinstance(value, dict) or len(value) > self.most:
            return f" must be an object with at most {self.most} names"
        for name, item in value.items():
            # `fullmatch`: `$` would let a name end in a line break.
            if not re.fullmatch(self.pattern, name):
                return f": {name[:80]!r} must match {self.pattern}"
            if flaw := self.item.flaw(item):
                return f": {name}{flaw}"
        return None

    def schema(self) -> dict[str, Any]:
        """See `Shape`."""
        names = {"pattern": f"^{self.pattern}$"}
        rules = {"type": "object", "propertyNames": names, "additionalProperties": self.item.schema()}
        return told(rules | {"maxProperties": self.most}, self.about)
