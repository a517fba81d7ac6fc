"""Whether a door shares faces: what does is imported where it is wanted."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING

from edge.domain import EventDraft
from edge.errors import FacegateError
from edge.events import Kind
from edge.store.consents import CONSENTS_FILE, ConsentLedger, erase_faces_under
from edge.store.face_book import FACE_BOOK_FILE, FaceBook

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from edge.service.parts import Seeing
    from edge.service.property.side import RunningDoor
    from edge.service.sharing.assembly import Sharing
    from edge.store.residents import ResidentStore

logger = logging.getLogger(__name__)


def make_sharing(
    door: RunningDoor, seeing: Seeing | None, ran_seconds: Callable[[], float], stack: ExitStack
) -> Sharing | None:
    """Return what shares faces at this door, None where that is not wanted or cannot be now.

    Where it is not wanted (any more), faces from elsewhere are erased.
    """
    section = door.settings.sharing
    try:
        if not section.enabled:
            forget_shared(door.store)
            return None
        from edge.service.sharing.assembly import assemble_sharing  # noqa: PLC0415 - few doors share faces

        return assemble_sharing(door, seeing, ran_seconds, stack)
    except FacegateError as error:
        logger.error("faces are not shared: %s", error)  # noqa: TRY400 - one clear line
        told = {"state": "off", "error": str(error)[:200]}
        door.events.record(EventDraft.now(door.clock, Kind.HEALTH_SHARING, told))
        return None


def forget_shared(store: ResidentStore) -> int:
    """Erase all faces that came from other doors; return how many people had one."""
    path = store.folder / FACE_BOOK_FILE
    if not path.exists():
        return 0
    with (
        closing(FaceBook(path, store.sealer)) as book,
        closing(ConsentLedger(store.folder / CONSENTS_FILE)) as ledger,
    ):
        elsewhere = [consent for consent, one in ledger.in_force().items() if one.origin]
        gone = erase_faces_under(store, elsewhere) if elsewhere else {}
        book.drop(consent for consent, one in book.held().items() if one.number is not None)
    return len(gone)
