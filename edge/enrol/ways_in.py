"""One person's ways in beside the face: PIN, cards and visitor passes, given and taken back.

The page and the command line call the same lines. A running door reads what is written here when the next
person stands there.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.credentials.card import card_id
from edge.errors import EnrolmentRefused
from edge.policy.passes import HOST_BYTES, Pass, door_marks, issue
from edge.policy.pin import PinBook, PinEntry, random_pin
from edge.store.credentials import PASS_KEY_FILE, CredentialStore, IssuedPass, PinRow
from edge.store.owed_ways import owed_in, settling
from edge.store.sealer import file_key, kept_key
from edge.store.way_rows import CREDENTIALS_FILE, PIN_KEY_FILE
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from edge.policy.passes import PassKind
    from edge.store.credentials import PropertyOrder
    from edge.store.owed_ways import OwedWays


@dataclass(frozen=True, slots=True)
class PassWish:
    """What a visitor pass is to allow: from when until when (UTC), how often (0: any number), for whom."""

    begin: datetime
    end: datetime
    max_uses: int
    kind: PassKind


@dataclass(frozen=True, slots=True)
class DrawnPass:
    """A pass that was just issued: its `text`, and the QR code as PNG. Neither is stored."""

    text: str = field(repr=False)
    png: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HeldCredentials:
    """What everybody holds: PIN numbers and cards by resident id. Duress PINs are not told."""

    pins: Mapping[str, str]
    cards: Mapping[str, tuple[str, ...]]


class WaysIn:
    """The PINs, cards and passes of one door's data folder. Any thread.

    `pass_issued` is called after every pass: the first one is when a door begins to look for codes. Who
    takes something back (`by`) is kept with it, to be told (`edge.service.untold`): `tell` is called then.
    Raises `EnrolmentRefused` for what cannot be given and `StoreError` while the file cannot be used.
    """

    def __init__(
        self,
        data: Path,
        pass_issued: Callable[[], object] = lambda: None,
        tell: Callable[[], object] = lambda: None,
    ) -> None:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._data = data
        self._pass_issued = pass_issued
        self._tell = tell
        self._file: CredentialStore | None = None
        self._opening = threading.Lock()

    @property
    def _store(self) -> CredentialStore:
        """The file, opened when it is first needed: a damaged one must not keep a page from being served."""
        with self._opening:
            if self._file is None:
                self._file = CredentialStore(self._data / CREDENTIALS_FILE)
            return self._file

    @classmethod
    def of(cls, data: Path) -> closing[WaysIn]:
        """Return a context in which the file of a data folder is open."""
        return closing(cls(data))

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._opening:
            if self._file is not None:
                self._file.close()

    def held(self) -> HeldCredentials:
        """Return who has a PIN, under which number, and who has which cards."""
        pins = {row.resident_id: row.number for row in self._store.pins() if not row.is_duress}
        cards: dict[str, tuple[str, ...]] = {}
        for card, who in sorted(self._store.cards().items()):
            cards[who] = (*cards.get(who, ()), card)
        return HeldCredentials(pins, cards)

    def holders(self) -> set[str]:
        """Return everybody who has a PIN, a card or a pass that was not taken back."""
        passes = (one.resident_id for one in self._store.passes() if not one.is_ended)
        return {*(row.resident_id for row in self._store.pins()), *self._store.cards().values(), *passes}

    def pin_rows(self) -> list[PinRow]:
        """Return every PIN's number, holder and kind, ordered by number."""
        return self._store.pins()

    def check_pin(self, resident_id: str, number: str, pin: str = "") -> None:
        """Raise `EnrolmentRefused` when this PIN could not be given; nothing is stored."""
        self.book().with_pin(number, resident_id, pin or random_pin(number))

    def last_order(self, resident_id: str, way: str) -> int:
        """Return the property's last order of this way (`pin`, `card`) that was carried out; 0: none was."""
        return self._store.last_order(resident_id, way)

    def set_pin(
        self,
        resident_id: str,
        number: str,
        pin: str = "",
        *,
        is_duress: bool = False,
        order: PropertyOrder | None = None,
    ) -> str:
        """Give a PIN in place of the former one of its kind and return it; without `pin` a random one.

        `order` is the property's, where it gave it.
        """
        chosen = pin or random_pin(number)
        self._begin_anew(resident_id)
        book = self.book().with_pin(number, resident_id, chosen, is_duress=is_duress)
        entry = next(
            one for one in book.entries if (one.resident_id, one.is_duress) == (resident_id, is_duress)
        )
        row = PinRow(entry.number, entry.resident_id, entry.is_duress, entry.digest)
        if not self._store.put_pin(row, order):
            raise EnrolmentRefused(message("error.pin_taken", number=number))
        return chosen

    def clear_pin(self, resident_id: str, by: str) -> int:
        """Take the PINs back, that of duress too; return how many there were."""
        count = self._store.remove_pins(resident_id, by)
        self._tell()
        return count

    def give_card(
        self, card: str, resident_id: str, *, takes_over: bool = False, order: PropertyOrder | None = None
    ) -> str:
        """Give a card and return its one name. One that somebody else has is refused unless `takes_over`.

        `order` as in `set_pin`.
        """
        self._begin_anew(resident_id)
        named = named_card(card) if takes_over else self.free_card(card, resident_id)
        holder = self._store.put_card(named, resident_id, order, takes_over=takes_over)
        if holder is not None:
            raise EnrolmentRefused(message("error.card_taken", who=holder))
        return named

    def free_card(self, card: str, resident_id: str) -> str:
        """Return the one name of a card that this person may get. Raises `EnrolmentRefused`."""
        named = named_card(card)
        holder = self._store.cards().get(named)
        if holder not in {None, resident_id}:
            raise EnrolmentRefused(message("error.card_taken", who=holder))
        return named

    def held_card(self, card: str, resident_id: str) -> str:
        """Return the one name of a card that this person has. Raises `EnrolmentRefused`."""
        named = named_card(card)
        holder = self._store.cards().get(named)
        if holder != resident_id:
            raise EnrolmentRefused(
                message("error.card_taken", who=holder) if holder else message("error.card_nobody")
            )
        return named

    def take_card(self, card: str, by: str) -> str:
        """Take a card back and return who had it."""
        holder = self._store.remove_card(named_card(card), by)
        if holder is None:
            raise EnrolmentRefused(message("error.card_nobody"))
        self._tell()
        return holder

    def cards(self) -> Mapping[str, str]:
        """Return the holder of every card."""
        return self._store.cards()

    def issue_pass(self, door_id: str, resident_id: str, wish: PassWish) -> DrawnPass:
        """Sign and draw a pass for this door with the door's own key, and remember that there is one."""
        from edge.enrol.pass_code import readable_code  # noqa: PLC0415 - OpenCV; PINs and cards need none

        if len(resident_id.encode()) > HOST_BYTES:
            raise EnrolmentRefused(message("error.pass_host", who=resident_id))
        self._begin_anew(resident_id)
        # Made with the first pass: a door that issues none needs no code reader.
        key = file_key(self._data / PASS_KEY_FILE)
        made: dict[str, bytes] = {}

        def fresh() -> str:
            identity = secrets.token_bytes(8)
            granted = Pass(
                identity, resident_id, wish.begin, wish.end, wish.max_uses, wish.kind, door_marks([door_id])
            )
            text = issue(granted, key)
            made[text] = identity
            return text

        text, png = readable_code(fresh)
        kind = wish.kind.name.lower()
        # Noted before it is handed out: a pass that cannot be listed could not be ended either.
        self._store.note_pass(IssuedPass(made[text], resident_id, kind, wish.begin, wish.end, wish.max_uses))
        self._pass_issued()
        return DrawnPass(text, png)

    def passes_of(self, resident_id: str) -> list[IssuedPass]:
        """Return the passes of a host, the newest first; the ended ones too until they are forgotten."""
        return [one for one in self._store.passes() if one.resident_id == resident_id]

    def issued_pass(self, pass_id: str, resident_id: str) -> IssuedPass:
        """Return the pass with this id in hex that this person was given."""
        found = next((one for one in self.passes_of(resident_id) if one.id.hex() == pass_id), None)
        if found is None:
            raise EnrolmentRefused(message("error.pass_unknown"))
        return found

    def end_pass(self, pass_id: str, by: str) -> None:
        """Take back the pass with this id in hex."""
        self._store.end_pass(bytes.fromhex(pass_id), by)
        self._tell()

    def renumber(self, was: str, now: str) -> None:
        """Let PINs and cards be those of another id. Passes name their host: they end and stay listed."""
        self._begin_anew(was, now)
        self._end_passes(was)
        self._store.renumber(was, now)

    def take_all(self, resident_id: str, *, by_property: bool = False, by: str | None = None) -> int:
        """Take back every PIN, card and pass of a resident; return how many PINs and cards there were.

        `by_property`: its roster has removed them, which the file keeps to be told. `by` None: whoever calls
        tells of it.
        """
        self._end_passes(resident_id, by)
        count = self._store.remove(resident_id, by_property=by_property, by=by)
        if by is not None:
            self._tell()
        return count

    def take_owed(self, people: Iterable[str]) -> None:
        """Take back what is still owed of these people, and cross it off. Raises `StoreError`: call it again.

        The next person with the id of somebody who was removed begins without history.
        """
        given = frozenset(people)
        held = given & self.holders()
        # Whoever holds something in a commit each: thousands may go.
        for some in (given - held, *(frozenset({one}) for one in sorted(held))):
            with settling(self._data, some) as owed:
                self._take_back(owed, some & held)

    def _take_back(self, owed: Sequence[OwedWays], held: frozenset[str]) -> None:
        former = frozenset(one.resident_id for one in owed if one.is_former)
        for resident_id in former & held:
            self.take_all(resident_id, by_property=True)
        self.forget_ends(former)
        for one in owed:
            if one.order:
                self._store.end_ways(one.resident_id, one.order)

    def _begin_anew(self, *people: str) -> None:
        """Let nobody be given something beside what a former person of the same id had."""
        if owed := owed_in(self._data) & frozenset(people):
            self.take_owed(owed)

    def forget_ends(self, residents: Iterable[str]) -> None:
        """Forget what the property has ended of people who are not in its roster any more."""
        self._store.forget_ends(residents)

    def _end_passes(self, resident_id: str, by: str | None = None) -> None:
        for one in self.passes_of(resident_id):
            if not one.is_ended:
                self._store.end_pass(one.id, by)

    def book(self) -> PinBook:
        """Return all PINs as the door uses them."""
        rows = self._store.pins()
        entries = [PinEntry(row.number, row.resident_id, row.digest, row.is_duress) for row in rows]
        return PinBook(kept_key(self._data / PIN_KEY_FILE), entries)


def named_card(text: str) -> str:
    """Return the one name of a card somebody wrote down. Raises `EnrolmentRefused`."""
    try:
        return card_id(text)
    except ValueError as error:
        raise EnrolmentRefused(message("error.card_name", card=text[:40])) from error
