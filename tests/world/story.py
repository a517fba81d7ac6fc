"""One story at a simulated gate: drawn from one seed, judged by what is right, and told in a few lines."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from tests.world.clocks import Killed, WorldClock, WorldThreads
from tests.world.door import CONFIG, WorldDoor
from tests.world.gate import Camera, Guard
from tests.world.people import RULES, SLACK, USUAL, Commanded, Person, Rights, Way
from tests.world.site import Property, enrol, resident_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import EventDraft
    from tests.io.card import Card

START = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
FRAME_SECONDS = 0.2
EMPTY_SECONDS = 1.0
"""Between two pictures while somebody stands there, and while nobody does."""
LATE_SECONDS = 3.0
PROOF_SECONDS = 8 * 86_400.0
"""For how long a clock that leapt while the door ran may have to prove itself, at most."""
CORRECTION_SECONDS = 4000.0
"""For how long a clock has to run steadily that takes back what a wrong one has left."""
HELD_SECONDS = 3.0
"""What the door orders, second by second, while its mode holds it open."""
HISTORY_LINES = 45


class Broken(AssertionError):
    """A promise was broken."""


class World:
    """Everything there is at one gate. `say` notes what happens, `broken` what must not."""

    def __init__(self, seed: int, card: Card) -> None:
        self.rng = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.clock = WorldClock(START + timedelta(hours=self.rng.randrange(24 * 300)))
        self.threads = WorldThreads(self.clock)
        self.camera, self.guard = Camera(self.clock), Guard(self.clock)
        self.property = Property()
        self.rights = Rights(self.rng.choice([*USUAL, "normal", "normal"]))
        self.card = card
        self.history: list[str] = []
        self.told: list[tuple[EventDraft, int]] = []
        self.acting: list[tuple[Person | None, Way]] = []
        self.is_card_well, self.is_spoilt_start = True, False
        self.has_rtc, self.on_failure = self.rng.random() < 0.3, self.rng.choice(["open", "open", "deny"])
        self.is_deceived = self.was_deceived = False
        self._was_wrong = False
        self.trusted_since: float | None = None
        self.pause_until = float("-inf")
        self._leapt = False
        self.may_be_lost = 0
        self._judged = self._rules = 0
        self._doubtful: list[Commanded] = []
        self._well_at = self.clock.mono
        self._began = self.clock.true
        self._property_at = 0.0
        data = card.folder
        self.everybody = self._people()
        enrol(data, self.everybody, self.clock.true)
        self.property.want(None, "")
        for one in self.rights.people.values():
            self.property.want(resident_of(one), one.id)
        rules = data.with_name("rules.toml")
        rules.write_text(RULES + USUAL[self.rights.usual])
        config = data.with_name("config.toml")
        facts = {"rules": rules, "has_rtc": str(self.has_rtc).lower(), "on_failure": self.on_failure}
        config.write_text(CONFIG.format(**facts))
        shutil.rmtree(data.with_name("run"), ignore_errors=True)
        data.with_name("run").mkdir()
        self.door = WorldDoor(data, config, lambda draft: self.told.append((draft, self.door.starts)))

    def say(self, text: str) -> None:
        """Note what happens."""
        self.history.append(f"{self.clock.true:%Y-%m-%d %H:%M:%S} {text}")

    def broken(self, promise: str) -> None:
        """Say that a promise is broken. Raises `Broken`."""
        self.say(f"BROKEN: {promise}")
        raise Broken(promise)

    def start(self) -> None:
        """Start the door, again if it is killed meanwhile."""
        self.rights.modes += self._doubtful
        while self.door.parts is None:
            self.is_spoilt_start = not self.is_card_well or self.threads.is_hanging
            wrong = abs(self.clock.error) > timedelta(hours=1)
            self.is_deceived = wrong and (self.clock.is_synchronised or self.has_rtc)
            self.trusted_since, self._leapt = None, False
            try:
                self.door.start(self.clock, self.camera, self.guard)
            except Killed:
                self.say("killed while it starts")
                self._forget_process()

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass at the gate, picture by picture, until it is over or `until`."""
        pace = FRAME_SECONDS if self.camera.faces else EMPTY_SECONDS
        end = self.clock.mono + seconds
        while self.clock.mono < end and not until():
            self.clock.advance(min(pace, end - self.clock.mono))
            self.step()

    def card_does(self, *rules: str) -> None:
        """Have the card go by these rules from now on."""
        self._rules += 1  # another length is another file
        lines = [f"# seed {self.rng.randrange(10**6)}", *rules, "\n" * (self._rules % 50)]
        self.card.control.write_text("\n".join(lines))
        self.is_card_well = not rules

    def idle(self, seconds: float) -> None:
        """Let much time pass in a few looks."""
        looks = 8 if seconds < 86_400 else 16
        for _ in range(looks):
            self.clock.advance(seconds / looks)
            self.step()
        self.run(1.0)

    def step(self) -> None:
        """Let the door have its turns at this moment; judge what it did."""
        try:
            self.threads.answer()
            self.door.turn(self.clock.mono)
            if self.door.parts is not None and self.clock.mono >= self._property_at:
                self._property_at = self.clock.mono + 5.0
                if self.property.exchange(self.door.data, self.door.parts.door.store):
                    wanted = self.property.wanted
                    self.rights.people = {one.id: one for one in self.everybody if one.id in wanted}
        except Killed:
            self.killed()
        self._watch_clock()
        self.judge()

    def ask(self, person: Person | None, way: Way, call: Callable[[], object]) -> None:
        """Have somebody ask at a reader, and judge what the door did."""
        self.acting.append((person, way))
        try:
            call()
        except Killed:
            self.killed()
        self.judge()

    def killed(self) -> None:
        """End the door's process in this very moment, and start another."""
        self.say(f"killed; {self.door.unsaved} events were in memory")
        self._forget_process()
        self.start()

    def stop(self) -> None:
        """Stop the door as a shutdown does."""
        try:
            self.door.stop()
        except Killed:
            self.say("killed while it stops")
        self._forget_process()

    def off(self, seconds: float) -> None:
        """Cut the power for so long; the monotonic clock begins anew."""
        self.say(f"{self.door.unsaved} events were in memory")
        if not self.is_card_well or self.threads.is_hanging:
            self.may_be_lost += self.door.unsaved  # neither memory nor card has kept them
        self._forget_process()
        shutil.rmtree(self.door.memory)
        self.door.memory.mkdir()
        self.clock.advance(seconds)
        self.clock.runs += 1
        self.was_deceived = False

    def abandon(self) -> None:
        """Let go of everything: the story is over."""
        self._forget_process()

    @property
    def days(self) -> float:
        """How much time has passed in this world."""
        return (self.clock.true - self._began) / timedelta(days=1)

    def is_face_old(self, person: Person) -> bool:
        """Whether nobody may wonder that this face is gone: a year without a visit."""
        return self.days > 330

    def _forget_process(self) -> None:
        self.clock.kill_in = None
        self.guard.rest()
        self.property.drop()
        self.threads.drop()
        self.door.crash()

    def judge(self) -> None:
        """Look at every opening since the last look. Raises `Broken` for one without a right."""
        if self.door.failures:
            self.broken(self.door.failures[0])
        if self.property.doubts:
            self.broken(self.property.doubts[0])
        fresh, self._judged = self.guard.openings[self._judged :], len(self.guard.openings)
        for opening in fresh:
            if not self._is_right(opening.seconds):
                who = ", ".join(f"{one.id if one else 'a stranger'} by {way}" for one, way in self.acting)
                self.broken(f"opened for {opening.seconds:g} s without a right ({who or 'nobody there'})")

    def moments(self) -> list[datetime]:
        """Return the times that count as now: the true one, and the door's where it may believe it."""
        now = self.clock.true
        moments = [now - SLACK, now, now + SLACK]
        if self.is_deceived or abs(self.clock.error) <= timedelta(hours=1):
            moments.append(now + self.clock.error)
        return moments

    def _is_right(self, seconds: float) -> bool:
        for at in self.moments():
            if seconds == HELD_SECONDS and self.rights.may_be_held(at):
                return True
            for person, way in self.acting:
                if person is not None and self.rights.may_pass(person, way, at):
                    self.rights.note_entry(self.moments())
                    return True
        return False

    def command(self, mode: Commanded, call: Callable[[], object]) -> None:
        """Have the door's mode changed; until the card is well a restart may bring the former one back."""
        before = self.rights.modes
        self.rights.modes = [*before, mode]
        try:
            call()
        except Killed:
            self.killed()
            return
        self.rights.modes = [mode]
        if not self.is_card_well or self.threads.is_hanging:
            self._doubtful += before
        self.judge()

    def _settle_modes(self) -> None:
        """Once the card has been well for a minute the mode that is in force survives."""
        if not self.is_card_well or self.threads.is_hanging:
            self._well_at = self.clock.mono
        elif self.clock.mono - self._well_at > 60.0:
            self._doubtful, self.is_spoilt_start = [], False

    def _watch_clock(self) -> None:
        self._settle_modes()
        is_far_back = self.clock.error < -timedelta(minutes=1) and self.clock.is_synchronised
        if is_far_back and self.clock.mono - 1000.0 < 30 * 3600:
            self.is_deceived = True  # on the first day one answer's word is as good as another's
        self.was_deceived = self.was_deceived or self.is_deceived
        self._leapt = self._leapt or abs(self.clock.error) > timedelta(seconds=30)
        self._was_wrong = self._was_wrong or self._leapt
        is_true = self.clock.is_synchronised and abs(self.clock.error) < timedelta(seconds=30)
        if not is_true or self.is_deceived:
            self.trusted_since = None
        elif self.trusted_since is None:
            self.trusted_since = self.clock.mono
        self.rights.knows_time = self.knows_time

    @property
    def knows_time(self) -> bool:
        """Whether the door has had reason to believe its clock: for minutes, or after a leap for days."""
        since, wanted = self.trusted_since, PROOF_SECONDS if self._leapt else 600.0
        if self._was_wrong:
            wanted = max(wanted, CORRECTION_SECONDS)
        return since is not None and self.clock.mono - since > wanted

    def _people(self) -> list[Person]:
        now, rng = self.clock.true, self.rng
        people = [
            Person("anna", 1, card="hid:1", pin="481516"),
            Person("bo", 2, level="day", card="hid:2"),
            Person("caretaker", 3, level="rescue", card="hid:3", pin="270933"),
            Person("twin", 4, is_twin=True, pin="902752"),
            Person("guest", 5, valid_from=now - timedelta(days=1), card="hid:5"),
            Person("old", 6, has_face=False, card="hid:6"),
            Person("soon", 7, valid_from=now + timedelta(days=rng.randint(1, 30)), card="hid:7"),
        ]
        people[4].valid_until = now + timedelta(days=rng.randint(1, 200))
        self.rights.people |= {one.id: one for one in people}
        return people
