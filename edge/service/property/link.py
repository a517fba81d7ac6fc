"""The door and its property: events out, roster and commands in, over one connection.

Imported only by doors with a broker: it brings paho and the signatures.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from edge import __version__
from edge.broker.settings import Ack, BrokerSettings, Tls
from edge.domain import EventDraft, RosterState
from edge.errors import ConfigError, FacegateError, JournalUnavailable, StoreError
from edge.events import Kind
from edge.service.chores.past import commands_ended
from edge.service.property.ended_ways import EndingRoster
from edge.service.property.given_ways import HeldWays
from edge.site.lives import door_until
from edge.site.provision import load_trusted_keys
from edge.store.ledger import LEDGER_FILE, SqliteLedger
from edge.store.outbox import SqliteOutbox
from edge.store.roster import SqliteRoster
from edge.sync.announcer import announcer
from edge.sync.configuration import RULES, ConfigurationFollower
from edge.sync.desk import CommandDesk
from edge.sync.ended_passes import PassEndsFollower
from edge.sync.follower import RosterFollower
from edge.sync.gate import CommandGate
from edge.sync.given_ways import GivenWaysFollower
from edge.sync.notices import NoticeFollower
from edge.sync.post import PostBox
from edge.sync.publisher import EventPublisher
from edge.sync.state import StateReporter
from edge.wire.discovery import Announced
from edge.wire.proof import Identity, Notary, Origin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.broker.clerk import TopicWorker
    from edge.broker.client import LinkPart
    from edge.config.mqtt import Mqtt
    from edge.ports import Clock, EventWriter
    from edge.service.sharing.exchange import FaceExchange
    from edge.service.untold import UntoldWays
    from edge.store.residents import ResidentStore
    from edge.sync.configuration import Keeper
    from edge.sync.desk import Execute
    from edge.sync.ended_passes import PassEndsKeeper
    from edge.sync.notices import NoticeKeeper
    from edge.wire.signing import TrustedKeys

logger = logging.getLogger(__name__)

JOURNAL_FILE = "journal.db"
STUCK_SECONDS = 120.0
"""Looking up a name takes up to half a minute when no name server answers; longer silence is a hang."""
MOST_PROBLEM = 500
"""Characters of why events wait, of the 512 that `state` may have."""


@dataclass(frozen=True, slots=True)
class DoorSide:
    """What the property's messages reach at this door. All callables from any thread."""

    device_id: str
    data: Path
    boot: str
    clock: Clock
    clock_trust: Callable[[], str]
    store: ResidentStore
    events: EventWriter
    execute: Execute
    report: Callable[[], dict[str, Any]]
    untold: UntoldWays
    configuration: Keeper | None = None
    """None: the property changes no settings here."""
    sharing: FaceExchange | None = None
    """None: faces stay in the device that took them."""
    rules: Keeper | None = None
    """None: nothing here has access rules."""
    notices: NoticeKeeper | None = None
    """None: there is no display for notices."""
    ended_passes: PassEndsKeeper | None = None
    """None: nothing here lets visitors in."""


class PropertyLink:
    """Everything between a door and its property, for as long as it is started.

    Without `trusted_keys` it only sends events and state. Bad keys or a bad command file cost the
    part that needs them, with a log line and a `health.sync` event; events are sent all the same.
    A card that does not give journal or people holds up what needs them and nothing else: commands go on.
    Raises `ConfigError` for a password that cannot be read.
    """

    def __init__(self, section: Mqtt, door: DoorSide) -> None:
        self._door = door
        self._settings = broker_settings(section, door.device_id)
        self._outbox = SqliteOutbox(door.data / JOURNAL_FILE, is_patient=True)
        self._roster = SqliteRoster(door.store)
        self._roster_told = _told_of(RosterState(), 0, None)
        self._ledger: SqliteLedger | None = None
        self._notary = door_notary(self._settings)
        self._clerks: list[TopicWorker] = []
        if section.trusted_keys is not None:
            self._listen(section.trusted_keys)
        others: list[LinkPart] = [*self._clerks, StateReporter(self._settings, self.state, ("outbox",))]
        home = Announced(door.device_id, __version__, section.home_assistant_prefix)
        if (announced := announcer(door.data, home, wanted=section.home_assistant)) is not None:
            others.append(announced)
        self._publisher = EventPublisher(
            self._outbox, self._settings, self._notary, others=others, boot=door.boot
        )

    def start(self) -> None:
        """Begin: those who handle messages first, then the connection that brings them."""
        for clerk in self._clerks:
            clerk.start()
        self._publisher.start()

    def stop(self) -> None:
        """End in reverse. What has not arrived is sent by the next run."""
        self._publisher.stop()
        for clerk in reversed(self._clerks):
            clerk.stop()
        self._outbox.close()
        if self._ledger is not None:
            self._ledger.close()

    def is_alive(self) -> bool:
        """Return whether every thread of the link is there and the connection's still turns."""
        return self._publisher.is_alive(STUCK_SECONDS) and all(clerk.is_alive() for clerk in self._clerks)

    def state(self) -> dict[str, Any]:
        """Return how the door is, how far its roster is and what waits to be sent.

        Of people that the card does not give as it was last; before that as of an empty roster.
        """
        status = self._publisher.status()
        with suppress(StoreError):
            self._roster_told = self._roster_state()
        return {
            **self._door.report(),
            "roster": self._roster_told,
            "outbox": {
                "waiting": status.waiting,
                "oldest_seconds": self._oldest_seconds(status.done_upto) if status.waiting else 0.0,
                "problem": None if status.problem is None else status.problem[:MOST_PROBLEM],
            },
            **self._passes_ended(),
            **self._certificate(),
        }

    def _roster_state(self) -> dict[str, Any]:
        confirmed = self._roster.confirmed_at()
        return _told_of(self._roster.state(), self._behind(), confirmed)

    def _passes_ended(self) -> dict[str, Any]:
        """Return how far the list of ended passes was taken; nothing before the first."""
        rev = None if self._door.ended_passes is None else self._door.ended_passes.rev
        return {} if rev is None else {"passes_ended": rev}

    def _certificate(self) -> dict[str, Any]:
        """Return until when we are let in at the broker; nothing where it asks for no certificate."""
        tls = self._settings.tls
        until = None if tls is None else door_until(tls.cert_file, tls.ca_file)
        return {} if until is None else {"certificate": {"until": until.isoformat()}}

    def _behind(self) -> int:
        """Return how many revisions the newest known head is ahead; 0 when nobody tells us heads."""
        return sum(one.behind for one in self._clerks if isinstance(one, RosterFollower))

    def _oldest_seconds(self, done: int) -> float:
        """Return the age of the first event that has not arrived, by the clock that knows best."""
        clock = self._door.clock
        try:
            entries = self._outbox.pending(done, 1)
        except JournalUnavailable:
            return 0.0
        for _, text in entries:
            event = json.loads(text)
            age: float = clock.monotonic() - event["mono"] / 1e9
            # The monotonic clock began anew with this run; an older event has only its wall time.
            if event["boot"] != self._door.boot:
                age = (clock.now() - datetime.fromisoformat(event["ts"])).total_seconds()
            return round(max(0.0, age), 1)
        return 0.0

    def _listen(self, path: Path) -> None:
        try:
            keys = load_trusted_keys(path)
            follower = self._follower(keys)
            self._clerks.append(follower)
            if (exchange := self._door.sharing) is not None:
                # The exchange is made before any link and outlives this one: each link tells it anew.
                exchange.newest_list = lambda: follower.doors_number
                self._clerks.append(PostBox(self._settings, exchange))
            if (keeper := self._door.configuration) is not None:
                self._clerks.append(self._wishes(keys, keeper))
            door = self._door
            heard = (door.events.record, door.clock)
            if (rules := door.rules) is not None:
                self._clerks.append(ConfigurationFollower(self._settings, keys, rules, *heard, RULES))
            if (display := door.notices) is not None:
                self._clerks.append(NoticeFollower(self._settings, keys, display, *heard))
            if (passes := door.ended_passes) is not None:
                self._clerks.append(PassEndsFollower(self._settings, keys, passes, *heard))
            if (identity := self._notary.identity) is not None:
                held = HeldWays(self._roster, door.data, door.untold)
                self._clerks.append(GivenWaysFollower(self._settings, keys, identity, held, *heard))
            # Last: its file may be damaged, and the parts before it are kept.
            self._clerks.append(self._desk(keys))
        except FacegateError as error:
            logger.error("the property is not heard in full: %s", error)  # noqa: TRY400 - one clear line
            data = {"error": str(error)[:200]}
            self._door.events.record(EventDraft.now(self._door.clock, Kind.HEALTH_SYNC, data))

    def _follower(self, keys: TrustedKeys) -> RosterFollower:
        door = self._door
        roster = EndingRoster(self._roster, door.data, door.untold)
        roster.look_again()
        return RosterFollower(self._settings, keys, roster, door.events.record, door.clock)

    def _wishes(self, keys: TrustedKeys, keeper: Keeper) -> ConfigurationFollower:
        return ConfigurationFollower(self._settings, keys, keeper, self._door.events.record, self._door.clock)

    def _desk(self, keys: TrustedKeys) -> CommandDesk:
        door = self._door
        self._ledger = SqliteLedger(door.data / LEDGER_FILE)
        gate = CommandGate(door.device_id, keys, self._ledger, door.clock, door.clock_trust)
        return CommandDesk(
            self._settings,
            gate,
            door.execute,
            door.events.record,
            door.clock,
            lambda: commands_ended(door.data / JOURNAL_FILE),
        )


def _told_of(roster: RosterState, behind: int, confirmed: datetime | None) -> dict[str, Any]:
    return {
        "epoch": roster.epoch,
        "rev": roster.rev,
        "digest": roster.digest,
        "count": roster.count,
        "behind": behind,
        "confirmed": confirmed.isoformat() if confirmed else None,
    }


def broker_settings(section: Mqtt, device_id: str) -> BrokerSettings:
    """Return where the broker is. Raises `ConfigError` when the password file cannot be read."""
    return BrokerSettings(
        section.host,
        device_id,
        port=section.port,
        username=section.username,
        password=_password(section),
        tls=Tls(section.ca_file, section.cert_file, section.key_file) if section.tls else None,
        ack=Ack(section.ack),
        unsigned_acks=section.unsigned_acks,
    )


def door_notary(settings: BrokerSettings) -> Notary:
    """Return what proves our events and checks the property's word: the certificates we reach it with.

    Raises `ConfigError` for files that cannot be used; the broker would refuse us with those, too.
    """
    tls = settings.tls
    if tls is None or tls.cert_file is None or tls.key_file is None:
        return Notary()
    origin = None if tls.ca_file is None else Origin.load(tls.ca_file)
    return Notary(Identity.load(tls.cert_file, tls.key_file), origin)


def _password(section: Mqtt) -> str | None:
    if section.password_file is None:
        return section.password.get_secret_value() if section.password else None
    try:
        return section.password_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"mqtt.password_file = {section.password_file}: cannot be read: {error}") from error
