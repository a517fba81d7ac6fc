"""A consent as a row of the ledger: whose it is and until when readable, everything else sealed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from edge.domain import Consent
from edge.errors import StoreDamaged
from edge.store.bound_rows import row_bytes
from edge.store.contexts import record_context
from edge.store.database import COMPACT, Schema
from edge.store.resident_rows import to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.store.sealer import Sealer

FILE_OF_CONSENTS = "consents.db"

CONSENTS = Schema(
    name="consent ledger",
    application_id=0x46474C31,  # "FGL1"
    migrations=(
        (
            """CREATE TABLE consents (
                id TEXT PRIMARY KEY,
                resident_id TEXT NOT NULL,
                given_at TEXT NOT NULL,
                notice TEXT NOT NULL,
                language TEXT NOT NULL,
                purpose TEXT NOT NULL,
                recorded_by TEXT NOT NULL,
                is_minor INTEGER NOT NULL,
                guardian TEXT,
                withdrawn_at TEXT,
                receipt TEXT)""",
            "CREATE INDEX consents_by_resident ON consents (resident_id)",
        ),
        # When a face was last let in: journal entries go sooner than the year a face may be unused.
        ("CREATE TABLE uses (resident_id TEXT PRIMARY KEY, last_used TEXT NOT NULL)",),
        (
            "ALTER TABLE consents ADD COLUMN sealed BLOB NOT NULL DEFAULT x''",
            """UPDATE consents SET sealed =
                sealed_consent(id, notice, language, purpose, recorded_by, is_minor, guardian)""",
            "ALTER TABLE consents DROP COLUMN notice",
            "ALTER TABLE consents DROP COLUMN language",
            "ALTER TABLE consents DROP COLUMN purpose",
            "ALTER TABLE consents DROP COLUMN recorded_by",
            "ALTER TABLE consents DROP COLUMN is_minor",
            "ALTER TABLE consents DROP COLUMN guardian",
        ),
        COMPACT,
        # For how long a face was not used, counted in the door's running time: no wall clock ages it.
        (
            """CREATE TABLE ages (
                resident_id TEXT PRIMARY KEY,
                enrolled TEXT NOT NULL,
                last_grant TEXT NOT NULL,
                since REAL NOT NULL)""",
        ),
        # Consents that ended anywhere on the site: this only grows, and what is in it never counts again.
        ("CREATE TABLE ended (id TEXT PRIMARY KEY, at TEXT NOT NULL)",),
        # Who wrote the row while it is in force; a withdrawal needs no key and takes the mark away.
        ("ALTER TABLE consents ADD COLUMN mark BLOB",),
    ),
)

COLUMNS = "id, resident_id, given_at, withdrawn_at, sealed, mark"
SEALED = ("notice", "language", "purpose", "recorded_by", "is_minor", "guardian")
"""Fields of `Consent` that nobody reads off a stolen card."""
ELSEWHERE = ("doors", "origin")
"""Such fields that older versions did not write."""


def migrating(sealer: Sealer) -> Mapping[str, Callable[..., bytes]]:
    """Return what the migrations of `CONSENTS` call."""

    def sealed_consent(identity: str, *values: object) -> bytes:
        fields = dict(zip(SEALED, values, strict=True))
        return _sealed(sealer, identity, {**fields, "is_minor": bool(fields["is_minor"])})

    return {"sealed_consent": sealed_consent}


def columns_of(consent: Consent, sealer: Sealer) -> tuple[Any, ...]:
    """Return a consent as the values of `COLUMNS`."""
    fields = {name: getattr(consent, name) for name in (*SEALED, *ELSEWHERE)}
    sealed = _sealed(sealer, consent.id, fields)
    given_at, withdrawn_at = to_text(consent.given_at), to_text(consent.withdrawn_at)
    row = consent.id, consent.resident_id, given_at, withdrawn_at, sealed
    return (*row, sealer.bind(bound_consent(row)) if withdrawn_at is None else None)


def bound_consent(row: tuple[Any, ...]) -> bytes:
    """Return what the mark of a consent in force (a row of `COLUMNS`) binds."""
    identity, resident_id, given_at, _withdrawn_at, sealed, *_ = row
    return row_bytes("consents", identity, resident_id, given_at, sealed)


def consent_of(row: tuple[Any, ...], sealer: Sealer) -> Consent:
    """Return the consent in a row of `COLUMNS`. Raises `StoreError` when it cannot be opened."""
    identity, resident_id, given_at, withdrawn_at, sealed, mark = row
    if withdrawn_at is None and not sealer.is_ours(bound_consent(row), mark):
        raise StoreDamaged(f"consent {identity!r} was edited, and not by this door")
    try:
        fields = json.loads(sealer.open(sealed, record_context("consent", identity)))
        fields["doors"] = tuple(fields.get("doors", ()))
        return Consent(
            id=identity,
            resident_id=resident_id,
            given_at=datetime.fromisoformat(given_at),
            withdrawn_at=None if withdrawn_at is None else datetime.fromisoformat(withdrawn_at),
            **fields,
        )
    except (ValueError, TypeError) as error:
        raise StoreDamaged(f"consent {identity!r} is not one ({error})") from error


def _sealed(sealer: Sealer, identity: str, fields: Mapping[str, object]) -> bytes:
    return sealer.seal(json.dumps(fields).encode(), record_context("consent", identity))
