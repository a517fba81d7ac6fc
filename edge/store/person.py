"""Everything a door's folder holds about one person: what they may ask for, ready for JSON."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edge.store.backup import OLD_JOURNALS
from edge.store.credentials import CredentialStore
from edge.store.database import open_read_only
from edge.store.reader import JOURNAL, JOURNAL_FILE, field_of
from edge.store.resident_rows import to_text
from edge.store.way_rows import CREDENTIALS_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from edge.domain import Consent
    from edge.store.consents import ConsentLedger
    from edge.store.residents import ResidentStore

FORMAT = "facegate-person-1"
"""Names the form of the export; another form gets another name."""


def export_person(store: ResidentStore, consents: ConsentLedger, resident_id: str) -> dict[str, Any] | None:
    """Return person, rights, templates, consents, credentials and events, or None for nobody.

    Templates come with their vectors: they belong to the person. PINs are not known to the door, only
    whether there is one. Raises `StoreError` when a file cannot be read.
    """
    resident = store.export(resident_id)
    if resident is None:
        return None
    used = consents.last_used().get(resident_id)
    return {
        "format": FORMAT,
        "resident": resident,
        "face_last_used": to_text(used),
        "consents": [_consent(one) for one in consents.of(resident_id)],
        "receipt": consents.receipt_of(resident_id),
        "credentials": _credentials(store.folder, resident_id),
        "events": _events(store.folder, resident_id),
    }


def _consent(consent: Consent) -> dict[str, Any]:
    times = {"given_at": to_text(consent.given_at), "withdrawn_at": to_text(consent.withdrawn_at)}
    return {**asdict(consent), **times}


def _credentials(folder: Path, resident_id: str) -> dict[str, Any]:
    if not (folder / CREDENTIALS_FILE).exists():
        return {"pins": [], "cards": []}
    with closing(CredentialStore(folder / CREDENTIALS_FILE)) as file:
        pins = [
            {"number": row.number, "is_duress": row.is_duress}
            for row in file.pins()
            if row.resident_id == resident_id
        ]
        cards = [card for card, holder in file.cards().items() if holder == resident_id]
    return {"pins": pins, "cards": sorted(cards)}


def _events(folder: Path, resident_id: str) -> list[dict[str, Any]]:
    """Return the events about this person, or about visitors they let in, of every journal there is."""
    journals = [*sorted((folder / OLD_JOURNALS).glob(f"*/{JOURNAL_FILE}")), folder / JOURNAL_FILE]
    return [event for path in journals if path.exists() for event in _events_in(path, resident_id)]


def _events_in(path: Path, resident_id: str) -> list[dict[str, Any]]:
    sql = (
        f"SELECT body FROM events WHERE {field_of('$.resident')} = ?1"  # noqa: S608 - constants
        f" OR {field_of('$.data.host')} = ?1 ORDER BY seq"
    )
    with closing(open_read_only(path, JOURNAL, older=True)) as journal:
        return [json.loads(row[0]) for row in journal.execute(sql, (resident_id,))]
