"""What a restore on another device knows of the time since the backup: what its events elsewhere tell.

There is no folder that could say who was removed since, which PINs and cards were taken back and which
passes were used up. The property has the door's events; what no event tells of is over.
"""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.errors import StoreError
from edge.store.credentials import CredentialStore
from edge.store.database import open_database, transaction
from edge.store.key_source import keyring_of
from edge.store.keyring import KEYS_FILE
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.way_rows import CREDENTIALS, CREDENTIALS_FILE, PASSES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path


class TakenKind(StrEnum):
    """What was taken back of somebody."""

    PERSON = "person"
    PIN = "pin"
    CARD = "card"
    WAYS = "ways"
    """Every PIN and card."""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What an event says was taken back, of whom and when (UTC)."""

    resident_id: str
    what: TakenKind
    at: datetime


def take_back_told(new: Path, endings: Iterable[TakenBack], since: datetime) -> list[str]:
    """Take out of folder `new` what ended after `since`, when the backup was made; return it in words.

    Of PINs and cards the events do not tell which one: all of that sort of the person go.
    """
    late = [ending for ending in endings if ending.at > since]
    removed = sorted({one.resident_id for one in late if one.what is TakenKind.PERSON})
    if not late or not (new / RESIDENTS_FILE).exists():
        return []
    gone: dict[str, list[str]] = {"residents removed since": [], "PINs and cards taken back since, of": []}
    with closing(ResidentStore(new / RESIDENTS_FILE)) as store:
        gone["residents removed since"] = [who for who in removed if store.remove(who)]
    if (new / CREDENTIALS_FILE).exists():
        with closing(CredentialStore(new / CREDENTIALS_FILE)) as ways:
            for who, what in sorted({(one.resident_id, one.what) for one in late}):
                if _take(ways, who, what):
                    gone["PINs and cards taken back since, of"].append(who)
    return [f"{what}: {', '.join(sorted(set(whose)))}" for what, whose in gone.items() if whose]


def end_older_passes(new: Path, at: datetime) -> None:
    """Let no visitor pass open in folder `new` that began before `at`: it may have been used up since."""
    if not (new / CREDENTIALS_FILE).exists():
        return
    since = at.astimezone(UTC).isoformat()
    CredentialStore(new / CREDENTIALS_FILE).close()  # upgrades what an older facegate wrote
    with closing(open_database(new / CREDENTIALS_FILE, CREDENTIALS)) as file, transaction(file):
        # Without a key the counted uses stay unproven, which the door finds at its start.
        file.execute("INSERT OR REPLACE INTO whole VALUES (1, ?, x'')", (since,))
        if (new / KEYS_FILE).exists():
            with suppress(StoreError), closing(keyring_of(new)) as keyring:
                PASSES.seal(file, keyring, since)


def _take(ways: CredentialStore, who: str, what: TakenKind) -> int:
    if what is TakenKind.PIN:
        return ways.remove_pins(who)
    if what is TakenKind.CARD:
        cards = [card for card, holder in ways.cards().items() if holder == who]
        return sum(ways.remove_card(card) is not None for card in cards)
    return ways.remove(who)
