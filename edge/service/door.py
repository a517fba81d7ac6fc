"""The living door: started in order, watched, and stopped with the relay at rest."""

from __future__ import annotations

import logging
import uuid
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge import __version__, kept_files
from edge.controller import DoorController
from edge.domain import EventDraft
from edge.errors import ModelCorrupt, ModelMissing
from edge.event_log.log import EventLog
from edge.event_log.spool import Spool, spool_files
from edge.events import Kind
from edge.faces.pool import empty_pool
from edge.panel.gate_screen import GateScreen
from edge.runtime.clock_trust import TrustedTime
from edge.runtime.kept_time import CLOCK_FILE
from edge.runtime.memory import memory_worker
from edge.runtime.notify import Notifier
from edge.runtime.slot import FrameSlot
from edge.runtime.supervisor import Supervisor
from edge.runtime.worker import Worker
from edge.service.chores.housekeeping import DONE_FILE, Beginning, Housekeeping
from edge.service.chores.past import (
    MANY_RESTARTS,
    RESTARTS_SECONDS,
    held_ages_seconds,
    in_journal,
    restarts,
    wrong_tries,
)
from edge.service.chores.retention import FaceKeeping
from edge.service.chores.storage import StorageWatch
from edge.service.commissioning import commissioning_of
from edge.service.entry.access import DoorAccess
from edge.service.entry.kept import EndedPasses, KnownResidents
from edge.service.entry.rules import DoorRules
from edge.service.hardware import DoorHardware
from edge.service.keys import edited_rows, settle_key, weakening
from edge.service.metrics.meter import Meter, publish
from edge.service.own_folder import OwnFolder
from edge.service.panel.side import PanelSide, PanelTies, greeting_name
from edge.service.parts import gate_listener, make_capture, make_recognition, pipeline_of
from edge.service.prompt_journal import PromptJournal
from edge.service.property.configuration import CONFIGURATION_FILE, Configuration
from edge.service.property.side import PropertySide, RunningDoor
from edge.service.recognition.consent import FollowedConsents
from edge.service.recognition.liveness import make_liveness
from edge.service.sharing.parts import make_sharing
from edge.service.surroundings import Surroundings
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.journal import SqliteJournal
from edge.store.keyring import KEYS_FILE, Keyring
from edge.store.mending import open_residents
from edge.store.reader import JOURNAL_FILE
from edge.store.residents import RESIDENTS_FILE
from edge.store.retention import Retention
from edge.store.way_rows import CREDENTIALS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from edge.config.settings import Settings
    from edge.service.chores.housekeeping import Pruner
    from edge.service.chores.storage import FileState
    from edge.service.parts import Seeing
    from edge.service.sharing.assembly import Sharing
    from edge.store.mending import Damage
    from edge.store.residents import ResidentStore

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.02
"""Between two looks at the door's inputs: a button pressed for 50 ms is seen."""

TICK_SECONDS = 1.0
"""Between two looks at the door's mode, the clock, a PIN that is waited for, and unsaved events."""

MODELS_SECONDS = 10.0
"""Between two attempts to open models that were missing, damaged or unreadable at the start."""

SLOW_CARD_SECONDS = 120.0
"""A card that is wearing out stalls for many seconds; that is not a reason to restart the process."""

HAND_OVER_SECONDS = 2.0
"""How long a clean stop waits for the property to have heard of it; systemd allows more."""

EXIT_OK, EXIT_FAILED = 0, 1
EXIT_RESTART = 75
"""EX_TEMPFAIL of sysexits.h: stopped cleanly, on order, to be started again."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A door put together. `seeing` is None while nobody can be recognised."""

    door: RunningDoor
    seeing: Seeing | None
    property: PropertySide
    panel: PanelSide
    storage: StorageWatch


@dataclass(frozen=True, slots=True)
class _Found:
    """What the start found; it is written to the journal once the door is put together."""

    problems: dict[str, str]
    damage: Damage | None
    starts: int


class DoorService:
    """One door, composed from its settings; `run` lives until `stopping` is set.

    Whatever fails, the door stays shut rather than open and says so: missing models, a lost
    camera, a dead guard and a full card are events and log lines, not crashes.
    """

    def __init__(
        self, settings: Settings, data: Path, environ: Mapping[str, str], around: Surroundings | None = None
    ) -> None:
        self._around = around = around or Surroundings()
        self.stopping = around.stopping
        self._configuration = Configuration(settings, data / CONFIGURATION_FILE)
        self._settings = self._configuration.now
        self._exit = EXIT_OK
        self._data = data
        self._clock = around.clock
        self._time = TrustedTime(
            self._clock,
            data / CLOCK_FILE,
            around.is_synchronised,
            has_rtc=self._settings.access.has_rtc,
            boot=around.boot,
        )
        self._environ = environ
        self._notifier = Notifier(environ)
        self._sharing: Sharing | None = None
        self._consents = FollowedConsents(
            lambda: ConsentLedger(data / CONSENTS_FILE, is_patient=True), self._counting_elsewhere
        )
        self._slot = FrameSlot(self._clock)
        self._meter = Meter(self._slot)
        self._boot = str(uuid.uuid4())
        self._retention = Retention(
            data / JOURNAL_FILE, self._settings.journal.keep_days, certain=lambda: self._time.certain
        )
        self._commissioning = commissioning_of(data, self._settings.lock)  # before there is a journal
        self.events = EventLog(
            PromptJournal(self._open_journal),
            self._clock,
            timing=self._meter.took,
            spool=Spool(spool_files(data, environ)),
        )
        self.events.subscribe(self._meter.heard)

    def run(self) -> int:
        """Run the door; return the exit code: 1 when a thread gave up, 75 to be started again."""
        with ExitStack() as stack:
            failed = self._serve(stack)
        if failed is None:
            return self._exit
        logger.critical("thread %s gave up; exiting so that systemd starts afresh", failed)
        return EXIT_FAILED

    def _serve(self, stack: ExitStack) -> str | None:
        parts, workers = self.assemble(stack)
        for worker in workers:
            stack.callback(worker.stop)
            worker.start()
        parts.panel.serve(
            PanelTies(parts.door, parts.property, parts.seeing, lambda: parts.storage.failing), stack
        )
        state, failing = parts.property.state, lambda: parts.storage.failing
        publish(self._settings.metrics, self._meter, state, self.events, stack, failing)
        self._notifier.ready()
        stack.callback(self._notifier.stopping)
        return Supervisor(workers, self._notifier.watchdog, self._clock).run(self.stopping)

    def assemble(self, stack: ExitStack) -> tuple[Parts, list[Worker]]:
        """Return the door put together and its threads, not yet started; `stack` takes it apart again.

        A simulation takes the threads' turns (`Worker.turn`) instead of starting them.
        """
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        stack.enter_context(closing(OwnFolder(self._data)))
        parts = self._compose(stack)
        parts.property.join(stack)
        # Callbacks run from the last to the first: the threads end, the stop is written down, then the
        # property gets the time to hear of it, and only then are connection and files closed.
        stack.callback(parts.property.hand_over, HAND_OVER_SECONDS)
        stack.callback(self._note, Kind.SERVICE_STOPPED)
        workers = [
            self._door_worker(parts.door.hardware),
            self._access_worker(parts),
            self._events_worker(parts),
            *parts.door.access.workers(self.stopping, self._environ),
            self._housekeeping().worker(self.stopping),
            memory_worker(self.stopping, empty_pool),
            *self._workers(parts),
        ]
        return parts, workers

    def _compose(self, stack: ExitStack) -> Parts:
        """Put the door together, still without a thread, and say in the journal that it starts.

        Each part gets what it needs when it is made. Parts that follow events subscribe to them.
        """
        settings, clock, events = self._settings, self._clock, self.events
        stack.enter_context(closing(events))
        # First of all: what an earlier process left behind comes before anything that this one writes.
        events.restore(in_journal(self._data / JOURNAL_FILE))
        store, found = self._residents(stack)
        hardware = self._hardware()
        stack.callback(hardware.close)
        stack.callback(self._consents.close)
        rules = DoorRules(settings, self._data, clock, self._time, store, events)
        stack.callback(rules.close)
        rules.policy.attempts.remember(wrong_tries(self._data / JOURNAL_FILE, clock.now()))
        screen = GateScreen(clock, self._namer(store))
        panel = PanelSide(settings.panel, screen, clock)
        seeing = self._recognition(store, rules, screen, found.problems)
        pipeline = pipeline_of(seeing)
        controller = DoorController(
            pipeline, rules.policy, events, hardware.door, clock, settings.journal.on_failure
        )
        access = DoorAccess(settings, rules, controller, events, clock, panel.answered)
        # Listeners are called in this order: an event changes the rules before the display shows it.
        for heard in (rules.heard, controller.heard, access.patience.heard, panel.heard):
            events.subscribe(heard)
        events.subscribe(gate_listener(pipeline))
        door = self._running(store, controller, rules, access, hardware)
        gallery = None if seeing is None else seeing.follower.gallery
        liveness = "unavailable" if seeing is None else seeing.liveness.state
        self._sharing = make_sharing(door, seeing, lambda: self._time.ran_seconds, stack)
        side = PropertySide(door, gallery, self._restarter(), liveness, self._sharing)
        watch = StorageWatch(self._files(store, rules), lambda kind, data: self._note(kind, **data))
        self._note_start(found, seeing)
        return Parts(door, seeing, side, panel, watch)

    def _residents(self, stack: ExitStack) -> tuple[ResidentStore, _Found]:
        """Open the key and everybody who lives here, and count the starts before this one's entry."""
        problems: dict[str, str] = {}
        # The key comes first: rows that an older key sealed are sealed anew before anything reads them.
        if problem := settle_key(self._settings, self._data, self._environ):
            problems["key"] = problem[:200]
        problems |= weakening(self._data)
        store, damage = open_residents(self._data / RESIDENTS_FILE, self._clock.now())
        stack.enter_context(closing(store))
        problems |= edited_rows(store)
        starts = restarts(self._data / JOURNAL_FILE, self._clock.now()) + 1
        return store, _Found(problems, damage, starts)

    def _hardware(self) -> DoorHardware:
        """Return the inputs and the lock, told when the door was held open within a week."""
        held_ages = held_ages_seconds(self._data / JOURNAL_FILE, self._clock.now())
        return DoorHardware(
            self._settings, self._clock, self.events.record, self._environ, held_ages, self._around.make_lock
        )

    def _running(
        self,
        store: ResidentStore,
        controller: DoorController,
        rules: DoorRules,
        access: DoorAccess,
        hardware: DoorHardware,
    ) -> RunningDoor:
        """Return what the property, the panel and sharing may touch of this door."""
        return RunningDoor(
            self._data,
            self._boot,
            self._clock,
            lambda: str(self._time.trust()),
            store,
            controller,
            rules,
            access,
            hardware,
            self._retention,
            self._configuration,
            self.events,
            self._commissioning,
        )

    def _note_start(self, found: _Found, seeing: Seeing | None) -> None:
        """Say in the journal that the door starts, then what is wrong with it."""
        problems = found.problems
        self._note(Kind.SERVICE_STARTED, version=__version__, recognition=seeing is not None, **problems)
        state = "unavailable" if seeing is None else seeing.liveness.state
        problem = problems.get("models") if seeing is None else seeing.liveness.problem
        if problem is not None:
            self._note(Kind.HEALTH_LIVENESS, state=state, problem=problem[:200])
        if found.damage is not None:
            self._note(Kind.HEALTH_RESIDENTS, **found.damage.told())
        if found.starts >= MANY_RESTARTS:
            self._note(Kind.HEALTH_RESTARTS, starts=found.starts, within_seconds=RESTARTS_SECONDS)

    def _counting_elsewhere(self) -> frozenset[str]:
        """Return the consents given at other doors that count here now."""
        return frozenset() if self._sharing is None else self._sharing.exchange.counting()

    def _files(self, store: ResidentStore, rules: DoorRules) -> dict[str, FileState]:
        files: dict[str, FileState] = {
            RESIDENTS_FILE: store,
            CREDENTIALS_FILE: rules.credentials,
            CONSENTS_FILE: self._consents,
        }
        if isinstance(store.sealer, Keyring):
            files[KEYS_FILE] = store.sealer
        return files | kept_files.files()

    def _housekeeping(self) -> Housekeeping:
        """Return what removes things daily; faces first, because their last use is read from the journal."""
        ran = lambda: self._time.ran_seconds  # noqa: E731
        faces = FaceKeeping(self._data, self._clock, self.events.commit, ran)
        # A withdrawal, or a removal, that was cut short. The start does not wait long for it.
        beginning = Beginning(faces.begin)
        beginning.look()
        chores: dict[str, Pruner] = {
            "faces whose time was up": faces,
            "uses of passes that ended": EndedPasses(self._data),
            "old events that had arrived": self._retention,
        }
        return Housekeeping(chores, lambda: self._time.certain, ran, self._data / DONE_FILE, beginning)

    def _restarter(self) -> Callable[[], None] | None:
        """Return what stops this process so that systemd starts it again; None without systemd."""
        # systemd sets it for a unit of Type=notify; nobody else would start the process again.
        if "NOTIFY_SOCKET" not in self._environ:
            return None

        def restart() -> None:
            self._exit = EXIT_RESTART
            self.stopping.set()

        return restart

    def _open_journal(self) -> SqliteJournal:
        door_id = self._settings.door.id
        return SqliteJournal(
            self._data / JOURNAL_FILE,
            door_id,
            boot=self._boot,
            clock_trust=lambda: str(self._time.trust()),
            relief=self._retention.make_room,
        )

    def _recognition(
        self, store: ResidentStore, rules: DoorRules, screen: GateScreen, problems: dict[str, str]
    ) -> Seeing | None:
        """Return what recognises faces, or None and why not in `problems`."""
        try:
            models = self._around.open_models(self._settings.recognition.model)
        except (ModelMissing, ModelCorrupt) as error:
            logger.critical("no face will be recognised and the door stays shut for faces: %s", error)
            problems["models"] = str(error)
            return None
        section = self._settings.recognition

        def needs_challenge(resident_id: str | None, at: datetime) -> bool:
            return rules.policy.rules.needs_challenge(resident_id, at)

        def note(kind: Kind, resident_id: str | None, data: dict[str, Any]) -> None:
            self.events.record(EventDraft.now(self._clock, kind, data, resident_id=resident_id))

        liveness = make_liveness(section, models, needs_challenge, screen, logger.warning, note)
        return make_recognition(
            section, models, store, self._consents, liveness, lambda kind, data: self._note(kind, **data)
        )

    def _namer(self, store: ResidentStore) -> Callable[[str], str | None]:
        """Return what says whom to welcome by name."""
        find = KnownResidents(store).find

        def name_of(resident_id: str) -> str | None:
            if not self._settings.panel.welcome_by_name:
                return None
            return greeting_name(self._consents.in_force, find, resident_id)

        return name_of

    def _door_worker(self, hardware: DoorHardware) -> Worker:
        def look() -> None:
            self.stopping.wait(POLL_SECONDS)
            hardware.step()

        return Worker("door", look)

    def _access_worker(self, parts: Parts) -> Worker:
        def tick() -> None:
            access = parts.door.access
            parts.door.hardware.hold(access.tick(), access.is_held, access.is_locked_down)
            parts.property.tick()
            parts.storage.look()
            self.stopping.wait(TICK_SECONDS)

        return Worker("access", tick, stopping=self.stopping)

    def _events_worker(self, parts: Parts) -> Worker:
        """Return the thread that stores what waits in memory; it may wait for a slow card."""

        def retry() -> None:
            self.events.retry()
            if not self.events.unsaved:
                parts.property.tell_again()
            parts.door.access.remember()
            self.stopping.wait(TICK_SECONDS)

        return Worker("events", retry, stopping=self.stopping, max_silence_seconds=SLOW_CARD_SECONDS)

    def _workers(self, parts: Parts) -> list[Worker]:
        door, slot, seeing = parts.door, self._slot, parts.seeing
        pipeline = pipeline_of(seeing)
        capture = make_capture(
            self._settings.camera,
            slot,
            self._clock,
            self.events.record,
            self.stopping.wait,
            self._around.opener_of,
        )

        def recognise() -> None:
            frame = slot.take(self._around.take_seconds)
            if frame is not None:
                door.access.look(frame)
                outcomes = door.controller.handle(frame)
                parts.panel.see(frame, pipeline.hindrance)
                for outcome in outcomes:
                    door.access.heard(outcome, pipeline.reconsider)
                    parts.panel.decided(outcome)
                for notice in pipeline.take_notices():
                    self.events.record(notice)
            # The recording has ended: without a pause this would turn without end.
            elif slot.is_closed:
                self.stopping.wait(self._around.take_seconds)

        workers = [capture, Worker("recognise", recognise, stopping=self.stopping)]
        if seeing is not None:
            followed = seeing.follower

            def follow() -> None:
                self.stopping.wait(followed.poll_seconds)
                followed.refresh()

            workers.append(
                Worker("roster", follow, stopping=self.stopping, max_silence_seconds=SLOW_CARD_SECONDS)
            )
        else:
            workers.append(self._models_worker())
        return workers

    def _models_worker(self) -> Worker:
        """Return the thread that tries the models again; once they can be used the door starts afresh."""
        restart = self._restarter()

        def look() -> None:
            if self.stopping.wait(MODELS_SECONDS):
                return
            try:
                self._around.open_models(self._settings.recognition.model)
            except (ModelMissing, ModelCorrupt):
                return
            logger.warning("the models can be used now; faces are recognised after a new start")
            if restart is not None:
                restart()

        return Worker("models", look, stopping=self.stopping, max_silence_seconds=SLOW_CARD_SECONDS)

    def _note(self, kind: Kind, **data: Any) -> None:
        self.events.record(EventDraft.now(self._clock, kind, data))
