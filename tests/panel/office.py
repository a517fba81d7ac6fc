"""A panel over the small visible world, and a browser without a screen that speaks to it."""

from __future__ import annotations

import re
import uuid
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import TYPE_CHECKING

import cv2

from edge.consent.notice import Operator
from edge.domain import Frame, OperatingPoint
from edge.enrol.session import GuidedSession, judged
from edge.enrol.shots import Harvest, ShotTaker, agreeing
from edge.enrol.ways_in import WaysIn
from edge.errors import EnrolmentRefused
from edge.event_log.log import EventLog
from edge.panel.app import make_app
from edge.panel.desk import PanelServices, Recogniser
from edge.panel.gate_screen import GateScreen
from edge.panel.gate_words import GateWords
from edge.panel.network import BrokerState, NetworkState
from edge.panel.rule_file import RuleFile
from edge.panel.sight import FaceOverlay
from edge.panel.studio import EnrolmentRunner
from edge.runtime.clock import ManualClock
from edge.service.panel.backup import backup_maker
from edge.service.panel.office import newest_events
from edge.service.untold import UntoldAccounts, UntoldWays
from edge.store.commissioning import CommissioningBook
from edge.store.consents import ConsentLedger
from edge.store.journal import SqliteJournal
from edge.store.residents import ResidentStore
from edge.web.accounts import Accounts, Role
from edge.web.tls import signing_key
from edge.words import Message
from tests.fakes.accounts import account
from tests.fakes.pages import client_of
from tests.fakes.scene import Actor, Residents, Scene, axis

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from edge.findings import CheckupFinding

PASSWORD = "correct horse 9"
ANNA = Actor(0, axis(0))


@dataclass
class Feed:
    """A camera whose newest frame a test puts there."""

    frame: Frame | None = None
    problem: Message | None = None
    leases: int = 0

    def lease(self) -> None:
        self.leases += 1

    def newest(self) -> Frame | None:
        return self.frame


@dataclass
class PanelUnderTest:
    """Everything behind one panel, at hand for looking."""

    desk: PanelServices
    app: Starlette
    clock: ManualClock
    feed: Feed
    scene: Scene
    gallery: Residents
    journal: SqliteJournal
    pulses: list[datetime | str] = field(default_factory=list)
    unmatched: dict[str, str] = field(default_factory=dict)
    findings: list[CheckupFinding] = field(default_factory=list)
    troubles: list[Exception] = field(default_factory=list)
    """Why the lock does not open."""
    failing: list[str] = field(default_factory=list)
    """Files that the card does not give."""

    def browser(self, address="192.0.2.7"):
        return Browser(client_of(self.app, base_url="https://door", client=(address, 5000)))

    def logged_in(self, name="ines", role=Role.INSTALLER):
        if self.desk.accounts.first_code:
            self.desk.accounts.put_back(account("first", Role.INSTALLER, "another good one"))
        if self.desk.accounts.all().get(name) is not role:
            self.desk.accounts.put_back(account(name, role, PASSWORD), self.desk.accounts.kept(name))
        browser = self.browser()
        browser.get("/login")
        assert browser.post("/login", name=name, password=PASSWORD).status_code == 200
        return browser

    def kinds(self):
        return [event.kind for event in self.journal.read(0, 100_000)]

    def events(self, kind):
        return [event for event in self.journal.read(0, 100_000) if event.kind == kind]


class Browser:
    """Follows redirects, keeps cookies, and brings the form token of the page it was last shown."""

    def __init__(self, client):
        self.client = client
        self.csrf = ""

    def get(self, path, **options):
        return self._seen(self.client.get(path, **options))

    def post(self, path, files=None, headers=None, **fields):
        data = {"csrf": self.csrf, **fields}
        return self._seen(self.client.post(path, data=data, files=files, headers=headers))

    def _seen(self, answer):
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        if found:
            self.csrf = found[1]
        return answer


class Keys:
    """The display's PIN pad and bell; a test says what they do."""

    def type_pin(self, number: str, pin: str) -> None:
        pass

    def ring(self, flat: str = "") -> None:
        pass


NAMED = Operator("阳光物业", "0571-1234")


def open_panel(
    folder,
    stack: ExitStack,
    minors_allowed=False,
    zone: tzinfo = UTC,
    *,
    has_keys: bool = True,
    rules: str | None = None,
    operator: Operator = NAMED,
) -> PanelUnderTest:
    clock, feed, scene, gallery = ManualClock(), Feed(), Scene([ANNA]), Residents({})
    journal = stack.enter_context(
        closing(
            SqliteJournal(folder / "journal.db", "gate", boot=str(uuid.uuid4()), clock_trust=lambda: "synced")
        )
    )
    pulses: list[datetime | str] = []
    unmatched: dict[str, str] = {}
    troubles: list[Exception] = []
    findings: list[CheckupFinding] = []
    failing: list[str] = []

    def pulse():
        for trouble in troubles:
            raise trouble
        pulses.append(datetime.now(UTC))

    def judge(resident_id, pictures):
        taker, harvest = ShotTaker(scene, scene), Harvest()
        for name, image in pictures:
            try:
                harvest.shots.append(taker.from_image(image, name))
            except EnrolmentRefused as refusal:
                harvest.refused.append(refusal.message)
        rows = [shot.embedding for shot in agreeing(harvest).shots]
        return judged(resident_id, rows[:1], rows[1:], gallery)

    log = EventLog(journal, clock)
    untold = [one(folder, log.record, clock).tell_or_later for one in (UntoldWays, UntoldAccounts)]
    desk = PanelServices(
        "gate",
        clock,
        stack.enter_context(closing(Accounts(folder / "panel.db"))),
        stack.enter_context(closing(ResidentStore(folder / "residents.db"))),
        stack.enter_context(closing(ConsentLedger(folder / "consents.db"))),
        EnrolmentRunner(feed, lambda who: GuidedSession(who, (scene, scene), gallery), clock),
        Recogniser(
            "scene",
            judge,
            lambda n: OperatingPoint(0.3 + n * 1e-6, 0.05, 1e-3, n, Message("basis.benchmark")),
        ),
        partial(signing_key, folder / "receipt.key"),
        log,
        lambda before, count: newest_events(journal, before, count),
        pulse=pulse,
        facts=((Message("panel.fact.facegate"), "test"),),
        minors_allowed=minors_allowed,
        zone=zone,
        screen=GateScreen(clock),
        keys=Keys() if has_keys else None,
        words=stack.enter_context(closing(GateWords(folder / "panel.db"))),
        door=lambda: {"contact": "closed", "lock": "locked", "secured": "secured", "alarms": []},
        network=lambda: NetworkState(
            ("192.0.2.10", "gate"), "AA:BB", BrokerState("broker.lan:8883", is_connected=True, waiting=3)
        ),
        back_up=backup_maker(folder, clock),
        operator=operator,
        sight=FaceOverlay(scene, clock),
        unmatched=lambda: unmatched,
        failing=lambda: tuple(failing),
        findings=lambda: tuple(findings),
        commissioning=CommissioningBook(folder / "commissioning.json"),
        ways=stack.enter_context(closing(WaysIn(folder, tell=untold[0]))),
        tell_accounts=untold[1],
        confirm_clock=partial(pulses.append, "clock"),
    )
    if rules is not None:
        path = folder / "rules.toml"
        path.write_text(rules)
        file = RuleFile(path, "UTC", lambda: "read again")
        desk = replace(desk, rules=lambda: file.parsed(file.text()), rule_file=file)
    app = make_app(desk)
    seen = (feed, scene, gallery, journal, pulses, unmatched, findings, troubles, failing)
    return PanelUnderTest(desk, app, clock, *seen)


def photo(scene, width=120, actor=ANNA):
    _, data = cv2.imencode(".png", scene.frame(0, (actor, 260, 150, width)).image)
    return data.tobytes()
