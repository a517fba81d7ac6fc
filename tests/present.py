"""What a test knows to be there: the step from `X | None` to `X`, said once."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return `value`, or fail where it is missing."""
    assert value is not None
    return value
