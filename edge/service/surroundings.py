"""What a running door stands on beside its settings: the machine's clock, models, camera and lock."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.camera.source import camera_opener
from edge.runtime.clock import SystemClock
from edge.runtime.machine_time import boot_of, system_is_synchronised
from edge.service.parts import make_lock
from edge.service.recognition.recogniser import open_models

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.ports import Clock
    from edge.service.parts import LockMaker, OpenerOf
    from edge.service.recognition.recogniser import Models

TAKE_SECONDS = 0.5
"""How long the recogniser waits for a frame before it reports that it is alive."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The machine that a door runs on; a simulated one hands in what it is made of.

    `is_synchronised` asks whether NTP has set the clock, `boot` names this run of the machine;
    `open_models` raises `ModelMissing` or `ModelCorrupt`; every pause of the door is a wait for `stopping`.
    """

    clock: Clock = field(default_factory=SystemClock)
    is_synchronised: Callable[[], bool] = system_is_synchronised
    open_models: Callable[[str], Models] = open_models
    opener_of: OpenerOf = camera_opener
    make_lock: LockMaker = make_lock
    stopping: threading.Event = field(default_factory=threading.Event)
    take_seconds: float = TAKE_SECONDS
    boot: str = field(default_factory=boot_of)
