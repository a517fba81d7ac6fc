"""Faces going and coming at a running door: what is offered, asked for, taken, ended and answered."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from typing import TYPE_CHECKING, Any

from edge.errors import FacegateError, StoreError, SyncError
from edge.events import Kind
from edge.floods import FloodLimit
from edge.service.sharing.arrival import FaceRefused, Judge, keep, refused
from edge.service.sharing.asking import MissingFaces
from edge.service.sharing.ending import Ending
from edge.service.sharing.keys import ReceivingKeys, signing_key
from edge.service.sharing.lease import SharingLease
from edge.service.sharing.register import FaceRegister
from edge.service.sharing.sending import Sending
from edge.store.face_book import ERASED, KNOWN, Peer
from edge.wire.faces.letters import (
    MOST_ASKED,
    MOST_ENDED,
    Letter,
    LetterKind,
    from_base64,
    open_letter,
    to_base64,
)
from edge.wire.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge.service.sharing.arrival import ArrivedFace
    from edge.service.sharing.ties import SharingTies

logger = logging.getLogger(__name__)

REMIND_SECONDS = 60.0
"""Between two letters about what is not done yet: a letter may be lost, what it is about is not."""
OWED_SECONDS = 5.0
"""Until a list of doors that could not be kept is tried again."""
ANNOUNCE_SECONDS = 3600.0
LATER_SECONDS = 3600.0
"""Until a face is asked for again that did not pass: it rarely passes the next time."""
SOON_SECONDS = 30.0
MOST_WAITING = 200
REST, MOST_REST_SECONDS = 9.0, 1.0
"""How much longer than a look through everything took the next one waits, and for how long at most: faces
come in hundreds, and each look costs as much as there are residents."""
WAIT_SECONDS = 600.0
"""An envelope may be faster than the roster that lists the face."""


class FaceExchange:
    """The correspondent of one door (see `edge.sync.post`). One thread, but for `counting`."""

    def __init__(self, ties: SharingTies) -> None:
        self.newest_list: Callable[[], int] = lambda: 0
        """Says which door list the property last told of."""
        self._ties = ties
        self._register = FaceRegister(ties.authority, ties.book, ties.roster)
        self._keys = ReceivingKeys(ties.book, ties.ran_seconds)
        self._lease = SharingLease(ties, lambda: self.newest_list() <= self._register.doors.number)
        self._asking = MissingFaces()
        self._ending = Ending(ties, self._register)
        self._sending = Sending(ties, self._register)
        self._waiting: dict[str, tuple[Letter, float]] = {}
        self._out: deque[Letter] = deque()
        self._signer: Signer | None = None
        self._mark: tuple[Any, ...] | None = None
        self._remind_at = self._announced_at = -ANNOUNCE_SECONDS
        self._announces = True
        self._is_unsettled = self._is_thorough = False
        self._settle_at = 0.0
        self._refusals = FloodLimit()
        self._lines = FloodLimit(1)
        self._told = ""
        self._owed_doors: bytes | None = None
        self._owed_at = 0.0

    def counting(self) -> frozenset[str]:
        """Return the consents of faces from elsewhere that count at this door now. Any thread."""
        return self._ending.here if self._lease.holds else frozenset()

    def take(self, payloads: Sequence[bytes]) -> None:
        """Do what these letters ask for, or refuse them."""
        letters = [letter for payload in payloads if (letter := self._opened(payload)) is not None]
        try:
            self._register.refresh()
            self._arrive([one for one in letters if one.kind is LetterKind.ENVELOPE])
            for letter in letters:
                self._handle(letter)
        except StoreError as error:
            self._trouble(error)

    def take_doors(self, payload: bytes) -> None:
        """Take a list of doors; an older one never counts again. One that cannot be kept is tried again."""
        self._owed_doors = None
        try:
            if self._register.take_doors(payload):
                listed = self._register.doors
                self._announces, self._mark = True, None
                self._ties.tell(Kind.SHARING_DOORS, number=listed.number, doors=sorted(listed.doors))
        except StoreError as error:
            # Kept here: retained at the broker, it comes again with the next connection only. A door that the
            # list excludes must not be sent faces until then.
            now = self._ties.clock.monotonic()
            self._owed_doors, self._owed_at = payload, now + OWED_SECONDS
            if self._lines.tell(now) is not None:
                logger.warning("the list of doors is kept later: %s", error)
        except FacegateError as error:
            self._refuse(error)

    def connected(self) -> None:
        """Begin again."""
        now = self._ties.clock.monotonic()
        self._asking.begin_again(now)
        self._remind_at = now
        self._announces = self._announces or now - self._announced_at >= ANNOUNCE_SECONDS

    def look(self, send: Callable[[bytes], None], room: int) -> None:
        """Do what is due."""
        if self._owed_doors is not None and self._ties.clock.monotonic() >= self._owed_at:
            self.take_doors(self._owed_doors)
        try:
            self._look(room)
            self._send(send, room)
            self._told = ""
        except StoreError as error:
            self._trouble(error)

    def _look(self, room: int) -> None:
        self._lease.look()
        now = self._ties.clock.monotonic()
        is_remembering = now >= self._remind_at
        # Cheap marks that change with every change of book, consents or residents: this runs five times a
        # second.
        mark = (self._ties.book.mark(), self._ties.consents.mark(), self._ties.store.version())
        is_relisted = self._register.refresh()
        is_news = is_relisted or is_remembering or mark != self._mark
        self._mark = mark
        self._is_unsettled |= is_news
        self._is_thorough |= is_relisted or is_remembering
        if self._is_unsettled and now >= self._settle_at:
            self._settle(is_thorough=self._is_thorough)
            self._is_unsettled = self._is_thorough = False
            took = self._ties.clock.monotonic() - now
            self._settle_at = now + took + min(REST * took, MOST_REST_SECONDS)
        self._announces = self._keys.look() or self._announces
        # Not (or no longer) listed: nobody takes a letter of ours, so that none is kept.
        if self._ties.device not in self._register.doors.doors:
            self._out.clear()
            return
        if self._announces:
            self._announces, self._announced_at = False, now
            self._write_key(self._others(), wants_answer=True)
        if is_news:
            self._out.extend(self._sending.fresh(now))
            self._out.extend(self._sending.unlisted(is_remembering=is_remembering))
            self._out.extend(self._ending.asked(is_remembering=is_remembering))
        self._out.extend(self._sending.answers(room - len(self._out)))
        for door, consents in self._asking.due(now).items():
            self._write(LetterKind.ASK, [door], consents=consents)
        if is_remembering:
            self._remind_at = now + REMIND_SECONDS

    def _settle(self, *, is_thorough: bool = True) -> None:
        """Erase what may not be here (any more), and ask for what may and is not."""
        ended = self._ties.consents.ended()
        # Erase first, then ask: what may not be here must not be asked for in the same look.
        gone = self._ending.erase(ended, is_thorough=is_thorough)
        # Who recorded the envelope on its way could open it with a door that is stolen later.
        self._announces = self._keys.destroy(gone) or self._announces
        now = self._ties.clock.monotonic()
        self._asking.want(self._wanted(ended), now)
        listed, late = self._register.listed, now - WAIT_SECONDS
        ready = [letter for consent, (letter, _) in self._waiting.items() if consent in listed]
        over = [letter for letter, at in self._waiting.values() if at < late]
        self._waiting = {
            consent: (letter, at)
            for consent, (letter, at) in self._waiting.items()
            if consent not in listed and at >= late
        }
        for letter in over:
            refused(self._ties, letter, FaceRefused("unlisted", "the property has not listed this face"))
        self._arrive(ready)

    def _wanted(self, ended: frozenset[str]) -> dict[str, tuple[str, ...]]:
        judge = Judge(self._ties, self._register, ended, {})
        device, own, here = self._ties.device, self._ending.enrolled_here, self._ending.here
        missing = {
            consent: face
            for consent, face in self._register.listed.items()
            if face.by != device and consent not in here
        }
        opened = self._ties.opens(face.person for face in missing.values())
        wanted, known = {}, []
        for consent, face in missing.items():
            try:
                judge.require_named(face)
                judge.require_model(face)
            except FaceRefused:
                continue  # narrowed by the property, ended, or to be enrolled again
            if face.person not in opened:
                continue
            if face.person in own:
                known.append(consent)
                continue
            sources = (one for one in (face.by, *face.doors) if one in self._register.doors.doors)
            wanted[consent] = tuple(one for one in dict.fromkeys(sources) if one != device)
        self._tell_known(self._ending.newly(known))
        return wanted

    def _arrive(self, letters: Sequence[Letter]) -> None:
        """Take the faces that pass; one that comes before the roster lists it waits a while."""
        if not letters:
            return
        ended, now = self._ties.consents.ended(), self._ties.clock.monotonic()
        judge = Judge(self._ties, self._register, ended, self._keys.keys)
        taken: dict[str, ArrivedFace] = {}
        for letter in letters:
            consent = str(letter.content["consent"])
            if consent in self._ending.here or letter.content["person"] in self._ending.enrolled_here:
                continue
            try:
                arrival = judge.admit(letter)
            except FaceRefused as error:
                self._not_taken(letter, error, now)
            else:
                taken[arrival.face.person] = arrival
        if taken:
            keep(self._ties, list(taken.values()))
            arrived = self._ending.came(one.face.consent for one in taken.values())
            self._tell_known(arrived)
            for consent in arrived:
                self._asking.arrived(consent, now)

    def _not_taken(self, letter: Letter, error: FaceRefused, now: float) -> None:
        consent = str(letter.content["consent"])
        if error.reason == "unlisted" and len(self._waiting) < MOST_WAITING:
            self._waiting.setdefault(consent, (letter, now))
            return
        self._asking.postpone(consent, now + (SOON_SECONDS if error.reason == "envelope" else LATER_SECONDS))
        if self._refusals.tell(now) is not None:
            refused(self._ties, letter, error)

    def _handle(self, letter: Letter) -> None:
        content = letter.content
        if letter.kind is LetterKind.KEY:
            self._take_key(letter)
        elif letter.kind is LetterKind.ASK:
            if not self._sending.asked(letter, self._ties.clock.monotonic()):
                self._write_key([letter.sender], wants_answer=True)
        elif letter.kind is LetterKind.KNOWN:
            self._ties.book.answered(letter.sender, content["consents"], KNOWN)
        elif letter.kind is LetterKind.END:
            self._ending.end(content["consents"])
            # Erased before the answer says so.
            self._settle()
            if content["answer"]:
                self._write(LetterKind.ERASED, [letter.sender], consents=content["consents"])
        elif letter.kind is LetterKind.ERASED:
            self._ties.book.answered(letter.sender, content["consents"], ERASED)
            self._ending.complete()

    def _take_key(self, letter: Letter) -> None:
        content, listed = letter.content, self._register.doors.doors[letter.sender]
        peer = Peer(letter.sender, listed.key, content["number"], from_base64(content["public"]))
        self._ties.book.keep_peer(peer)
        if content["answer"]:
            self._write_key([letter.sender], wants_answer=False)
        ended = self._ties.consents.ended_for_good()
        # Their consents that have ended are not ours: one of us missed letters, so we tell all we know; they
        # do the same when our key reaches them.
        if content["ended"] != fingerprint(ended):
            at = self._ties.clock.now().isoformat()
            for several in _parts(sorted(ended), MOST_ENDED):
                self._write(LetterKind.END, [letter.sender], consents=several, at=at, answer=False)

    def _write_key(self, to: Sequence[str], *, wants_answer: bool) -> None:
        number, key = self._keys.current
        ended = fingerprint(self._ties.consents.ended_for_good())
        public = to_base64(key.public)
        self._write(LetterKind.KEY, to, number=number, public=public, ended=ended, answer=wants_answer)

    def _tell_known(self, consents: Sequence[str]) -> None:
        by_door: dict[str, list[str]] = {}
        for consent in consents:
            by_door.setdefault(self._register.listed[consent].by, []).append(consent)
        for door, several in by_door.items():
            for part in _parts(several, MOST_ASKED):
                self._write(LetterKind.KNOWN, [door], consents=part)

    def _others(self) -> list[str]:
        return sorted(set(self._register.doors.doors) - {self._ties.device})

    def _write(self, kind: LetterKind, to: Sequence[str], **content: Any) -> None:
        self._out.append(Letter(self._ties.authority.site, self._ties.device, tuple(to), kind, content))

    def _send(self, send: Callable[[bytes], None], room: int) -> None:
        if self._signer is None:
            self._signer = Signer(self._ties.device, signing_key(self._ties.book).private_bytes_raw())
        for _ in range(min(room, len(self._out))):
            send(self._out.popleft().signed(self._signer))

    def _opened(self, payload: bytes) -> Letter | None:
        try:
            letter = open_letter(payload, self._register.doors)
        except SyncError as error:
            self._refuse(error)
            return None
        return None if letter.sender == self._ties.device else letter

    def _refuse(self, error: FacegateError) -> None:
        if self._refusals.tell(self._ties.clock.monotonic()) is not None:
            logger.warning("a letter is refused: %s", error)
            self._ties.tell(Kind.FACE_NOT_TAKEN, why="letter", detail=str(error)[:200])

    def _trouble(self, error: StoreError) -> None:
        if str(error) != self._told:
            self._told = str(error)
            logger.error("faces are not shared now: %s", error)
            self._ties.tell(Kind.HEALTH_SHARING, state="store", error=str(error)[:200])


def fingerprint(ended: Iterable[str]) -> int:
    """Return 52 bits that tell two sets of ended consents apart."""
    # 13 hex digits: the largest number that every JSON reader keeps exact has 53 bits.
    return int(hashlib.sha256("\n".join(sorted(ended)).encode()).hexdigest()[:13], 16)


def _parts(items: Sequence[str], most: int) -> list[list[str]]:
    return [list(items[start : start + most]) for start in range(0, len(items), most)]
