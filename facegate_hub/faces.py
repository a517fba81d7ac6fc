"""Which faces several doors may know: listed in the roster when they may be, taken off when they may not.

What is here are certificates, signed by doors; the faces themselves travel sealed and are nowhere here.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import SyncError
from edge.wire.commands import CommandType
from edge.wire.faces.certificate import SignedCertificate
from edge.wire.faces.door_list import ENROLS
from edge.wire.records import MOST_FACES
from facegate_hub.database import in_parts, insert_missing, put_all, reading
from facegate_hub.tables import FACE_PLACES, REQUESTS, ROSTER, SHARED_FACES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection, Engine

    from edge.wire.faces.door_list import DoorList
    from facegate_hub.roster import RosterLog

LOG = logging.getLogger(__name__)

WAITING, LISTED, REPLACED, REFUSED, ENDED = "waiting", "listed", "replaced", "refused", "ended"
DONE, TODO, ABSENT = 0, 1, 2
WINDOW_MINUTES = 10.0
"""Of an enrolment window whose command does not say (see docs/hub.md)."""
GRACE_SECONDS = 120.0
"""After a window closed: the enrolment that began in it is still on its way."""
AT_ONCE = 300
"""People whose records change together: with their certificates they fit into one message to a door."""
MOST_WAITING = 10_000
"""Certificates of one door that may wait for staff."""
MOST_OF_DOOR = 200_000
"""Certificates and ended consents of one door in all: ten times the largest roster."""


@dataclass(frozen=True, slots=True)
class SharedFace:
    """One certificate as staff see it; `places` is door -> what it said. `at` is seconds since 1970."""

    consent: str
    person: str
    device: str
    model: str
    status: str
    by: str | None
    at: float
    doors: tuple[str, ...]
    places: dict[str, str]


class SharedFaces:
    """The certificates of a site, in the hub's database. Any thread."""

    def __init__(self, engine: Engine, most_waiting: int = MOST_WAITING) -> None:
        self._engine = engine
        self._most_waiting = most_waiting

    def offer(self, connection: Connection, device: str, text: str, doors: DoorList) -> None:
        """Take a certificate that a door sent: listed while it has an enrolment window, else staff are asked.

        Raises `SyncError` unless that very door enrolled and signed it.
        """
        certificate = SignedCertificate.parse(text)
        says = certificate.says
        if says.by != device or says.site != doors.site:
            raise SyncError(f"certificate of {says.by[:64]!r}, sent by {device!r}")
        if not doors.has_role(device, ENROLS):
            raise SyncError(f"certificate: {device!r} may not enrol for other doors")
        certificate.verify(doors.doors[device].keys)
        status = LISTED if _has_window(connection, device, time.time()) else WAITING
        self._require_room(connection, device, status)
        row = {
            "consent": says.consent,
            "person": says.person,
            "device": device,
            "model": says.model,
            "certificate": text,
            "status": status,
            "at": time.time(),
            "todo": TODO if status == LISTED else DONE,
        }
        insert_missing(connection, SHARED_FACES, [row])

    def end(self, connection: Connection, device: str, consents: Sequence[str]) -> None:
        """Let these consents never be listed (again), also those that are not known yet."""
        self._require_room(connection, device, ENDED)
        rows = [
            {
                "consent": consent,
                "person": "",
                "device": device,
                "model": "",
                "certificate": "",
                "status": ENDED,
                "at": time.time(),
                "todo": DONE,
            }
            for consent in consents
        ]
        insert_missing(connection, SHARED_FACES, rows)
        query = sa.update(SHARED_FACES).where(
            SHARED_FACES.c.consent.in_(list(consents)), SHARED_FACES.c.status != ENDED
        )
        connection.execute(query.values(status=ENDED, todo=TODO))

    def _require_room(self, connection: Connection, device: str, status: str) -> None:
        """Raise `SyncError` when a door has told more than an honest one can."""
        mine = sa.select(sa.func.count()).select_from(SHARED_FACES).where(SHARED_FACES.c.device == device)
        if status == WAITING:
            waiting = connection.execute(mine.where(SHARED_FACES.c.status == WAITING)).scalar_one()
            if waiting >= self._most_waiting:
                raise SyncError(f"{waiting} faces of {device} wait for staff; no more are taken")
        if connection.execute(mine).scalar_one() >= MOST_OF_DOOR:
            raise SyncError(f"{MOST_OF_DOOR} faces and ended consents of {device}; no more are taken")

    def told(self, connection: Connection, device: str, consents: Iterable[str], state: str) -> None:
        """Note what a door said of faces from elsewhere that there are."""
        known = sa.select(SHARED_FACES.c.consent).where(SHARED_FACES.c.consent.in_(list(consents)))
        there = connection.execute(known).scalars().all()
        rows = [{"consent": one, "door": device, "state": state, "at": time.time()} for one in there]
        put_all(connection, FACE_PLACES, rows)

    def bring(self, roster: RosterLog) -> bool:
        """Bring the roster to what is to be listed, some hundred people at once; say whether any were left.

        A certificate that does not fit into a record, or a roster, is refused by name.
        """
        with self._engine.begin() as connection:
            todo = sa.select(SHARED_FACES.c.person).where(SHARED_FACES.c.todo == TODO).distinct()
            people = list(connection.execute(todo.limit(AT_ONCE)).scalars())
            wanted = {person: _listed(connection, person) for person in people}
        try:
            roster.list_faces(wanted)
        # One of some hundred does not fit: tried one by one, only that one is refused, and by name.
        except SyncError:
            for person in people:
                self._bring_alone(roster, person, wanted[person])
        with self._engine.begin() as connection:
            known = sa.select(ROSTER.c.id).where(ROSTER.c.id.in_(people))
            there = set(connection.execute(known).scalars())
            for person in people:
                # Another certificate may have come since `wanted` was read: that person stays to be done.
                if _listed(connection, person) == wanted[person]:
                    done = sa.update(SHARED_FACES).where(SHARED_FACES.c.person == person)
                    connection.execute(done.values(todo=DONE if person in there else ABSENT))
        return bool(people)

    def _bring_alone(self, roster: RosterLog, person: str, texts: Sequence[str]) -> None:
        try:
            roster.list_faces({person: texts})
        except SyncError as error:
            LOG.error("%s: the face is not listed: %s", person, error)  # noqa: TRY400 - one clear line
            with self._engine.begin() as connection:
                refused = sa.update(SHARED_FACES).where(SHARED_FACES.c.certificate.in_(list(texts)))
                connection.execute(refused.values(status=REFUSED, by="hub", todo=TODO))

    def look_for_the_absent(self) -> None:
        """Have another look at people who were not in the roster: it has changed."""
        with self._engine.begin() as connection:
            absent = sa.update(SHARED_FACES).where(SHARED_FACES.c.todo == ABSENT)
            connection.execute(absent.values(todo=TODO))

    def decide(self, people: Iterable[str], by: str, *, lists: bool) -> list[str]:
        """List, or refuse, the faces of these people that wait for staff; return whose there were."""
        found = []
        with self._engine.begin() as connection:
            for person in people:
                query = sa.update(SHARED_FACES).where(
                    SHARED_FACES.c.person == person, SHARED_FACES.c.status == WAITING
                )
                status = LISTED if lists else REFUSED
                if connection.execute(query.values(status=status, by=by, todo=TODO)).rowcount:
                    found.append(person)
        return found

    def found(self, *, status: str | None = None, person: str | None = None) -> list[SharedFace]:
        """Return certificates, newest first: those of a status, of a person; at most 10,000."""
        query = sa.select(SHARED_FACES).where(SHARED_FACES.c.person != "")
        if status is not None:
            query = query.where(SHARED_FACES.c.status == status)
        if person is not None:
            query = query.where(SHARED_FACES.c.person == person)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(SHARED_FACES.c.at.desc()).limit(10_000)).all()
            places = _places(connection, [row.consent for row in rows])
        return [_face(row, places.get(row.consent, {})) for row in rows]

    def erase(self, person: str) -> None:
        """Forget whose faces these were that are no longer listed; that their consents have ended stays."""
        gone = sa.update(SHARED_FACES).where(
            SHARED_FACES.c.person == person, SHARED_FACES.c.status.in_((ENDED, REPLACED, REFUSED))
        )
        with self._engine.begin() as connection:
            connection.execute(gone.values(person="", certificate="", model="", status=ENDED, todo=DONE))

    def known_at(self, door: str) -> list[str]:
        """Return everybody whose face a door knew or enrolled, by id: who must be told when it is stolen."""
        told = sa.select(SHARED_FACES.c.person).where(
            SHARED_FACES.c.consent.in_(sa.select(FACE_PLACES.c.consent).where(FACE_PLACES.c.door == door))
        )
        own = sa.select(SHARED_FACES.c.person).where(SHARED_FACES.c.device == door)
        with reading(self._engine) as connection:
            people = {*connection.execute(told).scalars(), *connection.execute(own).scalars()}
        return sorted(people - {""})


def _has_window(connection: Connection, device: str, now: float) -> bool:
    """Say whether the hub gave this door an enrolment window that is open, or closed just now."""
    query = sa.select(REQUESTS.c.args, REQUESTS.c.given_at).where(
        REQUESTS.c.device == device,
        REQUESTS.c.type == str(CommandType.ENROL_WINDOW),
        REQUESTS.c.status == "done",
        # A window is open for an hour at most (`edge/wire/commands.py`).
        REQUESTS.c.given_at > now - 2 * 3600,
    )
    for args, given_at in connection.execute(query):
        minutes = json.loads(args).get("minutes", WINDOW_MINUTES)
        if given_at <= now <= given_at + 60 * minutes + GRACE_SECONDS:
            return True
    return False


def _listed(connection: Connection, person: str) -> list[str]:
    """Return the certificates of a person to be listed: the newest of each model, at most two."""
    query = (
        sa.select(SHARED_FACES)
        .where(SHARED_FACES.c.person == person, SHARED_FACES.c.status == LISTED)
        .order_by(SHARED_FACES.c.at.desc())
    )
    newest: dict[str, Any] = {}
    for row in connection.execute(query).all():
        # Newest first, so what is met again is older.
        if row.model in newest or len(newest) == MOST_FACES:
            old = sa.update(SHARED_FACES).where(SHARED_FACES.c.consent == row.consent)
            connection.execute(old.values(status=REPLACED))
        else:
            newest[row.model] = row.certificate
    return list(newest.values())


def _places(connection: Connection, consents: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for some in in_parts(consents):
        query = sa.select(FACE_PLACES).where(FACE_PLACES.c.consent.in_(some))
        for row in connection.execute(query):
            found.setdefault(row.consent, {})[row.door] = row.state
    return found


def _face(row: Any, places: dict[str, str]) -> SharedFace:
    doors = SignedCertificate.parse(row.certificate).says.doors
    return SharedFace(
        row.consent, row.person, row.device, row.model, row.status, row.by, row.at, doors, places
    )
