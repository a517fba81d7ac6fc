"""What the panel works with: everything it needs from the door, in one value."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from edge.consent.notice import Operator
from edge.domain import EventDraft
from edge.events import Kind
from edge.panel.import_tray import ImportTray
from edge.panel.last_entry import LastEntry
from edge.policy.rulebook import RuleBook
from edge.web.account_undo import AccountUndo
from edge.web.logins import LoginGuard
from edge.web.refusals import RefusalLog
from edge.web.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime, tzinfo
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from edge.domain import Consent, DoorEvent, Image, OperatingPoint, Template
    from edge.enrol.session import EnrolmentOutcome
    from edge.enrol.ways_in import WaysIn
    from edge.findings import CheckupFinding
    from edge.panel.gate_screen import GateKeys, GateScreen
    from edge.panel.gate_words import GateWords
    from edge.panel.network import NetworkState
    from edge.panel.rule_file import RuleFile
    from edge.panel.sight import FaceOverlay
    from edge.panel.studio import EnrolmentRunner
    from edge.ports import Clock, EventWriter
    from edge.store.commissioning import CommissioningBook
    from edge.store.consents import ConsentLedger
    from edge.store.residents import ResidentStore
    from edge.web.accounts import Accounts
    from edge.web.refusals import RefusalKind
    from edge.words import Message


Fact: TypeAlias = "tuple[Message, str | Message]"
"""What a thing is called, and what it is."""


@dataclass(frozen=True, slots=True)
class Recogniser:
    """The parts of recognition that the panel asks.

    `judge` (resident id, pictures) -> outcome, raising `EnrolmentRefused`; `point` (residents) is the
    operating point a gallery of that many would have.
    """

    model_id: str
    judge: Callable[[str, Sequence[tuple[str | Message, Image]]], EnrolmentOutcome]
    point: Callable[[int], OperatingPoint]


class FaceSharing(Protocol):
    """How a face goes to other doors, and is taken back from there."""

    def doors(self) -> tuple[str, ...]:
        """Return the doors that a face enrolled here can go to, by id."""

    def offer(self, consent: Consent, templates: Sequence[Template], notice: str) -> None:
        """Offer a face that was stored to the doors of its consent; `notice` is the text that was read."""

    def reach(self, resident_id: str) -> Mapping[str, str]:
        """Return what is known of a person's face elsewhere: door -> pending, known, erasing or erased."""

    def end(self, resident_id: str, at: datetime) -> tuple[str, ...]:
        """End what a person consented to elsewhere, and return the doors that are asked to erase."""


@dataclass(frozen=True, slots=True)
class PanelServices:
    """One door as seen from the panel.

    `log` writes events; `events` (before seq or None, count) returns the newest first; `pulse`
    opens once, None when the relay is out of reach; `operator` is whom the notices name; `facts` are
    (name, value) for the about page; `screen` is what the display at the gate shows, None where the
    panel runs without the door, `keys` what can be pressed on it, `words` what the staff have it say,
    `notices` what the property has it say, by language. `door` returns the door's state in words
    (`contact`, `lock`, `secured`, `alarms`). `back_up` (passphrase) makes an encrypted backup, which the
    caller deletes. `sight` finds faces for the live view; `sharing` sends faces to other doors;
    `unmatched` returns who is enrolled and yet not matched by the door, and why; `failing` which files the
    card does not give as it should; `findings`
    what a look at the whole door found, as `facegate doctor` has it;
    `commissioning` what was proved of it by a person. `ways` gives and takes back PINs, cards and passes,
    `rules` returns the access rules now, `rule_file` is where they can be changed; `expect_card` tells the
    door that staff are about to give a new card, `confirm_clock` that a person found its clock right.
    `residents_page` is where residents reach the property's page; `tell_accounts` writes down which accounts
    were removed.
    What is None is not connected, and its page says so.
    """

    door_id: str
    clock: Clock
    accounts: Accounts
    residents: ResidentStore
    consents: ConsentLedger
    studio: EnrolmentRunner
    recogniser: Recogniser
    receipt_key: Callable[[], Ed25519PrivateKey]
    log: EventWriter
    events: Callable[[int | None, int], Sequence[DoorEvent]]
    pulse: Callable[[], object] | None = None
    facts: tuple[Fact, ...] = ()
    minors_allowed: bool = False
    operator: Operator = field(default_factory=Operator)
    zone: tzinfo = UTC
    screen: GateScreen | None = None
    keys: GateKeys | None = None
    words: GateWords | None = None
    notices: Callable[[], Sequence[Mapping[str, str]]] = tuple
    door: Callable[[], Mapping[str, Any]] | None = None
    network: Callable[[], NetworkState] | None = None
    back_up: Callable[[str], Path] | None = None
    sight: FaceOverlay | None = None
    unmatched: Callable[[], Mapping[str, str]] = dict
    failing: Callable[[], Sequence[str]] = tuple
    findings: Callable[[], Sequence[CheckupFinding]] = tuple
    liveness: str = "full"
    sharing: FaceSharing | None = None
    commissioning: CommissioningBook | None = None
    ways: WaysIn | None = None
    rules: Callable[[], RuleBook] = RuleBook
    rule_file: RuleFile | None = None
    expect_card: Callable[[], object] = lambda: None
    confirm_clock: Callable[[], object] | None = None
    residents_page: str = ""
    tell_accounts: Callable[[], object] = lambda: None

    def note(
        self, kind: Kind, /, *, about: str | None = None, reason: str | None = None, **data: Any
    ) -> None:
        """Commit an event before it happens. Raises `JournalUnavailable`: what is not logged is not done."""
        self.log.commit(EventDraft.now(self.clock, kind, data, resident_id=about, reason=reason))

    @contextmanager
    def doing(self, kind: Kind, /, *, about: str | None = None, **data: Any) -> Iterator[None]:
        """Commit an event, then let it happen; should it fail after all, another event says so.

        Raises `JournalUnavailable` before anything is done: what is not logged is not done.
        """
        event = self.log.commit(EventDraft.now(self.clock, kind, data, resident_id=about))
        try:
            yield
        except Exception as error:
            entry = None if event is None else event.seq
            failed = {"entry": entry, "kind": str(kind), "error": str(error)[:200]}
            self.log.record(EventDraft.now(self.clock, Kind.PANEL_FAILED, failed, resident_id=about))
            raise

    def tell(self, kind: Kind, /, *, about: str | None = None, **data: Any) -> None:
        """Record an event that has happened; it is stored as soon as it can be."""
        self.log.record(EventDraft.now(self.clock, kind, data, resident_id=about))


@dataclass(frozen=True, slots=True)
class Office:
    """The desk, and who sits at it: sessions, the login's guard, what was refused, lists to confirm."""

    desk: PanelServices
    sessions: Sessions
    logins: LoginGuard
    refusals: RefusalLog
    tray: ImportTray
    undo: AccountUndo
    last_entry: LastEntry

    @classmethod
    def of(cls, desk: PanelServices) -> Office:
        """Return an office where nobody is logged in yet."""

        def note(why: RefusalKind, address: str, path: str, untold: int) -> None:
            desk.tell(Kind.PANEL_REFUSED, why=why.value, address=address, path=path, untold=untold)

        clock = desk.clock
        return cls(
            desk,
            Sessions(clock),
            LoginGuard(clock),
            RefusalLog(clock, note),
            ImportTray(clock),
            AccountUndo(clock),
            LastEntry(desk.events),
        )
