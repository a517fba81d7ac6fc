"""A door without camera and relay on a card that fails: its own parts, put together as the service does.

Run in a process of its own under the preload library. Every visitor is one line of the report: whether
the door opened, after how long, and what became of the record.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING, Any

from edge.aside import Aside, TooSlow
from edge.config import load_settings
from edge.controller import DoorController
from edge.domain import EventDraft
from edge.errors import StoreError
from edge.event_log.log import EventLog
from edge.events import Kind
from edge.matcher.gallery import LiveGallery
from edge.policy.modes import Mode, ModeState
from edge.runtime.clock import SystemClock
from edge.runtime.clock_trust import TrustedTime
from edge.runtime.kept_time import CLOCK_FILE
from edge.service.chores.storage import FileState, StorageWatch
from edge.service.entry.rules import DoorRules
from edge.service.parts import NoRecognition
from edge.service.prompt_journal import PromptJournal
from edge.service.recognition.consent import FollowedConsents
from edge.service.recognition.roster import GalleryFollower
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.journal import SqliteJournal
from edge.store.keyring import Keyring
from edge.store.mending import open_residents
from edge.store.retention import Retention
from tests.io.base import CARDS, DIM, MODEL, PEOPLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = """
[door]
id = "north"
[camera]
source = "0"
[lock]
driver = "dry-run"
"""


class Bolt:
    """A lock that remembers when it was opened."""

    def __init__(self) -> None:
        self.opened = 0

    def unlock(self, seconds: float) -> None:
        self.opened += 1

    def lock(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class SmallDoor:
    """The door of one data folder. Call `tick` about every half second."""

    def __init__(self, data: Path, stack: ExitStack, boot: str) -> None:
        self.bolt = Bolt()
        clock = SystemClock()
        config = data.with_name("config.toml")
        config.write_text(CONFIG)
        settings = load_settings(config)
        trusted = TrustedTime(clock, data / CLOCK_FILE, lambda: True)
        retention = Retention(data / "journal.db", 90, 1 << 20, lambda: trusted.certain)

        def opened() -> SqliteJournal:
            return SqliteJournal(
                data / "journal.db",
                "north",
                boot=boot,
                clock_trust=lambda: str(trusted.trust()),
                relief=retention.make_room,
            )

        self.events = stack.enter_context(closing(EventLog(PromptJournal(opened), clock)))
        self.store, damage = open_residents(data / "residents.db", clock.now())
        stack.enter_context(closing(self.store))
        self.consents = FollowedConsents(lambda: ConsentLedger(data / CONSENTS_FILE, is_patient=True))
        stack.callback(self.consents.close)
        self.rules = DoorRules(settings, data, clock, trusted, self.store, self.events)
        stack.callback(self.rules.close)
        self.gallery = LiveGallery(MODEL, DIM)
        self.follower = GalleryFollower(self.store, self.gallery, self.consents, lambda _kind, _data: None)
        self._look = Aside("roster")
        self.controller = DoorController(NoRecognition(), self.rules.policy, self.events, self.bolt, clock)
        files: dict[str, FileState] = {
            "residents.db": self.store,
            "credentials.db": self.rules.credentials,
            "consents.db": self.consents,
        }
        if isinstance(self.store.sealer, Keyring):
            files["keys.db"] = self.store.sealer
        self.watch = StorageWatch(
            files, lambda kind, data: self.events.record(EventDraft.now(clock, kind, data))
        )
        self.events.record(EventDraft.now(clock, Kind.SERVICE_STARTED, {"boot": boot}))
        self.damage = None if damage is None else damage.told()
        self.matched()

    def tick(self) -> None:
        """Do what the door's threads do now and then."""
        self.rules.tick()
        self.watch.look()
        self.events.retry()
        self.matched()

    def tap(self, number: int) -> dict[str, Any]:
        """Show a card; return whether the door opened, how long it took, and the stored event's id."""
        began, before = time.monotonic(), self.bolt.opened
        answer = self.rules.desk.present_card(CARDS[number % len(CARDS)])
        admission = self.controller.enter(answer.draft, answer.rights)
        return {
            "opened": self.bolt.opened > before,
            "seconds": round(time.monotonic() - began, 2),
            "event": None if admission.event is None else admission.event.id,
            "reason": str(admission.reason),
        }

    def shows_face(self, number: int, seconds: float) -> bool:
        """Return whether this visitor's face is known, or will be within so many seconds."""
        until = time.monotonic() + seconds
        while self.matched() <= number % len(CARDS) and time.monotonic() < until:
            time.sleep(0.1)
        return self.gallery.residents > number % len(CARDS)

    def command(self, mode: Mode) -> None:
        """Command a mode that changes nothing for residents."""
        self.rules.set_mode(ModeState(mode, None, "desk"))

    def matched(self) -> int:
        """Look for changes of the roster, aside as in the service; return how many faces are known."""
        with suppress(StoreError, TooSlow):
            self._look.ask(self.follower.load)
        return self.gallery.residents

    @property
    def is_well(self) -> bool:
        """Whether nothing waits, every file can be used, and everybody and every face is known."""
        is_stored = not self.events.unsaved and not self.watch.failing
        is_known = self.rules.policy.rules.find(PEOPLE[0]) is not None
        return is_stored and is_known and self.gallery.residents == len(CARDS)


def waiting(door: SmallDoor, seconds: float) -> Iterator[int]:
    """Tick until the door is well or the time is over; give the number of each tick."""
    until, number = time.monotonic() + seconds, 0
    while not door.is_well and time.monotonic() < until:
        door.tick()
        time.sleep(0.25)
        number += 1
        yield number
