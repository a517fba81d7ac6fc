"""What a look at a part of the door found: a light, what is so, and the way out; for page and command."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.words import Message, message

if TYPE_CHECKING:
    from collections.abc import Iterable


class Light(StrEnum):
    """How well it is."""

    GREEN = "green"
    AMBER = "amber"
    """The door works, but somebody should look."""
    RED = "red"
    """Somebody who should get in does not, or nobody would notice somebody who should not."""


@dataclass(frozen=True, slots=True)
class CheckupFinding:
    """One thing that was looked at. `name` is its code; `way_out` is None where nothing is to be done."""

    name: str
    light: Light
    what: Message
    way_out: Message | None = None

    @property
    def title(self) -> Message:
        """What was looked at, for people."""
        return message(f"checkup.{self.name}")

    @property
    def word(self) -> Message:
        """The light in a word: not everybody sees colours."""
        return message(f"checkup.light_{self.light}")


def green(name: str, what: str, **values: Any) -> CheckupFinding:
    """Return that all is well; `what` is the text `checkup.<name>_<what>`."""
    return CheckupFinding(name, Light.GREEN, message(f"checkup.{name}_{what}", **values))


def amber(name: str, what: str, **values: Any) -> CheckupFinding:
    """Return that somebody should look; the way out is the text `checkup.<name>_<what>_way_out`."""
    return _off(Light.AMBER, name, what, values)


def red(name: str, what: str, **values: Any) -> CheckupFinding:
    """Return that something does not work; the way out is found as for `amber`."""
    return _off(Light.RED, name, what, values)


def typed(words: str) -> str:
    """Return a command of ours as it is typed here: an installed one is not where a shell looks for it."""
    called = Path(sys.argv[0])
    if called.name != "facegate" or shutil.which("facegate") is not None:
        return f"facegate {words}"
    return f"{'sudo ' if called.is_absolute() else ''}{called} {words}"


def worst(findings: Iterable[CheckupFinding]) -> Light:
    """Return the reddest light; green for none."""
    lights = {finding.light for finding in findings}
    return next((light for light in (Light.RED, Light.AMBER) if light in lights), Light.GREEN)


def _off(light: Light, name: str, what: str, values: dict[str, Any]) -> CheckupFinding:
    text = f"checkup.{name}_{what}"
    return CheckupFinding(name, light, message(text, **values), message(f"{text}_way_out", **values))
