"""Who may pass at a running door: rules, modes, PINs, cards and passes, put together and kept up to date."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from edge.config.load import read_text
from edge.domain import EventDraft
from edge.errors import ConfigError
from edge.events import Kind
from edge.policy.access import AccessRules
from edge.policy.desk import CredentialDesk
from edge.policy.door import DoorPolicy
from edge.policy.modes import ModeState
from edge.policy.pass_gate import PassGate
from edge.policy.passes import public_key_of
from edge.policy.rulebook import RuleBook, UsualMode
from edge.policy.trust import EPOCH, ClockGuard
from edge.service.entry.clock_news import ClockNews
from edge.service.entry.kept import Credentials, KnownResidents, ModeFile
from edge.service.entry.lease import RosterLease
from edge.store.mode_rows import MODE_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path
    from typing import Any

    from edge.config.settings import Settings
    from edge.domain import DoorEvent
    from edge.ports import Clock, EventWriter
    from edge.runtime.clock_trust import TrustedTime
    from edge.store.residents import ResidentStore

logger = logging.getLogger(__name__)

SIGNED_WITHIN = timedelta(minutes=2)
"""How far the property's clock and the door's may be apart to vouch for each other."""


def load_book(settings: Settings, forgiven: Callable[[str], object] | None = None) -> RuleBook:
    """Return the rules of the site. Raises `ConfigError` listing every mistake in the rules file.

    `forgiven` gets each mistake of a file of an earlier version that a starting door accepts.
    """
    path, lock = settings.access.rules, settings.lock
    book = RuleBook()
    if path is not None:
        from edge.policy.rules_toml import parse_rules  # noqa: PLC0415 - only doors with rules pay for it

        try:
            book = parse_rules(read_text(path), str(path), settings.door.timezone, forgiven)
        except OSError as error:
            raise ConfigError(f"access.rules: {path} cannot be read: {error}") from error
    if book.is_ever_strict and not settings.panel.has_screen:
        raise ConfigError(
            "access rules ask for strict liveness, and nothing shows a visitor what to do: write [panel] "
            "enabled = true and open /screen on a display at the gate, or take it out of the rules"
        )
    has_pad = settings.recognition.liveness != "off"
    if book.is_ever_strict and not has_pad:
        rule = 'the access rules ask for strict liveness: write "passive", or take it out of the rules'
        raise ConfigError(f'recognition.liveness = "off": {rule}')
    lockout = book.lockout_with_pad if has_pad else book.lockout
    return replace(
        book,
        lockout=lockout,
        unlock_seconds=lock.unlock_seconds,
        extended_unlock_seconds=lock.extended_unlock_seconds,
    )


def decode_keys(texts: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return raw public keys, and the site each is of, of their texts. Raises `ConfigError`."""
    try:
        return tuple(map(public_key_of, texts))
    except ValueError:
        raise ConfigError("access.pass_keys: each must be what `facegate pass key` printed") from None


class DoorRules:
    """The rules of one door: give `policy` to the controller, `desk` answers PINs, cards and passes.

    Call `tick` once a second. Any thread. Raises `ConfigError` for rules that cannot count.
    """

    def __init__(
        self,
        settings: Settings,
        data: Path,
        clock: Clock,
        time: TrustedTime,
        store: ResidentStore,
        events: EventWriter,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._time = time
        self._events = events
        self._guard = ClockGuard(time.floor or EPOCH)
        self._began = load_book(settings, lambda what: logger.error("%s: %s", settings.access.rules, what))
        self._known = known = KnownResidents(store)
        keys = decode_keys(settings.access.pass_keys)
        self.credentials = Credentials(data, keys, self._credentials_health, known.owed)
        self._lease = self._leased(store, known)
        find = self._lease.find if self._lease is not None else known.find
        rules = AccessRules(self._began, settings.door.id, find, self._guard, lambda: known.is_read)
        has_contact = settings.sensors.contact is not None
        self.policy = DoorPolicy.for_door(rules, clock.monotonic, self._note, has_contact=has_contact)
        self.credentials.register()  # before the first visitor: the card may hang by then
        self._gate = PassGate(rules, self.credentials)
        self.desk = CredentialDesk(self.policy, self.credentials.register, self._gate, clock)
        self._clock_news = ClockNews()
        self._signed_time: datetime | None = None
        self._is_clock_right = False
        self._mode_file = ModeFile(data / MODE_FILE)
        # A command counts at once, whatever the card does. Then file and journal get the commands in their
        # order, from whichever thread holds `_writing`: else a slow card could have an older mode written
        # over a lock-down.
        self._ordering, self._writing = threading.Lock(), threading.RLock()
        self._unwritten: deque[ModeState] = deque()
        self._commands = 0
        kept = self._mode_file.load()
        # The power went between writing it down and telling of it.
        self._cut_short = self._mode_file.untold
        if kept is not None:
            self.policy.modes.set(kept)
        self._is_begun = False
        self.tick()
        self._is_begun = True  # what the clock is worth is told after the door has said that it starts

    def use(self, book: RuleBook) -> bool:
        """Go by these rules from the next person on; False when some of them need a new start.

        The calendar, the usual mode, anti-passback and the pauses after failures are built at the
        start and keep a history; levels, groups, who is switched off and opening times count now.
        """
        rules = replace(self.policy.rules, book=book)
        fixed = [self._of_the_start(one) for one in (self._began, book)]
        # Replaced as a whole: other threads go on with the old book to the end of what they decide.
        self.policy.rules = self._gate.rules = rules
        return fixed[0] == fixed[1]

    def remember(self) -> None:
        """Read again who may pass and what they hold, where it changed; a thread that may wait for a card.

        Else a card that fails later would let in whoever was removed since anybody was looked up.
        """
        self._known.follow()
        self.credentials.follow()

    def use_times(self, settings: Settings) -> None:
        """Open for as long as `settings` say from the next person on; the other rules stay."""
        lock = settings.lock
        book = self.policy.rules.book
        self.use(
            replace(
                book,
                unlock_seconds=lock.unlock_seconds,
                extended_unlock_seconds=lock.extended_unlock_seconds,
            )
        )

    def set_mode(self, state: ModeState | None) -> None:
        """Command a mode, or None for the usual one. The caller has checked that this person may do so."""
        modes = self.policy.modes
        with self._ordering:
            modes.resume() if state is None else modes.set(state)
            self._commands += 1
            self._unwritten.append(modes.state)
        with self._writing:
            while self._unwritten:
                now = self._unwritten.popleft()
                self._mode_file.save(now)
                self._tell_mode(now)

    def _tell_mode(self, now: ModeState) -> None:
        until = now.until.isoformat() if now.until else None
        by = "resumed" if now.by == ModeState().by else now.by
        # Until it is stored the file has it told anew after a power cut: twice rather than never.
        if self._note(Kind.DOOR_MODE, {"mode": str(now.mode), "by": by, "until": until}) is not None:
            self._mode_file.told(now)

    def tick(self) -> bool:
        """Look at the clock; return whether the mode holds the door unlocked now."""
        now = self._clock.now()
        self._look_at_clock(now)
        self._look_at_card()
        news = self._lease.look() if self._lease is not None else None
        if news is not None:
            self._note(Kind.HEALTH_ROSTER, news)
        return self.policy.modes.is_held_unlocked(now)

    def note_signed_time(self, at: datetime) -> None:
        """Take a time (UTC) that the property signed just now: it vouches for a wall clock that agrees."""
        self._signed_time = at

    def note_clock_is_right(self) -> None:
        """Take a person's word, just given and noted, that the wall clock is right."""
        self._is_clock_right = True

    def heard(self, draft: EventDraft) -> None:
        """Take what the door's contact told: who was let in came in, or did not."""
        match draft.kind:
            case Kind.DOOR_OPENED:
                self.policy.note_opened()
            case Kind.DOOR_NO_ENTRY_AFTER_GRANTED:
                self.policy.note_not_opened()
            case Kind.DOOR_FORCED | Kind.DOOR_FOUND_OPEN | Kind.DOOR_CLOSED:
                self.policy.is_open = draft.kind is not Kind.DOOR_CLOSED
            case Kind.DOOR_FAULT | Kind.DOOR_FAULT_CLEARED if draft.data.get("part") == "contact":
                self.policy.note_contact(draft.kind is Kind.DOOR_FAULT_CLEARED)

    def close(self) -> None:
        """Close the files. Safe to call twice."""
        self.credentials.close()
        self._mode_file.close()

    def _leased(self, store: ResidentStore, known: KnownResidents) -> RosterLease | None:
        section = self._settings.mqtt
        days = section.roster_lease_days if section is not None else None
        if days is None:
            return None
        return RosterLease(known.find, store, self._clock, self._guard, days)

    def _of_the_start(self, book: RuleBook) -> tuple[object, ...]:
        usual = book.usual_modes.get(self._settings.door.id, UsualMode())
        return book.calendar, usual, book.passback, book.lockout

    def _look_at_card(self) -> None:
        # Never waits for a command that is being written: this thread also keeps a held door unlocked, whose
        # opening ends after `edge.service.hardware.HOLD_SECONDS`.
        if self._writing.acquire(blocking=False):
            try:
                self._take_late_mode()
                if self._is_begun and self._cut_short is not None:
                    cut_short, self._cut_short = self._cut_short, None
                    self._tell_mode(cut_short)
            finally:
                self._writing.release()
        for kept in (self._mode_file, self.credentials):
            if self._is_begun and kept.news is not None:
                news, kept.news = kept.news, None
                self._note(Kind.HEALTH_EDITED, dict(news))

    def _take_late_mode(self) -> None:
        commands = self._commands
        late = self._mode_file.retry()
        if late is not None:
            self._cut_short = self._mode_file.untold
        with self._ordering:
            # What was read late is older than a command that came while it was being read.
            if late is not None and self._commands == commands:
                self.policy.modes.set(late)

    def _look_at_clock(self, now: datetime) -> None:
        self._time.checkpoint()
        self._take_word(now)
        self._guard.observe(self._time.floor, self._time.moments, is_vouched=self._time.is_vouched)
        news = self._clock_news.look(self._time) if self._is_begun else None
        if news is not None:
            self._note(Kind.HEALTH_CLOCK, news)

    def _take_word(self, now: datetime) -> None:
        # Each word counts once, for the moment at which it was given.
        signed, self._signed_time = self._signed_time, None
        is_said, self._is_clock_right = self._is_clock_right, False
        if is_said or (signed is not None and abs(now - signed) <= SIGNED_WITHIN):
            self._time.confirm()

    def _credentials_health(self, data: dict[str, str]) -> None:
        self._note(Kind.HEALTH_CREDENTIALS, dict(data))

    def _note(self, kind: Kind, data: dict[str, Any]) -> DoorEvent | None:
        return self._events.record(EventDraft.now(self._clock, kind, data))
