"""What a door knows about faces that several doors share: keys, doors, what came and what was promised.

A file of its own, in no backup: what came from other doors may have ended since, so a restored door asks
again, with keys of its own. Private keys and faces in it are sealed; theirs are keys that the site's key
wraps, never the records' key, which has to be readable without any network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import StoreError
from edge.store.contexts import context_of, device_context, person_of
from edge.store.database import Schema
from edge.store.shared import SharedDatabase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from edge.store.sealer import Sealer

FACE_BOOK_FILE = "faces.db"
"""Its name inside the data folder."""

FACES = Schema(
    name="book of shared faces",
    application_id=0x46474631,  # "FGF1"
    migrations=(
        (
            "CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
            "CREATE TABLE secrets (name TEXT PRIMARY KEY, sealed BLOB NOT NULL)",
            "CREATE TABLE doors (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER, payload BLOB)",
            """CREATE TABLE receiving (
                number INTEGER PRIMARY KEY AUTOINCREMENT,
                made REAL NOT NULL)""",
            """CREATE TABLE peers (
                door TEXT PRIMARY KEY,
                signer BLOB NOT NULL,
                number INTEGER NOT NULL,
                public BLOB NOT NULL)""",
            """CREATE TABLE held (
                consent TEXT PRIMARY KEY,
                person TEXT NOT NULL,
                model TEXT NOT NULL,
                certificate TEXT NOT NULL,
                sealed BLOB NOT NULL,
                number INTEGER)""",
            "CREATE INDEX held_by_person ON held (person)",
            """CREATE TABLE reach (
                consent TEXT NOT NULL,
                door TEXT NOT NULL,
                person TEXT NOT NULL,
                state TEXT NOT NULL,
                PRIMARY KEY (consent, door))""",
            "CREATE INDEX reach_by_person ON reach (person)",
            "CREATE INDEX reach_by_state ON reach (state)",
        ),
        # A covering index for `origins`, which runs five times a second: the rows hold faces and fill a page
        # each.
        ("CREATE INDEX held_by_origin ON held (number, consent, person)",),
        # AUTOINCREMENT: a place is never given twice. A plain rowid is given again once the last row is
        # deleted, and a face noted under it would seem to have been offered already.
        (
            """CREATE TABLE placed (
                place INTEGER PRIMARY KEY AUTOINCREMENT,
                consent TEXT NOT NULL,
                door TEXT NOT NULL,
                person TEXT NOT NULL,
                state TEXT NOT NULL,
                UNIQUE (consent, door))""",
            """INSERT INTO placed (consent, door, person, state)
                SELECT consent, door, person, state FROM reach ORDER BY rowid""",
            "DROP TABLE reach",
            "ALTER TABLE placed RENAME TO reach",
            "CREATE INDEX reach_by_person ON reach (person)",
            "CREATE INDEX reach_by_state ON reach (state)",
        ),
    ),
)

PENDING, KNOWN, ERASING, ERASED = "pending", "known", "erasing", "erased"
"""What is known of a face at another door."""
SIGNING = "signing"


@dataclass(frozen=True, slots=True)
class HeldFace:
    """A face that may be sent on; `number` is the receiving key it came by, None: it was enrolled here."""

    consent: str
    person: str
    model: str
    certificate: str
    number: int | None


@dataclass(frozen=True, slots=True)
class Peer:
    """Another door's receiving key, signed with `signer`; a larger number is a later one."""

    door: str
    signer: bytes
    number: int
    public: bytes


@dataclass(frozen=True, slots=True)
class Reach:
    """What is known of one face at another door: `pending`, `known`, `erasing` or `erased`."""

    consent: str
    door: str
    person: str
    state: str


class FaceBook:
    """The book of one door. Any thread, several processes. Methods raise `StoreError`."""

    def __init__(self, path: Path, sealer: Sealer) -> None:
        self._sealer = sealer
        self._file = SharedDatabase(path, FACES, after_mending=(), is_patient=True)

    def mark(self) -> tuple[int, int, int]:
        """Return what changes with every change, by this process or another; costs microseconds."""
        return self._file.mark()

    def note(self, name: str) -> str | None:
        """Return what was noted under a name."""
        with self._file.using() as connection:
            row = connection.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def keep_note(self, name: str, value: str) -> None:
        """Note something."""
        with self._file.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    # Secrets of the device.

    def signing_key(self) -> bytes | None:
        """Return the Ed25519 private key (32 bytes) of this door, None before it was made."""
        with self._file.using() as connection:
            row = connection.execute("SELECT sealed FROM secrets WHERE name = ?", (SIGNING,)).fetchone()
        return None if row is None else self._sealer.open(row[0], device_context(SIGNING))

    def keep_signing_key(self, private: bytes) -> None:
        """Keep a key, unless there is one."""
        with self._file.writing() as connection:
            sealed = self._sealer.seal(private, device_context(SIGNING))
            connection.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (SIGNING, sealed))

    def receiving_keys(self) -> dict[int, tuple[float, bytes]]:
        """Return number -> (when it was made, in the door's running seconds; private bytes)."""
        sql = "SELECT number, made, sealed FROM receiving JOIN secrets ON name = 'receiving ' || number"
        with self._file.using() as connection:
            rows = connection.execute(sql).fetchall()
        return {
            number: (made, self._sealer.open(sealed, device_context(f"receiving {number}")))
            for number, made, sealed in rows
        }

    def add_receiving_key(self, private: bytes, made: float) -> int:
        """Keep a new one and return its number; a number is never used twice."""
        with self._file.writing() as connection:
            number = connection.execute("INSERT INTO receiving (made) VALUES (?)", (made,)).lastrowid or 0
            sealed = self._sealer.seal(private, device_context(f"receiving {number}"))
            connection.execute("INSERT INTO secrets VALUES (?, ?)", (f"receiving {number}", sealed))
        return int(number)

    def destroy_receiving_keys(self, numbers: Iterable[int]) -> None:
        """Destroy these keys: what was sealed for them can never be opened again, wherever it lies."""
        gone = list(numbers)
        if not gone:
            return
        with self._file.writing() as connection:
            for number in gone:
                connection.execute("DELETE FROM secrets WHERE name = ?", (f"receiving {number}",))
                connection.execute("DELETE FROM receiving WHERE number = ?", (number,))
        self._sealer.forget_all([person_of(device_context(f"receiving {number}")) for number in gone])

    # The doors.

    def doors(self) -> bytes | None:
        """Return the newest list of doors as it was signed, None before there is one."""
        with self._file.using() as connection:
            row = connection.execute("SELECT payload FROM doors").fetchone()
        return None if row is None else bytes(row[0])

    def keep_doors(self, number: int, payload: bytes) -> bool:
        """Keep this list when it is newer than ours; say whether it is."""
        sql = (
            "INSERT INTO doors VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET number = excluded.number,"
            " payload = excluded.payload WHERE excluded.number > doors.number"
        )
        with self._file.writing() as connection:
            return connection.execute(sql, (number, payload)).rowcount > 0

    def peers(self) -> dict[str, Peer]:
        """Return the receiving keys of other doors, by door."""
        with self._file.using() as connection:
            rows = connection.execute("SELECT door, signer, number, public FROM peers").fetchall()
        return {row[0]: Peer(*row) for row in rows}

    def keep_peer(self, peer: Peer) -> bool:
        """Keep a key when it is later than the one we have, or of another signer; say whether it is."""
        sql = (
            "INSERT INTO peers VALUES (?, ?, ?, ?) ON CONFLICT (door) DO UPDATE SET signer = excluded.signer,"
            " number = excluded.number, public = excluded.public"
            " WHERE excluded.signer != peers.signer OR excluded.number > peers.number"
        )
        with self._file.writing() as connection:
            values = (peer.door, peer.signer, peer.number, peer.public)
            return connection.execute(sql, values).rowcount > 0

    # Faces.

    def held(self) -> dict[str, HeldFace]:
        """Return every face that is here and may be sent on, by consent."""
        sql = "SELECT consent, person, model, certificate, number FROM held"
        with self._file.using() as connection:
            return {row[0]: HeldFace(*row) for row in connection.execute(sql).fetchall()}

    def origins(self) -> dict[str, tuple[str, int | None]]:
        """Return whose face every one is and the receiving key it came by, by consent; reads no face."""
        sql = "SELECT consent, person, number FROM held INDEXED BY held_by_origin"
        with self._file.using() as connection:
            return {row[0]: (row[1], row[2]) for row in connection.execute(sql).fetchall()}

    def hold(self, faces: Iterable[tuple[HeldFace, bytes]]) -> None:
        """Keep faces with their bodies, sealed with each person's own key."""
        given = list(faces)
        with self._file.writing() as connection:
            rows = [
                (one.consent, one.person, one.model, one.certificate, self._sealed(one, body), one.number)
                for one, body in given
            ]
            connection.executemany("INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?, ?)", rows)

    def body_of(self, face: HeldFace) -> bytes:
        """Return the body that the face's certificate commits to. Raises `StoreError` when it is gone."""
        with self._file.using() as connection:
            row = connection.execute("SELECT sealed FROM held WHERE consent = ?", (face.consent,)).fetchone()
        if row is None:
            raise StoreError(f"{face.person!r}: the face is no longer here")
        return self._sealer.open(row[0], context_of(face.person, face.model))

    def drop(self, consents: Iterable[str]) -> None:
        """Hold these faces no longer."""
        with self._file.writing() as connection:
            connection.executemany("DELETE FROM held WHERE consent = ?", [(one,) for one in consents])
        with self._file.using() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    # What is known of them elsewhere.

    def reach(self, *states: str, person: str | None = None) -> list[Reach]:
        """Return what is known of faces at other doors: those in `states` (none: all), of one person."""
        sql, values = "SELECT consent, door, person, state FROM reach", list(states)
        rules = [f"state IN ({', '.join('?' * len(states))})"] if states else []
        if person is not None:
            rules.append("person = ?")
            values.append(person)
        where = f" WHERE {' AND '.join(rules)}" if rules else ""
        with self._file.using() as connection:
            rows = connection.execute(f"{sql}{where} ORDER BY person, door, consent", values).fetchall()
        return [Reach(*row) for row in rows]

    def offered_after(self, place: int) -> tuple[int, list[Reach]]:
        """Return what was noted as pending after a place in the book, and the place now.

        A book that was mended meanwhile may count from less again: then all that is pending.
        """
        sql = "SELECT place, consent, door, person, state FROM reach WHERE place > ? AND state = ?"
        with self._file.using() as connection:
            last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'reach'").fetchone()
            place = place if last is not None and last[0] >= place else 0
            rows = connection.execute(f"{sql} ORDER BY place", (place, PENDING)).fetchall()
        return (rows[-1][0] if rows else place), [Reach(*row[1:]) for row in rows]

    def held_of(self, consents: Iterable[str]) -> dict[str, HeldFace]:
        """Return those of these faces that are here, by consent."""
        sql = "SELECT consent, person, model, certificate, number FROM held WHERE consent = ?"
        with self._file.using() as connection:
            rows = [connection.execute(sql, (one,)).fetchone() for one in consents]
        return {row[0]: HeldFace(*row) for row in rows if row is not None}

    def expect(self, faces: Iterable[Reach]) -> None:
        """Note what is expected of other doors; what is further than that stays as it is."""
        sql = (
            "INSERT INTO reach (consent, door, person, state) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (consent, door) DO UPDATE SET"
            " state = excluded.state WHERE excluded.state = 'erasing' AND reach.state != 'erased'"
        )
        rows = [(one.consent, one.door, one.person, one.state) for one in faces]
        with self._file.writing() as connection:
            connection.executemany(sql, rows)

    def answered(self, door: str, consents: Iterable[str], state: str) -> frozenset[str]:
        """Note that a door knows these faces, or has erased them; return which of that is news."""
        before = PENDING if state == KNOWN else ERASING
        sql = "UPDATE reach SET state = ? WHERE consent = ? AND door = ? AND state = ? RETURNING consent"
        news: set[str] = set()
        with self._file.writing() as connection:
            for one in consents:
                news.update(row[0] for row in connection.execute(sql, (state, one, door, before)).fetchall())
        return frozenset(news)

    def forget_reach(self, consents: Iterable[str]) -> None:
        """Forget what was known of faces elsewhere: every door has answered."""
        with self._file.writing() as connection:
            connection.executemany("DELETE FROM reach WHERE consent = ?", [(one,) for one in consents])

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._file.close()

    def _sealed(self, face: HeldFace, body: bytes) -> bytes:
        return self._sealer.seal(body, context_of(face.person, face.model))


def by_door(reach: Iterable[Reach]) -> Mapping[str, str]:
    """Return the state of one person's face at each door; of several consents the least certain."""
    order = (ERASED, KNOWN, PENDING, ERASING)
    found: dict[str, str] = {}
    for one in reach:
        found[one.door] = max(found.get(one.door, ERASED), one.state, key=order.index)
    return found
