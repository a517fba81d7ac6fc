"""The hub's composition root: one connection to the broker, and the parts that use it."""

from __future__ import annotations

import json
import logging
import os
import time
from typing import TYPE_CHECKING

from edge.broker.client import SyncClient
from edge.broker.settings import BrokerSettings, Tls
from edge.errors import ConfigError, FacegateError, SyncError
from edge.runtime.clock import SystemClock
from edge.site.provision import Site
from edge.wire import rules
from edge.wire.names import HUB
from edge.wire.proof import Identity, Notary
from facegate_hub.alert_channels import FILE, load_alerts
from facegate_hub.alerts import AlertSender
from facegate_hub.asks import AskClerk
from facegate_hub.commands import Commander
from facegate_hub.community.faults import Faults
from facegate_hub.community.staff_store import FOLDER as STAFF_FOLDER
from facegate_hub.community.staff_store import open_staff
from facegate_hub.community.terms import read_terms
from facegate_hub.community.timekeeper import Timekeeper
from facegate_hub.configuration import Configurations, ConfigurationServer
from facegate_hub.database_urls import COMMUNITY_VARIABLE
from facegate_hub.devices import Attendance
from facegate_hub.door_news import DoorNews
from facegate_hub.door_rules import SentRules
from facegate_hub.ended_passes import PassEnder
from facegate_hub.fault_watch import FaultWatch
from facegate_hub.given_ways import GivenWaysServer, site_origin
from facegate_hub.home_assistant import HomeAssistantPart
from facegate_hub.ingest import Ingest
from facegate_hub.notice_post import NOTICES_FILE, NoticePost, notice_channels
from facegate_hub.notices import NoticeServer
from facegate_hub.post import PostOffice
from facegate_hub.retention import HubRetention
from facegate_hub.rings import RingBridge
from facegate_hub.rollout import RosterServer
from facegate_hub.roster import RosterLog
from facegate_hub.signer.client import open_signer
from facegate_hub.signer.rights import NotPermitted
from facegate_hub.tables import open_tables
from facegate_hub.visitors import PassGranter

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.engine import Engine

    from edge.broker.clerk import TopicWorker
    from edge.domain import RosterState
    from facegate_hub.community.staff_store import StaffStore
    from facegate_hub.community.terms import Terms
    from facegate_hub.retained import RetainedTeller
    from facegate_hub.signer.client import SignerClient

LOG = logging.getLogger(__name__)

MOST_WAIT_SECONDS = 5.0
"""Between attempts to reach the broker: there is one hub, and until it is back a removal waits."""
SIGNER_TRIES, SIGNER_PAUSE_SECONDS = 20, 0.5
"""A signer that was killed is started again within two seconds; a unit's of its own may take longer."""


def hand_over_site(
    signer: SignerClient,
    states: Sequence[RosterState],
    wishes: Mapping[str, tuple[int, str]],
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Have the signer take over what the site had before it; one that was just killed is waited for.

    Raises `SyncError` when none answers within ten seconds, `NotPermitted` at once.
    """
    for _ in range(SIGNER_TRIES):
        try:
            signer.adopt(states, wishes)
        except NotPermitted:
            raise
        except SyncError as error:
            LOG.warning("%s", error)
            sleep(SIGNER_PAUSE_SECONDS)
        else:
            return
    signer.adopt(states, wishes)


class Hub:
    """A running hub. `folder` is the site's, `url` the database.

    With `stores_events` False others do that (`EventWorker`); with `keep_days` older events are deleted
    every day. Raises `ConfigError` or `StoreError` when it cannot start.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        rng: random.Random | None = None,
        *,
        stores_events: bool = True,
        keep_days: float | None = None,
    ) -> None:
        settings = broker_settings(folder)
        self.engine = open_tables(url)
        self.signer = open_signer(folder)
        self.roster = RosterLog(self.engine, self.signer, approve_faces=self.signer.approve_faces)
        self.ingest = Ingest(self.engine, notary=notary(folder)) if stores_events else None
        self._community = community = open_community(folder)
        self._threads = self._beside(community, folder) if community else ()
        self._parts: tuple[TopicWorker, ...] = (
            *([self.ingest] if self.ingest else []),
            RosterServer(self.engine, self.roster),
            PostOffice(self.engine, self.roster, folder / HUB),
            Commander(self.engine, self.signer),
            AskClerk(self.engine, self.signer),
            HomeAssistantPart(self.engine, self.signer),
            ConfigurationServer(self.engine, self.signer, Configurations(self.engine)),
            ConfigurationServer(self.engine, self.signer, SentRules(self.engine), "rules", rules.PURPOSE),
            GivenWaysServer(self.engine, self.signer, site_origin(folder)),
            Attendance(self.engine),
            *(self._tellers(community, Site(folder)) if community else ()),
        )
        self._retention = HubRetention(self.engine, keep_days) if keep_days is not None else None
        self._alerts = alert_sender(folder, self.engine)
        self.client = SyncClient(settings, self._parts, rng=rng, most_wait_seconds=MOST_WAIT_SECONDS)

    def _tellers(self, community: tuple[StaffStore, Terms], site: Site) -> tuple[RetainedTeller, ...]:
        """Return what carries residents' matters to the doors: notices and ended passes."""
        return (
            NoticeServer(self.engine, self.signer, community, site.doors),
            PassEnder(self.engine, self.signer, community[0], site.doors),
        )

    def _beside(
        self, community: tuple[StaffStore, Terms], folder: Path
    ) -> tuple[Timekeeper | PassGranter | FaultWatch | DoorNews | RingBridge | NoticePost, ...]:
        """Return what works for residents beside the broker: time, passes, faults, notices sent on."""
        staff, terms = community
        book = staff.book
        return (
            Timekeeper(book, terms),
            PassGranter(self.engine, (book, terms), folder / HUB, Site(folder).doors),
            FaultWatch(self.engine, Faults(book, terms)),
            DoorNews(self.engine, book),
            RingBridge(self.engine, (book, terms), self.signer),
            *notice_post(folder, self.engine, staff),
        )

    @property
    def has_community(self) -> bool:
        """Whether what residents and staff keep is served, too: it may come later than the hub."""
        return self._community is not None

    def waiting(self) -> dict[str, float]:
        """Return how many messages wait for each part, by its name. Any thread."""
        return {part.name: float(part.waiting) for part in self._parts}

    def start(self) -> None:
        """Begin serving. Raises `SyncError` when no signer answers."""
        hand_over_site(self.signer, self.roster.states(), Configurations(self.engine).wishes())
        if self._retention is not None:
            self._retention.start()
        if self._alerts is not None:
            self._alerts.start()
        for thread in self._threads:
            thread.start()
        for part in self._parts:
            part.start()
        self.client.start()

    def stop(self) -> None:
        """End; doors keep what was not acknowledged."""
        # The connection first, so that nothing new comes while the parts end; last what all of them use.
        self.client.stop()
        for part in self._parts:
            part.stop()
        for thread in self._threads:
            thread.stop()
        if self._retention is not None:
            self._retention.stop()
        if self._alerts is not None:
            self._alerts.stop()
        self.signer.close()
        self.engine.dispose()
        if self._community is not None:
            _close(self._community)


def open_community(folder: Path) -> tuple[StaffStore, Terms] | None:
    """Return what staff and residents of a site keep, and its terms; None where that is not, or not now.

    Doors do not wait for it: whatever is wrong is a line in the log, and `community_came` tells when it is
    right.
    """
    try:
        return _opened(folder)
    except (FacegateError, ImportError) as error:
        LOG.error("no notices go to doors: the community cannot be opened: %s", error)  # noqa: TRY400 - one line
        return None


def community_came(folder: Path) -> bool:
    """Return whether a hub that runs without the community could be begun with it now.

    The console, which makes it, is started after the hub; and its database may come later, too.
    """
    try:
        found = _opened(folder)
    except (FacegateError, ImportError):
        return False
    if found is not None:
        _close(found)
    return found is not None


def _opened(folder: Path) -> tuple[StaffStore, Terms] | None:
    """Return what staff and residents keep; None where nobody has begun it."""
    url = os.environ.get(COMMUNITY_VARIABLE)
    if url is None and not (folder / "community" / "community.db").exists():
        return None
    from facegate_hub.community.database import open_book  # noqa: PLC0415 - needs Alembic

    staff = open_staff(folder, open_book(folder, url, SystemClock()))
    return staff, read_terms(folder / STAFF_FOLDER)


def _close(community: tuple[StaffStore, Terms]) -> None:
    staff, _ = community
    staff.engine.dispose()
    staff.book.engine.dispose()


class EventWorker:
    """One of several hubs that divide the doors' events among them, and do nothing else.

    `number` is that of its certificate (`facegate provision worker`); `share` names the group, None:
    the site's own, which nobody outside can guess.
    Raises `ConfigError` or `StoreError` when it cannot start.
    """

    def __init__(self, folder: Path, url: str, number: int, share: str | None = None) -> None:
        settings, group = broker_settings(folder, f"{HUB}.{number}"), share or Site(folder).share()
        self.engine = open_tables(url)
        self.ingest = Ingest(self.engine, group, notary=notary(folder, f"{HUB}.{number}"))
        self.client = SyncClient(settings, [self.ingest], most_wait_seconds=MOST_WAIT_SECONDS)

    def start(self) -> None:
        """Begin storing."""
        self.ingest.start()
        self.client.start()

    def stop(self) -> None:
        """End; doors send what was not acknowledged to the others."""
        self.client.stop()
        self.ingest.stop()
        self.engine.dispose()


def alert_sender(folder: Path, engine: Engine) -> AlertSender | None:
    """Return what tells people outside of alarms, None: nobody is to be told. Raises `ConfigError`."""
    path = folder / HUB / FILE
    if not path.exists():
        return None
    site = json.loads((folder / "site.json").read_text())["name"]
    channels, quiet = load_alerts(path, site)
    return AlertSender(engine, channels, quiet)


def notice_post(folder: Path, engine: Engine, staff: StaffStore) -> tuple[NoticePost, ...]:
    """Return what sends notices on, none where nobody is named. Raises `ConfigError`."""
    path = folder / HUB / NOTICES_FILE
    if not path.exists():
        return ()
    site = json.loads((folder / "site.json").read_text())["name"]
    return (NoticePost(engine, staff, notice_channels(load_alerts(path, site)[0])),)


def broker_settings(folder: Path, name: str = HUB) -> BrokerSettings:
    """Return how the hub of a provisioned site, or the worker of this name, reaches its broker."""
    try:
        place = json.loads((folder / "site.json").read_text())
        host, port = place["host"], int(place["port"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{folder}: not a provisioned site ({error}); run `facegate provision site`"
        ) from error
    mine = folder / HUB
    if not (mine / f"{name}.key").exists():
        raise ConfigError(f"{mine / name}.key: there is none; run `facegate provision worker`")
    tls = Tls(mine / "ca.crt", mine / f"{name}.crt", mine / f"{name}.key")
    return BrokerSettings(host, name, port, tls=tls)


def notary(folder: Path, name: str = HUB) -> Notary:
    """Return what the hub or worker of this name proves its word with. Raises `ConfigError`."""
    mine = folder / HUB
    identity = Identity.load(mine / f"{name}.crt", mine / f"{name}.key")
    return Notary(identity, site_origin(folder))
