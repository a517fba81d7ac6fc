"""Accounts as they are stored, for tests that want somebody to have one and not to see it made."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from edge.web.accounts import AccountRow, password_digest

if TYPE_CHECKING:
    from edge.web.accounts import Role


@cache
def account(name: str, role: Role, password: str) -> AccountRow:
    """Return a row for `Accounts.put_back`; its digest, a dear one, is reckoned once in a worker."""
    salt = f"salt of {name}".encode()
    return AccountRow(name, role.value, salt, password_digest(password, salt))
