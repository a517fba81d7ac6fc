"""A roster that came back older from a backup, while the hub that answers doors goes on running."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from edge.wire.roster import DELTA, SNAPSHOT, Delta, Question, SnapshotManifest, parse_part
from facegate_hub.roster import RosterLog
from facegate_hub.tables import ROSTER, ROSTER_LOG, open_tables
from tests.hub.signing import approving, own_signer
from tests.sync.hubside import KEYS, SIGNER
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from edge.domain import RosterState


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    return open_tables(f"sqlite:///{tmp_path}/hub.db")


def replaced(engine: sa.Engine, name: str) -> None:
    """Put a roster with somebody else in its place, of as many revisions, and begin an epoch."""
    with engine.begin() as connection:
        connection.execute(sa.delete(ROSTER))
        connection.execute(sa.delete(ROSTER_LOG))
    desk = RosterLog(engine, SIGNER)
    desk.begin_anew()
    desk.change([{"id": name, "name": name}])


def test_doors_get_the_people_of_the_new_epoch_and_not_those_that_were_read_before(engine: sa.Engine) -> None:
    """Two rosters may be at one revision; what belongs to the former one would never fit its digest."""
    hub = RosterLog(engine, SIGNER)
    hub.change([{"id": "an", "name": "An"}])
    assert (told(hub), changed(hub)) == (["an"], ["an"])
    replaced(engine, "bo")
    assert (told(hub), changed(hub)) == (["bo"], ["bo"])


def told(hub: RosterLog) -> list[str]:
    """Return whom a door gets that asks for everybody."""
    with hub.moment() as moment:
        manifest, *parts = hub.answer(moment, "front", Question(1, 0, want="snapshot"))
    shown = SnapshotManifest.parse(KEYS.open(manifest[1], SNAPSHOT))
    pieces = zip(parts, shown.parts, strict=True)
    return [record.id for (_, payload, _), digest in pieces for record in parse_part(payload, digest)]


def changed(hub: RosterLog) -> list[str]:
    """Return whom a door gets that asks for what changed since it had nobody."""
    with hub.moment() as moment:
        ((_, payload, _),) = hub.delta(moment, "front", 0)
    return [one.id for one in Delta.parse(KEYS.open(payload, DELTA)).changes]


def test_an_epoch_that_begins_while_somebody_changes_the_roster_is_signed_for_doors(
    tmp_path: Path, postgresql: str
) -> None:
    """Each approved what it saw, and what came of both was approved by nobody: no door got any change."""
    engine, signer = open_tables(postgresql), own_signer(tmp_path)
    hub, approve = RosterLog(engine, signer), approving(signer)
    beginner = threading.Thread(target=RosterLog(engine, signer).begin_anew, args=(approve,))
    waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

    def is_waiting() -> bool:
        with engine.connect() as connection:
            return bool(connection.execute(waiting).scalar_one())

    def approved(before: RosterState | None, after: tuple[RosterState, RosterState]) -> None:
        approve(before, after)
        beginner.start()
        wait_until(lambda: is_waiting() or not beginner.is_alive())

    hub.change([{"id": "an", "name": "An"}], approve=approved)
    beginner.join(PATIENCE)
    with hub.moment() as moment:
        hub.head(moment, "front")
    engine.dispose()
