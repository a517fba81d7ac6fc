"""Every setting, its unit, its range and its default.

What decides about safety has no default: which door this is, how the relay is wired.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from edge.config.mqtt import Mqtt  # noqa: TC001 - read at run time
from edge.config.panel import PanelSection, SiteSection
from edge.config.section import MetricsSection, Section, matching
from edge.config.sharing import SharingSection, require_guarded
from edge.config.storage import Storage, require_identity
from edge.errors import may_pass
from edge.extras import placed

if TYPE_CHECKING:
    from collections.abc import Iterator

Identifier = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "use up to 64 of A-Z, a-z, 0-9, - and _; a letter or digit first"
    ),
]
"""Goes into topics and file names: letters, digits, - and _, 64 at most."""

Fraction = Annotated[float, Field(ge=0, le=1)]


class Door(Section):
    """Which door this is."""

    id: Identifier = Field(description="name of this door, also the MQTT device id")
    timezone: str = Field("UTC", description="IANA name of the site's time zone, such as Asia/Shanghai")

    @model_validator(mode="after")
    def _zone_is_known(self) -> Door:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            if may_pass(error):  # the card does not give the zone's file: no mistake of whoever wrote this
                raise
            raise ValueError(
                f'timezone = "{self.timezone}": no such zone; an IANA name such as Asia/Shanghai'
            ) from error
        return self


class CameraSection(Section):
    """Where frames come from."""

    source: str = Field(
        min_length=1,
        description="0 or /dev/video0 (USB), rtsp://..., picamera, or the path of a recording",
    )
    width: int = Field(640, ge=160, le=7680, description="pixels asked of a USB or CSI camera")
    height: int = Field(480, ge=120, le=4320)
    fps: float = Field(15, gt=0, le=120)
    loop: bool = Field(False, description="start a recording over at its end (trials only)")
    rotate: Literal[0, 90, 180, 270] = Field(
        0, description="degrees clockwise that set the picture upright: 180 for a camera upside down"
    )
    mirror: bool = Field(False, description="exchange left and right, after rotating")

    @field_validator("source", mode="before")
    @classmethod
    def _number_is_a_camera(cls, given: object) -> object:
        """Take `source = 0` for the first USB camera, as people write it, and no blanks around an address."""
        if isinstance(given, str):
            return given.strip()
        return str(given) if isinstance(given, int) and not isinstance(given, bool) and given >= 0 else given


LivenessNetwork = Literal["faceplugin", "silentface-2.7", "silentface-4.0", "texture"]


class RecognitionSection(Section):
    """How sure the door must be, and who is near enough to mean it."""

    model: Identifier = Field("sface", description="face network, as in facegate models list")
    fpir: float = Field(
        1e-3,
        ge=1e-6,
        le=0.05,
        description="wanted false-positive identification rate: strangers let in per visit",
    )
    similarity: float | None = Field(
        None, ge=0.2, le=0.95, description="experts: a bare threshold instead of fpir"
    )
    matcher: str = Field(
        "auto",
        description="backend of the search: auto measures in a large gallery; see facegate matcher info",
    )
    liveness: Literal["off", "passive", "strict"] = Field(
        "passive", description="presentation-attack detection; off is warned at every start"
    )
    liveness_networks: tuple[LivenessNetwork, ...] | None = Field(
        None,
        min_length=1,
        description="networks that must all be installed, else no face opens the door; without: the best"
        " set installed",
    )
    weak_liveness: Literal["ask", "accept"] = Field(
        "ask",
        description="the yes of faceplugin alone: ask for a challenge or PIN as well, or accept it",
    )
    monochrome: Literal["ask", "one_network", "refuse"] = Field(
        "ask",
        description="faces in pictures without colour (night): ask for a challenge or PIN, let faceplugin"
        " decide first, or refuse",
    )
    min_interocular_px: float = Field(20, ge=16, le=400, description="least eye distance: the intent gate")
    max_yaw_deg: float = Field(35, ge=5, le=45)
    zone: tuple[Fraction, Fraction, Fraction, Fraction] = Field(
        (0, 0, 1, 1), description="left, top, right, bottom of the zone, as fractions of the picture"
    )

    @model_validator(mode="after")
    def _zone_has_room(self) -> RecognitionSection:
        left, top, right, bottom = self.zone
        if left >= right or top >= bottom:
            raise ValueError("zone: left must be under right, top under bottom")
        return self


class LockSection(Section):
    """The relay that moves the strike or maglock."""

    driver: Literal["gpio", "dry-run"] = Field(description="gpio, or dry-run: nothing moves")
    pin: int | None = Field(None, ge=2, le=27, description="BCM number of the relay's line")
    active_high: bool | None = Field(None, description="true when a high level energises the relay")
    lock_wiring: Literal["fail-secure", "fail-safe"] | None = Field(
        None, description="fail-secure: locked without power (strike); fail-safe: unlocked (maglock)"
    )
    relay_contact: Literal["no", "nc"] | None = Field(None, description="relay contact the lock is on")
    gpio_chip: int | None = Field(None, ge=0, le=15, description="when the right chip is not found")
    pin_factory: Literal["lgpio", "mock"] = Field("lgpio", description="mock moves nothing: trials only")
    unlock_seconds: float = Field(5, ge=1, le=30)
    extended_unlock_seconds: float = Field(15, ge=1, le=60)
    max_unlock_seconds: float = Field(30, ge=1, le=60, description="the guard's own cap")
    guard_socket: Path = Field(Path("/run/facegate/relay.sock"))

    @model_validator(mode="after")
    def _wired(self) -> LockSection:
        if self.driver == "gpio":
            missing = [n for n in ("pin", "active_high", "lock_wiring") if getattr(self, n) is None]
            if missing:
                raise ValueError(
                    f"{', '.join(missing)}: must be set when driver is gpio: see {placed('docs/install.md')}"
                )
        if max(self.unlock_seconds, self.extended_unlock_seconds) > self.max_unlock_seconds:
            raise ValueError(
                "max_unlock_seconds: must not be under unlock_seconds or extended_unlock_seconds"
            )
        return self


class SensorSection(Section):
    """One wired input of the door."""

    pin: int = Field(ge=2, le=27, description="BCM number")
    contact: Literal["no", "nc"] = Field(description="nc: circuit closed at rest, a cut wire alarms")
    pull: Literal["up", "down", "none"] = "up"
    debounce_seconds: float = Field(0.05, ge=0, le=1)
    action: str = Field("observe", description="observe; there is no other")

    @model_validator(mode="after")
    def _observed_only(self) -> SensorSection:
        if self.action != "observe":
            raise ValueError(
                "action: inputs are only observed; way out and fire release are wired to the lock and "
                f"work without software: see {placed('docs/install.md')}"
            )
        return self


class SensorsSection(Section):
    """What is wired to the door; leave out what is not there."""

    contact: SensorSection | None = Field(None, description="door contact: nc is closed while shut")
    rex: SensorSection | None = Field(None, description="exit button, observed")
    tamper: SensorSection | None = Field(None, description="case opened")
    fire: SensorSection | None = Field(None, description="fire alarm, observed")
    bell: SensorSection | None = None
    exit_seconds: float = Field(10, ge=1, le=120, description="an opening this soon after rex is not forced")
    relock_on_close: bool = True


ClockTime = Annotated[
    str, matching(r"([01]\d|2[0-3]):[0-5]\d", "write hours and minutes as 06:30; midnight is 00:00")
]


class Held(Section):
    """What happens when the door stays open; needs sensors.contact."""

    warning_seconds: float = Field(5, ge=0, le=60, description="chime at the door this long before the alarm")
    alarm_seconds: float = Field(30, ge=5, le=3600)
    extended_seconds: float = Field(60, ge=5, le=3600, description="the limit after an extended opening")
    repeat_seconds: float = Field(120, ge=10, le=3600)
    snooze_seconds: float = Field(900, ge=10, le=86_400, description="silence after an acknowledgement")
    escalate_after: int = Field(3, ge=1, le=100, description="repeats until the level grows")
    quiet_from: ClockTime | None = Field(None, description="no chime from here, local time, such as 22:00")
    quiet_to: ClockTime | None = None
    chime_pin: int | None = Field(None, ge=2, le=27, description="BCM number of a buzzer at the door")
    chime_active_high: bool = True

    @model_validator(mode="after")
    def _in_order(self) -> Held:
        if not self.warning_seconds < self.alarm_seconds <= self.extended_seconds:
            raise ValueError("warning_seconds must be under alarm_seconds, that not over extended_seconds")
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("quiet_from and quiet_to: give both or neither")
        return self


class JournalSection(Section):
    """The record of events."""

    on_failure: Literal["open", "deny"] = Field(
        "open", description="what a grant does when the journal cannot be written"
    )
    keep_days: int = Field(
        90, ge=1, le=3650, description="events that have arrived are removed at this age; others never"
    )


class WiegandSection(Section):
    """A card reader on two GPIO lines, behind a level shifter to 3.3 V."""

    d0: int = Field(ge=2, le=27, description="BCM number of the line DATA0")
    d1: int = Field(ge=2, le=27, description="BCM number of the line DATA1")
    bits: tuple[Literal[26, 32, 34, 37], ...] = Field(
        (26, 34, 37), min_length=1, description="lengths of the site's cards; 32 has no parity"
    )


class Access(Section):
    """Who may pass when."""

    rules: Path | None = Field(None, description="access rules (TOML); without: everybody enrolled, always")
    remote_rules: bool = Field(False, description="true: the property may replace the access rules")
    keypad: Path | None = Field(None, description="input device of a keypad: /dev/input/by-id/...-event-kbd")
    card_reader: Path | None = Field(
        None, description="input device of a card reader that types like a keyboard"
    )
    wiegand: WiegandSection | None = Field(None, description="card reader on two GPIO lines")
    pass_keys: tuple[str, ...] = Field(
        (), description="public keys of visitor passes, from facegate pass key"
    )
    has_rtc: bool = Field(False, description="true when a battery keeps the clock: then it counts before NTP")

    @property
    def reads_cards(self) -> bool:
        """Whether a card opens this door: what a notice of consent offers beside the face."""
        return self.card_reader is not None or self.wiegand is not None

    @property
    def reads_pins(self) -> bool:
        """Whether a PIN can be typed at a keypad of this door; its display may have keys besides."""
        return self.keypad is not None


class Settings(Section):
    """The whole file."""

    door: Door
    camera: CameraSection
    lock: LockSection
    sensors: SensorsSection = SensorsSection()  # type: ignore[call-arg]
    held: Held = Held()  # type: ignore[call-arg]
    recognition: RecognitionSection = RecognitionSection()  # type: ignore[call-arg]
    journal: JournalSection = JournalSection()  # type: ignore[call-arg]
    storage: Storage = Storage()  # type: ignore[call-arg]
    access: Access = Access()  # type: ignore[call-arg]
    panel: PanelSection = PanelSection()  # type: ignore[call-arg]
    site: SiteSection = SiteSection()  # type: ignore[call-arg]
    mqtt: Mqtt | None = None
    metrics: MetricsSection | None = None
    sharing: SharingSection = SharingSection()  # type: ignore[call-arg]

    @model_validator(mode="after")
    def _pins_are_used_once(self) -> Settings:
        users: dict[int, list[str]] = {}
        for key, pin in self._pins():
            users.setdefault(pin, []).append(key)
        twice = [f"{' and '.join(keys)}: both are GPIO{pin}" for pin, keys in users.items() if len(keys) > 1]
        if twice:
            raise ValueError(f"{'; '.join(twice)}; give each its own pin")
        return self

    @model_validator(mode="after")
    def _key_server_is_shown_who_asks(self) -> Settings:
        require_identity(self.storage, self.mqtt)
        return self

    @model_validator(mode="after")
    def _shared_faces_are_guarded(self) -> Settings:
        require_guarded(self.sharing, self.storage, self.mqtt)
        return self

    @model_validator(mode="after")
    def _strict_has_a_screen(self) -> Settings:
        if self.recognition.liveness == "strict" and not self.panel.has_screen:
            raise ValueError(
                'recognition.liveness = "strict" asks every visitor to turn the head, and nothing shows it: '
                'write [panel] enabled = true and open /screen on a display at the gate, or "passive"'
            )
        return self

    def _pins(self) -> Iterator[tuple[str, int]]:
        """Every header pin that the file names, by its key."""
        wiegand = self.access.wiegand
        sensors = {f"sensors.{name}.pin": getattr(value, "pin", None) for name, value in self.sensors}
        named = {
            "lock.pin": self.lock.pin,
            **sensors,
            "held.chime_pin": self.held.chime_pin,
            "access.wiegand.d0": wiegand.d0 if wiegand else None,
            "access.wiegand.d1": wiegand.d1 if wiegand else None,
        }
        return ((key, pin) for key, pin in named.items() if pin is not None)
