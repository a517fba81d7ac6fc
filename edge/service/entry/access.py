"""Who may pass and how, at a running door: rules, clock, PINs, cards and passes put together."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from edge.credentials.keypad import Keypad, Wedge
from edge.domain import EventDraft, Reason, Verdict
from edge.errors import ConfigError
from edge.events import Kind
from edge.policy.access import AccessRules
from edge.policy.desk import CredentialDesk
from edge.policy.door import DoorPolicy
from edge.policy.lockout import WITH_PAD, LockoutRule
from edge.policy.pass_gate import PassGate
from edge.policy.rulebook import RuleBook, UsualMode
from edge.policy.trust import EPOCH, ClockGuard
from edge.service.entry.clock_news import ClockNews
from edge.service.entry.codes import CodeWatch
from edge.service.entry.kept import Credentials, ModeFile, Roster
from edge.service.entry.lease import RosterLease
from edge.service.entry.readers import Surroundings, key_reader, wiegand_reader

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path
    from typing import Any

    from edge.config.settings import Settings
    from edge.controller import DoorController, Outcome
    from edge.credentials.card import Card
    from edge.domain import Frame
    from edge.policy.desk import Answer
    from edge.policy.modes import DoorState
    from edge.ports import Clock
    from edge.runtime.clock_trust import TrustedTime
    from edge.runtime.worker import Worker
    from edge.store.residents import ResidentStore

SIGNED_WITHIN = timedelta(minutes=2)
"""How far the property's clock and the door's may be apart to vouch for each other."""


def load_book(settings: Settings) -> RuleBook:
    """Return the rules of the site. Raises `ConfigError` listing every mistake in the rules file."""
    path, lock = settings.access.rules, settings.lock
    book = RuleBook()
    if path is not None:
        from edge.policy.rules_toml import parse_rules  # noqa: PLC0415 - only doors with rules pay for it

        try:
            book = parse_rules(path.read_text(encoding="utf-8"), str(path), settings.door.timezone)
        except (OSError, UnicodeDecodeError) as error:
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
    lockout = WITH_PAD if has_pad and book.lockout == LockoutRule() else book.lockout
    return replace(
        book,
        lockout=lockout,
        unlock_seconds=lock.unlock_seconds,
        extended_unlock_seconds=lock.extended_unlock_seconds,
    )


def decode_keys(texts: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return raw public keys of their Base64 texts. Raises `ConfigError`."""
    keys = tuple(_decoded(text) for text in texts)
    if any(len(key) != 32 for key in keys):
        raise ConfigError("access.pass_keys: each must be what `facegate pass key` printed")
    return keys


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


class DoorAccess:
    """The policy of the door, and the readers beside its camera.

    Give `policy` to the controller; call `tick` once a second, `look` with every frame, `heard`
    with what the controller made of it and `door_noted` with what the door did. `codes` reads visitor
    passes, None where no key signs any.
    """

    def __init__(
        self, settings: Settings, data: Path, clock: Clock, time: TrustedTime, store: ResidentStore
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._time = time
        self._credentials = Credentials(data, decode_keys(settings.access.pass_keys))
        states = {"synced", "restored"} if settings.access.has_rtc else {"synced"}
        self._guard = ClockGuard(time.floor or EPOCH, frozenset(states))
        self._began = load_book(settings)
        self._lease = self._leased(store)
        find = self._lease.find if self._lease is not None else Roster(store).find
        rules = AccessRules(self._began, settings.door.id, find, self._guard)
        has_contact = settings.sensors.contact is not None
        self.policy = DoorPolicy.for_door(rules, clock.monotonic, self._alarm, has_contact=has_contact)
        self._gate = PassGate(rules, self._credentials)
        self.desk = CredentialDesk(self.policy, self._credentials.register, self._gate, clock)
        self.codes = CodeWatch(clock, self._shown) if settings.access.pass_keys else None
        self._controller: DoorController | None = None
        self.on_answer: Callable[[Answer], object] = lambda _answer: None
        """Hears what the readers came to, after the door acted on it."""
        self._clock_news = ClockNews()
        self._signed_time: datetime | None = None
        self.on_closed: Callable[[float], object] = lambda _time: None
        """Hears when the door fell shut, in monotonic seconds."""
        self._mode_file = ModeFile(data / "mode.json")
        kept = self._mode_file.load()
        if kept is not None:
            self.policy.modes.set(kept)
        self.tick()

    def connect(self, controller: DoorController) -> None:
        """Say whom to tell what the readers decide."""
        self._controller = controller

    def use(self, book: RuleBook) -> bool:
        """Go by these rules from the next person on; False when some of them need a new start.

        The calendar, the usual mode, anti-passback and the pauses after failures are built at the
        start and keep a history; levels, groups, who is switched off and opening times count now.
        """
        rules = replace(self.policy.rules, book=book)
        fixed = [self._of_the_start(one) for one in (self._began, book)]
        self.policy.rules = self._gate.rules = rules
        return fixed[0] == fixed[1]

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

    def _leased(self, store: ResidentStore) -> RosterLease | None:
        section = self._settings.mqtt
        days = section.roster_lease_days if section is not None else None
        if days is None:
            return None
        return RosterLease(Roster(store).find, store, self._clock, self._guard, days)

    def _of_the_start(self, book: RuleBook) -> tuple[object, ...]:
        usual = book.usual_modes.get(self._settings.door.id, UsualMode())
        return book.calendar, usual, book.passback, book.lockout

    def set_mode(self, state: DoorState | None) -> None:
        """Command a mode, or None for the usual one. Whoever may do so was checked by the caller."""
        if state is None:
            self.policy.modes.resume()
        else:
            self.policy.modes.set(state)
        now = self.policy.modes.state
        self._mode_file.save(now)
        self._alarm(Kind.DOOR_MODE, {"mode": str(now.mode), "by": now.by if state else "resumed"})

    def tick(self) -> bool:
        """Look at the clock; return whether the mode holds the door unlocked now."""
        now = self._clock.now()
        self._look_at_clock(now)
        self._enter(self.desk.check_timeout())
        news = self._lease.look() if self._lease is not None else None
        if news is not None:
            self._alarm(Kind.HEALTH_ROSTER, news)
        return self.policy.modes.is_held_unlocked(now)

    def _look_at_clock(self, now: datetime) -> None:
        mono = self._clock.monotonic()
        self._time.checkpoint()
        self._take_signed_time(now)
        is_believed = self._guard.observe(now, mono, str(self._time.trust()))
        if not is_believed and self._time.vouches():
            self._guard.accept(now, mono)
        news = self._clock_news.look(self._time) if self._controller is not None else None
        if news is not None:
            self._alarm(Kind.HEALTH_CLOCK, news)

    def _take_signed_time(self, now: datetime) -> None:
        signed, self._signed_time = self._signed_time, None
        if signed is not None and abs(now - signed) <= SIGNED_WITHIN:
            self._time.confirm()

    def note_signed_time(self, at: datetime) -> None:
        """Take a time (UTC) that the property signed just now: it vouches for a wall clock that agrees.

        Any thread.
        """
        self._signed_time = at

    def look(self, frame: Frame) -> None:
        """Have a visitor pass read that is held before the camera; returns at once."""
        if self.codes is not None:
            self.codes.show(frame)

    def heard(self, outcome: Outcome, reconsider: Callable[[Any, float], None]) -> None:
        """Count a refusal at the camera; prepare for the PIN, or for the end of a pause."""
        decision = outcome.decision
        if decision.verdict is not Verdict.DENY:
            return
        self.policy.attempts.note(decision.reason, "face", decision.claimed)
        if decision.resident_id is None:
            return
        if decision.reason is Reason.SECOND_FACTOR_REQUIRED:
            self.desk.expect_pin(decision.resident_id)
        elif decision.reason is Reason.LOCKOUT_MAX_ATTEMPTS:
            reconsider(decision, self.policy.attempts.seconds_left("face", decision.resident_id))

    def door_noted(self, kind: Kind, data: Mapping[str, Any]) -> None:
        """Take what the door's contact told: who was let in came in, or did not."""
        match kind:
            case Kind.DOOR_OPENED:
                self.policy.note_opened()
            case Kind.DOOR_NO_ENTRY_AFTER_GRANTED:
                self.policy.note_not_opened()
            case Kind.DOOR_FORCED | Kind.DOOR_FOUND_OPEN | Kind.DOOR_CLOSED:
                self.policy.is_open = kind != Kind.DOOR_CLOSED
                if kind == Kind.DOOR_CLOSED:
                    self.on_closed(self._clock.monotonic())
            case Kind.DOOR_FAULT | Kind.DOOR_FAULT_CLEARED if data.get("part") == "contact":
                self.policy.note_contact(kind == Kind.DOOR_FAULT_CLEARED)

    def workers(self, stopping: threading.Event, environ: Mapping[str, str]) -> list[Worker]:
        """Return the threads of the readers that are configured, not yet started."""
        keypad, wedge = Keypad(), Wedge()
        access, lock = self._settings.access, self._settings.lock
        around = Surroundings(self._clock.monotonic, self._alarm, stopping)

        def key(pressed: str) -> None:
            typed = keypad.press(pressed, self._clock.monotonic())
            if typed is not None:
                self.type_pin(typed.number, typed.pin)

        def card(shown: Card | None) -> None:
            if shown is not None:
                self._enter(self.desk.present_card(shown.id))

        def wedged(pressed: str) -> None:
            card(wedge.press(pressed, self._clock.monotonic()))

        keys = (("keypad", access.keypad, key), ("card", access.card_reader, wedged))
        workers = [key_reader(name, path, take, around) for name, path, take in keys if path is not None]
        if access.wiegand is not None:
            workers.append(wiegand_reader(access.wiegand, lock, environ, card, around))
        if self.codes is not None:
            workers.append(self.codes.worker(stopping))
        return workers

    def close(self) -> None:
        """Close the credential file. Safe to call twice."""
        self._credentials.close()

    def type_pin(self, number: str, pin: str) -> None:
        """Answer a number and PIN, typed on whatever there is to type on."""
        self._enter(self.desk.type_pin(number, pin))

    def _shown(self, text: str) -> None:
        self._enter(self.desk.show_pass(text))

    def _enter(self, answer: Answer | None) -> None:
        if answer is None or self._controller is None:
            return
        self._controller.enter(answer.draft, answer.rights)
        self.on_answer(answer)
        if answer.silent is not None:
            self._controller.record(answer.silent)

    def _alarm(self, kind: Kind, data: dict[str, Any]) -> None:
        if self._controller is not None:
            self._controller.record(EventDraft.now(self._clock, kind, data))
