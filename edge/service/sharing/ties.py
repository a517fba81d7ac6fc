"""What the sharing of faces reaches at its door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.domain import EventDraft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from edge.domain import Embedding
    from edge.events import Kind
    from edge.ports import Clock, EventWriter
    from edge.store.consents import ConsentLedger
    from edge.store.face_book import FaceBook
    from edge.store.residents import ResidentStore
    from edge.store.roster import SqliteRoster
    from edge.wire.faces.door_list import DoorListAuthority


@dataclass(frozen=True, slots=True)
class SharingTies:
    """One door as the sharing of faces sees it. All callables from any thread, but for `opens`.

    `opens` takes residents and returns those of them whose levels are about this door at all; only the
    thread that reads and writes letters calls it. `refuse_lookalike` (resident, rows) raises
    `EnrolmentRefused`. `model_id` is None while nobody can be recognised. `ran_seconds` is how long the door
    has run over all its starts. `receipt_key` signs receipts of withdrawals.
    """

    device: str
    authority: DoorListAuthority
    store: ResidentStore
    roster: SqliteRoster
    consents: ConsentLedger
    book: FaceBook
    events: EventWriter
    clock: Clock
    ran_seconds: Callable[[], float]
    opens: Callable[[Iterable[str]], frozenset[str]]
    refuse_lookalike: Callable[[str, Sequence[Embedding]], None]
    model_id: str | None
    receipt_key: Callable[[], Ed25519PrivateKey]

    def tell(self, kind: Kind, resident_id: str | None = None, **data: Any) -> None:
        """Record an event that has happened."""
        self.events.record(EventDraft.now(self.clock, kind, data, resident_id=resident_id))
