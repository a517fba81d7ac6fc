"""The parts that share faces, put together for a door that does."""

from __future__ import annotations

import functools
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.enrol.lookalike import refuse_lookalike
from edge.errors import ConfigError
from edge.service.sharing.desk import SharingDesk
from edge.service.sharing.exchange import FaceExchange
from edge.service.sharing.opened import OpenedHere
from edge.service.sharing.ties import SharingTies
from edge.store.consents import CONSENTS_FILE, ConsentLedger
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


@dataclass(frozen=True, slots=True)
class Sharing:
    """What a running door shares faces with: `exchange` writes and reads letters, `desk` is for staff."""

    exchange: FaceExchange
    desk: SharingDesk


def assemble_sharing(
    door: RunningDoor, seeing: Seeing | None, ran_seconds: Callable[[], float], stack: ExitStack
) -> Sharing:
    """Return what shares faces at this door. Raises `FacegateError` where that cannot be now."""
    ties = _ties(door, seeing, ran_seconds, stack)
    return Sharing(FaceExchange(ties), SharingDesk(ties))


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
