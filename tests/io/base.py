"""A small data folder: six residents with a card and a face of random numbers, consents and twenty events."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from edge.consent.rules import PURPOSE
from edge.domain import Consent, Resident, Template
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.credentials import CredentialStore
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.way_rows import CREDENTIALS_FILE
from tests.store.drafts import draft, open_journal

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = tuple(f"flat-{number}" for number in range(101, 107))
CARDS = tuple(f"hid:{7000000 + number}" for number in range(len(PEOPLE)))
MODEL, DIM = "m1", 128
AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def make_base(data: Path) -> None:
    """Fill the folder `data`, which is made."""
    data.mkdir()
    with (
        closing(ResidentStore(data / RESIDENTS_FILE)) as store,
        closing(ConsentLedger(data / CONSENTS_FILE)) as ledger,
        closing(CredentialStore(data / CREDENTIALS_FILE)) as credentials,
    ):
        for number, who in enumerate(PEOPLE):
            consent = Consent(f"c-{number}", who, AT, "n1", "en", PURPOSE, "desk")
            ledger.record(consent)
            store.put(Resident(who, f"Person {number}"), [face(who, number, consent.id)])
            credentials.put_card(CARDS[number], who)
    with closing(open_journal(data / "journal.db")) as journal:
        for number in range(20):
            journal.append(draft(number))


def face(who: str, seed: int, consent_id: str) -> Template:
    """Return a face of random numbers."""
    vector = np.random.default_rng(seed).normal(size=DIM).astype(np.float32)
    return Template(who, vector / np.linalg.norm(vector), MODEL, AT, consent_id=consent_id)
