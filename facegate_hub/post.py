"""The post office: carries letters from door to door, and the authority's list of doors to all of them.

It reads who writes to whom and about which consent. What is in an envelope is sealed for the doors of the
consent; nothing here can open it.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.broker.fair_queue import Room
from edge.errors import ConfigError, FacegateError, SyncError
from edge.wire.faces.door_list import DoorList, DoorListAuthority
from edge.wire.faces.letters import Letter, LetterKind, open_letter, parse_taken
from edge.wire.names import ROOT, device_of
from facegate_hub.clerk import HubClerk
from facegate_hub.database import in_parts, reading
from facegate_hub.devices import known_doors, note, problem
from facegate_hub.faces import SharedFaces
from facegate_hub.letter_budget import LetterBudget
from facegate_hub.tables import LETTERS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from sqlalchemy.engine import Connection, Engine

    from edge.wire.messages import Message
    from facegate_hub.roster import RosterLog

LOG = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
ROOM = Room(20_000, 128 * 1024 * 1024, 3000, 32 * 1024 * 1024)
"""What may wait; a door writes 300 letters a second at most (see `edge.sync.post`)."""
LIST_SECONDS = 2.0
"""Between two looks whether the list of doors has changed."""
AGAIN_SECONDS = 30.0
"""Until a letter that was not taken is sent again."""
KEEP_SECONDS = 7 * 86_400.0
MOST_WAITING = 1000
"""Letters of one door that may wait for another; of more, the doors ask again."""
MOST_OF_SENDER = 10_000
"""Letters of one door that may wait for all others together."""
GREET_SECONDS = 5.0
"""Between two greetings of one door: each may be megabytes, and a door can say any number of times that it is
there."""
MOST_SENT = 200
"""Letters sent again to one door in one turn."""
REST = 3.0
"""How much longer than a change of the roster took the next one waits: certificates that come meanwhile
are listed together."""
LIST_FILE = "doors.json"


class ListFile:
    """The authority's list of doors in the hub's folder, read again when it changed. One thread.

    Without a file no door shares faces.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LIST_FILE
        self._trust = folder / "ca.crt"
        self._read_at = -LIST_SECONDS
        self._stamp: tuple[int, int] | None = None
        self.doors = DoorList("")
        self.payload = b""

    def look(self) -> bool:
        """Read it when it changed; say whether there is a newer list."""
        now = time.monotonic()
        if now - self._read_at < LIST_SECONDS:
            return False
        self._read_at = now
        try:
            found = self._path.stat()
        except OSError:
            return False
        stamp = found.st_mtime_ns, found.st_size
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            payload = self._path.read_bytes()
            doors = DoorListAuthority.load(self._trust).open(payload)
        except (OSError, ConfigError, SyncError) as error:
            LOG.error("%s: %s; the list before it goes on", self._path, error)  # noqa: TRY400 - one clear line
            return False
        if doors.number <= self.doors.number:
            return False
        self.doors, self.payload = doors, payload
        return True


class PostOffice(HubClerk):
    """Takes letters, keeps them until they are taken, and brings the roster to what they say of faces."""

    def __init__(self, engine: Engine, roster: RosterLog, folder: Path) -> None:
        topics = (f"{ROOT}/+/face/out", f"{ROOT}/+/face/taken", f"{ROOT}/+/avail")
        super().__init__(engine, "hub-post", topics, LOOK_SECONDS, ROOM)
        self._faces = SharedFaces(engine)
        self._roster = roster
        self._list = ListFile(folder)
        self._rev = -1
        self._budget = LetterBudget()
        self._greet: set[str] = set()
        self._greeted: dict[str, float] = {}
        self._bring_at = self._again_at = 0.0
        self._greets_all = False
        roster.doors_number = lambda: self._list.doors.number

    def begin_again(self) -> None:
        """Greet all again: what was on its way when a connection ended may be lost."""
        self._greets_all = True

    def handle(self, message: Message) -> None:
        """Take one message."""
        self.handle_all([message])

    def handle_all(self, messages: list[Message]) -> None:
        """Take letters in one commit, hand them on, and forget those that were taken."""
        self._greets_all |= self._list.look()  # a letter may be first to meet a newer list
        letters: list[tuple[Letter, bytes]] = []
        gone: dict[str, list[int]] = {}
        notes: dict[str, dict[str, Any]] = {}
        for message in messages:
            device = device_of(message.topic)
            if message.topic.endswith("/avail"):
                if b"online" in message.payload:
                    self._greet.add(device)
                continue
            if message.retained:  # no door leaves anything about faces at the broker
                continue
            try:
                if message.topic.endswith("/taken"):
                    gone.setdefault(device, []).extend(parse_taken(message.payload))
                else:
                    letters.append((self._opened(device, message.payload), message.payload))
            except SyncError as error:
                LOG.warning("%s: %s", device, error)
                notes[device] = problem(str(error))
        self.patiently(lambda: self._store(letters, gone, notes))

    def idle(self) -> None:
        """Send the list of doors and what waits, bring the roster up to date, forget what is old."""
        super().idle()
        self._greets_all |= self._list.look()
        if self._greets_all:
            self._greet.update(known_doors(self._engine))
            # Cleared only after the read: if the database fails, all are greeted at the next look.
            self._greets_all = False
            # A newer list goes to every door at once, also to those that were greeted a moment ago.
            self._greeted.clear()
        self._say_hello()
        if (rev := self._roster.rev()) != self._rev:
            self._faces.look_for_the_absent()
            self._rev = rev
        self._bring()
        self._send_again()

    def _say_hello(self) -> None:
        """Send doors that came, or have not heard of a new list, the list and what waits for them."""
        now = time.monotonic()
        just = {one for one, at in self._greeted.items() if now - at < GREET_SECONDS}
        for device in sorted(self._greet - just):
            if self.room <= MOST_SENT:
                return
            self._greet.discard(device)
            self._greeted[device] = now
            if self._list.payload:
                self.send(f"{ROOT}/{device}/face/doors", self._list.payload, retain=True)
            self._send_waiting(device, 0.0)

    def _bring(self) -> None:
        """Bring the roster up to date, and rest: each time all of it is looked through and signed."""
        began = time.monotonic()
        if began >= self._bring_at and self._faces.bring(self._roster):
            now = time.monotonic()
            # In proportion: a small site lists faces at once, a large one still has time for its letters.
            self._bring_at = now + REST * (now - began)

    def _opened(self, device: str, payload: bytes) -> Letter:
        letter = open_letter(payload, self._list.doors)
        if letter.sender != device:
            raise SyncError(f"letter of {letter.sender[:64]!r}, sent by {device!r}")
        return letter

    def _store(
        self,
        letters: Sequence[tuple[Letter, bytes]],
        gone: dict[str, list[int]],
        notes: dict[str, dict[str, Any]],
    ) -> None:
        good: list[tuple[Letter, bytes]] = []
        with self._engine.begin() as connection:
            for device, numbers in gone.items():
                for some in in_parts(numbers):
                    theirs = (LETTERS.c.device == device, LETTERS.c.number.in_(some))
                    connection.execute(sa.delete(LETTERS).where(*theirs))
            for letter, payload in letters:
                try:
                    self._note(connection, letter)
                except FacegateError as error:
                    notes[letter.sender] = problem(str(error))
                    continue
                good.append((letter, payload))
            sent = self._keep(connection, good)
        note(self._engine, notes)
        for device, number, payload in sent:
            self.send(f"{ROOT}/{device}/face/in/{number}", payload)

    def _note(self, connection: Connection, letter: Letter) -> None:
        """Take what a letter says to the property, too."""
        content = letter.content
        if letter.kind is LetterKind.CERTIFICATE:
            self._faces.offer(connection, letter.sender, content["certificate"], self._list.doors)
        elif letter.kind is LetterKind.END:
            self._faces.end(connection, letter.sender, content["consents"])
        elif letter.kind in {LetterKind.KNOWN, LetterKind.ERASED}:
            self._faces.told(connection, letter.sender, content["consents"], str(letter.kind))

    def _keep(
        self, connection: Connection, letters: Sequence[tuple[Letter, bytes]]
    ) -> list[tuple[str, int, bytes]]:
        """Keep letters for each listed door they are for; return (door, number, letter) of each."""
        listed, now = self._list.doors.doors, time.time()
        waiting = _waiting(connection, {letter.sender for letter, _ in letters})
        of_sender: Counter[str] = Counter()
        for (_, sender), count in waiting.items():
            of_sender[sender] += count
        rows: list[dict[str, Any]] = []
        carried: list[bytes] = []
        for letter, payload in letters:
            sender, text = letter.sender, payload.decode()
            others = [one for one in dict.fromkeys(letter.to) if one != sender and one in listed]
            free = [one for one in others if waiting[one, sender] < MOST_WAITING]
            doors = free[: max(0, MOST_OF_SENDER - of_sender[sender])]
            if not self._budget.takes(sender, len(payload) * len(doors)):
                continue  # the doors ask again
            of_sender[sender] += len(doors)
            waiting.update((one, sender) for one in doors)
            told = {"sender": sender, "kind": str(letter.kind), "payload": text, "stored_at": now}
            rows += [told | {"device": one} for one in doors]
            carried += [payload] * len(doors)
        if not rows:
            return []
        stored = sa.insert(LETTERS).returning(LETTERS.c.number, sort_by_parameter_order=True)
        numbers = connection.execute(stored, rows).scalars().all()
        return [
            (row["device"], int(number), payload)
            for row, number, payload in zip(rows, numbers, carried, strict=True)
        ]

    def _send_waiting(self, device: str, before: float) -> None:
        """Send letters that wait for a door; a door that is not listed any more gets nothing."""
        if device not in self._list.doors.doors:
            return
        query = (
            sa.select(LETTERS.c.number, LETTERS.c.payload)
            .where(LETTERS.c.device == device)
            .order_by(LETTERS.c.number)
            .limit(MOST_SENT)
        )
        if before:
            query = query.where(LETTERS.c.stored_at < before)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        for number, payload in rows:
            self.send(f"{ROOT}/{device}/face/in/{number}", payload.encode())

    def _send_again(self) -> None:
        now = time.monotonic()
        if now < self._again_at:
            return
        self._again_at = now + AGAIN_SECONDS
        with self._engine.begin() as connection:
            old = sa.delete(LETTERS).where(LETTERS.c.stored_at < time.time() - KEEP_SECONDS)
            connection.execute(old)
            listed = list(self._list.doors.doors)
            # What waits for a door that was revoked: nobody may take it any more.
            connection.execute(sa.delete(LETTERS).where(LETTERS.c.device.not_in(listed)))
            doors = connection.execute(sa.select(LETTERS.c.device).distinct()).scalars().all()
        for device in doors:
            if self.room > MOST_SENT:
                self._send_waiting(device, time.time() - AGAIN_SECONDS)


def _waiting(connection: Connection, senders: set[str]) -> Counter[tuple[str, str]]:
    """Return how many letters of these doors wait for which other door, by (receiver, sender)."""
    if not senders:
        return Counter()
    query = sa.select(LETTERS.c.device, LETTERS.c.sender, sa.func.count())
    found = connection.execute(
        query.where(LETTERS.c.sender.in_(sorted(senders))).group_by(LETTERS.c.device, LETTERS.c.sender)
    )
    return Counter({(device, sender): count for device, sender, count in found})
