"""The settings that count at a door: the installer's file, and what the property asked for and may change."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge.aside import Aside, monotonic, promptly
from edge.config.remote import AT_START, remote_values, with_remote
from edge.durable import write_whole
from edge.errors import ConfigError, FacegateError, StoreError, SyncError
from edge.wire.configuration import Desired, Reported
from edge.wire.messages import parse_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.config.settings import Settings

logger = logging.getLogger(__name__)

CONFIGURATION_FILE = "configuration.json"
"""Its name inside the data folder."""

AGAIN_SECONDS = 5.0
"""Between two attempts to read what a failing card did not give at the start."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is on disk: the newest revision seen, the values that count, and why the newest does not."""

    rev: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


class Configuration:
    """Keeps what the property wants of this door, on disk, and says what counts. Any thread.

    `installed` is the file's. A kept configuration that the file no longer allows is left out as a
    whole, with reasons: the door runs as its installer wrote. Nothing here raises at the start.
    Who subscribes gets new settings when they count, before `take` returns. What the card does not give at
    the start is looked for again (`look_again`), and the property sends it at the next connection: by either
    way the door comes to what counts only with a start (`is_start_owed`).
    """

    def __init__(self, installed: Settings, path: Path) -> None:
        self._listeners: tuple[Callable[[Settings], object], ...] = ()
        self._installed = installed
        self._path = path
        self._lock = threading.Lock()
        self._aside = Aside("configuration")
        self._again_at = 0.0
        self._is_unread = self._is_lost = False
        self._kept, self._wanted = Kept(), installed
        try:
            self._count(promptly("configuration", lambda: _read(path)))
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            logger.error("%s: the property's configuration is lost (%s); it comes again", path, error)  # noqa: TRY400
            self._is_lost, self._is_unread = True, isinstance(error, OSError)
        self._began = remote_values(self._wanted)

    @property
    def now(self) -> Settings:
        """The settings that were asked for last and allowed; `reported` says which of them wait."""
        with self._lock:
            return self._wanted

    @property
    def is_start_owed(self) -> bool:
        """Whether something waits for a start that would count now, had the card given it at the last one."""
        return self._is_lost and bool(self.reported().pending)

    def subscribe(self, listener: Callable[[Settings], object]) -> None:
        """Have `listener` get every new settings from now on."""
        self._listeners += (listener,)

    def take(self, desired: Desired) -> None:
        """Make `desired` count, as a whole or not at all; a revision that was seen changes nothing.

        Raises `SyncError` for one that is older, `ConfigError` for what may not be, `StoreError`
        when it cannot be kept.
        """
        with self._lock:
            seen = self._kept.rev
            # Retained at the broker: it comes again at every connection.
            if desired.rev == seen:
                return
            if desired.rev < seen:
                raise SyncError(f"config: revision {desired.rev} is older than {seen}; it may be played back")
            try:
                wanted = with_remote(self._installed, desired.values)
            except ConfigError as error:
                self._keep(Kept(desired.rev, self._kept.values, tuple(str(error).splitlines())))
                raise ConfigError(f"revision {desired.rev}: {str(error).replace(chr(10), '; ')}") from error
            # Kept before it counts: after a restart the door must not fall back.
            self._keep(Kept(desired.rev, desired.values))
            self._wanted = wanted
        # Without the lock: listeners ask for `now`.
        for listener in self._listeners:
            listener(wanted)

    def look_again(self) -> None:
        """Have what the card did not give at the start count once it does. Call it every second."""
        if not self._is_unread or monotonic() < self._again_at:
            return
        self._again_at = monotonic() + AGAIN_SECONDS
        try:
            kept = self._aside.ask(lambda: _read(self._path))
        except (OSError, ValueError) as error:
            # A file that can be read and is damaged, or gone, does not get better.
            is_told_now = isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
            self._is_unread = self._is_unread and is_told_now
            return
        with self._lock:
            if self._kept.rev >= kept.rev:
                return  # the property has sent it, or a newer one, meanwhile
            self._is_unread = False
            self._count(kept)
            wanted = self._wanted
        logger.warning("%s: the property's configuration can be read now, and counts", self._path)
        for listener in self._listeners:
            listener(wanted)

    def _count(self, kept: Kept) -> None:
        """Let what was kept count, as far as the file allows it by now."""
        self._kept = kept
        try:
            self._wanted = with_remote(self._installed, kept.values)
        except ConfigError as error:
            logger.error("the property's configuration is left out: %s", error)  # noqa: TRY400 - one clear line
            self._kept = Kept(kept.rev, {}, tuple(str(error).splitlines()))

    def reported(self) -> Reported:
        """Return what counts now, what waits for the next start, and why the newest wish does not count."""
        with self._lock:
            values, kept = remote_values(self._wanted), self._kept
        pending = tuple(key for key in sorted(AT_START) if values[key] != self._began[key])
        return Reported(kept.rev, values | {key: self._began[key] for key in AT_START}, kept.refused, pending)

    def _keep(self, kept: Kept) -> None:
        try:
            _save(self._path, kept)
        except OSError as error:
            raise StoreError(
                f"{self._path}: the configuration cannot be kept, so it does not count: {error}"
            ) from error
        self._kept, self._is_unread = kept, False


def _read(path: Path) -> Kept:
    """Return what was kept. Raises `OSError` when the card does not give it, `ValueError` for damage."""
    content = path.read_bytes()
    try:
        fields = parse_object(content)
        wish = Desired.parse(json.dumps(fields["desired"]).encode())
        return Kept(wish.rev, wish.values, tuple(map(str, fields["refused"])))
    except (ValueError, KeyError, TypeError, FacegateError) as error:
        raise ValueError(f"damaged: {error}") from error


def _save(path: Path, kept: Kept) -> None:
    # As a wish is sent, so that what is read back passes the same checks; nobody asks for which door.
    wish = {"v": 1, "device": "kept", "rev": kept.rev, "values": dict(kept.values)}
    write_whole(path, json.dumps({"desired": wish, "refused": list(kept.refused)}).encode())
