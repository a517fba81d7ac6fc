"""A door without hardware: the same lock, sensors and state machine, with every input set by a key.

Installers practise with it (`facegate simulate`), and a test can drive every state.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.errors import LockError
from edge.events import Kind
from edge.relay.door import DoorSettings, DoorState, Note, Sensor
from edge.relay.dry_run import DryRunLock, Monotonic
from edge.relay.machine import DoorMachine
from edge.relay.sensors import Sensors, SensorWiring, SimulatedLevels
from edge.relay.supervised import SupervisedDoor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SHOWN_EVENTS = 14

PRESS_SECONDS = 0.5
"""How long a finger stays on a button; the debouncer wants 50 ms."""

WARP_SECONDS = 10.0

POLL_SECONDS = 0.02
"""Time that was skipped is still polled at the pace of the real door."""

WIRINGS = (
    SensorWiring(Sensor.CONTACT, 22, "nc"),
    SensorWiring(Sensor.REX, 23, "no"),
    SensorWiring(Sensor.TAMPER, 24, "nc"),
    SensorWiring(Sensor.FIRE, 25, "nc"),
    SensorWiring(Sensor.BELL, 26, "no"),
)

SWITCHES = {"o": Sensor.CONTACT, "t": Sensor.TAMPER, "f": Sensor.FIRE}
BUTTONS = {"x": Sensor.REX, "b": Sensor.BELL}

HELP: Mapping[str, str] = {
    "g": "grant",
    "e": "extended grant",
    "o": "open / close the door",
    "x": "exit button",
    "b": "bell",
    "t": "tamper switch",
    "f": "fire alarm",
    "c": "cut / mend the contact's wire",
    "k": "lose / find the relay guard",
    "l": "relock",
    "u": "held unlocked on / off",
    "a": "acknowledge",
    "n": "quiet hours on / off",
    "p": "play the recording",
    "w": "let 10 s pass",
    "0-9 * #": "keypad, # enters",
    "q": "quit",
}


@dataclass(frozen=True, slots=True)
class SimulatedAnswer:
    """What a keypad or a recording says: the words for the log, and for how long to unlock (0: not)."""

    text: str
    unlock_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SimulatorView:
    """What there is to see, in words."""

    state: DoorState
    relay: str
    inputs: dict[str, str]
    keypad: str
    modes: tuple[str, ...]
    events: tuple[str, ...]


class _FragileLock:
    """A dry-run lock whose guard can be lost."""

    def __init__(self, clock: Monotonic) -> None:
        self.dry = DryRunLock(clock)
        self.lost = False

    def unlock(self, seconds: float) -> None:
        """Unlock, or raise `LockError` while the guard is lost."""
        if self.lost:
            raise LockError("no relay guard answers: the door stays locked")
        self.dry.unlock(seconds)

    def lock(self) -> None:
        """Relock."""
        self.dry.lock()

    def close(self) -> None:
        """Relock."""
        self.dry.close()


class Simulator:
    """One simulated door. One thread; call `tick` about every 50 ms.

    `keypad` answers what was typed before `#`. `recording` is what `p` plays: seconds after the
    key, and what the door said then.
    """

    def __init__(
        self,
        clock: Monotonic,
        settings: DoorSettings,
        keypad: Callable[[str], SimulatedAnswer],
        recording: Iterable[tuple[float, SimulatedAnswer]] = (),
        extended_seconds: float = 15.0,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._keypad = keypad
        self._recording = tuple(recording)
        self._extended_seconds = extended_seconds
        self._warp = 0.0
        self._now = clock.monotonic()
        self._started_at = self._now
        self._lock = _FragileLock(self)
        self._levels = SimulatedLevels(WIRINGS)
        self._events: deque[str] = deque(maxlen=SHOWN_EVENTS)
        self._pressed: dict[Sensor, float] = {}
        self._playing: deque[tuple[float, SimulatedAnswer]] = deque()
        self._typed = ""
        self._modes: set[str] = set()
        self._cut = False
        machine = DoorMachine(settings, self._now)
        self.door = SupervisedDoor(
            self._lock,
            Sensors(WIRINGS, self._levels),
            machine,
            self.monotonic,
            self._take,
            lambda on: self._say("chime " + ("sounds" if on else "is silent")),
            lambda: "quiet hours" in self._modes,
        )
        self.door.poll()

    def monotonic(self) -> float:
        """Return the simulated door's time: the clock's, and what was skipped."""
        return self._now

    def tick(self) -> None:
        """Let the door live until the present moment."""
        end = self._clock.monotonic() + self._warp
        while self._now < end:
            self._now = min(end, self._now + POLL_SECONDS)
            self._release_buttons()
            self._play_on()
            self.door.poll()

    def press(self, key: str) -> bool:
        """Do what `key` stands for, see `HELP`; False when it ends the page. Other keys do nothing."""
        if key == "q":
            self.door.close()
            return False
        if key in SWITCHES:
            self._levels.set(SWITCHES[key], not self._levels.is_set(SWITCHES[key]))
        elif key in BUTTONS:
            self._levels.set(BUTTONS[key], True)
            self._pressed[BUTTONS[key]] = self._now
        elif key.isdecimal() or key in ("*", "#"):
            self._type(key)
        elif key in HELP:
            self._act(key)
        self.tick()
        return True

    def page(self) -> SimulatorView:
        """Return what there is to see now."""
        return SimulatorView(
            self.door.state,
            "energised" if self._lock.dry.unlocked else "at rest",
            {wiring.sensor.value: self._input(wiring.sensor) for wiring in WIRINGS},
            "•" * len(self._typed),
            tuple(sorted(self._modes)),
            tuple(self._events),
        )

    def _act(self, key: str) -> None:
        actions: dict[str, Callable[[], None]] = {
            "g": lambda: self._grant(SimulatedAnswer("granted by hand", self._settings.unlock_seconds)),
            "e": lambda: self._grant(SimulatedAnswer("granted by hand, extended", self._extended_seconds)),
            "c": self._cut_or_mend,
            "k": self._lose_or_find,
            "l": self.door.lock,
            "u": lambda: self.door.free_access(self._toggle("held unlocked")),
            "a": lambda: self.door.acknowledge("simulator"),
            "n": lambda: self._say("quiet hours " + ("on" if self._toggle("quiet hours") else "off")),
            "p": self._play,
            "w": self._skip,
        }
        actions[key]()

    def _grant(self, answer: SimulatedAnswer) -> None:
        self._say(answer.text)
        if answer.unlock_seconds <= 0:
            return
        try:
            self.door.unlock(answer.unlock_seconds)
        except LockError as error:
            self._say(str(error))

    def _type(self, key: str) -> None:
        if key != "#":
            self._typed += key
            return
        typed, self._typed = self._typed, ""
        self._grant(self._keypad(typed))

    def _cut_or_mend(self) -> None:
        self._cut = not self._cut
        self._levels.cut(Sensor.CONTACT, self._cut)

    def _lose_or_find(self) -> None:
        self._lock.lost = self._toggle("guard lost")
        if self._lock.lost:
            self._lock.dry.lock()
        kind = Kind.LOCK_GUARD_LOST if self._lock.lost else Kind.LOCK_GUARD_BACK
        self.door.lock_event(kind, {"why": "simulated"} if self._lock.lost else {})

    def _play(self) -> None:
        if not self._recording:
            self._say("no recording: start with --video CLIP --gallery DIR")
        self._playing = deque((self._now + seconds, answer) for seconds, answer in self._recording)

    def _play_on(self) -> None:
        while self._playing and self._playing[0][0] <= self._now:
            self._grant(self._playing.popleft()[1])

    def _skip(self) -> None:
        self._warp += WARP_SECONDS

    def _release_buttons(self) -> None:
        for sensor, since in list(self._pressed.items()):
            if self._now - since >= PRESS_SECONDS:
                self._levels.set(sensor, False)
                del self._pressed[sensor]

    def _toggle(self, mode: str) -> bool:
        self._modes ^= {mode}
        return mode in self._modes

    def _input(self, sensor: Sensor) -> str:
        if sensor is Sensor.CONTACT:
            if self._cut:
                return "wire cut"
            return "open" if self._levels.is_set(sensor) else "shut"
        return "ACTIVE" if self._levels.is_set(sensor) else "-"

    def _take(self, note: Note) -> None:
        self._say(f"{note.kind}{_words(note.data)}")

    def _say(self, text: str) -> None:
        self._events.append(f"{self._now - self._started_at:7.1f} s  {text}")


def _words(data: Mapping[str, Any]) -> str:
    return "".join(f"  {name}={value}" for name, value in data.items() if value is not None)
