"""A resident as rows of the store: who they are is sealed, what they may do is readable.

Rights stay readable on purpose: they name nobody, and who may enter with PIN or card must be known
even while no key can be had. Names and the property's records are sealed with the records' key.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge.domain import Resident
from edge.errors import StoreDamaged, StoreError
from edge.identity import MOST_ID, MOST_NAME, is_identity
from edge.store.bound_rows import row_bytes
from edge.store.contexts import record_context
from edge.store.database import COMPACT, Schema
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.domain import Template
    from edge.store.sealer import Sealer

LOG = logging.getLogger(__name__)

FILE_OF_RESIDENTS = "residents.db"

RESIDENTS = Schema(
    name="resident store",
    application_id=0x46475231,  # "FGR1"
    migrations=(
        (
            """CREATE TABLE residents (
                id TEXT PRIMARY KEY,
                name TEXT NOT NULL,
                access_levels TEXT NOT NULL,
                valid_from TEXT,
                valid_until TEXT,
                extended_unlock INTEGER NOT NULL,
                source TEXT NOT NULL,
                version INTEGER NOT NULL)""",
            """CREATE TABLE templates (
                id INTEGER PRIMARY KEY,
                resident_id TEXT NOT NULL REFERENCES residents (id) ON DELETE CASCADE,
                model_id TEXT NOT NULL,
                kind TEXT NOT NULL,
                consent_id TEXT,
                enrolled_at TEXT NOT NULL,
                sealed BLOB NOT NULL)""",
            "CREATE INDEX templates_by_resident ON templates (resident_id)",
            "CREATE TABLE removals (resident_id TEXT PRIMARY KEY, version INTEGER NOT NULL)",
            "CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)",
            "INSERT INTO head VALUES (1, 0)",
        ),
        (
            "CREATE TABLE roster (id TEXT PRIMARY KEY, rev INTEGER NOT NULL, text TEXT NOT NULL)",
            """CREATE TABLE roster_head (
                one INTEGER PRIMARY KEY CHECK (one = 1),
                epoch INTEGER NOT NULL,
                rev INTEGER NOT NULL,
                digest TEXT NOT NULL,
                confirmed_at TEXT)""",
        ),
        (
            # Both columns hold sealed bytes from here on.
            "UPDATE residents SET name = sealed_name(id, name)",
            "UPDATE roster SET text = sealed_record(id, text)",
        ),
        COMPACT,
        # Who wrote the row: None until it is bound (edge.store.resealing).
        (
            "ALTER TABLE residents ADD COLUMN mark BLOB",
            "ALTER TABLE templates ADD COLUMN mark BLOB",
        ),
        # Whose PINs, cards and passes are still to be taken back (edge.store.owed_ways).
        (
            """CREATE TABLE owed_ways (
                resident_id TEXT PRIMARY KEY, is_former INTEGER NOT NULL, number INTEGER NOT NULL)""",
        ),
    ),
)

RESIDENT_COLUMNS = "id, name, access_levels, valid_from, valid_until, extended_unlock, source, version, mark"
TEMPLATE_COLUMNS = "resident_id, model_id, kind, consent_id, enrolled_at, sealed, mark"

AFTER_MENDING = (
    # Nobody can tell any more whether the property's records are complete: all of them are asked for.
    "DELETE FROM roster_head",
    # And those that follow the changes (the gallery) look at everybody again.
    "UPDATE head SET version = version + 1",
    "UPDATE residents SET version = (SELECT version FROM head)",
)

NAME, RECORD = "name", "roster"


def checked_resident(resident: Resident) -> None:
    """Raise `StoreError` when the id or the name is empty, too long or not printable."""
    if not is_identity(resident.id):
        raise StoreError(message("error.resident_id", id=resident.id[:40], most=MOST_ID))
    name = resident.name
    if not 0 < len(name) <= MOST_NAME or not name.isprintable():
        raise StoreError(message("error.resident_name", id=name[:40], most=MOST_NAME))
    for at in (resident.valid_from, resident.valid_until):
        if at is not None and at.tzinfo is None:
            raise StoreError(f"resident {resident.id!r}: {at} has no time zone; give UTC")


def sealed_text(sealer: Sealer, kind: str, identity: str, text: str) -> bytes:
    """Return a `NAME` or `RECORD` as it is stored."""
    return sealer.seal(text.encode(), record_context(kind, identity))


def opened_text(sealer: Sealer, kind: str, identity: str, sealed: bytes) -> str:
    """Return what was sealed. Raises `StoreError` when it cannot be opened."""
    return sealer.open(sealed, record_context(kind, identity)).decode()


def migrating(sealer: Sealer) -> Mapping[str, Callable[..., bytes]]:
    """Return what the migrations of `RESIDENTS` call."""
    return {
        "sealed_name": lambda identity, name: sealed_text(sealer, NAME, identity, name),
        "sealed_record": lambda identity, text: sealed_text(sealer, RECORD, identity, text),
    }


def resident_row(resident: Resident, sealer: Sealer, source: str, version: int) -> tuple[Any, ...]:
    """Return a resident as the values of `RESIDENT_COLUMNS`."""
    columns = _columns_of(resident, sealer)
    return (*columns, source, version, sealer.bind(bound_resident((*columns, source))))


def bound_resident(row: tuple[Any, ...]) -> bytes:
    """Return what the mark of a resident's row binds: all of it but the version."""
    return row_bytes("residents", *row[:7])


def bound_template(row: tuple[Any, ...]) -> bytes:
    """Return what the mark of a template's row (`TEMPLATE_COLUMNS`) binds: all of it."""
    return row_bytes("templates", *row[:6])


def _columns_of(resident: Resident, sealer: Sealer) -> tuple[Any, ...]:
    return (
        resident.id,
        sealed_text(sealer, NAME, resident.id, resident.name),
        json.dumps(resident.access_levels),
        to_text(resident.valid_from),
        to_text(resident.valid_until),
        int(resident.extended_unlock),
    )


def resident_of(row: tuple[Any, ...], sealer: Sealer) -> Resident:
    """Return the resident in a row; one whose name cannot be opened is called by the id.

    A lost key must not lock out who has a PIN or a card. Raises `StoreDamaged` when the rights are not
    what anybody can have written.
    """
    identity, name, levels, valid_from, valid_until, extended_unlock, *_ = row
    if not sealer.is_ours(bound_resident(row), row[8]):
        raise StoreDamaged(f"the row of {identity!r} was edited, and not by this door; set the rights anew")
    try:
        shown = opened_text(sealer, NAME, identity, name)
    except StoreError as error:
        LOG.warning("the name of %s is not known: %s", identity, error)
        shown = identity
    try:
        return Resident(
            id=identity,
            name=shown,
            access_levels=tuple(json.loads(levels)),
            valid_from=to_time(valid_from),
            valid_until=to_time(valid_until),
            extended_unlock=bool(extended_unlock),
        )
    except (ValueError, TypeError) as error:
        raise StoreDamaged(f"the rights of {identity!r} cannot be read ({error}); set them anew") from error


def exported_template(template: Template) -> dict[str, Any]:
    """Return a template as its person may have it, ready for JSON."""
    return {
        "model_id": template.model_id,
        "kind": template.kind,
        "consent_id": template.consent_id,
        "enrolled_at": to_text(template.enrolled_at),
        "embedding": template.embedding.tolist(),
    }


def to_text(at: datetime | None) -> str | None:
    """Return a time as it is stored: ISO 8601 in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat()


def to_time(text: str | None) -> datetime | None:
    """Return a stored time."""
    return None if text is None else datetime.fromisoformat(text)
