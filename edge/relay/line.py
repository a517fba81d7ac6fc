"""The relay's line: claimed at rest, energised to unlock, at rest again.

At rest always means locked, so that a dead process, a dead board and a stopped service all leave
the door locked. How the lock is wired makes it so, see `Wiring`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from edge.errors import ConfigError, LockError
from edge.extras import way_to_install

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLES = {"fail-secure": "no", "fail-safe": "nc"}
"""The relay contact that makes rest mean locked: a strike hangs on NO, a maglock on NC."""


class Line(Protocol):
    """What the guard needs of a relay line. Used from one thread."""

    def energise(self) -> None:
        """Drive the relay: the door is unlocked."""

    def rest(self) -> None:
        """Let the relay fall: the door is locked. Safe at any time."""

    def close(self) -> None:
        """Leave the relay at rest and give the line up. Safe to call twice."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the lock hangs on the relay.

    `lock` says what the lock does without power: `fail-secure` (strike: locked) or `fail-safe`
    (maglock: unlocked). `contact` is the relay contact it is wired to, `no` or `nc`. `active_high`
    concerns only the relay board: it is the level that energises the coil.

    Raises `ConfigError` for a wiring in which the resting relay would unlock the door.
    """

    lock: Literal["fail-secure", "fail-safe"]
    active_high: bool
    contact: Literal["no", "nc"] | None = None

    def __post_init__(self) -> None:
        if self.lock not in ROLES:
            raise ConfigError(f"lock_wiring = {self.lock!r}: must be fail-secure or fail-safe")
        if self.contact not in (None, ROLES[self.lock]):
            raise ConfigError(
                f"relay_contact = {self.contact!r}: a {self.lock} lock there is unlocked whenever the relay "
                f"rests, so a stopped service opens the door; move its wire to {ROLES[self.lock].upper()}"
            )

    @property
    def resting_level(self) -> bool:
        """True when the resting line is high."""
        return not self.active_high

    def __str__(self) -> str:
        level = "high" if self.active_high else "low"
        without_power = "locked" if self.lock == "fail-secure" else "unlocked"
        return (
            f"{self.lock} lock on {ROLES[self.lock].upper()}, relay energised by a {level} level: "
            f"at rest locked, without power {without_power}"
        )


class RelayLine:
    """A `Line` on gpiozero. `device` is an `OutputDevice` that has been claimed at rest."""

    def __init__(self, device: Any) -> None:
        self._device = device

    @classmethod
    def claim(cls, pin: int, wiring: Wiring, factory: Any) -> RelayLine:
        """Return the line of BCM `pin`, claimed at its resting level in one call.

        `factory` is a gpiozero pin factory, see `lgpio_factory` and `mock_factory`. Raises
        `LockError` when the line does not exist, is in use, or may not be opened.
        """
        from gpiozero import OutputDevice  # noqa: PLC0415 - 120 ms, and only the guard needs it

        try:
            device = OutputDevice(
                pin, active_high=wiring.active_high, initial_value=False, pin_factory=factory
            )
        except Exception as error:  # lgpio.error and half of gpiozero.exc derive from it
            raise LockError(f"GPIO{pin} cannot be claimed: {error}; is another process using it?") from error
        return cls(device)

    def energise(self) -> None:
        """Drive the relay: the door is unlocked."""
        self._device.on()

    def rest(self) -> None:
        """Let the relay fall: the door is locked."""
        self._device.off()

    def close(self) -> None:
        """Leave the relay at rest and give the line up."""
        if self._device.closed:
            return
        self._device.off()
        self._device.close()


def lgpio_factory(chip: int | None = None, *, inputs: bool = False) -> Any:
    """Return a pin factory on the real lines of gpiochip `chip` (None: the Raspberry Pi's header).

    It makes relay lines, or with `inputs` the pins of sensors. Raises `LockError` when lgpio is not
    installed or there is no such chip.
    """
    try:
        from edge.relay.chip import header_chip  # noqa: PLC0415 - the extra `pi`
        from edge.relay.lgpio_pin import InputFactory, RestingFactory  # noqa: PLC0415
    except ImportError as error:
        raise LockError(f"no GPIO library is installed ({error}): {way_to_install('pi')}") from error
    try:
        number = header_chip() if chip is None else chip
        return InputFactory(chip=number) if inputs else RestingFactory(number)
    except Exception as error:  # lgpio.error derives from it
        raise LockError(
            f"gpiochip {'of the header' if chip is None else chip} cannot be opened: {error}; "
            "is this board a Raspberry Pi, and this user in the group gpio?"
        ) from error


def mock_factory(environment: Mapping[str, str], *, allow_in_service: bool = False) -> Any:
    """Return gpiozero's own fake: nothing moves, every level is recorded in `pin.states`.

    Raises `ConfigError` under systemd (it sets INVOCATION_ID) unless `allow_in_service`: a door
    whose lock never moves must not look like a working one.
    """
    if "INVOCATION_ID" in environment and not allow_in_service:
        raise ConfigError(
            'pin_factory = "mock" in a service: the door would never open; set it to "lgpio", or start the '
            "guard with --allow-mock if nothing is meant to move"
        )
    from gpiozero.pins.mock import MockFactory, MockPin  # noqa: PLC0415 - as above

    class LatchedPin(MockPin):  # type: ignore[misc]  # gpiozero has no types
        """Records a claim as the single step that `RestingPin` makes of it."""

        def output_with_state(self, state: bool) -> None:  # noqa: FBT001 - gpiozero's signature
            """Become an output that starts at `state`."""
            self._function = "output"
            self._state = bool(state)
            self.clear_states()

    return MockFactory(pin_class=LatchedPin)


PERSIST = "module/{}/parameters/persist_gpio_outputs"


def strict_gpiod_warning(sys_directory: Path = Path("/sys")) -> str | None:
    """Return what to do about a kernel that keeps outputs driven after their process died, or None.

    Raspberry Pi kernels do so unless `strict_gpiod` is set (raspberrypi/linux pull requests 6117
    and 6150); a guard killed while the door is open would then leave it open until the unit's
    ExecStopPost runs. Other kernels have no such parameter: nothing to warn about.
    """
    for driver in ("pinctrl_bcm2835", "pinctrl_rp1"):
        parameter = sys_directory / PERSIST.format(driver)
        try:
            keeps = parameter.read_text(encoding="ascii").strip() in ("Y", "1")
        except OSError:
            continue
        if keeps:
            return (
                f"{parameter} is on: a killed process leaves the relay energised. Add dtparam=strict_gpiod "
                "to /boot/firmware/config.txt and reboot; keep the pull resistor at the relay board"
            )
    return None
