"""After each new connection the hub's parts begin again: what was on its way may be lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from facegate_hub.clerk import HubClerk
from facegate_hub.tables import open_tables
from tests.hub.test_devices import Nowhere

if TYPE_CHECKING:
    from pathlib import Path

AWAY = sa.exc.OperationalError("SELECT 1", {}, Exception("the database is away"))


class Part(HubClerk):
    """Remembers that it began, on a database that may fail."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine, "part", ())
        self.begun = 0
        self.fails = False

    def begin_again(self) -> None:
        if self.fails:
            raise AWAY
        self.begun += 1


@pytest.fixture
def part(tmp_path: Path) -> Part:
    return Part(open_tables(f"sqlite:///{tmp_path}/hub.db"))


def test_it_begins_once_at_the_start_and_once_after_each_connection(part: Part) -> None:
    part.idle()
    part.idle()
    assert part.begun == 1
    part.opened(Nowhere(), 0.0)
    part.idle()
    part.idle()
    assert part.begun == 2


def test_what_was_queued_for_the_last_connection_goes_with_it(part: Part) -> None:
    room = part.room
    part.send("facegate/v1/front/notice", b"{}")
    part.opened(Nowhere(), 0.0)
    assert part.room == room


def test_a_database_that_fails_meanwhile_puts_it_off_and_does_not_end_it(part: Part) -> None:
    """A hub that forgot to ask doors again would leave orders hanging until the next connection."""
    part.fails = True
    with pytest.raises(sa.exc.OperationalError):
        part.idle()
    part.fails = False
    part.idle()
    assert part.begun == 1
