"""The panel put together: stores, camera, recognition and journal of one data folder."""

from __future__ import annotations

import logging
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from edge import __version__
from edge.enrol.session import GuidedSession, judged
from edge.enrol.shots import Harvest, ShotTaker, agreeing
from edge.errors import EnrolmentRefused
from edge.faces.liveness.load import load_liveness
from edge.faces.manifest import load_manifest
from edge.panel.accounts import ACCOUNTS_FILE, Accounts
from edge.panel.desk import Desk, Recogniser
from edge.panel.studio import Studio
from edge.panel.tls import signing_key
from edge.service.recognition import Sureness, build_matcher, threshold_rule
from edge.store.consents import CONSENTS_FILE, ConsentLedger, erase_face
from edge.store.journal import SqliteJournal
from edge.store.reader import JOURNAL_FILE
from edge.store.residents import RESIDENTS_FILE, ResidentStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from edge.domain import DoorEvent, Embedding, Image, OperatingPoint
    from edge.enrol.session import Outcome
    from edge.matcher.matcher import Matcher
    from edge.panel.feed import Feed
    from edge.ports import Clock, LivenessCheck
    from edge.service.recognition import Models

logger = logging.getLogger(__name__)

RECEIPT_KEY_FILE = "receipt.key"
LEAST_PHOTOS = 2
"""One photo is a template, another one is held out to measure it."""


@dataclass(frozen=True, slots=True)
class PanelWish:
    """What a panel is opened for. `new_liveness` None: nobody checks for pictures of people."""

    door_id: str
    data: Path
    sureness: Sureness = field(default_factory=Sureness)
    minors_allowed: bool = False
    new_liveness: Callable[[], LivenessCheck | None] | None = None


def open_desk(wish: PanelWish, models: Models, feed: Feed, clock: Clock, stack: ExitStack) -> Desk:
    """Return the desk of one door; everything it opens is closed by `stack`."""
    data = wish.data
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = stack.enter_context(closing(ResidentStore(data / RESIDENTS_FILE)))
    consents = stack.enter_context(closing(ConsentLedger(data / CONSENTS_FILE)))
    accounts = stack.enter_context(closing(Accounts(data / ACCOUNTS_FILE)))
    journal = stack.enter_context(
        closing(
            SqliteJournal(
                data / JOURNAL_FILE, wish.door_id, boot=str(uuid.uuid4()), clock_trust=lambda: "unknown"
            )
        )
    )
    finish_withdrawals(store, consents)
    return Desk(
        wish.door_id,
        clock,
        accounts,
        store,
        consents,
        Studio(feed, _sessions(wish, models, store), clock),
        _recogniser(wish, models, store),
        signing_key(data / RECEIPT_KEY_FILE),
        journal.append,
        lambda before, count: newest_events(journal, before, count),
        facts=_facts(models, store),
        minors_allowed=wish.minors_allowed,
    )


def liveness_maker(
    mode: Literal["off", "passive"], models: Models, report: Callable[[str], None]
) -> Callable[[], LivenessCheck | None]:
    """Return what makes a fresh liveness check for every enrolment; `report` hears of it once."""
    load_liveness(mode, models.embedder, report)
    return lambda: load_liveness(mode, models.embedder, logger.debug)


def finish_withdrawals(store: ResidentStore, consents: ConsentLedger) -> list[str]:
    """Erase the faces of who has withdrawn, in case the power went in between; return who."""
    in_force = {consent.resident_id for consent in consents.in_force().values()}
    finished = []
    for resident in store.list():
        has_withdrawn = resident.id not in in_force and consents.of(resident.id)
        if has_withdrawn and erase_face(store, resident.id).key_fingerprint:
            finished.append(resident.id)
    return finished


def newest_events(journal: SqliteJournal, before: int | None, count: int) -> list[DoorEvent]:
    """Return up to `count` events below the number `before`, newest first."""
    if before is None:
        last = journal.last()
        before = 1 if last is None else last.seq + 1
    start = max(before - 1 - count, 0)
    return [event for event in reversed(journal.read(start, count)) if event.seq < before]


def _sessions(wish: PanelWish, models: Models, store: ResidentStore) -> Callable[[str], GuidedSession]:
    def new_session(resident_id: str) -> GuidedSession:
        matcher = _matcher(wish, models, store)
        liveness = wish.new_liveness() if wish.new_liveness else None
        return GuidedSession(resident_id, (models.detector, models.embedder), matcher, liveness)

    return new_session


def _recogniser(wish: PanelWish, models: Models, store: ResidentStore) -> Recogniser:
    rule = threshold_rule(models.calibration, wish.sureness)

    def judge(resident_id: str, pictures: Sequence[tuple[str, Image]]) -> Outcome:
        rows = [shot.embedding for shot in _harvest(models, pictures).shots]
        if len(rows) < LEAST_PHOTOS:
            raise EnrolmentRefused(f"{len(rows)} good photo(s): give at least {LEAST_PHOTOS}, of this person")
        kept, held_out = (rows[::2], rows[1::2]) if len(rows) > LEAST_PHOTOS else (rows[:1], rows[1:])
        return judged(resident_id, kept, held_out, _matcher(wish, models, store))

    def point(residents: int) -> OperatingPoint:
        return rule(residents, 6 * residents, 1.0)

    return Recogniser(models.embedder.model_id, judge, point)


def _harvest(models: Models, pictures: Sequence[tuple[str, Image]]) -> Harvest:
    taker = ShotTaker(models.detector, models.embedder)
    harvest = Harvest()
    for name, image in pictures:
        try:
            harvest.shots.append(taker.from_image(image, name))
        except EnrolmentRefused as refusal:
            harvest.refused.append(str(refusal))
    return agreeing(harvest)


def _matcher(wish: PanelWish, models: Models, store: ResidentStore) -> Matcher:
    rows: dict[str, list[Embedding]] = {}
    for template in store.templates(models.embedder.model_id):
        rows.setdefault(template.resident_id, []).append(template.embedding)
    return build_matcher(models, wish.sureness, rows)


def _facts(models: Models, store: ResidentStore) -> dict[str, str]:
    facts = {"facegate": f"{__version__} (Apache-2.0)", "embedder": models.embedder.model_id}
    manifest = load_manifest()
    for name in ("yunet", "sface"):
        model = manifest.model(name)
        facts[f"{name} SHA-256"] = model.sha256
        facts[f"{name} licence"] = model.licence
    facts["template keys"] = str(getattr(store.sealer, "protection", "one key for all"))
    return facts
