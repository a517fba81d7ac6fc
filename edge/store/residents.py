"""Residents and their templates: written in one transaction, erased for good, followed by version."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from edge.domain import Template
from edge.errors import KeyUnavailable, StoreDamaged, StoreError
from edge.identity import ResidentId
from edge.store.contexts import context_of
from edge.store.database import snapshot
from edge.store.key_source import keyring_of
from edge.store.keyring import Keyring
from edge.store.owed_ways import OWED
from edge.store.resident_rows import (
    AFTER_MENDING,
    FILE_OF_RESIDENTS,
    RESIDENT_COLUMNS,
    RESIDENTS,
    TEMPLATE_COLUMNS,
    bound_resident,
    bound_template,
    checked_resident,
    exported_template,
    migrating,
    resident_of,
    resident_row,
    to_text,
)
from edge.store.shared import SharedDatabase
from edge.store.vectors import checked_vector, to_vector
from edge.words import message

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.domain import Resident
    from edge.store.mended import Mended
    from edge.store.sealer import Sealer

LOG = logging.getLogger(__name__)

Rows: TypeAlias = list[tuple[Any, ...]]

PEOPLE = f"SELECT {RESIDENT_COLUMNS} FROM residents"  # noqa: S608 - constants
ADD_PERSON = f"INSERT INTO residents ({RESIDENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
ADD_FACE = f"INSERT INTO templates ({TEMPLATE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
FACES = f"SELECT {TEMPLATE_COLUMNS} FROM templates"  # noqa: S608

# An earlier version made the property's people the door's own when their face was enrolled here.
WHOSE = "SELECT id, CASE WHEN id IN (SELECT id FROM roster) THEN 'roster' ELSE source END FROM residents"

NOBODY: Mapping[str, Resident | None] = MappingProxyType({})

RESIDENTS_FILE = FILE_OF_RESIDENTS
"""Its name inside the data folder."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened since a version: resident ids put or removed, and the version now."""

    version: int
    put: tuple[str, ...]
    removed: tuple[str, ...]


class ResidentStore:
    """The people of one door, in one SQLite file. Any thread, several processes.

    Templates and names are sealed by `sealer`; by default templates with a key for each person, wrapped
    by the site key noted for the folder: a key file there protects copies of the database but not a
    stolen card (see `edge.store.key_source`). Of a damaged file what can be read goes on in a new one;
    on a card that cannot be written to everything can be read. `is_patient` and `at` as in `SharedDatabase`.
    Methods raise `StoreError` for what cannot be done now.
    """

    def __init__(
        self,
        path: Path,
        sealer: Sealer | None = None,
        *,
        is_patient: bool = False,
        at: datetime | None = None,
    ) -> None:
        self._path = path
        self.sealer = sealer or keyring_of(path.parent, is_patient=is_patient)
        try:
            self._file = SharedDatabase(
                path,
                RESIDENTS,
                functions=migrating(self.sealer),
                after_mending=AFTER_MENDING,
                is_patient=is_patient,
                at=at,
            )
        except BaseException:
            self.sealer.close()
            raise
        if self._file.problem is None:
            self._finish_erasing()

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self._path.parent

    @property
    def problem(self) -> str | None:
        """Why nothing can be changed now, None when it can as far as is known."""
        return self._file.problem

    @property
    def mended(self) -> Mended | None:
        """What came of damage that was found, None for none."""
        return self._file.mended

    def _finish_erasing(self) -> None:
        """In case the process died between erasing somebody and their traces."""
        try:
            self.forget_old_pages()
            self.forget_keys(row[0] for row in self.query("SELECT resident_id FROM removals"))
        except StoreError as error:
            LOG.error("%s: traces of the removed are erased at the next start: %s", self._path, error)  # noqa: TRY400

    def put(
        self,
        resident: Resident,
        templates: Iterable[Template],
        source: str = "local",
        before: Mapping[str, Resident | None] = NOBODY,
    ) -> int:
        """Store the resident with exactly these templates and return the new version.

        What was stored for this id before is replaced, all or nothing. `source` says who keeps the record of
        somebody new (`local`, or the list it came from); whose it is already stays so. `before` as in
        `put_people`. Raises `TemplateRefused` for a vector that is not finite and of unit length, or of
        somebody else; nothing is changed then.
        """
        checked_resident(resident)
        given = [(template, checked_vector(resident.id, template)) for template in templates]
        with self.writing() as (connection, version):
            # Sealed inside the transaction: `forget_keys` needs the same write lock, so the key stays until
            # the rows are committed.
            rows = [self._sealed(resident.id, template, plain) for template, plain in given]
            self._require(connection, before)
            source = _source_of(connection, resident.id) or source
            connection.execute("DELETE FROM residents WHERE id = ?", (resident.id,))
            connection.execute("DELETE FROM removals WHERE resident_id = ?", (resident.id,))
            connection.execute(ADD_PERSON, resident_row(resident, self.sealer, source, version))
            connection.executemany(ADD_FACE, rows)
        self.forget_old_pages()
        return version

    def put_faces(self, faces: Mapping[str, Sequence[Template]]) -> frozenset[str]:
        """Give residents exactly these templates, in one step; return the ids that are not residents.

        For faces that come from other doors: what a resident may do is the roster's and stays. Raises
        `TemplateRefused` as `put` does.
        """
        given = {who: [(one, checked_vector(who, one)) for one in rows] for who, rows in faces.items()}
        if isinstance(self.sealer, Keyring):
            # All keys in one commit: else each would be one of its own, with the card's time for it, while
            # this file's lock is held.
            self.sealer.make_keys(given)
        with self.writing() as (connection, version):
            there = {row[0] for row in connection.execute("SELECT id FROM residents")}
            for who in given.keys() & there:
                rows = [self._sealed(who, template, plain) for template, plain in given[who]]
                connection.execute("DELETE FROM templates WHERE resident_id = ?", (who,))
                connection.execute("UPDATE residents SET version = ? WHERE id = ?", (version, who))
                connection.executemany(ADD_FACE, rows)
        self.forget_old_pages()
        strangers = frozenset(given.keys() - there)
        self.forget_keys(strangers)
        return strangers

    def put_people(self, people: Iterable[Resident], before: Mapping[str, Resident | None] = NOBODY) -> int:
        """Store these people, all or nothing, and return the new version; their templates stay as they are.

        Who is new has none. Whose record it is (the property's, this door's) stays as it is too. Needs no
        key of a template. Raises `StoreError` for a name or an id that cannot be, and where somebody is not
        as `before` says any more (None: not there), from which the change was made: else a right that was
        taken back since would come back, and who was removed.
        """
        given = list(people)
        for person in given:
            checked_resident(person)
        with self.writing() as (connection, version):
            self._require(connection, before)
            for person in given:
                connection.execute("DELETE FROM removals WHERE resident_id = ?", (person.id,))
                source = _source_of(connection, person.id) or "local"
                connection.execute(
                    f"{ADD_PERSON} ON CONFLICT (id) DO UPDATE SET"
                    " name = excluded.name, access_levels = excluded.access_levels,"
                    " valid_from = excluded.valid_from, valid_until = excluded.valid_until,"
                    " extended_unlock = excluded.extended_unlock, version = excluded.version,"
                    " mark = excluded.mark",
                    resident_row(person, self.sealer, source, version),
                )
        self.forget_old_pages()
        return version

    def owed_ways(self) -> frozenset[str]:
        """Return whose PINs, cards and passes are still to be taken back (`edge.store.owed_ways`)."""
        return frozenset(row[0] for row in self.query(OWED))

    def source_of(self, resident_id: str) -> str | None:
        """Return who keeps a person's record (`local`, `import`, `roster`), or None for nobody."""
        rows = self.query(f"{WHOSE} WHERE id = ?", resident_id)
        return str(rows[0][1]) if rows else None

    def ids_of(self, source: str) -> frozenset[str]:
        """Return whose record is kept there (`local`, `import`, `roster`)."""
        return frozenset(who for who, whose in self.query(WHOSE) if whose == source)

    def remove(self, resident_id: str) -> bool:
        """Erase a resident and every template, and say whether there was one.

        The bytes are overwritten in the file and gone from its log when this returns. What a
        flash card keeps in worn blocks is out of reach: only a key kept elsewhere covers that.
        """
        with self.writing() as (connection, version):
            gone = connection.execute("DELETE FROM residents WHERE id = ?", (resident_id,)).rowcount > 0
            if gone:
                connection.execute("INSERT OR REPLACE INTO removals VALUES (?, ?)", (resident_id, version))
        self.forget_old_pages()
        self.forget_keys([resident_id])
        return gone

    def renumber(self, was: str, now: str) -> None:
        """Give a resident another id in one step: rights, source and face stay, `was` is removed.

        The key of `was` is destroyed, as when somebody is removed. Raises `StoreError` when there is nobody,
        or something was changed meanwhile; nothing is done then.
        """
        # Read and opened before the write lock is taken: a key may have to come over the network. Whether
        # anything was changed since shows in the version below.
        before, person, source = self.version(), self.get(was), self.source_of(was)
        if person is None or source is None:
            raise StoreError(f"{self._path}: there is no resident {was!r}")
        moved = replace(person, id=ResidentId(now))
        checked_resident(moved)
        faces = [replace(one, resident_id=moved.id) for one in self.templates_of(was)]
        given = [(one, checked_vector(now, one)) for one in faces]
        with self.writing() as (connection, version):
            if version != before + 1:
                raise StoreError(f"{self._path}: changed by somebody else meanwhile; do it again")
            rows = [self._sealed(now, template, plain) for template, plain in given]
            connection.execute("DELETE FROM residents WHERE id IN (?, ?)", (was, now))
            connection.execute("DELETE FROM removals WHERE resident_id = ?", (now,))
            connection.execute("INSERT OR REPLACE INTO removals VALUES (?, ?)", (was, version))
            connection.execute(ADD_PERSON, resident_row(moved, self.sealer, source, version))
            connection.executemany(ADD_FACE, rows)
        self.forget_old_pages()
        self.forget_keys([was])

    def get(self, resident_id: str) -> Resident | None:
        """Return one resident, or None."""
        rows = self.query(f"{PEOPLE} WHERE id = ?", resident_id)
        return resident_of(rows[0], self.sealer) if rows else None

    def list(self) -> tuple[Resident, ...]:
        """Return all residents, ordered by id, but those whose rights can no longer be read."""
        return tuple(self._residents(self.query(f"{PEOPLE} ORDER BY id")))

    def templates(self, model_id: str) -> tuple[Template, ...]:
        """Return every template of this model, ordered by resident: what a gallery is made of."""
        sql = f"{FACES} WHERE model_id = ? ORDER BY resident_id, id"
        return tuple(self._templates(self.query(sql, model_id)))

    def templates_of(self, resident_id: str) -> tuple[Template, ...]:
        """Return one resident's templates, of every model, in the order they were stored."""
        sql = f"{FACES} WHERE resident_id = ? ORDER BY id"
        return tuple(self._templates(self.query(sql, resident_id)))

    def faces_by_consent(self) -> dict[str, str]:
        """Return whose templates there are under each consent: consent -> resident id. Needs no key."""
        sql = "SELECT DISTINCT consent_id, resident_id FROM templates WHERE consent_id NOT NULL"
        return dict(self.query(sql))

    def other_models(self, model_id: str) -> dict[str, tuple[str, ...]]:
        """Return who must be enrolled again for `model_id`: resident id -> models there are.

        Residents who were never enrolled with a face are not in it.
        """
        found: dict[str, set[str]] = {}
        sql = "SELECT DISTINCT resident_id, model_id FROM templates ORDER BY resident_id, model_id"
        for resident_id, other in self.query(sql):
            found.setdefault(resident_id, set()).add(other)
        return {key: tuple(sorted(models)) for key, models in found.items() if model_id not in models}

    def enrolled_with(self, model_id: str) -> frozenset[str]:
        """Return whose face is known to `model_id`. Opens no template, needs no key."""
        sql = "SELECT DISTINCT resident_id FROM templates WHERE model_id = ?"
        return frozenset(row[0] for row in self.query(sql, model_id))

    def single_shots(self, model_id: str) -> frozenset[str]:
        """Return whose face is known to `model_id` by one picture only. Opens no template, needs no key."""
        sql = "SELECT resident_id FROM templates WHERE model_id = ? GROUP BY 1 HAVING count(*) = 1"
        return frozenset(row[0] for row in self.query(sql, model_id))

    def last_enrolled(self) -> dict[str, datetime]:
        """Return when each face was last enrolled, by resident id. Opens no template, needs no key."""
        rows = self.query("SELECT resident_id, max(enrolled_at) FROM templates GROUP BY 1")
        return {resident_id: datetime.fromisoformat(at) for resident_id, at in rows}

    def version(self) -> int:
        """Return a number that grows with every change; cheap enough to ask each second."""
        return int(self.query("SELECT version FROM head")[0][0])

    def changes_since(self, version: int) -> Changes:
        """Return who was put or removed after `version`, so that a gallery can follow."""
        with self._file.using() as connection, snapshot(connection):
            now = int(connection.execute("SELECT version FROM head").fetchone()[0])
            put = connection.execute("SELECT id FROM residents WHERE version > ?", (version,)).fetchall()
            sql = "SELECT resident_id FROM removals WHERE version > ?"
            removed = connection.execute(sql, (version,)).fetchall()
        return Changes(now, tuple(sorted(row[0] for row in put)), tuple(sorted(row[0] for row in removed)))

    def export(self, resident_id: str) -> dict[str, Any] | None:
        """Return all that is stored about one person, ready for JSON, or None.

        This is what a person may ask for. Templates are listed as lists of numbers.
        """
        rows = self.query(f"{PEOPLE} WHERE id = ?", resident_id)
        if not rows:
            return None
        person, (source, version) = resident_of(rows[0], self.sealer), rows[0][6:8]
        return {
            **asdict(person),
            "valid_from": to_text(person.valid_from),
            "valid_until": to_text(person.valid_until),
            "source": source,
            "version": version,
            "templates": [exported_template(item) for item in self.templates_of(resident_id)],
        }

    @contextmanager
    def writing(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        """Run the block as one change and give it (connection, new version). For `edge.store` only."""
        with self._file.writing() as connection:
            connection.execute("UPDATE head SET version = version + 1")
            yield connection, int(connection.execute("SELECT version FROM head").fetchone()[0])

    def query(self, sql: str, *values: object) -> Rows:
        """Return the rows of one SELECT. For `edge.store` only."""
        with self._file.using() as connection:
            return connection.execute(sql, values).fetchall()

    def forget_old_pages(self) -> None:
        """Empty the write-ahead log: it holds the pages as they were before the change."""
        with self._file.using() as connection:
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            LOG.warning(
                "%s is being read elsewhere; erased pages leave its log at the next change", self._path
            )

    def forget_keys(self, people: Iterable[str]) -> tuple[str, ...]:
        """Destroy the keys of those among `people` who are no residents (any more); return whose.

        Done at every start too: a power cut between erasing a person and this must not leave what
        opens old copies of the templates. For `edge.store` only.
        """
        # Inside a write transaction: nobody can become a resident between the query and the end of their key.
        with self._file.writing() as connection:
            gone = set(people) & set(self.sealer.people())
            if gone:
                gone -= {row[0] for row in connection.execute("SELECT id FROM residents")}
            if gone:
                self.sealer.forget_all(sorted(gone))
        return tuple(sorted(gone))

    @contextmanager
    def faceless(self, people: Iterable[str]) -> Iterator[tuple[str, ...]]:
        """Give the block those of these people who have no template; nobody is enrolled while it runs.

        For `edge.store` only: a key may be destroyed inside, as no face is sealed with it meanwhile.
        """
        with self._file.writing() as connection:
            sql = "SELECT 1 FROM templates WHERE resident_id = ?"
            yield tuple(one for one in sorted(people) if not connection.execute(sql, (one,)).fetchone())

    def check(self) -> None:
        """Have damage anywhere in the file found and mended: 20 ms for 5,000 people when there is none."""
        self._file.check()

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self.sealer.close()
        self._file.close()

    def _require(self, connection: sqlite3.Connection, before: Mapping[str, Resident | None]) -> None:
        """Within a change: raise `StoreError` unless these people are as they were."""
        for who, was in before.items():
            row = connection.execute(f"{PEOPLE} WHERE id = ?", (who,)).fetchone()
            if (None if row is None else resident_of(row, self.sealer)) != was:
                raise StoreError(message("error.person_changed"))

    def _residents(self, rows: Rows) -> Iterator[Resident]:
        for row in rows:
            try:
                yield resident_of(row, self.sealer)
            except StoreDamaged as error:
                LOG.error("%s: %s", self._path, error)  # noqa: TRY400 - the others are let in

    def _sealed(self, resident_id: str, template: Template, plain: bytes) -> tuple[Any, ...]:
        row = (
            resident_id,
            template.model_id,
            template.kind,
            template.consent_id,
            to_text(template.enrolled_at),
            self.sealer.seal(plain, context_of(resident_id, template.model_id)),
        )
        return (*row, self.sealer.bind(bound_template(row)))

    def edited(self) -> tuple[str, ...]:
        """Return of whom a row was written by somebody else than this door; it counts for nothing.

        Raises `StoreError` when the key that tells it cannot be obtained.
        """
        people, faces = self.query(PEOPLE), self.query(FACES)
        found = {row[0] for row in people if not self.sealer.is_ours(bound_resident(row), row[-1])}
        return tuple(
            sorted(found | {row[0] for row in faces if not self.sealer.is_ours(bound_template(row), row[-1])})
        )

    def _templates(self, rows: Rows) -> Iterator[Template]:
        """Give the templates that this door wrote; whose row was edited has to enrol again."""
        for row in rows:
            if self.sealer.is_ours(bound_template(row), row[-1]):
                yield self._template(row)
            else:
                LOG.error(
                    "%s: a face of %r was edited, and not by this door; enrol again", self._path, row[0]
                )

    def _template(self, row: tuple[Any, ...]) -> Template:
        resident_id, model_id, kind, consent_id, enrolled_at, sealed, _ = row
        try:
            plain = self.sealer.open(sealed, context_of(resident_id, model_id))
        except KeyUnavailable:
            raise  # the template is intact: it can be opened once the key is there
        except StoreError as error:
            raise StoreError(f"{self._path}: resident {resident_id!r}: {error}; enrol again") from error
        at = datetime.fromisoformat(enrolled_at)
        return Template(resident_id, to_vector(plain), model_id, at, kind=kind, consent_id=consent_id)


def _source_of(connection: sqlite3.Connection, resident_id: str) -> str | None:
    row = connection.execute(f"{WHOSE} WHERE id = ?", (resident_id,)).fetchone()
    return None if row is None else str(row[1])
