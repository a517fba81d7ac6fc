"""Accounts that two pages change at once."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edge.errors import PanelRefused
from edge.web.accounts import Accounts, Role
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PASSWORD = "nobody guesses this"


class Interrupted(Accounts):
    """Accounts that somebody else changes while it is asked who else is an installer."""

    other: threading.Thread | None = None

    def all(self) -> dict[str, Role]:
        found = super().all()
        if self.other is not None and self.other.ident is None:
            self.other.start()
            self.other.join(0.2)  # it is done now, or waits for its turn
        return found


@pytest.mark.parametrize(
    "change",
    [
        lambda accounts, name: accounts.remove(name, "staff"),
        lambda accounts, name: accounts.put(name, Role.STAFF, PASSWORD),
    ],
)
def test_two_installers_who_take_each_other_away_at_once_leave_one(
    tmp_path: Path, change: Callable[[Accounts, str], None]
) -> None:
    path = tmp_path / "panel.db"
    with closing(Interrupted(path)) as here, closing(Accounts(path)) as there:
        for name in ("anna", "otto"):
            here.put(name, Role.INSTALLER, PASSWORD)
        refusals: list[PanelRefused] = []

        def other() -> None:
            try:
                change(there, "otto")
            except PanelRefused as refusal:
                refusals.append(refusal)

        here.other = threading.Thread(target=other)
        change(here, "anna")
        here.other.join(PATIENCE)
        assert [name for name, role in here.all().items() if role is Role.INSTALLER] == ["otto"]
        assert len(refusals) == 1
