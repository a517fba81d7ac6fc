"""Looks at whom the door knows, and what its rules say of them."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

from edge.consent.rules import matchable
from edge.errors import FacegateError
from edge.events import Kind
from edge.findings import CheckupFinding, amber, green, red, typed
from edge.service.entry.rules import load_book
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.residents import RESIDENTS_FILE, ResidentStore

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from pathlib import Path

    from edge.config.settings import Settings
    from edge.service.checkup.recently import RecentEvents

SHOWN = 5
BACKUP_DAYS = 30


def residents(data: Path) -> CheckupFinding:
    """Return how many people have a face here, and whom of them the door does not match."""
    if not (data / RESIDENTS_FILE).exists():
        return amber("residents", "none", command=typed("enrol add"))
    try:
        with (
            closing(ResidentStore(data / RESIDENTS_FILE)) as store,
            closing(ConsentLedger(data / CONSENTS_FILE)) as ledger,
        ):
            in_force = ledger.in_force()
            faces = [found for one in store.list() if (found := store.templates_of(one.id))]
            objections = [who for one in faces for who in matchable(one, in_force)[1]]
    except FacegateError as error:
        return red("residents", "unread", problem=str(error), command=typed("restore --help"))
    return matched(len(faces) - len(objections), objections)


def matched(count: int, unmatched: Collection[str]) -> CheckupFinding:
    """Return how many people the door matches, and whom of those enrolled it does not."""
    if unmatched:
        return red(
            "residents",
            "unmatched",
            count=len(unmatched),
            who=list(unmatched)[:SHOWN],
            first=typed("consent list --missing"),
            then=typed("consent record"),
        )
    if not count:
        return amber("residents", "none", command=typed("enrol add"))
    return green("residents", "fine", count=count)


def rules(settings: Settings, data: Path | None = None) -> CheckupFinding:
    """Return what decides who may pass, and of whom in `data` it knows no level.

    A mistake in the file is one of the settings.
    """
    path = settings.access.rules
    if path is None:
        return green("rules", "none")
    count, without = (0, []) if data is None else _without_level(settings, data)
    if without and len(without) == count:
        return red("rules", "nobody", count=count, file=str(path))
    if without:
        return amber("rules", "unheld", count=len(without), who=without[:SHOWN], file=str(path))
    return green("rules", "fine", file=str(path))


def _without_level(settings: Settings, data: Path) -> tuple[int, list[str]]:
    """Return how many people there are, and whom the rules give nothing; what fails is told elsewhere."""
    if not (data / RESIDENTS_FILE).exists():
        return 0, []
    try:
        with closing(ResidentStore(data / RESIDENTS_FILE)) as store:
            known = store.list()
        return len(known), load_book(settings).levelless(known)
    except FacegateError:
        return 0, []


def backup(recent: RecentEvents, now: datetime) -> CheckupFinding:
    """Return when the journal last told of a backup."""
    event = recent.newest(Kind.PANEL_BACKUP)
    if event is None:
        return amber("backup", "none", command=typed("backup FILE"))
    if now - event.at > timedelta(days=BACKUP_DAYS):
        return amber("backup", "old", days=(now - event.at).days, command=typed("backup FILE"))
    return green("backup", "fine", days=(now - event.at).days)
