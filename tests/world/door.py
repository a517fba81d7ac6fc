"""The door of a simulated world: the service's own composition, its threads taking turns."""

from __future__ import annotations

import gc
import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edge.config import load_settings
from edge.service.door import DoorService
from edge.service.surroundings import Surroundings
from tests.world.clocks import Stopping
from tests.world.gate import WorldLock

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import EventDraft
    from edge.runtime.worker import Worker
    from edge.service.door import Parts
    from tests.world.clocks import WorldClock
    from tests.world.gate import Camera, Guard

CONFIG = """
[door]
id = "north"
timezone = "Asia/Shanghai"
[camera]
source = "0"
[lock]
driver = "dry-run"
[recognition]
liveness = "off"
similarity = 0.5
[access]
rules = "{rules}"
has_rtc = {has_rtc}
[journal]
on_failure = "{on_failure}"
"""

TURNS = {"door": 0.0, "capture": 0.0, "recognise": 0.0, "roster": 0.5, "access": 1.0, "events": 1.0}
"""How often each thread of the door has its turn, in seconds; `housekeeping` once a minute."""


class WorldDoor:
    """One door and its processes, one after another. `told` hears of every event of any of them."""

    def __init__(self, data: Path, config: Path, told: Callable[[EventDraft], object]) -> None:
        self.data = data
        self.failures: list[str] = []
        self.memory = data.with_name("run")
        """The service's memory-backed folder: it outlives a process and no power cut."""
        self.parts: Parts | None = None
        self.starts = 0
        self._settings = load_settings(config)
        self._told = told
        self._stack: ExitStack | None = None
        self._workers: dict[str, Worker] = {}
        self._due: dict[str, float] = {}
        self._lock: WorldLock | None = None

    def start(self, clock: WorldClock, camera: Camera, guard: Guard) -> None:
        """Start a process of the door. Raises `Killed` when it does not live that long."""

        def new_lock(_section: object, _clock: object, on_event: Callable[..., None]) -> WorldLock:
            self._lock = WorldLock(guard, clock, on_event)
            return self._lock

        self.starts += 1
        around = Surroundings(
            clock,
            lambda: clock.is_synchronised,
            lambda _name: camera.models,
            camera.opener,
            new_lock,
            Stopping(),  # type: ignore[arg-type]
            take_seconds=0.0,
            boot=f"run-{clock.runs}",
        )
        self._stack = ExitStack()
        service = DoorService(self._settings, self.data, {"RUNTIME_DIRECTORY": str(self.memory)}, around)
        service.events.subscribe(self._told)
        self.parts, workers = service.assemble(self._stack)
        self._workers = {worker.name: worker for worker in workers}
        self._due = dict.fromkeys(self._workers, 0.0)

    def turn(self, now: float) -> None:
        """Let every thread have its turn that is due at `now`."""
        if self.parts is None:
            return
        if self._lock is not None:
            self._lock.step()
        for name, worker in list(self._workers.items()):
            if now >= self._due[name]:
                self._due[name] = now + TURNS.get(name, 60.0)
                worker.turn()
                if worker.failures:
                    self.failures.append(f"the thread {name} failed")

    def stop(self) -> None:
        """Stop the process as systemd does."""
        stack, self._stack = self._stack, None
        self.parts, self._workers, self._lock = None, {}, None
        if stack is not None:
            stack.close()

    def crash(self) -> None:
        """End the process as a SIGKILL does: nothing is flushed, its files and locks are let go."""
        self.parts, self._workers, self._stack, self._lock = None, {}, None, None
        gc.collect()
        for number in list(Path("/proc/self/fd").iterdir()):
            with suppress(OSError):
                if number.readlink() == self.data / "service.lock":
                    os.close(int(number.name))

    @property
    def unsaved(self) -> int:
        return 0 if self.parts is None else self.parts.door.events.unsaved
