"""The end of shared faces: erased where they may not be (any more), asked of others, and confirmed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edge.consent.receipt import Receipt, public_text, signed
from edge.errors import FacegateError
from edge.events import Kind
from edge.store.consents import erase_faces_under
from edge.store.face_book import ERASED, ERASING
from edge.wire.faces.door_list import RECEIVES
from edge.wire.faces.letters import MOST_ENDED, Letter, LetterKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edge.service.sharing.register import FaceRegister
    from edge.service.sharing.ties import SharingTies
    from edge.store.face_book import Reach

logger = logging.getLogger(__name__)


class Ending:
    """Keeps what is here equal to what may be here. One thread, but for `here`.

    `here` are the consents of faces from elsewhere that are held, `enrolled_here` the people whose own
    enrolment at this door counts: theirs wins.
    """

    def __init__(self, ties: SharingTies, register: FaceRegister) -> None:
        self._ties = ties
        self._register = register
        held = ties.book.origins()
        self.here = frozenset(consent for consent, (_, number) in held.items() if number is not None)
        self.enrolled_here: frozenset[str] = frozenset()
        self._told_known: set[str] = set()
        self._asked: set[tuple[str, str]] = set()
        self._reminded: set[str] = set()

    def came(self, consents: Iterable[str]) -> list[str]:
        """Count those of these faces from elsewhere that are held, and return them. Raises `StoreError`."""
        held = self._ties.book.held_of(consents)
        found = [consent for consent, one in held.items() if one.number is not None]
        self.here |= frozenset(found)
        return found

    def newly(self, consents: Sequence[str]) -> list[str]:
        """Return those of which nobody was told yet in this run that they are known here."""
        news = [one for one in consents if one not in self._told_known]
        self._told_known.update(news)
        return news

    def end(self, consents: Sequence[str]) -> None:
        """Let these consents never count again, known here or not."""
        self._ties.consents.end_for_good(consents, self._ties.clock.now())

    def erase(self, ended: frozenset[str], *, is_thorough: bool) -> set[int]:
        """Erase what may not be here; return the receiving keys by which what has ended came.

        `is_thorough` also looks whether each person's levels are still about this door.
        """
        held, in_force = self._ties.book.origins(), self._ties.consents.in_force()
        under = self._ties.store.faces_by_consent()
        # Enrolled here: it waits to be listed.
        elsewhere = {consent: who for consent, (who, number) in held.items() if number is not None}
        opened = self._ties.opens(elsewhere.values()) if is_thorough else None
        gone = held.keys() & ended
        gone |= {one for one, who in elsewhere.items() if not self._may_stay(one, who, opened)}
        kept = held.keys() - gone
        strays = {
            consent
            for consent in under
            if consent in ended or (consent in in_force and in_force[consent].origin and consent not in kept)
        }
        consents = strays | (gone & under.keys())
        # First, so that nothing of it is matched while it is being erased.
        self.here = frozenset(kept & elsewhere.keys())
        if consents:
            self._erased(erase_faces_under(self._ties.store, sorted(consents)))
        if gone:
            self._ties.book.drop(gone)
        self.enrolled_here = frozenset(
            who for consent, who in under.items() if consent in in_force and not in_force[consent].origin
        )
        return {number for one in gone & ended if (number := held[one][1]) is not None}

    def asked(self, *, is_remembering: bool) -> Iterator[Letter]:
        """Give letters to doors that have not answered yet, and to a property that lists what has ended."""
        if is_remembering:
            self._asked, self._reminded = set(), set()
        by_door: dict[str, list[str]] = {}
        for one in self._ties.book.reach(ERASING):
            if (one.consent, one.door) not in self._asked:
                by_door.setdefault(one.door, []).append(one.consent)
                self._asked.add((one.consent, one.door))
        for door, consents in by_door.items():
            yield from self._letters([door], consents, wants_answer=True)
        ended = self._ties.consents.ended()
        still = sorted((self._register.listed.keys() & ended) - self._reminded)
        self._reminded.update(still)
        yield from self._letters([], still, wants_answer=False)

    def complete(self) -> None:
        """Sign a second receipt for everybody of whom the last door has answered."""
        waiting = {one.person for one in self._ties.book.reach(ERASING)}
        done: dict[str, list[Reach]] = {}
        for one in self._ties.book.reach(ERASED):
            if one.person not in waiting:
                done.setdefault(one.person, []).append(one)
        for person, rows in done.items():
            self._confirm(person, rows)

    def _confirm(self, person: str, rows: Sequence[Reach]) -> None:
        ties, doors = self._ties, tuple(sorted({one.door for one in rows}))
        at = ties.clock.now().isoformat()
        count = len({one.consent for one in rows})
        try:
            key = ties.receipt_key()
            line = signed(Receipt(ties.device, person, at, 0, count, "-", answered=doors), key)
            ties.consents.complete_receipt(person, line)
            receipt_key = public_text(key.public_key())
        except (OSError, FacegateError) as error:
            logger.error("%s: no second receipt could be signed: %s", person, error)  # noqa: TRY400
            return
        ties.tell(Kind.FACE_ERASED_EVERYWHERE, person, doors=list(doors), receipt_key=receipt_key)
        ties.book.forget_reach({one.consent for one in rows})

    def _may_stay(self, consent: str, person: str, opened: frozenset[str] | None) -> bool:
        """Say whether list, consent and levels let a face from elsewhere be here (None: not asked)."""
        if not self._register.doors.has_role(self._ties.device, RECEIVES):
            return False
        face = self._register.listed.get(consent)
        if face is None or face.person != person or self._ties.device not in face.doors:
            return False
        return opened is None or person in opened

    def _erased(self, gone: dict[str, int]) -> None:
        for person, templates in gone.items():
            self._ties.tell(Kind.FACE_ERASED, person, templates=templates, why="not_shared")

    def _letters(self, to: Sequence[str], consents: Sequence[str], *, wants_answer: bool) -> Iterable[Letter]:
        at = self._ties.clock.now().isoformat()
        for start in range(0, len(consents), MOST_ENDED):
            several = list(consents[start : start + MOST_ENDED])
            content = {"consents": several, "at": at, "answer": wants_answer}
            yield Letter(self._ties.authority.site, self._ties.device, tuple(to), LetterKind.END, content)
