"""The gate of a simulated world: a camera with somebody before it, and a relay with its guard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.domain import Frame
from edge.errors import CameraLost, LockError
from edge.events import Kind
from edge.matcher.calibration import Calibration
from edge.service.recognition.recogniser import Models
from tests.fakes.scene import COLOURS, DIM, Actor, Scene, axis, unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import Embedding
    from tests.world.clocks import WorldClock

WIDTH, HEIGHT = 208, 152
MODEL = "scene"
GRACE_SECONDS = 1.5
"""How long the relay's client waits for a guard that has gone (`edge.relay.client`)."""

CALIBRATION = Calibration(
    data="a simulated world",
    people=100,
    pairs=4950,
    comparisons=4950,
    above=0.4,
    fraction=0.001,
    scale=0.02,
    scale_beyond=0.03,
    spread=1.5,
    margin=0.02,
)


def background() -> np.ndarray:
    """Return a picture of an empty gate with enough detail to be no covered lens."""
    blocks = np.random.default_rng(1).integers(-14, 15, (HEIGHT // 8, WIDTH // 8, 1))
    return (118 + blocks.repeat(8, axis=0).repeat(8, axis=1).repeat(3, axis=2)).astype(np.uint8)


BACKGROUND = background()


def face(number: int) -> Embedding:
    """Return the face of the resident of this number."""
    return axis(number % (DIM - 1))


def stranger(rng: Any, near: int) -> Embedding:
    """Return a face that nobody here has, though it looks a little like that resident's."""
    vector = rng.normal(size=DIM) * 0.1
    vector[DIM - 1] = 1.0
    vector[near % (DIM - 1)] = 0.4
    return unit(vector.astype(np.float32))


class Camera:
    """A camera that may be dead, frozen, late or turned away. Implements `ports.Camera`."""

    def __init__(self, clock: WorldClock) -> None:
        self.state = "ok"
        self.faces: list[Embedding] = []
        self.scene = Scene([Actor(colour, axis(DIM - 1)) for colour in range(2)], (WIDTH, HEIGHT))
        self.scene.dim = DIM  # type: ignore[attr-defined]
        self._clock = clock
        self._count = 0
        self._last: Frame | None = None
        self._noise = np.random.default_rng(2)

    @property
    def models(self) -> Models:
        """The networks that look at this camera's pictures."""
        return Models(self.scene, self.scene, CALIBRATION)  # type: ignore[arg-type]

    def opener(self, *_: Any) -> Callable[[], Camera]:
        return self._opened

    def read(self) -> Frame:
        if self.state == "dead":
            raise CameraLost("unplugged")
        if self.state == "frozen" and self._last is not None:
            image = self._last.image.copy()
        else:
            image = self._picture()
        self._count += 1
        late = 3.0 if self.state == "late" else 0.0
        self._last = Frame(image, self._count, self._clock.mono - late, self._clock.true + self._clock.error)
        return self._last

    def close(self) -> None:
        """Do nothing."""

    def _opened(self) -> Camera:
        if self.state == "dead":
            raise CameraLost("nobody answers")
        return self

    def _picture(self) -> np.ndarray:
        image = BACKGROUND.copy()
        if self.state == "swapped":  # somebody moved it: another place, nobody's face in it
            return np.ascontiguousarray(np.rot90(image, 2))
        for number, embedding in enumerate(self.faces):
            self.scene.actors[number].embedding = embedding
            sway = self._noise.integers(-3, 4, 2)  # who stands perfectly still is a poster
            left, top, width, height = 20 + 100 * number + sway[0], 30 + sway[1], 68, 82
            card = np.empty((height, width, 3), np.int16)
            card[:] = COLOURS[number]
            card[::4] += 14
            card[:, ::4] -= 14
            image[top : top + height, left : left + width] = card.astype(np.uint8)
        row, column = self._noise.integers(0, 20), self._noise.integers(0, WIDTH)
        image[row, column] ^= 1
        return image


@dataclass(frozen=True, slots=True)
class Opening:
    """The relay was energised: when (true seconds since the world began) and for how long."""

    mono: float
    seconds: float


class Guard:
    """The relay and its guard, which may be dead; it outlives the door's process."""

    def __init__(self, clock: WorldClock) -> None:
        self._clock = clock
        self.lost_at: float | None = None
        self.openings: list[Opening] = []
        self.open_until = float("-inf")

    @property
    def is_open(self) -> bool:
        return self._clock.mono < self.open_until

    def energise(self, seconds: float) -> None:
        self.openings.append(Opening(self._clock.mono, seconds))
        self.open_until = self._clock.mono + seconds

    def rest(self) -> None:
        self.open_until = float("-inf")

    def die(self) -> None:
        """Go: the relay falls."""
        self.lost_at = self._clock.mono
        self.rest()


class WorldLock:
    """The door's end of the guard, with the answers that `GuardedLock` gives. Implements `ports.Lock`."""

    def __init__(self, guard: Guard, clock: WorldClock, on_event: Callable[[Kind, dict[str, Any]], None]):
        self._guard, self._clock, self._on_event = guard, clock, on_event
        self._order: tuple[float, float] | None = None
        self._is_lost = False

    def unlock(self, seconds: float) -> None:
        gone = self._guard.lost_at
        if gone is None:
            self._guard.energise(seconds)
        elif self._clock.mono - gone > GRACE_SECONDS:
            raise LockError("no relay guard answers")
        else:
            self._order = seconds, self._clock.mono

    def lock(self) -> None:
        self._order = None
        if self._guard.lost_at is None:
            self._guard.rest()

    def close(self) -> None:
        self.lock()

    def step(self) -> None:
        """Do what the client's thread does: notice the guard go and come, mind the order that waits."""
        is_lost = self._guard.lost_at is not None
        if is_lost != self._is_lost:
            self._is_lost = is_lost
            self._on_event(Kind.LOCK_GUARD_LOST if is_lost else Kind.LOCK_GUARD_BACK, {"why": "it has gone"})
        if self._order is None:
            return
        seconds, at = self._order
        if not is_lost:
            self._order = None
            self._guard.energise(seconds)
        elif self._clock.mono - at > GRACE_SECONDS:
            self._order = None
            self._on_event(Kind.LOCK_UNLOCK_FAILED, {"seconds": seconds, "why": "not confirmed"})
