"""What people at the property do, as plain calls: the command line uses it, and so can a web console.

Nothing here speaks MQTT: everything goes through the database, to the hub that runs.
"""

from __future__ import annotations

import getpass
import time
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import ConfigError, SyncError
from edge.identity import kept_spellings
from edge.site.provision import Site
from edge.wire.commands import CommandType
from edge.wire.records import WAYS_ENDED
from edge.wire.rules import digest_of
from edge.wire.shapes import printable
from edge.words import message
from edge.words.retold import told_of
from facegate_hub.configuration import Configurations
from facegate_hub.database import put, reading
from facegate_hub.diagnostics import answer_to, last_answer
from facegate_hub.door_list import hub_view, list_doors
from facegate_hub.door_names import door_names
from facegate_hub.door_rules import SentRules
from facegate_hub.doubts import Doubt, acknowledge, unseen
from facegate_hub.faces import SharedFaces
from facegate_hub.given_ways import IssuedWays, site_origin
from facegate_hub.heard_rings import HeardRings
from facegate_hub.inbox import Inbox, InboxKind
from facegate_hub.orders import POLL_SECONDS, REFUSED, WAITING, Orders
from facegate_hub.people import RosterPeople, require_whole_numbers
from facegate_hub.reading import EventFilter, News, history, latest, page
from facegate_hub.retention import HubRetention
from facegate_hub.roster import RosterLog
from facegate_hub.signed_passes import SignedPasses
from facegate_hub.signer.client import open_signer
from facegate_hub.signer.rights import NotPermitted, Permission
from facegate_hub.tables import DEVICES, DOORS, OF_A_DOOR, open_tables
from facegate_hub.vouching import allow_unproven

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.engine import Engine

    from edge.domain import RosterState
    from facegate_hub.configuration import ConfigView
    from facegate_hub.door_view import DoorView, HubView
    from facegate_hub.orders import GivenOrder
    from facegate_hub.reading import EventPage, StoredEvent
    from facegate_hub.retention import Forgotten
    from facegate_hub.signer.audit import Record
    from facegate_hub.signer.client import SignerClient

FEW = 10
"""Removals that need no second word; beyond it, and beyond half of the roster, they do."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: people read, people removed, and the revision reached."""

    read: int
    removed: int
    rev: int


class Staff:
    """Operations of a site. Any thread; several may work on one database.

    What changes something, or takes events out, is asked of the signer first, in the name of whom `signer`
    speaks for (by default this process's account, or the token in `FACEGATE_TOKEN`): it raises
    `NotPermitted` where they may not. `by` is who the owner of the site says is asking (None: the account).
    Raises `ConfigError` when the folder is no site, `StoreError` when the database cannot be opened.
    """

    def __init__(
        self, folder: Path, url: str, by: str | None = None, signer: SignerClient | None = None
    ) -> None:
        self._by = by or getpass.getuser()
        self._folder = folder
        self._given_signer = signer
        self._own_signer: SignerClient | None = None
        if not (folder / "site.json").exists():
            raise ConfigError(f"{folder}: not a provisioned site; run `facegate provision site`")
        self._engine: Engine = open_tables(url)
        self._site = Site(folder)
        self._roster = RosterLog(self._engine, None)
        self._configurations = Configurations(self._engine)
        self.inbox = Inbox(self._engine)
        self.people = RosterPeople(self._engine)
        self.faces = SharedFaces(self._engine)
        self.rules = SentRules(self._engine)
        self.passes = SignedPasses(self._engine)
        self.rings = HeardRings(self._engine)
        self.ways = IssuedWays(self._engine, lambda: site_origin(folder))

    def close(self) -> None:
        """Give the database's connections back; a signer that was given stays open."""
        self._engine.dispose()
        if self._own_signer is not None:
            self._own_signer.close()

    @property
    def signer(self) -> SignerClient:
        """The way to the signer, opened when it is first needed: who only looks needs none."""
        if self._given_signer is not None:
            return self._given_signer
        if self._own_signer is None:
            self._own_signer = open_signer(self._folder)
        return self._own_signer

    @property
    def orders(self) -> Orders:
        """Commands in the name of whom the signer knows us for, to doors and groups."""
        return Orders(self._engine, self.signer)

    def doors(self) -> list[DoorView]:
        """Return every door that was ever heard, and those provisioned here that never were, by id."""
        return list_doors(self._engine, self._roster.state(), self._site.doors())

    def door_names(self) -> dict[str, str]:
        """Return what people call the doors that have a name, by id."""
        return door_names(self._engine)

    def name_door(self, door: str, name: str, place: str = "") -> None:
        """Let people see a door under a name, and where it is; empty: under its id again."""
        self._require_known(door)
        self._permit(Permission.DOORS, {"what": "name-door", "door": door, "name": name, "place": place})
        row = {"id": door, "name": printable(name)[:80], "place": printable(place)[:80]}
        with self._engine.begin() as connection:
            put(connection, DOORS, row)

    def see_to(self, inbox: InboxKind, item: int) -> None:
        """Acknowledge an alarm or doubt: we see to it. Raises `SyncError` naming who already does."""
        self.inbox.acknowledge(inbox, item, self._inbox_permit(inbox, item, "acknowledge"))

    def hand_over(self, inbox: InboxKind, item: int, to: str, note: str = "") -> None:
        """Let somebody else see to an alarm or doubt, with a word for them. Raises `SyncError` for nobody."""
        if not to.strip():
            raise SyncError(message("property.item_to_nobody"))
        self._inbox_permit(inbox, item, f"hand over to {to}")
        self.inbox.hand_over(inbox, item, to, note)

    def take_over(self, inbox: InboxKind, item: int, of: str) -> None:
        """See to an alarm or doubt that `of` sees to. Raises `SyncError` when somebody else does."""
        self.inbox.take_over(inbox, item, self._inbox_permit(inbox, item, f"take over from {of}"), of)

    def close_item(self, inbox: InboxKind, item: int, note: str = "") -> None:
        """Close an alarm or doubt, with what was found."""
        self.inbox.close(inbox, item, self._inbox_permit(inbox, item, "close"), note)

    def _inbox_permit(self, inbox: InboxKind, item: int, did: str) -> str:
        right = Permission.ALARMS if inbox is InboxKind.ALARMS else Permission.DOUBTS
        return self._permit(right, {"door": self.inbox.item(inbox, item).device, "item": item, "did": did})

    def person_data(self, person: str) -> Iterator[dict[str, Any]]:
        """Yield all that is stored of somebody, as data protection lets them ask; noted in the audit."""
        self._permit(Permission.EXPORT, {"what": "person-export", "person": person})
        return self.people.everything(person)

    def erase_person_events(self, person: str) -> int:
        """Take somebody out of all stored events, and return how many that was.

        Raises `SyncError` while they are in the roster: their next entry would be stored again.
        """
        if self.people.one(person) is not None:
            raise SyncError(f"{person}: is in the roster; first: facegate hub roster remove {person}")
        self._permit(Permission.ERASE, {"what": "person-erase", "person": person})
        return self.people.erase_events(person)

    def hub(self) -> HubView | None:
        """Return how the hub that serves the doors was last; None when none ever ran on this database."""
        return hub_view(self._engine)

    def shut_out(self, door: str, why: str) -> None:
        """Listen to this door no more, within ten seconds; what it has to say it keeps.

        Its certificate still opens the broker to it: revoke that too.
        """
        self._require_known(door)
        self._permit(Permission.DOORS, {"what": "shut-out", "door": door, "why": why})
        with self._engine.begin() as connection:
            put(connection, DEVICES, {"id": door, "shut_out": printable(why)[:200]})

    def let_in_again(self, door: str) -> None:
        """Listen again to a door that was shut out."""
        self._permit(Permission.DOORS, {"what": "let-in-again", "door": door})
        with self._engine.begin() as connection:
            put(connection, DEVICES, {"id": door, "shut_out": None})

    def allow_unproven(self, door: str, why: str | None) -> None:
        """Take the events of a door that proves none, of an older version, without a doubt; None: doubt it.

        A door that proved its events before is let off that, until it proves one again.
        """
        self._require_known(door)
        self._permit(Permission.DOORS, {"what": "allow-unproven", "door": door, "why": why})
        with self._engine.begin() as connection:
            allow_unproven(connection, door, None if why is None else printable(why)[:200])

    def retire(self, door: str) -> None:
        """Forget a door that was taken away, but not its events. One that speaks again is there again."""
        self._require_known(door)
        self._permit(Permission.DOORS, {"what": "retire", "door": door})
        with self._engine.begin() as connection:
            for column in OF_A_DOOR:
                connection.execute(sa.delete(column.table).where(column == door))

    def events(self, wanted: EventFilter | None = None) -> Iterator[StoredEvent]:
        """Yield stored events by the doors' time, oldest first; that they were taken out is noted."""
        found = {name: value for name, value in asdict(wanted or EventFilter()).items() if value is not None}
        self._permit(Permission.EXPORT, found)
        return history(self._engine, wanted)

    def audit(self, count: int) -> tuple[list[Record], int | None]:
        """Return the last records of who asked for what, and the first number that is broken (None: none)."""
        return self.signer.audit(count)

    def _permit(self, right: Permission, about: dict[str, Any], by: str | None = None) -> str:
        return self.signer.permit(right, about, by or self._by)

    def page(
        self, wanted: EventFilter, count: int = 50, then: tuple[str, str, str, int] | None = None
    ) -> EventPage:
        """Return some events, newest first, and where the next page begins."""
        return page(self._engine, wanted, count, then)

    def latest(self, count: int) -> list[StoredEvent]:
        """Return the last events by the doors' time, oldest first."""
        return latest(self._engine, count)

    def news(self) -> News:
        """Return where events that are stored from now on can be looked up."""
        return News(self._engine)

    def forget(self, keep_days: float, *, trusts_clock: bool = False) -> Forgotten:
        """Delete events that were stored longer ago (see `HubRetention`), and say what went."""
        self._permit(Permission.ERASE, {"what": "forget", "keep_days": keep_days})
        return HubRetention(self._engine, keep_days, trusts_clock=trusts_clock).prune()

    def doubts(self) -> list[Doubt]:
        """Return the signs of tampering or loss that nobody acknowledged, in the order they were noted."""
        return unseen(self._engine)

    def acknowledge_doubts(self, by: str, door: str | None = None, shown: Sequence[int] | None = None) -> int:
        """Note that somebody has looked at the doubts (of one door, of these ids); return how many."""
        who = self._permit(Permission.DOUBTS, {"door": door}, by)
        with self._engine.begin() as connection:
            return acknowledge(connection, who, door, shown)

    def command(
        self,
        door: str,
        kind: CommandType,
        by: str,
        args: dict[str, float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> str:
        """Give a door a command and return its answer; waits for what physically came of it.

        Raises `SyncError` when it was refused or failed: then it does not happen later either; or with
        `unknown` when the door was given the order and has not answered, which its journal may settle.
        """
        return self._ordered(door, kind, by, args, sleep).text

    def _ordered(
        self,
        door: str,
        kind: CommandType,
        by: str,
        args: dict[str, float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> GivenOrder:
        self._require_known(door)
        ended = next(self.orders.follow(self.orders.give([door], kind, by, args or {}), sleep))
        if ended.status == REFUSED:
            raise NotPermitted(message("property.refused", door=door, why=told_of(ended.text)))
        if ended.status not in {"done", WAITING}:
            status = message(f"property.status.{ended.status}")
            raise SyncError(message("property.ended", door=door, status=status, why=told_of(ended.text)))
        return ended

    def _require_known(self, door: str) -> None:
        """Refuse a name that is no door of this site at once."""
        with reading(self._engine) as connection:
            heard = set(connection.execute(sa.select(DEVICES.c.id)).scalars())
        known = sorted(heard | set(self._site.doors()))
        if known and door not in known:
            if near := get_close_matches(door, known, 1):
                raise SyncError(
                    message("property.door_meant", door=door, doors=known[:20], near=repr(near[0]))
                )
            raise SyncError(message("property.no_door", door=door, doors=known[:20]))

    def configure(
        self,
        door: str,
        values: Mapping[str, str | int | float],
        reset: Iterable[str] = (),
        wait_seconds: float = 0.0,
    ) -> ConfigView:
        """Want other settings of a door; return what it made of them within `wait_seconds`.

        Raises `SyncError` for what is no setting.
        """
        reset = list(reset)
        about = {"values": dict(values), "reset": reset, "by": self._by}
        self._adopt()
        rev = self._configurations.change(
            door, values, reset, lambda wish: self.signer.approve_settings(wish, about)
        )
        deadline = time.monotonic() + wait_seconds
        while (found := self.configuration(door)).reported is None or found.reported.rev < rev:
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        return found

    def configuration(self, door: str) -> ConfigView:
        """Return what is wanted of a door's settings, and what the door says."""
        return self._configurations.view(door)

    def diagnose(self, door: str, by: str) -> tuple[str, dict[str, Any]]:
        """Ask a door how it is; return (when, what it said). Raises `SyncError` without an answer."""
        ended = self._ordered(door, CommandType.DIAGNOSTICS, by)
        if ended.id is None:
            raise SyncError(ended.text)
        return answer_to(self._engine, ended.id)

    def last_diagnostics(self, door: str) -> tuple[str, dict[str, Any]]:
        """Return (UTC in ISO form, what the door said) of the last time it was asked."""
        return last_answer(self._engine, door)

    def import_people(
        self,
        records: Sequence[dict[str, Any]],
        *,
        replace: bool = False,
        removing: int | None = None,
        before: Mapping[str, Mapping[str, Any] | None] = MappingProxyType({}),
    ) -> Imported:
        """Add and change people, all or none; with `replace` also remove everybody else.

        `before` are the records that somebody has looked at (see `RosterLog.change`).

        Removing more than ten and more than half of the people needs `removing`, their exact number: a
        file with the wrong content must not shut out a house. Raises `SyncError`; then nothing changed.
        """
        ids = self._roster.ids()
        spellings = kept_spellings(ids)
        records = [{**record, "id": spellings.get(record["id"], record["id"])} for record in records]
        keep = {record["id"] for record in records} if replace else set(ids)
        gone = [identity for identity in ids if identity not in keep]
        require_whole_numbers(ids, gone, (record["id"] for record in records))
        if len(gone) > max(FEW, len(ids) // 2) and removing != len(gone):
            raise SyncError(
                f"this would remove {len(gone)} of {len(ids)} people; if that is meant, say so: "
                f"--removing {len(gone)}"
            )
        rev = self._change(
            {"what": "import", "read": len(records), "removed": len(gone)}, records, gone, before
        )
        return Imported(len(records), len(gone), rev)

    def require_known_levels(self, records: Sequence[dict[str, Any]], new: Iterable[str] = ()) -> None:
        """Raise `SyncError` for an access level that nobody has yet and that is nearly one which people have.

        Doors know their levels, the property does not: a slip would leave somebody at the gate. Those in
        `new` are meant.
        """
        for level, near in self.people.doubtful_levels(records).items():
            if level not in new:
                raise SyncError(
                    f"access level {level!r}: nobody has it; did you mean {near!r}? "
                    f"If it is a new one, say so: --new-level {level}"
                )

    def remove(self, ids: Iterable[str]) -> int:
        """Remove people and return the revision; every door erases their faces.

        Raises `SyncError` naming who is not there; then nobody is removed.
        """
        gone = list(ids)
        if missing := self._roster.missing(gone):
            raise SyncError(message("property.not_removed", ids=missing[:10]))
        return self._change({"what": "remove", "ids": gone[:1000]}, (), gone)

    def end_ways(self, person: str) -> int:
        """Have every door take back the PINs and cards that somebody has by now; return the revision.

        A lost card, a PIN that was told on: what a door gives after it has heard of this counts. Faces stay.
        """
        known = self.people.one(person)
        if known is None:
            raise SyncError(message("property.not_there", id=person))
        number = max(int(time.time()), known.record.get(WAYS_ENDED, 0) + 1)
        record = {**known.record, WAYS_ENDED: number}
        seen = {person: known.record}
        return self._change({"what": "ways-ended", "ids": [person]}, [record], (), seen)

    def want_rules(self, door: str, base: str, text: str) -> bool:
        """Want these rules of a door in place of those with this SHA-256; False: it takes a second person."""
        about = {"digest": digest_of(text), "base": base, "by": self._by}
        by = self.signer.who().name
        return self.rules.want(door, base, text, lambda wish: self.signer.approve_rules(wish, about), by)

    def give_way(self, person: str, secret: Mapping[str, str], doors: Sequence[str]) -> int:
        """Give somebody a PIN (`number`, `pin`) or a `card` at these doors; return the order's number.

        It is sealed here for each door: nobody between, and nobody here later, can read it.
        """
        self._adopt()
        known = self.signer.who()
        by = printable(self._by)[:64] if known.is_owner else known.name
        about = {"way": "pin" if "pin" in secret else "card", "person": person, "by": self._by}
        return self.ways.give(
            person, secret, doors, by, lambda orders: self.signer.approve_ways(orders, about)
        )

    def decide_faces(self, people: Sequence[str], *, lists: bool) -> list[str]:
        """Let faces that wait go to the doors their consents name, or keep them; return whose waited."""
        about = {"what": "faces", "lists": lists, "people": list(people)[:1000]}
        return self.faces.decide(people, self._permit(Permission.ROSTER, about), lists=lists)

    def begin_anew(self) -> int:
        """Begin a new epoch of the roster and return it; after a lost or older database."""
        about = {"what": "begin-anew", "by": self._by}
        return self._roster.begin_anew(
            lambda before, after: self.signer.approve_roster(
                before, after, {**about, "epoch": after[0].epoch}
            )
        )

    def _change(
        self,
        about: dict[str, Any],
        puts: Sequence[dict[str, Any]],
        removals: Sequence[str],
        seen: Mapping[str, Mapping[str, Any] | None] = MappingProxyType({}),
    ) -> int:
        """Change the roster as the signer allows it."""
        self._adopt()
        return self._roster.change(
            puts,
            removals,
            lambda before, after: self.signer.approve_roster(before, after, {**about, "by": self._by}),
            seen,
        )

    def _adopt(self) -> None:
        """Have taken over what was there before the site had a signer, when this is the first to ask it."""
        if self.signer.who().is_owner:
            self.signer.adopt(self._roster.states(), self._configurations.wishes())

    def roster(self) -> RosterState:
        """Return revision, digest and number of people."""
        return self._roster.state()
