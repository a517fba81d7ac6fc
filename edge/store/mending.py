"""The residents at the start of a door: whatever the card gives, and who must be enrolled again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.errors import KeyUnavailable, StoreError, StoreUnavailable
from edge.store.residents import ResidentStore

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from edge.store.mended import Mended

MOST_TOLD = 100
"""Ids in one event; the others are those of the roster who have no face."""

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Damage:
    """What was wrong with the store, where the damaged file is now, and who must be enrolled again.

    `people` have a key, so nearly always had a face, and none that can be read is left; who that is
    cannot be known when the keys went as well.
    """

    why: str
    kept: Path
    people: tuple[str, ...]
    rows: int = 0

    def told(self) -> dict[str, Any]:
        """Return it as data of an event: the first hundred people by id, and how many there are."""
        people = {"enrol_again": list(self.people[:MOST_TOLD]), "count": len(self.people)}
        return {"problem": self.why[:300], "kept": self.kept.name, "rows": self.rows, **people}


def open_residents(path: Path, at: datetime) -> tuple[ResidentStore, Damage | None]:
    """Return the residents in `path`, and what was damaged when some had to be left behind.

    What can be read goes on; the rest of people and rights comes back from the property, faces that
    lived only here do not. The keys stay until the property has said who still belongs here, so that
    an expert may yet read the damaged file. A card that cannot be written to, or read just now, is
    tried again by the store. Raises `StoreError` when the file is foreign or newer.
    """
    store = ResidentStore(path, is_patient=True, at=at)
    try:
        store.check()
    except StoreUnavailable as error:
        LOG.error("%s; mended as soon as the card lets it", error)  # noqa: TRY400 - one clear line
    except BaseException:
        store.close()
        raise
    return store, None if store.mended is None else _damage(store, store.mended)


def _damage(store: ResidentStore, mended: Mended) -> Damage:
    kept = mended.file.with_name(mended.kept)
    try:
        lost = set(store.sealer.people()) - {who for who in store.last_enrolled() if _has_face(store, who)}
    except StoreError:
        lost = set()
    return Damage(mended.why, kept, tuple(sorted(lost)), mended.rows)


def _has_face(store: ResidentStore, resident_id: str) -> bool:
    """Return whether a face was saved whole, or may have been; half a row is none."""
    try:
        return bool(store.templates_of(resident_id))
    except KeyUnavailable:
        return True
    except StoreError:
        return False
