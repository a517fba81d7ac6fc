"""What a door keeps of the time from one run to the next: a few lines that people can read."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from edge.durable import write_whole

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

CLOCK_FILE = "clock-floor"
"""Its name inside the data folder."""

PROVISIONAL_SECONDS = 86_400.0
"""The first floor of a new board is one answer's word: for a day of running a later answer corrects it."""


@dataclass(frozen=True, slots=True)
class Leap:
    """A clock ahead of the floor: what it said last (UTC), how long it ran steadily, how long it must."""

    at: datetime
    held_seconds: float
    wanted_seconds: float

    @property
    def is_proved(self) -> bool:
        """Whether it ran steadily for as long as it must."""
        return self.held_seconds >= self.wanted_seconds


@dataclass(frozen=True, slots=True)
class OwnTime:
    """The door's own count of one run of the board (`boot`): `at` (UTC) was at `mono` seconds of that run.

    `is_network` tells whether network, property or a person stood behind it, else a battery alone.
    `is_sound` is False where it began on a clock that was disputed before.
    """

    at: datetime
    mono: float
    boot: str
    is_network: bool = False
    is_sound: bool = True

    def now(self, mono: float) -> datetime:
        """Return what the count says at these monotonic seconds (UTC)."""
        return self.at + timedelta(seconds=mono - self.mono)


@dataclass(frozen=True, slots=True)
class KeptTime:
    """`floor` (UTC) has certainly passed; `held_seconds` is how long the clock agreed with it.

    `ran_seconds` counts every run of the door. `before` is where the floor would be without what a
    clock that jumped ahead while the door ran has made of it, `doubt_seconds` how long that is in doubt.
    `own` is the door's own count, `disputed` what a clock said last (UTC) that contradicts it. `is_vouched`
    tells whether network, property or a person ever stood behind this time.
    """

    floor: datetime | None = None
    held_seconds: float = 0.0
    ran_seconds: float = 0.0
    leap: Leap | None = None
    before: datetime | None = None
    doubt_seconds: float = 0.0
    own: OwnTime | None = None
    disputed: datetime | None = None
    is_vouched: bool = False

    @property
    def is_provisional(self) -> bool:
        """True while the floor stands on one answer alone."""
        return self.held_seconds < PROVISIONAL_SECONDS

    def confirmed(self, now: datetime, own: OwnTime) -> KeptTime:
        """Return what is known once somebody said that it is `now` (UTC), whatever was known before."""
        held = max(self.held_seconds, PROVISIONAL_SECONDS)
        return KeptTime(now, held, self.ran_seconds, own=own, is_vouched=True)

    def after(self, elapsed: float, drift: float) -> KeptTime:
        """Return what is known `elapsed` seconds of running later, by a crystal that may be `drift` fast."""
        sure = timedelta(seconds=elapsed * (1.0 - drift))
        floor = None if self.floor is None else self.floor + sure
        doubt_seconds = self.doubt_seconds - elapsed
        before = None if self.before is None or doubt_seconds <= 0 else self.before + sure
        return replace(
            self,
            floor=floor,
            ran_seconds=self.ran_seconds + elapsed,
            before=before,
            doubt_seconds=max(doubt_seconds, 0.0),
        )


def read_kept(file: Path) -> KeptTime:
    """Return what was kept; nothing known when there is no file or it cannot be read (which is logged).

    See `try_to_read`.
    """
    kept = try_to_read(file)
    if kept is None:
        logger.warning("%s: the last trusted time cannot be read", file)
    return kept or KeptTime()


def try_to_read(file: Path) -> KeptTime | None:
    """Return what was kept, or None when the card does not give it now: a later look may find it.

    Nothing is known when there is no file, or one with something else in it, which is logged.
    A file of one line, as earlier versions wrote it, is a floor that was proved; one without the line
    `vouched` was, too.
    """
    try:
        return _parse(file.read_text(encoding="ascii").split("\n"))
    except FileNotFoundError:
        return KeptTime()
    except OSError:
        return None
    except (ValueError, IndexError) as error:
        logger.warning("%s: the last trusted time is damaged (%s); it is written anew", file, error)
        return KeptTime()


def write_kept(file: Path, kept: KeptTime) -> None:
    """Write it whole, durably. A disk that cannot be written to is logged, not raised."""
    lines = ["unknown" if kept.floor is None else kept.floor.isoformat()]
    lines += [f"held {kept.held_seconds:.0f}", f"ran {kept.ran_seconds:.0f}"]
    if kept.leap is not None:
        leap = kept.leap
        lines.append(f"leap {leap.at.isoformat()} {leap.held_seconds:.0f} {leap.wanted_seconds:.0f}")
    if kept.before is not None:
        lines.append(f"before {kept.before.isoformat()} {kept.doubt_seconds:.0f}")
    if kept.own is not None and kept.own.boot:
        own = kept.own
        sound = f"{own.is_network:d} {own.is_sound:d}"
        lines.append(f"own {own.at.isoformat()} {own.mono:.3f} {own.boot} {sound}")
    if kept.disputed is not None:
        lines.append(f"disputed {kept.disputed.isoformat()}")
    lines.append(f"vouched {kept.is_vouched:d}")
    try:
        write_whole(file, ("\n".join(lines) + "\n").encode("ascii"))
    except OSError as error:
        logger.warning("%s: the trusted time cannot be kept (%s)", file, error)


def stamp_of(file: Path) -> tuple[int, int] | None:
    """Return what changes when somebody writes the file, None while there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    # The inode as well: a file that replaces another within one tick of the file system's clock, some
    # milliseconds, has the same time.
    return found.st_mtime_ns, found.st_ino


def _parse(lines: list[str]) -> KeptTime:
    first = lines[0].strip()
    floor = None if first == "unknown" else _utc(first)
    named = {words[0]: words[1:] for line in lines[1:] if (words := line.split())}
    # Without the line it was written by a version that only kept floors which were proved.
    held = float(named["held"][0]) if "held" in named else float("inf")
    ran = float(named["ran"][0]) if "ran" in named else 0.0
    leap = None
    if "leap" in named:
        at, was_held, wanted = named["leap"]
        leap = Leap(_utc(at), float(was_held), float(wanted))
    before, doubt = named.get("before", (None, 0.0))
    (disputed,) = named.get("disputed", (None,))
    return KeptTime(
        floor,
        held if floor is not None else 0.0,
        ran,
        leap,
        None if before is None else _utc(before),
        float(doubt),
        _own(named.get("own")),
        None if disputed is None else _utc(disputed),
        is_vouched=named.get("vouched", ["1"]) == ["1"] and floor is not None,
    )


def _own(words: list[str] | None) -> OwnTime | None:
    if words is None:
        return None
    at, mono, boot, is_network, is_sound = words
    return OwnTime(_utc(at), float(mono), boot, is_network == "1", is_sound == "1")


def _utc(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
