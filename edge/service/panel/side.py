"""The panel and the display at the gate of a running door: what each is told, and what they ask."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from edge.consent.rules import GREETING
from edge.domain import EventDraft, Reason, Verdict
from edge.errors import FacegateError, PanelRefused
from edge.events import Kind
from edge.extras import way_to_install
from edge.faces.detector import load_detector
from edge.faces.liveness.prompts import Prompt, what_helps
from edge.panel.feed import DoorFeed
from edge.policy.modes import Mode
from edge.service.checkup.picture import camera_problem
from edge.service.panel.operator import operator_of
from edge.service.property.report import door_words
from edge.words import message, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack

    from edge.config.panel import PanelSection
    from edge.controller import DoorOutcome, EntryOutcome
    from edge.domain import Consent, Flaw, Frame, Resident
    from edge.panel.desk import PanelServices
    from edge.panel.gate_screen import GateScreen
    from edge.panel.network import BrokerState, NetworkState
    from edge.panel.rule_file import RuleFile
    from edge.policy.desk import CredentialAnswer
    from edge.ports import Clock
    from edge.service.checkup.inside import DoorCheckup
    from edge.service.panel.office import PanelOptions
    from edge.service.parts import Seeing
    from edge.service.property.side import PropertySide, RunningDoor
    from edge.web.server import Served

logger = logging.getLogger(__name__)

MISSING_EXTRA = "the panel's libraries are not installed"


@dataclass(frozen=True, slots=True)
class PanelTies:
    """What a running door lends its panel. `seeing` None: no models, so nobody is enrolled."""

    door: RunningDoor
    property: PropertySide
    seeing: Seeing | None
    failing: Callable[[], tuple[str, ...]] = tuple
    """The files that the card does not give as it should."""


@dataclass(frozen=True, slots=True)
class DisplayKeys:
    """PIN pad and bell of the display, as the door's own keypad and bell."""

    door: RunningDoor

    def type_pin(self, number: str, pin: str) -> None:
        """Answer a number and its PIN."""
        self.door.access.type_pin(number, pin)

    def ring(self, flat: str = "") -> None:
        """Ring the bell; the property tells the residents of the flat that was typed, if any."""
        told = {"at": "screen", "flat": flat} if flat else {"at": "screen"}
        self.door.events.record(EventDraft.now(self.door.clock, Kind.DOOR_BELL, told))


class PanelSide:
    """Tells display and panel what happens at the door, and serves both. It never holds the door up.

    The recognising thread calls `see` with every frame and `decided` with every outcome; that costs
    microseconds while nobody watches. `answered` and `heard` may come from any thread.
    """

    def __init__(self, section: PanelSection, screen: GateScreen, clock: Clock) -> None:
        self.feed = DoorFeed(clock)
        self._section = section
        self._screen = screen
        self._clock = clock
        self._sees = self._recognises = True

    def see(self, frame: Frame, hindrance: Flaw | None) -> None:
        """Take a frame and what stands between the nearest face in it and being recognised."""
        self.feed.see(frame)
        self._screen.guide(hindrance)

    def decided(self, outcome: DoorOutcome) -> None:
        """Take what was decided at the camera."""
        decision = outcome.decision
        if decision.verdict is Verdict.WAIT or decision.is_past:
            return
        granted = decision.verdict is Verdict.GRANT
        if granted or decision.resident_id is not None:
            self._screen.decided(granted, decision.reason, decision.resident_id)
        else:
            is_unjudged = decision.reason is Reason.PAD_NO_RESPONSE
            helps = what_helps(decision.liveness) if is_unjudged else None
            prompt = None if helps is None else Prompt(decision.track_id, helps)
            self._screen.refused_by_camera(decision.reason, prompt)

    def answered(self, answer: CredentialAnswer, admission: EntryOutcome) -> None:
        """Take what keypad, card, pass or PIN pad came to. A duress alarm is not shown.

        Nor is a PIN that never came: by then somebody else may stand there.
        """
        if admission.reason is Reason.AUTHENTICATION_FACTOR_TIMEOUT:
            return
        is_in = admission.reason is Reason.GRANTED
        self._screen.decided(is_in, admission.reason, answer.draft.resident_id)

    def heard(self, draft: EventDraft) -> None:
        """Take an event of the door: its bell, its camera, a lock that did not open after all."""
        if draft.kind is Kind.DOOR_BELL:
            self._screen.rung()
        elif draft.kind is Kind.LOCK_UNLOCK_FAILED:
            self._screen.decided(False, Reason.LOCK_UNAVAILABLE)
        elif draft.kind is Kind.HEALTH_CAMERA:
            state = str(draft.data.get("state"))
            is_well = state in {"ok", "back"}
            self.feed.problem = None if is_well else camera_problem(draft.data)
            self._sees = is_well
            self._screen.blinded(not self._sees or not self._recognises)

    def serve(self, ties: PanelTies, stack: ExitStack) -> None:
        """Serve the panel if the site wants one, from threads of its own; whatever fails is an event."""
        self._recognises = ties.seeing is not None and ties.seeing.liveness.state != "unavailable"
        self._screen.blinded(not self._sees or not self._recognises)
        if not self._section.enabled:
            return
        try:
            from edge.web.server import PanelThread  # noqa: PLC0415 - others need no uvicorn
        except ImportError as error:
            self._trouble(ties.door, f"{MISSING_EXTRA} ({error.name}); {way_to_install('panel')}")
            return
        address = (self._section.host, self._section.port)
        thread = PanelThread(
            address, functools.partial(self._made, ties), functools.partial(self._trouble, ties.door)
        )
        stack.callback(thread.stop)
        thread.start()

    def _made(self, ties: PanelTies, stack: ExitStack) -> Served:
        """Return what is served; runs on the panel's thread."""
        from edge.here import EVERYWHERE, own_addresses, reached_at  # noqa: PLC0415
        from edge.panel.app import make_app  # noqa: PLC0415 - the same
        from edge.web.server import Served  # noqa: PLC0415
        from edge.web.tls import given_certificate, own_certificate  # noqa: PLC0415

        section = self._section
        if section.cert_file is not None and section.key_file is not None:
            certified = functools.partial(given_certificate, section.cert_file, section.key_file)
        else:
            names = {section.host, "localhost", "127.0.0.1", *own_addresses()} - EVERYWHERE
            certified = functools.partial(own_certificate, ties.door.data, sorted(names))
        certificate, key, fingerprint = certified()
        desk = self._desk(ties, stack)

        def ready() -> None:
            logger.info(
                "panel: https://%s:%d/ certificate SHA-256 %s",
                *(reached_at(section.host), section.port, fingerprint),
            )
            if desk.accounts.first_code:
                logger.warning(
                    "panel: first-start code (首次启用码) for the first account: %s", desk.accounts.first_code
                )

        return Served(make_app(desk), certificate, key, ready, renew=certified)

    def _desk(self, ties: PanelTies, stack: ExitStack) -> PanelServices:
        from edge.service.panel.office import PanelContext, liveness_maker, open_desk  # noqa: PLC0415

        door, seeing = ties.door, ties.seeing
        wish, recognition = self._wish(ties), door.settings.recognition
        if seeing is not None and recognition.liveness != "off":
            # A newcomer is not asked to answer challenges: the session has them turn their head anyway.
            networks = recognition.liveness_networks
            watch = liveness_maker("passive", seeing.models, logger.info, networks)
            wish = replace(wish, new_liveness=watch)
        if seeing is not None:
            matcher = seeing.matcher
            wish = replace(wish, matcher=lambda: matcher, limits=seeing.limits)
        # The detector is the recogniser's alone; the embedder answers several threads at once.
        models = None if seeing is None else replace(seeing.models, detector=load_detector())
        around = PanelContext(self.feed, self._clock, door.events)
        return self._connected(open_desk(wish, models, around, stack), ties)

    def _connected(self, desk: PanelServices, ties: PanelTies) -> PanelServices:
        """Return the desk with everything that only a running door has."""
        from edge.service.panel.backup import backup_maker  # noqa: PLC0415 - as in `_made`
        from edge.service.panel.network import network_reader  # noqa: PLC0415
        from edge.web.tls import fingerprint_in, public_certificate  # noqa: PLC0415

        door, seeing = ties.door, ties.seeing
        network = network_reader(door.data, self._section.host, lambda: broker_state(ties))
        site = self._section.cert_file

        def connected() -> NetworkState:
            state = network()
            # As it is now: certificates are renewed while a door runs.
            if site is None:
                return state
            return replace(state, fingerprint=fingerprint_in(site), certificate=public_certificate(site))

        liveness = "unavailable" if seeing is None else seeing.liveness.state
        return replace(
            desk,
            zone=ZoneInfo(door.settings.door.timezone),
            pulse=lambda: self._pulse(door),
            screen=self._screen if self._section.has_screen else None,
            notices=ties.property.notices.shown,
            keys=DisplayKeys(door),
            door=lambda: door_words(door.hardware.door.state),
            network=connected,
            back_up=backup_maker(door.data, self._clock),
            rules=lambda: door.rules.policy.rules.book,
            rule_file=rule_file_of(ties),
            expect_card=door.rules.desk.expect_card,
            confirm_clock=door.rules.note_clock_is_right,
            residents_page=self._section.residents_page,
            liveness=liveness,
            commissioning=door.commissioning,
            findings=self._checkup(ties, desk, liveness).findings,
            sharing=None if ties.property.sharing is None else ties.property.sharing.desk,
            failing=ties.failing,
            unmatched=(dict) if seeing is None else (lambda: seeing.follower.unmatched),
        )

    def _checkup(self, ties: PanelTies, desk: PanelServices, liveness: str) -> DoorCheckup:
        """Return what looks at the whole door for the page."""
        from edge.panel.views_people import enrolled  # noqa: PLC0415 - the same
        from edge.service.checkup.inside import DoorCheckup  # noqa: PLC0415 - the same

        door, seeing = ties.door, ties.seeing

        def people() -> tuple[int, Mapping[str, str]]:
            return len(enrolled(desk)), {} if seeing is None else seeing.follower.unmatched

        return DoorCheckup(
            lambda: door.settings, door.data, self._clock, people, lambda: broker_state(ties), liveness
        )

    def _wish(self, ties: PanelTies) -> PanelOptions:
        from edge.service.panel.office import PanelOptions  # noqa: PLC0415
        from edge.service.recognition.recogniser import ErrorRate  # noqa: PLC0415

        door = ties.door
        recognition = door.settings.recognition
        return PanelOptions(
            door.settings.door.id,
            door.data,
            ErrorRate(recognition.fpir, recognition.similarity),
            self._section.minors,
            operator_of(door.settings),
            window=ties.property.window,
            pass_issued=door.rules.credentials.register,
            tell_ways=ties.property.untold_ways.tell_or_later,
            tell_accounts=ties.property.untold_accounts.tell_or_later,
        )

    def _pulse(self, door: RunningDoor) -> None:
        """Open once for the door test, through the door itself. Raises `PanelRefused` or `LockError`."""
        if door.rules.policy.modes.mode(self._clock.now()) is Mode.LOCKED_DOWN:
            raise PanelRefused(message("error.locked_down"))
        door.hardware.door.unlock(door.settings.lock.unlock_seconds)

    def _trouble(self, door: RunningDoor, problem: str) -> None:
        logger.error("the panel is not served, the door goes on: %s", problem)
        self._note(door, Kind.HEALTH_PANEL, error=problem[:200])

    def _note(self, door: RunningDoor, kind: Kind, **data: Any) -> None:
        door.events.record(EventDraft.now(self._clock, kind, data))


def greeting_name(
    consents: Mapping[str, Consent], find: Callable[[str], Resident | None], resident_id: str
) -> str | None:
    """Return whom to welcome by name: somebody who agreed to that as well; otherwise None."""
    theirs = (one for one in consents.values() if one.resident_id == resident_id)
    if not any(one.purpose == GREETING for one in theirs):
        return None
    resident = find(resident_id)
    return None if resident is None else resident.name


def rule_file_of(ties: PanelTies) -> RuleFile | None:
    """Return the file of the access rules as the page changes it; None where the settings name none."""
    from edge.panel.rule_file import RuleFile  # noqa: PLC0415 - only doors with a panel

    settings, reload = ties.door.settings, ties.property.reload
    path = settings.access.rules
    return None if path is None else RuleFile(path, settings.door.timezone, lambda: reload().text)


def broker_state(ties: PanelTies) -> BrokerState | None:
    """Return how the property's broker is reached now, None without one."""
    from edge.panel.network import BrokerState  # noqa: PLC0415 - only doors with a panel

    section, link = ties.door.settings.mqtt, ties.property.link
    if section is None:
        return None
    address = f"{section.host}:{section.port}"
    if link is None:
        return BrokerState(address, is_connected=False, waiting=0, problem=say("link.not_joined"))
    try:
        told = link()
    except FacegateError as error:
        return BrokerState(address, is_connected=False, waiting=0, problem=str(error))
    outbox, confirmed = told["outbox"], told["roster"]["confirmed"]
    heard = None if confirmed is None else datetime.fromisoformat(confirmed)
    return BrokerState(address, outbox["problem"] is None, outbox["waiting"], heard, outbox["problem"])
