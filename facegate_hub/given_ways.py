"""PINs and cards given at the property: sealed for each door, carried when it asks, and how they stand."""

from __future__ import annotations

import json
import logging
import time
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import SyncError
from edge.wire.given_ways import ASK_PURPOSE, MOST_ORDERS, PURPOSE, GivenWays, WayOrder, WaysAsk
from edge.wire.names import ROOT
from edge.wire.proof import Origin
from edge.wire.records import WAYS_ENDED
from edge.words import message
from facegate_hub.clerk import HubClerk, is_door
from facegate_hub.database import one_at_a_time, put, reading
from facegate_hub.signer.rights import NotPermitted
from facegate_hub.tables import DEVICES, GIVEN_WAYS, ROSTER, WAY_ASKED, WAY_DOORS, WAY_ENDED, WAY_WAITING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.engine import Connection, Engine

    from edge.wire.given_ways import Way
    from edge.wire.messages import Message
    from facegate_hub.signer.asking import Signs

    Approve = Callable[[Sequence[tuple[str, str]]], bool]
    """Asks for orders, (door, SHA-256); False: a second person has to agree."""

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
MOST_SHOWN = 20
MOST_AHEAD_SECONDS = 10 * 365 * 86_400.0
CLOCK_AHEAD_SECONDS = 86_400.0
"""How far a door's clock may be ahead for its questions to have an order."""
MOST_REMEMBERED = 20_000
"""Nonces that are not taken again: a broker repeats what was not acknowledged, and a recording repeats."""
WAITING, TAKEN, REFUSED = WAY_WAITING, "taken", "refused"
ASKED = WAY_ASKED
"""It waits for a second person."""
ENDED, REPLACED, LOST = WAY_ENDED, "replaced", "lost"
"""The person's PINs and cards were ended; a newer PIN came first; the door was restored without it."""


@dataclass(frozen=True, slots=True)
class GivenWay:
    """A PIN or card as it was given, and how it stands at each door: (status, why it was refused)."""

    number: int
    way: str
    by: str
    at: float
    doors: Mapping[str, tuple[str, str | None]]

    @property
    def taken(self) -> int:
        """How many doors have it."""
        return sum(status == TAKEN for status, _ in self.doors.values())


def site_origin(folder: Path) -> Origin:
    """Return what tells whose certificate one is, at the site in `folder`. Raises `ConfigError`."""
    return Origin.load(folder / "hub" / "ca.crt", folder / "broker" / "crl.pem")


class IssuedWays:
    """The PINs and cards of a site, in its database, readable by nobody there. Any thread.

    `origin` tells whose certificates doors show; only who gives something needs it.
    """

    def __init__(
        self,
        engine: Engine,
        origin: Callable[[], Origin] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._origin = origin
        self._now = now

    def doors(self) -> list[str]:
        """Return the doors that take PINs and cards, by id."""
        shut_out = sa.select(DEVICES.c.id).where(DEVICES.c.shut_out.is_not(None))
        query = sa.select(WAY_DOORS.c.device).where(WAY_DOORS.c.device.not_in(shut_out))
        with reading(self._engine) as connection:
            return list(connection.execute(query.order_by(WAY_DOORS.c.device)).scalars())

    def give(
        self, person: str, secret: Mapping[str, str], doors: Sequence[str], by: str, approve: Approve
    ) -> int:
        """Seal a PIN (`number`, `pin`) or card (`card`) for these doors, and return the order's number.

        Of a PIN that was given before, what no door has taken yet goes nowhere. Raises `SyncError` for
        somebody who is not in the roster, and for a door whose certificate is not known or not valid, and
        what `approve` raises; then nothing is given.
        """
        if self._origin is None or not doors:
            raise SyncError(message("property.no_door_chosen"))
        origin = self._origin()
        way: Way = "pin" if "pin" in secret else "card"
        with self._engine.begin() as connection:
            one_at_a_time(connection, GIVEN_WAYS)
            after = _ended(connection, [person]).get(person)
            if after is None:
                raise SyncError(message("property.not_there", id=person))
            last = connection.execute(sa.select(sa.func.max(GIVEN_WAYS.c.number))).scalar() or 0
            # A door refuses an order as older whose number is not above the last that it keeps for this
            # person.
            number = max(int(self._now() * 1000), last + 1, self._above(connection, doors))
            keys = {door: _key(connection, origin, door) for door in dict.fromkeys(doors)}
            draft = WayOrder(number, person, way, after, by)
            orders = {door: draft.closed(door, key, secret) for door, key in keys.items()}
            is_agreed = approve([(door, order.digest(door)) for door, order in orders.items()])
            if is_agreed and way == "pin":
                _replace(connection, person, number)
            rows = [_row(door, order, self._now()) for door, order in orders.items()]
            status = WAITING if is_agreed else ASKED
            connection.execute(sa.insert(GIVEN_WAYS), [row | {"status": status} for row in rows])
        return number

    def _above(self, connection: Connection, doors: Sequence[str]) -> int:
        """Return a number above all that these doors keep: an older database, or clock, begins below them.

        What a door says is believed up to some years from now, so that none uses all numbers up.
        """
        query = sa.select(sa.func.max(WAY_DOORS.c.upto)).where(WAY_DOORS.c.device.in_(doors))
        upto = connection.execute(query).scalar() or 0
        return min(upto, int((self._now() + MOST_AHEAD_SECONDS) * 1000)) + 1

    def unsigned(self, device: str, numbers: Sequence[int]) -> None:
        """Note that the signer knows nobody who has given these orders, or not lately."""
        these = (GIVEN_WAYS.c.device == device, GIVEN_WAYS.c.number.in_(numbers))
        waits = (*these, GIVEN_WAYS.c.status == WAITING)
        values = {"status": REFUSED, "why": "unsigned", "sealed": None}
        with self._engine.begin() as connection:
            connection.execute(sa.update(GIVEN_WAYS).where(*waits).values(**values))

    def agree(self, number: int, approve: Approve) -> bool:
        """Let what somebody gave go to its doors, as the second person; False: it still waits for one.

        Raises `SyncError` for what does not wait for anybody, and what `approve` raises.
        """
        with self._engine.begin() as connection:
            one_at_a_time(connection, GIVEN_WAYS)
            asked = (GIVEN_WAYS.c.number == number, GIVEN_WAYS.c.status == ASKED)
            rows = list(connection.execute(sa.select(GIVEN_WAYS).where(*asked)))
            if not rows:
                raise SyncError(message("property.agreed_already"))
            is_agreed = approve([(row.device, _order(row).digest(row.device)) for row in rows])
            if is_agreed:
                if rows[0].way == "pin":
                    _replace(connection, rows[0].person, number)
                connection.execute(sa.update(GIVEN_WAYS).where(*asked).values(status=WAITING))
        return is_agreed

    def of(self, person: str) -> list[GivenWay]:
        """Return what somebody was given, the newest first."""
        query = sa.select(GIVEN_WAYS).where(GIVEN_WAYS.c.person == person)
        found: dict[int, list[Any]] = defaultdict(list)
        with reading(self._engine) as connection:
            for row in connection.execute(query.order_by(GIVEN_WAYS.c.number.desc(), GIVEN_WAYS.c.device)):
                found[row.number].append(row)
        return [
            GivenWay(number, rows[0].way, rows[0].by, rows[0].at, {r.device: (r.status, r.why) for r in rows})
            for number, rows in list(found.items())[:MOST_SHOWN]
        ]

    def heard(self, ask: WaysAsk, shown: str) -> None:
        """Note what a door proved that it has taken and refused, and the nonce that waits for an answer."""
        with self._engine.begin() as connection:
            query = sa.select(WAY_DOORS).where(WAY_DOORS.c.device == ask.device)
            known = dict(connection.execute(query).mappings().first() or {})
            before, is_newest = known.get("upto", 0), self._is_newest(ask, known.get("asked_at"))
            if ask.upto < before and not is_newest:
                return  # a recording of when it had less: only a door that was restored now has less again
            mine = GIVEN_WAYS.c.device == ask.device
            for number, why in ask.settled.items():
                # Also one that was replaced on its way: a PIN that the door took opens it.
                known_as = [WAITING, REPLACED] if why is None else [WAITING]
                one = (mine, GIVEN_WAYS.c.number == number, GIVEN_WAYS.c.status.in_(known_as))
                status = {"status": TAKEN if why is None else REFUSED, "why": why, "sealed": None}
                connection.execute(sa.update(GIVEN_WAYS).where(*one).values(**status))
            if ask.upto < before:  # an older copy of its files was put back: it has them no more
                gone = (mine, GIVEN_WAYS.c.status == TAKEN, GIVEN_WAYS.c.number > ask.upto)
                connection.execute(sa.update(GIVEN_WAYS).where(*gone).values(status=LOST))
            said = {"device": ask.device, "upto": ask.upto, "nonce": ask.nonce}
            if is_newest or not known:
                said |= {"shown": shown, "asked_at": ask.asked_at}
            put(connection, WAY_DOORS, known | said)

    def _is_newest(self, ask: WaysAsk, last: int | None) -> bool:
        """Say whether a door asked this after all else that is known of it, by its own clock.

        One of an older version does not say; a clock that is days ahead would make all later questions old.
        """
        if ask.asked_at is None:
            return last is None
        latest = (self._now() + CLOCK_AHEAD_SECONDS) * 1000
        # Of a last one that lies beyond: its clock was wrong then.
        return (last if last is not None and last < latest else 0) < ask.asked_at < latest

    def due(self) -> list[GivenWays]:
        """Return what each door that asked is to be told. What was ended meanwhile goes to none."""
        waits = (GIVEN_WAYS.c.status == WAITING, WAY_DOORS.c.nonce.is_not(None))
        joined = GIVEN_WAYS.join(WAY_DOORS, GIVEN_WAYS.c.device == WAY_DOORS.c.device)
        query = sa.select(GIVEN_WAYS, WAY_DOORS.c.nonce).select_from(joined).where(*waits)
        with reading(self._engine) as connection:
            rows = list(connection.execute(query.order_by(GIVEN_WAYS.c.number)))
        if not rows:
            return []
        orders: dict[tuple[str, str], list[WayOrder]] = defaultdict(list)
        with self._engine.begin() as connection:
            ended = _ended(connection, sorted({row.person for row in rows}))
            for row in rows:
                # It is still valid if the person is in the roster and no "end all" came after it was sealed.
                if ended.get(row.person) == row.after:
                    orders[row.device, row.nonce].append(_order(row))
                    continue
                one = (GIVEN_WAYS.c.device == row.device, GIVEN_WAYS.c.number == row.number)
                connection.execute(sa.update(GIVEN_WAYS).where(*one).values(status=ENDED, sealed=None))
        return [GivenWays(*to, tuple(some[:MOST_ORDERS])) for to, some in orders.items()]

    def answered(self, told: GivenWays) -> None:
        """Note that a nonce was answered: it counts once."""
        mine = (WAY_DOORS.c.device == told.device, WAY_DOORS.c.nonce == told.nonce)
        with self._engine.begin() as connection:
            connection.execute(sa.update(WAY_DOORS).where(*mine).values(nonce=None))


class GivenWaysServer(HubClerk):
    """Answers doors that ask for PINs and cards, and keeps what they say. Has a thread of its own.

    A question waits until there is something to tell, so that what is given is there at once.
    """

    def __init__(self, engine: Engine, signer: Signs, origin: Origin) -> None:
        super().__init__(engine, "hub-ways", (f"{ROOT}/+/ways/ask",), LOOK_SECONDS)
        self._issued = IssuedWays(engine)
        self._signer = signer
        self._origin = origin
        self._heard: OrderedDict[tuple[str, str], None] = OrderedDict()

    def handle(self, message: Message) -> None:
        """Keep one door's word, when its certificate proves it."""
        device = message.topic.split("/")[2]
        try:
            ask, proof = WaysAsk.parse(message.payload)
            name = self._origin.name(proof, ask.body, ASK_PURPOSE)
        except SyncError as error:
            LOG.warning("%s: ways/ask: %s", device, error)
            return
        if {name, ask.device} != {device} or not is_door(device):
            LOG.warning("%s: ways/ask: proved by %s, for %r", device, name, ask.device[:64])
            return
        # A replayed question that was answered already would make its nonce wait for an answer again.
        if (device, ask.nonce) in self._heard:
            return
        self._issued.heard(ask, proof.partition(".")[0])
        self._heard[device, ask.nonce] = None
        while len(self._heard) > MOST_REMEMBERED:
            self._heard.popitem(last=False)

    def idle(self) -> None:
        """Answer every door for which there is something."""
        super().idle()
        for told in self._issued.due():
            try:
                payload = self._signer.sign(told.encode(), PURPOSE)
            except NotPermitted as error:
                self._set_aside(told, error)
                continue
            except SyncError as error:
                if self.is_worth_a_line():
                    LOG.error("%s: PINs and cards: %s", told.device, error)  # noqa: TRY400 - no fault of ours
                continue
            if self.room:
                self.send(f"{ROOT}/{told.device}/ways/in", payload)
                self._issued.answered(told)

    def _set_aside(self, told: GivenWays, why: NotPermitted) -> None:
        """Refuse those of a door's orders that the signer does not know, so that the others do not wait.

        Where it signs nothing for us at all, every order waits.
        """
        bad = []
        try:
            self._signer.sign(GivenWays(told.device, told.nonce, ()).encode(), PURPOSE)
            for order in told.orders:
                try:
                    self._signer.sign(GivenWays(told.device, told.nonce, (order,)).encode(), PURPOSE)
                except NotPermitted:
                    bad.append(order.number)
        except SyncError:
            bad = []
        if self.is_worth_a_line():
            LOG.error("%s: PINs and cards: %s", told.device, why)
        self._issued.unsigned(told.device, bad)


def _key(connection: Connection, origin: Origin, door: str) -> Any:
    """Return the key of a door's certificate, looked at again: what the database says proves nothing."""
    shown = connection.execute(sa.select(WAY_DOORS.c.shown).where(WAY_DOORS.c.device == door)).scalar()
    if shown is None:
        raise SyncError(message("property.takes_no_ways", door=door))
    name, key = origin.owner(shown)
    if name != door:
        raise SyncError(message("property.certificate", door=door, name=name))
    return key


def _ended(connection: Connection, people: Sequence[str]) -> dict[str, int]:
    """Return when PINs and cards of these people were last ended, of those who are in the roster."""
    query = sa.select(ROSTER.c.id, ROSTER.c.text).where(ROSTER.c.id.in_(people))
    return {row.id: int(json.loads(row.text).get(WAYS_ENDED, 0)) for row in connection.execute(query)}


def _order(row: Any) -> WayOrder:
    return WayOrder(row.number, row.person, row.way, row.after, row.by, row.sealed)


def _replace(connection: Connection, person: str, number: int) -> None:
    """Have PINs of somebody that no door has taken yet go nowhere, but the one with this number."""
    mine = (GIVEN_WAYS.c.person == person, GIVEN_WAYS.c.way == "pin", GIVEN_WAYS.c.number != number)
    waits = (*mine, GIVEN_WAYS.c.status.in_([WAITING, ASKED]))
    connection.execute(sa.update(GIVEN_WAYS).where(*waits).values(status=REPLACED, sealed=None))


def _row(device: str, order: WayOrder, now: float) -> dict[str, Any]:
    return {**order.fields(), "device": device, "at": now, "status": WAITING, "why": None}
