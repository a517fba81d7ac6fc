"""The database takes something and its answer is lost: nothing is told undone that may still happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from edge.wire.commands import CommandType
from facegate_hub.orders import Orders
from facegate_hub.requests import enter
from facegate_hub.signer.rights import NotPermitted
from facegate_hub.tables import REQUESTS, open_tables
from tests.hub.signing import own_signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection, Engine


class LosesAnswers:
    """Lets the next commit of an engine take place without saying so; `then` is what happens meanwhile."""

    def __init__(self, engine: Engine, then: Callable[[], object] = lambda: None) -> None:
        self._is_over, self._then = False, then
        sa.event.listen(engine, "commit", self._commit)

    def _commit(self, connection: Connection) -> None:
        if self._is_over:
            return
        self._is_over = True
        connection.connection.commit()
        self._then()
        gone = ConnectionError("the server closed the connection unexpectedly")
        raise sa.exc.OperationalError("COMMIT", None, gone)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_tables(f"sqlite:///{tmp_path}/hub.db")
    yield engine
    engine.dispose()


def rows(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(REQUESTS.c.id)).scalars())


def test_what_staff_are_told_was_not_asked_is_signed_for_no_door(tmp_path, engine):
    """The request is in the database all the same, and the hub takes it up."""
    signer = own_signer(tmp_path)
    LosesAnswers(engine)
    (given,) = Orders(engine, signer).give(["front"], CommandType.UNLOCK)
    assert (given.id, given.status) == (None, "failed")
    assert given.text.endswith("nothing was asked")
    (stored,) = rows(engine)
    with pytest.raises(NotPermitted):
        signer.order(stored, "a nonce")


def test_what_the_hub_has_carried_out_meanwhile_is_not_told_undone(tmp_path, engine):
    signer = own_signer(tmp_path)
    LosesAnswers(engine, then=lambda: signer.order(rows(engine)[0], "a nonce"))
    (given,) = Orders(engine, signer).give(["front"], CommandType.UNLOCK)
    assert (given.id, given.status) == (None, "unknown")
    assert given.text.endswith("the door may have done it")


def test_doors_that_were_refused_are_told_why_and_not_of_the_database(tmp_path, engine):
    signer = own_signer(tmp_path)
    signer.change("add", name="Anna", kind="person", account=None)
    signer.change("grant", name="Anna", role="desk", doors="front", wanted={})
    anna = signer.speaking_for(signer.change("token", name="Anna"))
    LosesAnswers(engine)
    front, back = Orders(engine, anna).give(["front", "back"], CommandType.UNLOCK)
    assert (front.status, back.status) == ("failed", "refused")
    assert back.text.startswith("Anna does not have the right")


def test_a_request_that_was_stored_unheard_is_left_again_as_the_same_one(tmp_path, engine):
    """What programs ask is stored until the database says so; the second time it was an error without end."""
    permits = own_signer(tmp_path).ask(["front"], CommandType.UNLOCK)
    LosesAnswers(engine)
    with pytest.raises(sa.exc.OperationalError):
        enter(engine, permits, CommandType.UNLOCK, {})
    enter(engine, permits, CommandType.UNLOCK, {})
    assert rows(engine) == [permits[0].id]
