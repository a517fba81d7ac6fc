"""What the signer does with a call: identify the caller, check their rights, write the audit, and sign."""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.domain import RosterState
from edge.errors import SyncError
from edge.policy.hours import GrantHours
from edge.wire import commands, configuration, ended_passes, given_ways, notices, rules
from edge.wire import roster as roster_messages
from edge.wire.commands import CommandType, parse_command
from edge.wire.names import DEVICE_ID
from edge.wire.shapes import printable
from edge.words import message
from facegate_hub.database import insert_missing, reading
from facegate_hub.signer.allowance import AuditAllowance
from facegate_hub.signer.audit import note_wish
from facegate_hub.signer.policy import RINGS, Policy
from facegate_hub.signer.principals import (
    INTEGRATION,
    NOBODY,
    PROGRAM,
    RESIDENT,
    Grant,
    Principal,
    Principals,
)
from facegate_hub.signer.rights import COMMANDS, NotPermitted, Permission
from facegate_hub.signer.rosters import ApprovedRosters
from facegate_hub.signer.tables import ASKS, PERMITS, RULE_WISHES, WISHES
from facegate_hub.signer.wishes import GrantedWishes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.engine import Connection, Engine

    from edge.site.integrations import IntegrationGrant
    from edge.wire.asks import ProgramAsk
    from edge.wire.signing import Signer
    from facegate_hub.signer.asking import FacesListed
    from facegate_hub.signer.principals import Caller

TTL_SECONDS = 10
"""How long after it was signed a door still takes a command."""
PERMIT_SECONDS = 30.0
"""How long a command that was granted may be signed; the hub itself gives up after 20 s."""
MOST_REFUSALS = 20
"""Refusals of one principal that are noted in a minute, and what an integration may ask beyond its rate: the
audit is never shortened, so nobody may fill it."""
KEEP_SECONDS = 86_400.0  # for permits, and ids that were asked with
MOST_REFUSED = 1000
"""Principals whose refusals are counted; beyond it counting begins anew."""
MOST_REFUSED_VALUE = 500
"""Characters of what somebody was refused; longer values are left out."""
MOST_DOORS = 1000
MOST_NAME = 64  # as wide as the columns `principal` and `by`
RING_RATE = 3
"""How often a resident may open for who rings, in a minute."""
MOST_NOTE, MOST_LIST = 4000, 200_000
"""Characters that are noted of one wish; of a change of the roster, which may name a thousand people."""
MOST_NOTICED = 4096
"""Notices, and ended passes, remembered as written down; more than displays show in a quarter."""
ABOUT_THE_ROSTER = frozenset(
    {roster_messages.HEAD, roster_messages.CONFIRMED, roster_messages.DELTA, roster_messages.SNAPSHOT}
)


@dataclass(frozen=True, slots=True)
class Permit:
    """What came of asking a door: its `id`, why it is `refused`, or neither: it needs a second person.

    `code` is why it is refused as a message's id and values, for whoever reads another language.
    """

    door: str
    id: str | None = None
    refused: str | None = None
    by: str = ""
    code: Mapping[str, Any] | None = None


class SigningDesk:
    """Everything that may be asked of the signer. Any thread.

    `signer` is the site's key, `hub_uids` the accounts whose hub may have signed what was granted, beside
    the signer's own; `integrations` are what other programs of the house may. Raises `NotPermitted` where
    somebody may not, `SyncError` where something cannot be.
    """

    def __init__(
        self,
        engine: Engine,
        signer: Signer,
        hub_uids: frozenset[int] = frozenset(),
        now: Callable[[], float] = time.time,
        integrations: Callable[[], list[IntegrationGrant]] = list,
    ) -> None:
        self.engine = engine
        self._signer = signer
        self._hub_uids = hub_uids
        self._now = now
        self._integrations = integrations
        self._refusals: dict[str, tuple[float, int]] = {}
        self.principals = Principals(engine, now)
        self.policy = Policy(engine, now)
        self._rosters = ApprovedRosters(engine, now)
        self._wishes = GrantedWishes(engine, self.policy, now)
        self._noticed: dict[str, dict[str, object]] = {}
        self._allowance = AuditAllowance(now)

    def ask(
        self, caller: Caller, doors: list[str], kind: CommandType, by: str | None, args: dict[str, float]
    ) -> list[Permit]:
        """Grant a command at each of these doors and groups, or say why not; one answer for each door.

        `by` is who an owner says is asking; anybody else asks in their own name.
        """
        principal = self.principals.known(caller)
        names = self.policy.doors(doors)
        if kind not in COMMANDS or not 1 <= len(names) <= MOST_DOORS:
            raise SyncError(message("signer.how_many", kind=str(kind), most=MOST_DOORS))
        return [self._ask_one(principal, door, kind, by, args) for door in names]

    def ask_for(self, caller: Caller, name: str, ask: ProgramAsk) -> Permit:
        """Grant what another program asks, once for each id; the broker says who it is. For the hub.

        The hub is believed which program it was, so that whoever breaks into hub or broker may what they may.
        """
        self._require_hub(caller)
        grant = next((one for one in self._integrations() if one.name == name), None)
        if grant is None:
            raise NotPermitted(f"{name}: there is no such integration")
        principal = _program(grant)
        asked = {"integration": name, "id": ask.id, "at": self._now()}
        with self.engine.begin() as connection:
            connection.execute(sa.delete(ASKS).where(ASKS.c.at < self._now() - KEEP_SECONDS))
            # Up to now: after the clock went back, asks from before it are none of this minute.
            mine = (ASKS.c.integration == name, ASKS.c.at.between(self._now() - 60.0, self._now()))
            count = connection.execute(sa.select(sa.func.count()).select_from(ASKS).where(*mine)).scalar()
            # Counted before anything is written: beyond its rate an ask is refused with a line in the audit,
            # beyond this sum with none: no program fills tables that are never shortened.
            if (count or 0) >= (grant.per_minute or 0) + MOST_REFUSALS:
                raise NotPermitted(f"{name}: asks far more often than it may; wait a minute")
            # The id is used up in any case: a recording of the ask does nothing.
            if not insert_missing(connection, ASKS, [asked]):
                raise NotPermitted(f"{ask.id}: was asked before; each ask needs an id of its own")
        return self._ask_one(principal, ask.door, ask.do, None, ask.args)

    def answer_ring(self, caller: Caller, ring: str, door: str, resident: str) -> Permit:
        """Grant that a resident opens a door for who rings there, once for each ring. For the hub.

        The hub is believed that somebody rang, and who answered: whoever breaks into it may open the doors
        of the rule `rings` (none, unless an administrator names some), each resident three times a minute.
        """
        self._require_hub(caller)
        if not self.policy.answers_rings(door):
            raise NotPermitted(message("signer.no_rings", door=door, rule=RINGS))
        asked = {"integration": RINGS, "id": ring, "at": self._now()}
        with self.engine.begin() as connection:
            connection.execute(sa.delete(ASKS).where(ASKS.c.at < self._now() - KEEP_SECONDS))
            if not insert_missing(connection, ASKS, [asked]):
                raise NotPermitted(message("signer.answered"))
        return self._ask_one(_resident(resident, door), door, CommandType.UNLOCK, None, {})

    def integrations(self, caller: Caller) -> list[IntegrationGrant]:
        """Return what other programs of the house may. For the hub, which announces doors to them."""
        self._require_hub(caller)
        return self._integrations()

    def _ask_one(
        self, principal: Principal, door: str, kind: CommandType, by: str | None, args: dict[str, float]
    ) -> Permit:
        said = printable(by)[:64] if by and principal.is_owner else principal.name
        about = {**args, "door": door, "type": kind, "principal": principal.name}
        try:
            with self.engine.begin() as connection:
                # One transaction: two requests at once cannot both be the last that the rate allows, and
                # what cannot be noted is not granted.
                self.policy.require_rate(connection, principal, COMMANDS[kind], door)
                self._allowance.take_commands(principal, 1)
                first = self.policy.partner(connection, principal, COMMANDS[kind], door)
                if first is None:
                    note_wish(connection, said, "first-voice", about, self._now())
                    return Permit(door)
                said = f"{first} and {said}"[:64] if first else said
                permit_id = self._permit(connection, principal, (door, kind, said), args)
                note_wish(connection, said, "command", {**about, "id": permit_id}, self._now())
        except NotPermitted as error:
            self.note_refusal(said, {**about, "why": str(error)})
            return Permit(door, refused=str(error), code=error.message.coded())
        return Permit(door, permit_id, by=said)

    def _permit(
        self,
        connection: Connection,
        principal: Principal,
        wanted: tuple[str, CommandType, str],
        args: dict[str, float],
    ) -> str:
        """Write down what was granted and return its id. Raises `SyncError` for what no door would take."""
        door, kind, by = wanted
        permit_id, now = str(uuid.uuid4()), self._now()
        # The door's own parser reads it before anybody is told that it was granted; the real one gets its
        # nonce later.
        parse_command(self._command((permit_id, door, kind, by), args, None))
        row = {"id": permit_id, "door": door, "kind": str(kind), "args": json.dumps(args), "by": by}
        connection.execute(
            sa.insert(PERMITS).values(**row, principal=principal.name, asked_at=now, used_at=None)
        )
        connection.execute(sa.delete(PERMITS).where(PERMITS.c.asked_at < now - KEEP_SECONDS))
        return permit_id

    def permit(self, caller: Caller, right: Permission, about: dict[str, Any], by: str | None = None) -> str:
        """Note that somebody does something else, and return in whose name; `about` may name a `door`.

        Raises `NotPermitted` unless they may, which is noted too.
        """
        principal = self.principals.known(caller)
        said = printable(by)[:64] if by and principal.is_owner else principal.name
        door = about.get("door")
        about = {**about, "principal": principal.name}
        what = str(about.pop("what", right))
        _require_short(about, MOST_LIST if right is Permission.ROSTER else MOST_NOTE)
        try:
            self.policy.require(principal, right, door if isinstance(door, str) else None)
            self._allowance.take_characters(principal, _length(about))
        except NotPermitted as error:
            self.note_refusal(said, {"what": what, **about, "why": str(error)})
            raise
        with self.engine.begin() as connection:
            note_wish(connection, said, what, about, self._now())
        return said

    def challenge(self, caller: Caller, permit_id: str) -> tuple[str, bytes]:
        """Return (id, signed question for a nonce) for the door of a granted command. For the hub."""
        self._require_hub(caller)
        door, by = (row := self._granted(permit_id)).door, row.by
        challenge_id = str(uuid.uuid4())
        body = self._command((challenge_id, door, CommandType.CHALLENGE, by), {}, None)
        return challenge_id, self._signer.sign(body, commands.PURPOSE)

    def order(self, caller: Caller, permit_id: str, nonce: str) -> bytes:
        """Return a command that was granted, signed, once, with the door's nonce. For the hub."""
        self._require_hub(caller)
        row = self._granted(permit_id)
        kind, args = CommandType(row.kind), json.loads(row.args)
        body = self._command((permit_id, row.door, kind, row.by), args, nonce)
        parse_command(body)
        unused = (PERMITS.c.id == permit_id, PERMITS.c.used_at.is_(None))
        with self.engine.begin() as connection:
            # Marked as used before it is signed: if we die in between, a command is lost. In the other order
            # it could be signed twice, with two nonces, and open a door twice.
            used = sa.update(PERMITS).where(*unused).values(used_at=self._now())
            if connection.execute(used).rowcount != 1:
                raise NotPermitted(message("signer.signed"))
        return self._signer.sign(body, commands.PURPOSE)

    def sign(self, caller: Caller, body: bytes, purpose: str) -> bytes:
        """Return a message about roster, settings, notices or ended passes, signed. For the hub.

        Roster and settings must be what was asked for. Notices and ended passes open nothing: any of the
        right form is signed, and what is new in it is noted.
        """
        self._require_hub(caller)
        # The caller names the purpose, so each body is parsed by its purpose's own rules: a roster cannot be
        # signed as a notice. What is not listed here, commands among it, is signed for nobody.
        if purpose == configuration.PURPOSE:
            self._wishes.require(WISHES, configuration.Desired.parse(body), body)
        elif purpose == rules.PURPOSE:
            self._wishes.require(RULE_WISHES, rules.DesiredRules.parse(body), body)
        elif purpose in ABOUT_THE_ROSTER:
            self._rosters.require(_state_in(body))
        elif purpose == notices.PURPOSE:
            shown = notices.NoticeSet.parse(body)
            lines = {one.id: (one.fields(), one.text) for one in shown.items}
            self._note_new("notice", shown.device, lines)
        elif purpose == given_ways.PURPOSE:
            self._wishes.require_given(given_ways.GivenWays.parse(body))
        elif purpose == ended_passes.PURPOSE:
            told = ended_passes.PassEnds.parse(body)
            ends = {one.id: (one, {"until": one.fields()["until"]}) for one in told.ended}
            self._note_new("pass-ended", told.device, ends)
        else:
            raise NotPermitted(f"{purpose}: is signed for nobody")
        return self._signer.sign(body, purpose)

    def adopt(self, caller: Caller, states: list[RosterState], wishes: dict[str, tuple[int, str]]) -> None:
        """Take over what a site had before it had a signer of its own; once, then nothing is believed so."""
        self._require_hub(caller)
        if self._rosters.adopt(states):
            state = states[0]
            with self.engine.begin() as connection:
                rows = [
                    {"device": name, "rev": rev, "digest": digest} for name, (rev, digest) in wishes.items()
                ]
                insert_missing(connection, WISHES, rows)
                about = {"rev": state.rev, "count": state.count, "settings": sorted(wishes)[:100]}
                note_wish(connection, "signer", "adopt", about, self._now())

    def approve_roster(
        self, caller: Caller, before: RosterState | None, after: list[RosterState], about: dict[str, Any]
    ) -> None:
        """Let the roster go from one state to another; `before` None: whatever it was, for a lost database.

        Raises `NotPermitted` when `before` is none that was approved: then somebody changed the database.
        """
        about, by = _without_by(about)
        principal = self.principals.known(caller)
        said = printable(by)[:64] if by and principal.is_owner else principal.name
        about = {**about, "principal": principal.name, "rev": after[0].rev}
        what = str(about.pop("what", "roster"))
        _require_short(about, MOST_LIST)
        try:
            self.policy.require(principal, Permission.ROSTER)
            self._allowance.take_characters(principal, _length(about))
            self._rosters.approve(
                *(before, after, principal.name),
                lambda connection: note_wish(connection, said, what, about, self._now()),
            )
        except NotPermitted as error:
            self.note_refusal(principal.name, {**about, "what": what, "why": str(error)[:200]})
            raise

    def approve_faces(self, caller: Caller, listed: FacesListed) -> None:
        """Let the hub list faces in the roster, as doors made and withdrew them; nothing else may change."""
        self._require_hub(caller)
        self._rosters.approve_faces(listed, "hub")

    def approve_settings(
        self, caller: Caller, wish: tuple[str, int, str], about: dict[str, Any], table: sa.Table
    ) -> bool:
        """Let a door's settings (or rules) become these: (door, revision, SHA-256 of what will be signed).

        False: that was the first of two people.
        """
        about, by = _without_by(about)
        what = "settings" if table is WISHES else "rules"
        self.permit(caller, Permission.SETTINGS, {**about, "what": what, "door": wish[0], "rev": wish[1]}, by)
        return self._wishes.want(table, wish, self.principals.known(caller))

    def approve_ways(self, caller: Caller, orders: list[tuple[str, str]], about: dict[str, Any]) -> bool:
        """Let these PINs or cards, (door, SHA-256 of the order), go to their doors.

        False: that was the first of two people. What they are is sealed: nothing here could note it.
        """
        about, by = _without_by(about)
        doors = [door for door, _ in orders][:MOST_DOORS]
        self.permit(caller, Permission.ROSTER, {**about, "what": "way-given", "doors": doors}, by)
        return self._wishes.give(orders, self.principals.known(caller))

    def _note_new(self, what: str, device: str, told: Mapping[str, tuple[object, Mapping[str, Any]]]) -> None:
        """Write down what is told for the first time: (what it is compared by, what is noted) by its name."""
        known = self._noticed.setdefault(what, {})
        new = {name: about for name, (mark, about) in told.items() if known.get(name) != mark}
        if new:
            with self.engine.begin() as connection:
                for name, about in sorted(new.items()):
                    noted = {what: name, "first door": device, **about}
                    note_wish(connection, "hub", what, noted, self._now())
        # After the commit: what could not be noted is noted at the next attempt to sign it.
        if len(known) >= MOST_NOTICED:
            known.clear()
        known.update({name: mark for name, (mark, _) in told.items()})

    def is_hub(self, uid: int) -> bool:
        """Say whether this account runs the hub, or could read the key itself."""
        return uid in {*self._hub_uids, 0, os.geteuid()} - {NOBODY}

    def _require_hub(self, caller: Caller) -> None:
        """Let through who runs the hub, without a look into the database: thousands of doors wait."""
        if caller.token is not None or not self.is_hub(caller.uid):
            raise NotPermitted("only the hub has this signed")

    def void(self, caller: Caller, permit_ids: list[str]) -> list[str]:
        """Let commands that are not signed yet never be; return which. By who asked for them, or the hub."""
        mine: list[sa.ColumnElement[bool]] = [PERMITS.c.id.in_(permit_ids), PERMITS.c.used_at.is_(None)]
        if caller.token is not None or not self.is_hub(caller.uid):  # others: what they asked for themselves
            mine.append(PERMITS.c.principal == self.principals.known(caller).name)
        never = sa.update(PERMITS).where(*mine).values(used_at=self._now()).returning(PERMITS.c.id)
        with self.engine.begin() as connection:
            return list(connection.execute(never).scalars())

    def _granted(self, permit_id: str) -> Any:
        """Return a command that was granted a moment ago and is not signed yet."""
        # On both sides of now: after the clock went back, nobody knows how long a command has waited.
        recent = PERMITS.c.asked_at.between(self._now() - PERMIT_SECONDS, self._now() + PERMIT_SECONDS)
        with reading(self.engine) as connection:
            row = connection.execute(sa.select(PERMITS).where(PERMITS.c.id == permit_id, recent)).first()
        if row is None:
            raise NotPermitted(message("signer.not_granted"))
        return row

    def _command(
        self, order: tuple[str, str, CommandType, str], args: dict[str, float], nonce: str | None
    ) -> bytes:
        command_id, door, kind, by = order
        if not DEVICE_ID.fullmatch(door):
            raise SyncError(message("signer.no_door", door=repr(door[:70])))
        fields = {
            "v": 1,
            "id": command_id,
            "device": door,
            "type": kind,
            "issued": datetime.now(UTC).isoformat(),
            "ttl": TTL_SECONDS,
            "by": by,
            "args": args,
            "nonce": nonce,
        }
        return json.dumps(fields).encode()

    def note_refusal(self, by: str, about: dict[str, Any]) -> None:
        """Note that somebody was refused; of one who always is, a few in a minute, and then a count."""
        now, (began, count) = self._now(), self._refusals.get(by, (0.0, 0))
        if not 0.0 <= now - began < 60.0:
            about = about | ({"more": count - MOST_REFUSALS} if count > MOST_REFUSALS else {})
            began, count = now, 0
            if len(self._refusals) > MOST_REFUSED:  # names are made up as easily as refusals
                self._refusals.clear()
        self._refusals[by] = (began, count + 1)
        if count >= MOST_REFUSALS:
            return
        short = {name: value for name, value in about.items() if _length(value) <= MOST_REFUSED_VALUE}
        with self.engine.begin() as connection:
            note_wish(connection, by, "refused", short, self._now())


def _program(grant: IntegrationGrant) -> Principal:
    """Return an integration as somebody who may that much."""
    may = frozenset(COMMANDS[CommandType(word)] for word in grant.may)
    hours = GrantHours.parse(grant.hours)
    grants = [Grant(0, "none", may, door, hours, grant.per_minute, None) for door in grant.doors]
    return Principal(f"{INTEGRATION}{grant.name}", PROGRAM, tuple(grants))


def _resident(resident: str, door: str) -> Principal:
    """Return a resident as somebody who may open this door for who rings there; long ids are cut."""
    name = f"{RESIDENT}{printable(resident)}"
    if len(name) > MOST_NAME:
        name = f"{name[: MOST_NAME - 9]}~{hashlib.sha256(resident.encode()).hexdigest()[:8]}"
    grant = Grant(0, "none", frozenset({Permission.UNLOCK}), door, GrantHours.parse(""), RING_RATE, None)
    return Principal(name, PROGRAM, (grant,))


def _state_in(body: bytes) -> RosterState:
    """Return where a message about the roster leads a door; it compares what it reaches with the digest."""
    try:
        fields = json.loads(body)
        epoch, rev, digest, count = (fields[name] for name in ("epoch", "rev", "digest", "count"))
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise SyncError(f"not a message about the roster: {error}"[:200]) from error
    if not all(type(one) is int for one in (epoch, rev, count)) or not isinstance(digest, str):
        raise SyncError("not a message about the roster: epoch, rev and count are numbers, digest a text")
    return RosterState(epoch, rev, digest, count)


def _length(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False))


def _require_short(about: dict[str, Any], most: int) -> None:
    """Refuse what would fill the audit, which is never shortened."""
    if (length := _length(about)) > most:
        raise SyncError(f"what is to be noted is too long: {length} characters, not more than {most}")


def _without_by(about: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Return what is noted, and who is said to ask."""
    return {name: value for name, value in about.items() if name != "by"}, about.get("by")
