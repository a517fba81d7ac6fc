"""The end of an enrolment: consents ended, templates erased, key destroyed, receipt signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.consent.receipt import Receipt, public_text, signed
from edge.domain import EventDraft
from edge.errors import FacegateError, StoreError
from edge.events import Kind
from edge.store.consents import erase_face

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from edge.ports import Clock, EventWriter
    from edge.store.consents import ConsentLedger
    from edge.store.residents import ResidentStore


@dataclass(frozen=True, slots=True)
class WithdrawalDesk:
    """Where a consent is withdrawn: one door's records. `events` is where it is written down.

    `key` gives the door's key for receipts; it is asked only after everything was erased. `elsewhere`
    (resident id, time) ends what counts at other doors, too, and returns those that are asked to erase.
    """

    door_id: str
    store: ResidentStore
    consents: ConsentLedger
    key: Callable[[], Ed25519PrivateKey]
    clock: Clock
    events: EventWriter
    elsewhere: Callable[[str, datetime], tuple[str, ...]] = lambda _resident_id, _at: ()

    def withdraw(self, resident_id: str, by: str) -> tuple[Receipt, str]:
        """End every consent of a resident; return the receipt and its signed line.

        Logged first: what cannot be recorded is not done (`JournalUnavailable`). After a power cut
        in between, `edge.service.chores.retention.finish_withdrawals` erases what is left. PIN and
        card go on. Raises `StoreError` when only the receipt is missing: the face is erased then.
        """
        at = self.clock.now()
        self.events.commit(self._draft(Kind.CONSENT_WITHDRAWN, resident_id, by=by))
        asked = self.elsewhere(resident_id, at)
        ended = self.consents.withdraw(resident_id, at)
        erasure = erase_face(self.store, resident_id)
        fingerprint = erasure.key_fingerprint or "-"
        told = (at.isoformat(), erasure.templates, ended, fingerprint)
        receipt = Receipt(self.door_id, resident_id, *told, asked=asked)
        try:
            key = self.key()
        except (OSError, FacegateError) as error:
            facts: dict[str, object] = {"templates": erasure.templates, "key": fingerprint}
            self.events.record(self._draft(Kind.FACE_ERASED, resident_id, **facts))
            raise StoreError(
                f"{resident_id}: withdrawn, and the face is erased, but no receipt could be signed: {error}; "
                "the journal's face.erased entry is the proof"
            ) from error
        line = signed(receipt, key)
        self.consents.keep_receipt(resident_id, line)
        facts = {"templates": erasure.templates, "key": fingerprint}
        # Who checks the receipt years later finds the key to check it with in the journal.
        facts["receipt_key"] = public_text(key.public_key())
        if asked:
            facts["asked"] = list(asked)
        self.events.record(self._draft(Kind.FACE_ERASED, resident_id, **facts))
        return receipt, line

    def _draft(self, kind: Kind, resident_id: str, **data: object) -> EventDraft:
        return EventDraft.now(self.clock, kind, data, resident_id=resident_id)
