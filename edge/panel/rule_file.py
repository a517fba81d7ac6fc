"""The file of access rules, as the page changes it: read, checked, written whole, taken up by the door."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.durable import write_whole
from edge.errors import ConfigError
from edge.policy.rules_toml import parse_rules
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from edge.policy.rulebook import RuleBook
    from edge.words import Message


_changing = threading.Lock()
"""A page and the property may change the rules at the same time."""

KEPT = 5
"""How many former files of rules are kept: a slip is often noticed after the next change."""


PLACE = "/etc/facegate/rules"
"""Where the service may change rules: its unit shows it everything else of the settings to read alone."""


MADE = f"sudo install -o facegate -g facegate -m 0640 /dev/null {PLACE}/rules.toml"
"""How an installer makes a file that the page may change; an empty one changes nothing."""
NAMED = f'[access]\nrules = "{PLACE}/rules.toml"'


@dataclass(frozen=True, slots=True)
class RuleFile:
    """Where a door's access rules stand.

    `use` has the running door read them again and returns what came of it, in English for the installer;
    it raises `ConfigError` for rules that cannot count at this door.
    """

    path: Path
    time_zone: str
    use: Callable[[], str]

    @property
    def is_writable(self) -> bool:
        """Whether this process may change the file; installed doors often keep it for root."""
        return os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)

    @property
    def read_only(self) -> Message:
        """What to tell whoever would change a file that the page may not."""
        return message("panel.rules_read_only", path=str(self.path), folder=PLACE)

    def text(self) -> str:
        """Return the rules as they are written. Raises `ConfigError` when they cannot be read."""
        try:
            return self.path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.path}: the access rules cannot be read: {error}") from error

    def parsed(self, text: str) -> RuleBook:
        """Return the rules in `text`. Raises `ConfigError` listing every mistake."""
        return parse_rules(text, self.path.name, self.time_zone)

    def former(self) -> str | None:
        """Return the rules before the last change made here; None where there are none."""
        try:
            return self._kept(0).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def put(self, text: str, seen: str) -> str:
        """Bring `text` into force in place of the rules that were `seen`, and return what came of it.

        Rules that the door refuses change nothing, and none are written over that nobody looked at.

        The rules before are kept beside the file: those of the last change in a file that ends with
        `.before`, those of the four changes earlier with `.before.1` to `.before.4`. Raises `ConfigError`,
        or `OSError` when the file cannot be written.
        """
        self.parsed(text)
        with _changing:
            return self._put(text, seen)

    def _put(self, text: str, seen: str) -> str:
        before = self.text()
        if before != seen:
            raise ConfigError("the rules were changed at the door meanwhile; look at those that count first")
        # One more than is kept: what would fall off the end is there until the door has taken the rules.
        self._move_kept(range(KEPT, 0, -1), by=-1)
        try:
            self._write(self._kept(0), before)
            self._write(self.path, text)
            told = self.use()
        except (ConfigError, OSError):
            with suppress(ConfigError, OSError):
                # Only where they were replaced: a card that is full could not take the former ones again.
                if self.text() != before:
                    self._write(self.path, before)
                self._kept(0).unlink(missing_ok=True)
                self._move_kept(range(KEPT), by=1)
            raise
        with suppress(OSError):
            self._kept(KEPT).unlink()
        return told

    def _move_kept(self, places: Iterable[int], by: int) -> None:
        """Let each of these places have the former rules of its neighbour."""
        for place in places:
            with suppress(FileNotFoundError):
                self._kept(place + by).replace(self._kept(place))

    def _write(self, path: Path, text: str) -> None:
        """Write a file that may be read by whoever could read the rules before."""
        mode = stat.S_IMODE(self.path.stat().st_mode)
        write_whole(path, text.encode())
        path.chmod(mode)

    def _kept(self, place: int) -> Path:
        return self.path.with_name(f"{self.path.name}.before{f'.{place}' if place else ''}")
