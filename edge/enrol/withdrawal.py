"""The end of an enrolment: consents ended, templates erased, key destroyed, receipt signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.consent.receipt import Receipt, signed
from edge.domain import EventDraft
from edge.events import Kind
from edge.store.consents import erase_face

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from edge.ports import Clock, EventWriter
    from edge.store.consents import ConsentLedger
    from edge.store.residents import ResidentStore


@dataclass(frozen=True, slots=True)
class WithdrawalDesk:
    """Where a consent is withdrawn: one door's records. `events` is where it is written down."""

    door_id: str
    store: ResidentStore
    consents: ConsentLedger
    key: Ed25519PrivateKey
    clock: Clock
    events: EventWriter

    def withdraw(self, resident_id: str, by: str) -> tuple[Receipt, str]:
        """End every consent of a resident; return the receipt and its signed line.

        Logged first: what cannot be recorded is not done (`JournalUnavailable`). After a power cut
        in between, `edge.service.chores.retention.finish_withdrawals` erases what is left. PIN and
        card go on.
        """
        at = self.clock.now()
        self.events.commit(self._draft(Kind.CONSENT_WITHDRAWN, resident_id, by=by))
        ended = self.consents.withdraw(resident_id, at)
        erasure = erase_face(self.store, resident_id)
        key = erasure.key_fingerprint or "-"
        receipt = Receipt(self.door_id, resident_id, at.isoformat(), erasure.templates, ended, key)
        line = signed(receipt, self.key)
        self.consents.keep_receipt(resident_id, line)
        self.events.record(self._draft(Kind.FACE_ERASED, resident_id, templates=erasure.templates, key=key))
        return receipt, line

    def _draft(self, kind: Kind, resident_id: str, **data: object) -> EventDraft:
        return EventDraft.now(self.clock, kind, data, resident_id=resident_id)
