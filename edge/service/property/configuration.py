"""The settings that count at a door: the installer's file, and what the property asked for and may change."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
    Who subscribes gets new settings when they count, before `take` returns.
    """

    def __init__(self, installed: Settings, path: Path) -> None:
        self._listeners: tuple[Callable[[Settings], object], ...] = ()
        self._installed = installed
        self._path = path
        self._lock = threading.Lock()
        self._kept = _load(path)
        self._wanted = installed
        try:
            self._wanted = with_remote(installed, self._kept.values)
        except ConfigError as error:
            logger.error("the property's configuration is left out: %s", error)  # noqa: TRY400 - one clear line
            self._kept = Kept(self._kept.rev, {}, tuple(str(error).splitlines()))
        self._began = remote_values(self._wanted)

    @property
    def now(self) -> Settings:
        """The settings that were asked for last and allowed; `reported` says which of them wait."""
        with self._lock:
            return self._wanted

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
        self._kept = kept


def _load(path: Path) -> Kept:
    """Return what was kept; nothing when there is nothing, or nothing readable."""
    try:
        fields = parse_object(path.read_bytes())
        wish = Desired.parse(json.dumps(fields["desired"]).encode())
        return Kept(wish.rev, wish.values, tuple(map(str, fields["refused"])))
    except FileNotFoundError:
        return Kept()
    except (OSError, ValueError, KeyError, TypeError, FacegateError) as error:
        logger.error("%s: the property's configuration is lost (%s); it comes again", path, error)  # noqa: TRY400
        return Kept()


def _save(path: Path, kept: Kept) -> None:
    # As a wish is sent, so that what is read back passes the same checks; nobody asks for which door.
    wish = {"v": 1, "device": "kept", "rev": kept.rev, "values": dict(kept.values)}
    write_whole(path, json.dumps({"desired": wish, "refused": list(kept.refused)}).encode())
