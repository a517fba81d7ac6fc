"""A damaged resident store at the start: kept aside, begun anew, and told whose faces are gone."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.errors import StoreDamaged
from edge.store.database import quarantine
from edge.store.keyring import KEYS_FILE
from edge.store.residents import ResidentStore

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

MOST_TOLD = 100
"""Ids in one event; the others are those of the roster who have no face."""

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Damage:
    """What was wrong with the store, where the damaged file is now, and who must be enrolled again.

    `people` had a key, so nearly always a face; who it is cannot be known when the keys went as well.
    """

    why: str
    kept: Path
    people: tuple[str, ...]

    def told(self) -> dict[str, Any]:
        """Return it as data of an event: the first hundred people by id, and how many there are."""
        people = {"enrol_again": list(self.people[:MOST_TOLD]), "count": len(self.people)}
        return {"problem": self.why[:300], "kept": self.kept.name, **people}


def open_residents(path: Path, at: datetime) -> tuple[ResidentStore, Damage | None]:
    """Return the residents in `path`, and what was damaged when they had to be begun anew.

    People and rights come back from the property; faces that lived only here do not. The keys stay
    until the property has said who still belongs here, so that an expert may yet read the damaged
    file. Raises `StoreError` when the file is foreign or newer, or cannot be opened now.
    """
    try:
        return _checked(path), None
    except StoreDamaged as error:
        why = str(error)
    LOG.critical("%s; the residents are begun anew and come back from the property", why)
    kept = quarantine(path, at)
    try:
        store = _checked(path)
    except StoreDamaged:  # then it is the keys, without which nothing in either file can be read
        quarantine(path.with_name(KEYS_FILE), at)
        store = _checked(path)
    return store, Damage(why, kept, store.sealer.people())


def _checked(path: Path) -> ResidentStore:
    store = ResidentStore(path)
    try:
        store.check()
    except StoreDamaged:
        store.close()
        raise
    return store
