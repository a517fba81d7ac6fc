"""Access rules from the property: taken where the installer lets it, in place of those it had seen."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING

from edge.aside import promptly
from edge.domain import EventDraft
from edge.durable import write_whole
from edge.errors import ConfigError, StoreError, SyncError
from edge.events import Kind
from edge.wire.rules import MOST_TEXT, DesiredRules, ReportedRules, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.panel.rule_file import RuleFile
    from edge.ports import Clock

logger = logging.getLogger(__name__)

RULES_TAKEN_FILE = "rules_taken.json"
"""Its name inside the data folder."""
MOST_WHY = 2000
LOST = -1
"""In place of the newest revision: there was one, and it cannot be read any more."""
LOST_WHY = (
    "which rules this door had taken cannot be read any more; look at those that count, and send them again"
)


class HeldRules:
    """The access rules of a door, as the property may change them. Any thread.

    They are those of the installer's file, which the page changes too: what somebody changed at the door is
    not written over. `is_let` is the installer's word (`access.remote_rules`).
    """

    def __init__(
        self,
        file: RuleFile | None,
        taken: Path,
        record: Callable[[EventDraft], object],
        clock: Clock,
        *,
        is_let: bool,
    ) -> None:
        self._file = file
        self._path = taken
        self._record = record
        self._clock = clock
        self._is_let = is_let
        self._lock = threading.Lock()
        self._rev, self._refused = _load(taken)
        self._is_lost = self._rev == LOST

    def take(self, desired: DesiredRules) -> None:
        """Make these rules count, or none of them; a revision that was seen changes nothing.

        Raises `SyncError` for one that is older, `ConfigError` for rules that cannot count here, `StoreError`
        when they cannot be kept.
        """
        with self._lock:
            if self._is_lost:
                self._look_again()
            if self._is_lost:
                self._begin_with(desired)
                return
            # Retained at the broker: it comes again at every connection.
            if desired.rev == self._rev:
                return
            if desired.rev < self._rev:
                raise SyncError(
                    f"rules: revision {desired.rev} is older than {self._rev}; it may be played back"
                )
            try:
                self._put(desired)
            except ConfigError as error:
                self._keep(desired.rev, str(error)[:MOST_WHY])
                raise
            self._keep(desired.rev, None)

    def reported(self) -> ReportedRules:
        """Return the rules that count, and why the newest revision does not."""
        text = self._text()
        takes = self._is_let and text is not None and self._file is not None and self._file.is_writable
        return ReportedRules(max(self._rev, 0), text or "", takes, self._refused)

    def _look_again(self) -> None:
        rev, refused = _load(self._path)
        # A file that is gone by now tells nothing: there was one.
        if rev > 0:
            self._rev, self._refused, self._is_lost = rev, refused, False

    def _begin_with(self, desired: DesiredRules) -> None:
        """Take what the broker keeps as seen, and not as a wish: it may have been changed back here since."""
        why = None if self._text() == desired.text else LOST_WHY
        self._keep(desired.rev, why)
        self._is_lost = False
        if why is not None:
            raise ConfigError(why)

    def _put(self, desired: DesiredRules) -> None:
        file, text = self._file, self._text()
        if not self._is_let:
            raise ConfigError("the installer lets nobody replace the rules from afar: access.remote_rules")
        if file is None or text is None or not file.is_writable:
            raise ConfigError("the door has no file of access rules that it can read and write: access.rules")
        if text != desired.text:
            self._write(file, text, desired)
        # Also where they are there already: the power may have gone before it was told.
        told = {"rev": desired.rev, "digest": digest_of(desired.text)[:16]}
        self._record(EventDraft.now(self._clock, Kind.RULES_TAKEN, told))

    def _write(self, file: RuleFile, text: str, desired: DesiredRules) -> None:
        # The property edits what it has seen; a change made at the door in between would be lost.
        if digest_of(text) != desired.base:
            raise ConfigError("the rules were changed at the door meanwhile; look at those that count first")
        try:
            # With the text that was read above: the file is not written over if it changed since.
            file.put(desired.text, text)
        except OSError as error:
            raise StoreError(f"{file.path}: the access rules cannot be kept: {error}") from error

    def _text(self) -> str | None:
        """Return the rules as they are written; None when there are none that could be told."""
        try:
            text = None if self._file is None else self._file.text()
        except ConfigError:
            return None
        return text if text is not None and len(text) <= MOST_TEXT else None

    def _keep(self, rev: int, refused: str | None) -> None:
        try:
            write_whole(self._path, json.dumps({"rev": rev, "refused": refused}).encode())
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be kept: {error}") from error
        self._rev, self._refused = rev, refused


def _load(path: Path) -> tuple[int, str | None]:
    """Return the newest revision that was seen, and why it was refused; `LOST` where that is unreadable."""
    try:
        fields = json.loads(promptly("rules-taken", path.read_bytes))
        return int(fields["rev"]), None if fields["refused"] is None else str(fields["refused"])
    except FileNotFoundError:
        return 0, None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.error("%s: which rules were taken is lost (%s)", path, error)  # noqa: TRY400
        return LOST, None
