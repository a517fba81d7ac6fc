"""The sharing of faces put together for one door, or taken out of it."""

from __future__ import annotations

import functools
import logging
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.domain import EventDraft
from edge.enrol.lookalike import refuse_lookalike
from edge.errors import ConfigError, FacegateError
from edge.events import Kind
from edge.service.sharing.desk import SharingDesk
from edge.service.sharing.exchange import FaceExchange
from edge.service.sharing.opened import OpenedHere
from edge.service.sharing.ties import SharingTies
from edge.store.consents import CONSENTS_FILE, ConsentLedger, erase_faces_under
from edge.store.face_book import FACE_BOOK_FILE, FaceBook
from edge.store.roster import SqliteRoster
from edge.wire.faces.door_list import DoorListAuthority

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from edge.domain import Embedding
    from edge.service.parts import Seeing
    from edge.service.property.side import RunningDoor
    from edge.store.residents import ResidentStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sharing:
    """What a running door shares faces with: `exchange` writes and reads letters, `desk` is for staff."""

    exchange: FaceExchange
    desk: SharingDesk


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
        ties = _ties(door, seeing, ran_seconds, stack)
        return Sharing(FaceExchange(ties), SharingDesk(ties))
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


def _ties(
    door: RunningDoor, seeing: Seeing | None, ran_seconds: Callable[[], float], stack: ExitStack
) -> SharingTies:
    settings = door.settings
    mqtt = settings.mqtt
    if mqtt is None or mqtt.ca_file is None:
        raise ConfigError("sharing.enabled: needs [mqtt] with ca_file")
    book = stack.enter_context(closing(FaceBook(door.data / FACE_BOOK_FILE, door.store.sealer)))
    ledger = stack.enter_context(closing(ConsentLedger(door.data / CONSENTS_FILE, is_patient=True)))
    return SharingTies(
        settings.door.id,
        DoorListAuthority.load(mqtt.ca_file),
        door.store,
        SqliteRoster(door.store),
        ledger,
        book,
        door.events,
        door.clock,
        ran_seconds,
        OpenedHere(door.store, lambda: door.rules.policy.rules),
        functools.partial(_refuse_lookalike, seeing),
        None if seeing is None else seeing.models.embedder.model_id,
        functools.partial(_receipt_key, door.data),
    )


def _receipt_key(data: Path) -> Ed25519PrivateKey:
    from edge.service.panel.office import RECEIPT_KEY_FILE  # noqa: PLC0415 - only a withdrawal needs it
    from edge.web.tls import signing_key  # noqa: PLC0415 - the same

    return signing_key(data / RECEIPT_KEY_FILE)


def _refuse_lookalike(seeing: Seeing | None, resident_id: str, rows: Sequence[Embedding]) -> None:
    if seeing is not None:
        refuse_lookalike(seeing.matcher, resident_id, rows)
