"""What a command lists, for programs: one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any


def json_line(row: object) -> str:
    """Return a row (a mapping or a dataclass) as one line of plain ASCII: no name in it steers a terminal.

    A moment is told in ISO form; other values that JSON does not know as their text.
    """
    return json.dumps(row, default=_plain)


def _plain(value: object) -> Any:
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        return sorted(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)
