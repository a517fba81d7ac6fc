"""The first hour of a new door, step by step: each is done at the door, and somebody says what they saw."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from edge.domain import Reason
from edge.entry_facts import EntryFacts
from edge.errors import PanelRefused
from edge.events import EventGroup, Kind
from edge.panel.telling import seen_events
from edge.panel.views_door import sensed
from edge.panel.views_people import enrolled
from edge.store.commissioning import CommissioningStep, proof_now
from edge.words import message

if TYPE_CHECKING:
    from starlette.responses import Response

    from edge.domain import DoorEvent
    from edge.panel.asking import Ask
    from edge.store.commissioning import CommissioningBook

SHEET = "FGC1"
"""Version of the signed sheet's form, and what its signature begins with."""
LOOK_BACK = 400
"""Events in which entries and refused pictures are counted: the first hour writes fewer."""
SEEN_WITHIN = timedelta(minutes=15)
"""How long after a release somebody can say what they saw of it."""


def commissioning(ask: Ask) -> Response:
    """Return the steps, what came of each, and what the door itself has noticed meanwhile."""
    book = _book(ask)
    proofs = book.proofs
    seconds = ask.desk.rules().unlock_seconds if "released" in ask.request.query_params else 0
    return ask.page(
        "commissioning.html",
        steps=[(step, proofs.get(step)) for step in CommissioningStep],
        open_steps=[one for one in CommissioningStep if one not in proofs or not proofs[one].went_well],
        faces=len(enrolled(ask.desk)),
        noticed=_noticed(ask),
        inputs=sensed(ask)["last"],
        can_release=ask.desk.pulse is not None,
        released=f"{seconds:g}" if seconds else "",
        waits_for_lock=book.waits_for_lock,
        moment=datetime.fromisoformat,
    )


def release(ask: Ask) -> Response:
    """Release the lock once for whoever stands at the door; logged before it happens."""
    if ask.desk.pulse is None:
        raise PanelRefused(message("panel.no_relay"))
    if ask.form.get("sure") != "yes":
        raise PanelRefused(message("panel.pulse_sure"))
    with ask.desk.doing(Kind.PANEL_DOOR_TEST, by=ask.session.user):
        ask.desk.pulse()
    return ask.to("/commissioning?released=1#lock")


def prove(ask: Ask) -> Response:
    """Keep what somebody saw of one step. Nobody has seen a lock let go that was not released just now."""
    book = _book(ask)
    try:
        step = CommissioningStep(ask.form.get("step", ""))
    except ValueError as error:
        raise PanelRefused(message("panel.no_step", step=ask.form.get("step", "")[:40])) from error
    went_well = ask.form.get("saw") == "well"
    if step is CommissioningStep.LOCK and went_well and not _was_released(ask):
        raise PanelRefused(message("panel.release_first", minutes=round(SEEN_WITHIN.total_seconds() / 60)))
    state = "ok" if went_well else "failed"
    with ask.desk.doing(Kind.COMMISSIONING_STEP, by=ask.session.user, step=step.value, state=state):
        book.put(step, proof_now(ask.desk.clock.now(), ask.session.user, went_well=went_well))
    return ask.to(f"/commissioning#{step.value}")


def sheet(ask: Ask) -> Response:
    """Return the sheet to print: the steps, the state of the door, and the door's signature under both."""
    proofs = _book(ask).proofs
    newest = next(iter(ask.desk.events(None, 1)), None)
    facts: dict[str, Any] = {
        "door": ask.desk.door_id,
        "at": ask.desk.clock.now().isoformat(timespec="seconds"),
        "by": ask.session.user,
        "steps": {step.value: [proof.went_well, proof.at, proof.by] for step, proof in proofs.items()},
        "findings": {one.name: one.light.value for one in ask.desk.findings()},
        "noticed": _noticed(ask),
        "entry": None if newest is None else [newest.seq, newest.hash],
    }
    return ask.page(
        "commissioning_sheet.html",
        steps=[(step, proofs.get(step)) for step in CommissioningStep],
        findings=ask.desk.findings(),
        at=ask.local(ask.desk.clock.now()),
        noticed=facts["noticed"],
        entry=newest,
        line=_signed(ask, facts),
        when=lambda text: ask.local(datetime.fromisoformat(text)),
    )


def _book(ask: Ask) -> CommissioningBook:
    if ask.desk.commissioning is None:
        raise PanelRefused(message("panel.no_door"))
    return ask.desk.commissioning


def _was_released(ask: Ask) -> bool:
    """Return whether this page, or the door test, has released the lock within the last minutes."""
    now = ask.desk.clock.now()
    newest = islice(seen_events(ask, None, EventGroup.PANEL), LOOK_BACK)
    # On either side: after the clock was set back a release of long ago lies ahead, and is no news either.
    return any(one.kind == Kind.PANEL_DOOR_TEST and abs(now - one.at) <= SEEN_WITHIN for one in newest)


def _noticed(ask: Ask) -> dict[str, int]:
    """Return how many entries by face, and faces not found alive, the newest events tell of."""
    found = list(islice(seen_events(ask, None, EventGroup.ENTRIES), LOOK_BACK))
    return {"entries": sum(map(_is_entry, found)), "pictures": sum(map(_is_picture, found))}


def _is_entry(event: DoorEvent) -> bool:
    return event.kind == Kind.ACCESS_GRANTED and EntryFacts.read(event.data).is_by_face


def _is_picture(event: DoorEvent) -> bool:
    """Say whether liveness refused a face, also where that accuses nobody: narrowly, or in bad light."""
    if event.kind != Kind.ACCESS_DENIED:
        return False
    liveness = EntryFacts.read(event.data).more.get("liveness")
    was_judged = isinstance(liveness, dict) and liveness.get("score") is not None
    is_unclear = event.reason == Reason.PAD_NO_RESPONSE and was_judged
    return event.reason == Reason.PRESENTATION_ATTACK or is_unclear


def _signed(ask: Ask, facts: dict[str, Any]) -> str:
    """Return the facts as one line: prefix, content and the door's Ed25519 signature, dot-separated."""
    # The prefix is signed along: the same key signs receipts, and no receipt's signature may fit a sheet.
    body = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    parts = (body, ask.desk.receipt_key().sign(SHEET.encode() + body))
    return ".".join((SHEET, *(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)))
