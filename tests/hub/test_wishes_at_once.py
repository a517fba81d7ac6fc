"""Two people who want something of one door at the same moment, on a PostgreSQL that lets both read first."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.wire.rules import ReportedRules, digest_of
from facegate_hub.configuration import Configurations
from facegate_hub.door_rules import SentRules
from facegate_hub.tables import open_tables
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine

WAITING = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")


class Meanwhile:
    """Lets `other` take place while the first one is being approved, as far as the database lets it."""

    def __init__(self, engine: Engine, other: Callable[[], object]) -> None:
        self._engine = engine
        self._thread = threading.Thread(target=other)

    def approve(self, _: object) -> bool:
        self._thread.start()
        wait_until(lambda: self._is_waiting() or not self._thread.is_alive())
        return True

    def _is_waiting(self) -> bool:
        with self._engine.connect() as connection:
            return bool(connection.execute(WAITING).scalar_one())

    def end(self) -> None:
        self._thread.join(PATIENCE)


def test_neither_of_two_settings_is_lost_and_each_has_a_revision_of_its_own(postgresql):
    """The door took one of them, and was said to have both: their revision was the same."""
    engine = open_tables(postgresql)
    wishes, approved = Configurations(engine), list[tuple[str, int, str]]()
    other = Meanwhile(engine, lambda: wishes.change("front", {"lock.unlock_seconds": 7}, (), approved.append))

    def approve(wish: tuple[str, int, str]) -> None:
        approved.append(wish)
        other.approve(wish)

    wishes.change("front", {"recognition.fpir": 0.0005}, (), approve)
    other.end()
    view = wishes.view("front")
    assert view.wanted == {"lock.unlock_seconds": 7, "recognition.fpir": 0.0005}
    assert [rev for _, rev, _ in approved] == [1, 2]
    engine.dispose()


def test_of_two_sets_of_rules_each_has_a_revision_of_its_own(postgresql):
    engine = open_tables(postgresql)
    rules = SentRules(engine, lambda: 1000.0)
    rules.note("front", ReportedRules(0, "", takes=True).encode())
    revisions: list[int] = []

    def want(text: str, approve: Callable[[tuple[str, int, str]], bool]) -> None:
        def noting(wish: tuple[str, int, str]) -> bool:
            revisions.append(wish[1])
            return approve(wish)

        rules.want("front", digest_of(""), text, noting)

    other = Meanwhile(engine, lambda: want("# b", bool))
    want("# a", other.approve)
    other.end()
    assert len(set(revisions)) == 2
    engine.dispose()
