"""The living door: started in order, watched, and stopped with the relay at rest."""

from __future__ import annotations

import logging
import threading
import uuid
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from edge import __version__
from edge.controller import DoorController
from edge.domain import EventDraft
from edge.errors import ModelCorrupt, ModelMissing
from edge.events import Kind
from edge.panel.gate_screen import GateScreen
from edge.runtime.clock import SystemClock
from edge.runtime.clock_trust import TrustedTime, system_is_synchronised
from edge.runtime.kept_time import CLOCK_FILE
from edge.runtime.notify import Notifier
from edge.runtime.slot import FrameSlot
from edge.runtime.supervisor import Supervisor
from edge.runtime.worker import Worker
from edge.service.chores.housekeeping import DONE_FILE, Housekeeping
from edge.service.chores.past import MANY_RESTARTS, RESTARTS_SECONDS, held_ages_seconds, restarts
from edge.service.chores.retention import FaceKeeping
from edge.service.entry.access import DoorAccess
from edge.service.entry.kept import EndedPasses, Roster
from edge.service.hardware import DoorHardware
from edge.service.journal import ControllersJournal
from edge.service.keys import settle_key
from edge.service.metrics.meter import Meter, publish
from edge.service.own_folder import OwnFolder
from edge.service.panel.side import PanelSide, PanelTies, greeting_name
from edge.service.parts import make_capture, make_recognition, pipeline_of
from edge.service.prompt_journal import PromptJournal
from edge.service.property.configuration import CONFIGURATION_FILE, Configuration
from edge.service.property.side import PropertySide, RunningDoor
from edge.service.recognition.consent import FollowedConsents
from edge.service.recognition.liveness import make_liveness
from edge.service.recognition.recogniser import open_models
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.journal import SqliteJournal
from edge.store.mending import open_residents
from edge.store.residents import RESIDENTS_FILE
from edge.store.retention import Retention

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from edge.config.settings import Settings
    from edge.domain import DoorEvent
    from edge.ports import Clock
    from edge.service.chores.housekeeping import Pruner
    from edge.service.parts import Seeing
    from edge.service.recognition.recogniser import Models
    from edge.store.residents import ResidentStore

logger = logging.getLogger(__name__)

TAKE_SECONDS = 0.5
"""How long the recogniser waits for a frame before it reports that it is alive."""

POLL_SECONDS = 0.02
"""Between two looks at the door's inputs: a button pressed for 50 ms is seen."""

TICK_SECONDS = 1.0
"""Between two looks at the door's mode, the clock and a PIN that is waited for."""

EXIT_OK, EXIT_FAILED = 0, 1
EXIT_RESTART = 75
"""EX_TEMPFAIL of sysexits.h: stopped cleanly, on order, to be started again."""


class DoorService:
    """One door, composed from its settings; `run` lives until `stopping` is set.

    Whatever fails, the door stays shut rather than open and says so: missing models, a lost
    camera, a dead guard and a full card are events and log lines, not crashes.
    """

    def __init__(self, settings: Settings, data: Path, environ: Mapping[str, str]) -> None:
        self.stopping = threading.Event()
        self._configuration = Configuration(settings, data / CONFIGURATION_FILE)
        self._settings = self._configuration.now
        self._exit = EXIT_OK
        self._data = data
        self._clock: Clock = SystemClock()
        has_rtc = self._settings.access.has_rtc
        self._time = TrustedTime(self._clock, data / CLOCK_FILE, system_is_synchronised, has_rtc=has_rtc)
        self._environ = environ
        self._notifier = Notifier(environ)
        self._consents = FollowedConsents(lambda: ConsentLedger(data / CONSENTS_FILE))
        self._screen = GateScreen(self._clock, self._name_to_show)
        self._panel = PanelSide(self._settings.panel, self._screen, self._clock)
        self._meter = Meter()
        self._boot = str(uuid.uuid4())
        self._alarm: dict[str, str] = {}
        self._retention = Retention(
            data / "journal.db", self._settings.journal.keep_days, certain=lambda: self._time.certain
        )

    def run(self) -> int:
        """Run the door; return the exit code: 1 when a thread gave up, 75 to be started again."""
        with ExitStack() as stack:
            failed = self._serve(stack)
        if failed is None:
            return self._exit
        logger.critical("thread %s gave up; exiting so that systemd starts afresh", failed)
        return EXIT_FAILED

    def _serve(self, stack: ExitStack) -> str | None:
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        stack.enter_context(closing(OwnFolder(self._data)))
        door, seeing = self._compose(stack)
        stack.callback(self._note, Kind.SERVICE_STOPPED)
        self._property.join(stack)
        workers = [
            self._door_worker(door.hardware),
            self._access_worker(door.hardware),
            *self._access.workers(self.stopping, self._environ),
            self._housekeeping().worker(self.stopping),
            *self._workers(seeing),
        ]
        for worker in workers:
            stack.callback(worker.stop)
            worker.start()
        self._panel.serve(PanelTies(door, self._property, seeing), stack)
        publish(self._settings.metrics, self._meter, self._property.state, self._controller, stack)
        self._notifier.ready()
        stack.callback(self._notifier.stopping)
        return Supervisor(workers, self._notifier.watchdog, self._clock).run(self.stopping)

    def _compose(self, stack: ExitStack) -> tuple[RunningDoor, Seeing | None]:
        """Put the door together, still without a thread, and say in the journal that it starts."""
        journal = stack.enter_context(closing(PromptJournal(self._open_journal)))
        if problem := settle_key(self._settings, self._data, self._environ):
            self._alarm["key"] = problem[:200]
        store, damage = open_residents(self._data / RESIDENTS_FILE, self._clock.now())
        stack.enter_context(closing(store))
        before = self._data / "journal.db", self._clock.now()
        starts = restarts(*before) + 1
        hardware = DoorHardware(
            self._settings, self._clock, self._record, self._environ, held_ages_seconds(*before)
        )
        stack.callback(hardware.close)
        stack.callback(self._consents.close)
        self._find = Roster(store).find
        seeing = self._recognition(store)
        self._access = DoorAccess(self._settings, self._data, self._clock, self._time, store)
        stack.callback(self._access.close)
        self._controller = DoorController(
            pipeline_of(seeing),
            self._access.policy,
            self._meter.measured(journal),
            hardware.door,
            self._settings.journal.on_failure,
            self._on_alarm,
        )
        self._access.connect(self._controller)
        door = self._answering(store, hardware)
        gallery = None if seeing is None else seeing.follower.gallery
        self._property = PropertySide(door, gallery, self._restarter())
        self._panel.connect(door)
        self._note(Kind.SERVICE_STARTED, version=__version__, recognition=seeing is not None, **self._alarm)
        if damage is not None:
            self._note(Kind.HEALTH_RESIDENTS, **damage.told())
        if starts >= MANY_RESTARTS:
            self._note(Kind.HEALTH_RESTARTS, starts=starts, within_seconds=RESTARTS_SECONDS)
        return door, seeing

    def _housekeeping(self) -> Housekeeping:
        """Return what removes things daily; faces first, because their last use is read from the journal."""
        ran = lambda: self._time.ran_seconds  # noqa: E731
        faces = FaceKeeping(self._data, self._clock, ControllersJournal(self._record).append, ran)
        faces.begin()
        chores: dict[str, Pruner] = {
            "faces whose time was up": faces,
            "uses of passes that ended": EndedPasses(self._data),
            "old events that had arrived": self._retention,
        }
        return Housekeeping(chores, lambda: self._time.certain, ran, self._data / DONE_FILE)

    def _answering(self, store: ResidentStore, hardware: DoorHardware) -> RunningDoor:
        return RunningDoor(
            self._data,
            self._boot,
            self._clock,
            lambda: str(self._time.trust()),
            store,
            self._controller,
            self._access,
            hardware,
            self._retention,
            self._configuration,
            self._record,
        )

    def _restarter(self) -> Callable[[], None] | None:
        """Return what stops this process so that systemd starts it again; None without systemd."""
        if "NOTIFY_SOCKET" not in self._environ:
            return None

        def restart() -> None:
            self._exit = EXIT_RESTART
            self.stopping.set()

        return restart

    def _open_journal(self) -> SqliteJournal:
        door_id = self._settings.door.id
        return SqliteJournal(
            self._data / "journal.db",
            door_id,
            boot=self._boot,
            clock_trust=lambda: str(self._time.trust()),
            relief=self._retention.make_room,
        )

    def _recognition(self, store: ResidentStore) -> Seeing | None:
        models = self._models()
        if models is None:
            return None
        section = self._settings.recognition
        liveness = make_liveness(
            section, models.embedder, self._needs_challenge, self._screen, logger.warning
        )
        return make_recognition(section, models, store, self._consents, liveness)

    def _needs_challenge(self, resident_id: str | None, at: datetime) -> bool:
        return self._access.policy.rules.needs_challenge(resident_id, at)

    def _name_to_show(self, resident_id: str) -> str | None:
        if not self._settings.panel.welcome_by_name:
            return None
        return greeting_name(self._consents.in_force, self._find, resident_id)

    def _models(self) -> Models | None:
        try:
            return open_models(self._settings.recognition.model)
        except (ModelMissing, ModelCorrupt) as error:
            logger.critical("no face will be recognised and the door stays shut for faces: %s", error)
            self._alarm["models"] = str(error)
            return None

    def _door_worker(self, hardware: DoorHardware) -> Worker:
        def look() -> None:
            self.stopping.wait(POLL_SECONDS)
            hardware.step()

        return Worker("door", look)

    def _access_worker(self, hardware: DoorHardware) -> Worker:
        def tick() -> None:
            hardware.hold(self._access.tick())
            self._property.tick()
            self.stopping.wait(TICK_SECONDS)

        return Worker("access", tick, stopping=self.stopping)

    def _workers(self, seeing: Seeing | None) -> list[Worker]:
        pipeline = pipeline_of(seeing)
        self._access.on_closed = pipeline.note_closed
        slot = self._meter.slot = FrameSlot(self._clock)
        capture = make_capture(self._settings.camera, slot, self._clock, self._record, self.stopping.wait)

        def recognise() -> None:
            frame = slot.take(TAKE_SECONDS)
            if frame is not None:
                self._access.look(frame)
                for outcome in self._controller.handle(frame):
                    self._access.heard(outcome, pipeline.reconsider)
                    self._panel.decided(outcome)
                for notice in pipeline.take_notices():
                    self._record(notice)
                self._panel.see(frame, pipeline.hindrance)
            elif slot.is_closed:
                self.stopping.wait(TAKE_SECONDS)

        workers = [capture, Worker("recognise", recognise, stopping=self.stopping)]
        if seeing is not None:
            followed = seeing.follower
            followed.on_health = lambda kind, data: self._note(kind, **data)

            def follow() -> None:
                self.stopping.wait(followed.poll_seconds)
                followed.refresh()

            workers.append(Worker("roster", follow, stopping=self.stopping))
        return workers

    def _record(self, draft: EventDraft) -> DoorEvent | None:
        """Store an event of the door, then tell those who wait for it."""
        event = self._controller.record(draft)
        self._access.door_noted(draft.kind, draft.data)
        self._property.heard(draft)
        self._panel.heard(draft)
        return event

    def _on_alarm(self, kind: str, text: str) -> None:
        """Log an alarm when it is news: a full card would otherwise fill the log too."""
        if self._alarm.get(kind) != text:
            self._alarm[kind] = text
            logger.error("%s: %s", kind, text)

    def _note(self, kind: Kind, **data: Any) -> None:
        self._controller.record(EventDraft.now(self._clock, kind, data))
