"""The panel put together: stores, camera, recognition and journal of one data folder."""

from __future__ import annotations

import functools
import logging
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from edge import __version__
from edge.consent.notice import Operator
from edge.domain import FIRST_LOOK_SHARE, EventDraft
from edge.enrol.renumbering import RenumberingDesk
from edge.enrol.session import GuidedSession, judged_by_turns
from edge.enrol.shots import Harvest, ShotTaker, agreeing
from edge.enrol.ways_in import WaysIn
from edge.errors import EnrolmentRefused, ModelMissing
from edge.events import Kind
from edge.faces.liveness.demands import Demands
from edge.faces.liveness.load import LivenessWish, load_liveness
from edge.faces.manifest import load_manifest
from edge.panel.desk import Fact, PanelServices, Recogniser
from edge.panel.gate_words import GateWords
from edge.panel.sight import FaceOverlay
from edge.panel.studio import EnrolmentRunner
from edge.service.recognition.recogniser import ErrorRate, build_matcher, threshold_rule
from edge.service.recognition.roster import permitted_rows
from edge.store.account_rows import ACCOUNTS_FILE
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.reader import JOURNAL_FILE, JournalReader
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.web.accounts import Accounts
from edge.web.tls import signing_key
from edge.words import Message, message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from edge.domain import DoorEvent, Image, OperatingPoint
    from edge.enrol.session import EnrolmentOutcome
    from edge.faces.quality import QualityLimits
    from edge.panel.feed import Feed
    from edge.panel.studio import EnrolmentWindow
    from edge.ports import Clock, EventWriter, Identifier, LivenessCheck
    from edge.service.recognition.recogniser import Models

logger = logging.getLogger(__name__)

RECEIPT_KEY_FILE = "receipt.key"
LEAST_PHOTOS = 2
"""One photo is a template, another one is held out to measure it."""


class History(Protocol):
    """A journal to read from; `edge.store.reader.JournalReader` is one."""

    def read(self, after_seq: int = 0, limit: int = 100) -> list[DoorEvent]:
        """Return up to `limit` events with `seq` above `after_seq`, oldest first."""

    def last(self) -> DoorEvent | None:
        """Return the newest event, or None."""


@dataclass(frozen=True, slots=True)
class PanelOptions:
    """What a panel is opened for.

    `new_liveness` None: nobody checks for pictures of people. `matcher` returns the gallery that
    newcomers are compared with; None: one made of the store each time. `limits` are the door's own,
    `window` is when staff may enrol (None: always). `pass_issued` is called when the page issued a pass,
    `tell_ways` and `tell_accounts` when something was taken back there: they write it down.
    """

    door_id: str
    data: Path
    sureness: ErrorRate = field(default_factory=ErrorRate)
    minors_allowed: bool = False
    operator: Operator = field(default_factory=Operator)
    new_liveness: Callable[[], LivenessCheck | None] | None = None
    matcher: Callable[[], Identifier] | None = None
    limits: QualityLimits | None = None
    window: EnrolmentWindow | None = None
    pass_issued: Callable[[], object] = lambda: None
    tell_ways: Callable[[], object] = lambda: None
    tell_accounts: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True)
class PanelContext:
    """What the panel is connected to: where frames come from, the time, and where events go."""

    feed: Feed
    clock: Clock
    events: EventWriter


def open_desk(
    wish: PanelOptions, models: Models | None, around: PanelContext, stack: ExitStack
) -> PanelServices:
    """Return the desk of one door; everything it opens is closed by `stack`.

    Without `models` it can do everything but enrol.
    """
    data = wish.data
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = stack.enter_context(closing(ResidentStore(data / RESIDENTS_FILE)))
    consents = stack.enter_context(closing(ConsentLedger(data / CONSENTS_FILE)))
    accounts = stack.enter_context(closing(Accounts(data / ACCOUNTS_FILE, _edited(around, "accounts"))))
    words = stack.enter_context(closing(GateWords(data / ACCOUNTS_FILE, _edited(around, "display"))))
    ways = stack.enter_context(closing(WaysIn(data, wish.pass_issued, wish.tell_ways)))
    # Somebody whose number was being changed when the power went: before anybody looks at either number.
    RenumberingDesk(store, consents, ways).finish(around.events)
    eyes = BLIND if models is None else _eyes(wish, models, store, consents)
    return PanelServices(
        wish.door_id,
        around.clock,
        accounts,
        store,
        consents,
        EnrolmentRunner(around.feed, eyes.new_session, around.clock, wish.window),
        eyes.recogniser,
        functools.partial(signing_key, data / RECEIPT_KEY_FILE),
        around.events,
        lambda before, count: events_of(data, before, count),
        facts=_facts(models, store),
        minors_allowed=wish.minors_allowed,
        operator=wish.operator,
        words=words,
        ways=ways,
        sight=None if models is None else FaceOverlay(models.detector, around.clock, wish.limits),
        tell_accounts=wish.tell_accounts,
    )


def _edited(around: PanelContext, why: str) -> Callable[[tuple[str, ...]], object]:
    """Return what writes down which rows somebody else edited, and when that is over."""

    def report(names: tuple[str, ...]) -> object:
        told = {"state": "edited", "edited": ", ".join(names)[:200]} if names else {"state": "ok"}
        draft = EventDraft.now(around.clock, Kind.HEALTH_EDITED, {**told, "why": why})
        return around.events.record(draft)

    return report


def liveness_maker(
    mode: Literal["off", "passive"],
    models: Models,
    report: Callable[[str], None],
    networks: tuple[str, ...] | None = None,
) -> Callable[[], LivenessCheck | None]:
    """Return what makes a fresh liveness check for every enrolment; `report` gets its warnings once.

    One network's yes is enough here: somebody of the staff stands by.
    """
    wanted = LivenessWish(mode, networks, Demands(weak="accept"))
    load_liveness(wanted, models.embedder, report)
    return lambda: load_liveness(wanted, models.embedder, logger.debug).check


def events_of(data: Path, before: int | None, count: int) -> list[DoorEvent]:
    """Return up to `count` events of a data folder below the number `before`, newest first.

    Opened each time: a damaged journal is set aside and begun anew while the panel runs.
    """
    with closing(JournalReader(data / JOURNAL_FILE)) as journal:
        return newest_events(journal, before, count)


def newest_events(journal: History, before: int | None, count: int) -> list[DoorEvent]:
    """Return up to `count` events below the number `before`, newest first."""
    if before is None:
        last = journal.last()
        before = 1 if last is None else last.seq + 1
    # Numbers have no gap but where retention removed or damage lost entries: then fewer come back.
    start = max(before - 1 - count, 0)
    return [event for event in reversed(journal.read(start, count)) if event.seq < before]


@dataclass(frozen=True, slots=True)
class Eyes:
    """What enrolment sees with."""

    new_session: Callable[[str], GuidedSession]
    recogniser: Recogniser


def _no_models(*_: object) -> Any:
    raise ModelMissing(message("error.ModelMissing"))


BLIND = Eyes(_no_models, Recogniser("none", _no_models, _no_models))
"""Of a door whose models are missing: everything else of its panel works."""


def _eyes(wish: PanelOptions, models: Models, store: ResidentStore, consents: ConsentLedger) -> Eyes:
    compared = wish.matcher or (lambda: _fresh_matcher(wish, models, store, consents))
    return Eyes(_sessions(wish, models, compared), _recogniser(wish, models, compared))


def _sessions(
    wish: PanelOptions, models: Models, compared: Callable[[], Identifier]
) -> Callable[[str], GuidedSession]:
    def new_session(resident_id: str) -> GuidedSession:
        liveness = wish.new_liveness() if wish.new_liveness else None
        return GuidedSession(resident_id, (models.detector, models.embedder), compared(), liveness)

    return new_session


def _recogniser(wish: PanelOptions, models: Models, compared: Callable[[], Identifier]) -> Recogniser:
    rule = threshold_rule(models.calibration, wish.sureness)

    def judge(resident_id: str, pictures: Sequence[tuple[str | Message, Image]]) -> EnrolmentOutcome:
        harvest = _harvest(models, pictures)
        rows = [shot.embedding for shot in harvest.shots]
        if len(rows) < LEAST_PHOTOS:
            why = {"least": LEAST_PHOTOS, "why": harvest.refused}
            raise EnrolmentRefused(message("error.photos", count=len(rows), **why))
        return judged_by_turns(resident_id, rows, compared())

    def point(residents: int) -> OperatingPoint:
        return rule(residents, residents, FIRST_LOOK_SHARE)  # one row each: the mean of the shots

    return Recogniser(models.embedder.model_id, judge, point)


def _harvest(models: Models, pictures: Sequence[tuple[str | Message, Image]]) -> Harvest:
    taker = ShotTaker(models.detector, models.embedder)
    harvest = Harvest()
    for name, image in pictures:
        try:
            harvest.shots.append(taker.from_image(image, name))
        except EnrolmentRefused as refusal:
            harvest.refused.append(refusal.message)
    return agreeing(harvest)


def _fresh_matcher(
    wish: PanelOptions, models: Models, store: ResidentStore, consents: ConsentLedger
) -> Identifier:
    return build_matcher(models, wish.sureness, permitted_rows(store, consents, models.embedder.model_id))


def _facts(models: Models | None, store: ResidentStore) -> tuple[Fact, ...]:
    """Return what the page about the device names: (what it is, its value)."""
    embedder = Message("panel.fact.not_installed") if models is None else models.embedder.model_id
    facts: list[Fact] = [
        (Message("panel.fact.facegate"), f"{__version__} (Apache-2.0)"),
        (Message("panel.fact.embedder"), embedder),
    ]
    manifest = load_manifest()
    for name in ("yunet", "sface"):
        model = manifest.model(name)
        facts.append((message("panel.fact.sha256", name=name), model.sha256))
        facts.append((message("panel.fact.licence", name=name), model.licence))
    protection = getattr(store.sealer, "protection", Message("panel.protection.unknown"))
    facts.append((Message("panel.fact.keys"), protection))
    return tuple(facts)
