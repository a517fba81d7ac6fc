"""Copies of the events that wait in memory, in files that outlive the process: a kill loses none of them.

The journal is on the card that fails; beside it is the memory-backed folder of the service, which
outlives every process, and the rest of the card, which may outlive a power cut.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.aside import DEADLINE_SECONDS, Aside, TooSlow
from edge.domain import EventDraft
from edge.events import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.aside import Asked

logger = logging.getLogger(__name__)

SPOOL_FILE = "events-unsaved"
"""Its name in each folder: one event to a line, as JSON."""

MOST_COPIES = 10_000
"""Copies in a file, 10 MB at most; those beyond are with the process alone."""

RESTORED = "kept_over_restart"
"""What marks the data of an event that an earlier process left behind."""


def spool_files(data: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where copies are kept: in `$RUNTIME_DIRECTORY`, if there is one, and in the data folder."""
    runtime = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    folders = [*([Path(runtime)] if runtime else []), data]
    return tuple(folder / SPOOL_FILE for folder in folders)


class Spool:
    """Keeps copies of events that wait in memory. Any thread; only `take` and `flush` wait for a disk.

    A file that cannot be written is left out: copies are a second chance, not a promise.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = [(file, Aside(f"spool-{place}")) for place, file in enumerate(files)]
        self._copies = 0
        self._unread: set[Path] = set()
        self._last: list[Asked[None]] = []

    def add(self, draft: EventDraft) -> None:
        """Keep a copy of `draft`."""
        self._copies += 1
        if self._copies > MOST_COPIES:
            return
        try:
            line = json.dumps(_told(draft), ensure_ascii=False, separators=(",", ":"), default=_plain) + "\n"
        except (TypeError, ValueError, RecursionError) as error:  # the journal leaves such data out
            logger.warning("no copy can be made of %s: %s", draft.kind, error)
            return
        # Handed over without waiting: the event is in memory, and the visitor must not wait for a copy.
        self._last = [
            aside.hand_over(lambda file=file: _append(file, line))  # type: ignore[misc]
            for file, aside in self._files
        ]

    def flush(self) -> None:
        """Wait until the last change of each file is done, a second at most: before the process ends."""
        for asked in self._last:
            with suppress(OSError):  # TooSlow is one
                asked.wait(DEADLINE_SECONDS)

    def clear(self) -> None:
        """Forget every copy: all of them are stored, but what could not be read at the start, which stays."""
        if not self._copies:
            return
        self._copies = 0
        self._last = [
            aside.hand_over(lambda file=file: _remove(file))  # type: ignore[misc]
            for file, aside in self._files
            if file not in self._unread
        ]

    def take(self, mono: float) -> list[EventDraft]:
        """Return what earlier processes left behind, oldest first; it stays until `clear`.

        Each is marked as such in its data, and has the monotonic time `mono`: its own was another boot's.
        """
        found: dict[str, EventDraft] = {}
        for file, aside in self._files:
            try:
                lines = aside.ask(lambda file=file: _lines(file))  # type: ignore[misc]
            except (OSError, TooSlow) as error:
                logger.warning("%s cannot be read now; the next start tries again: %s", file, error)
                self._unread.add(file)
                continue
            # By its line: each folder has a copy of the same.
            found |= {line: draft for line in lines if (draft := _draft(line)) is not None}
        self._copies = len(found)
        marked = (replace(one, mono=mono, data={**one.data, RESTORED: True}) for one in found.values())
        return sorted(marked, key=lambda one: one.at)


def _told(draft: EventDraft) -> dict[str, Any]:
    return {**asdict(draft), "kind": str(draft.kind), "at": draft.at.isoformat()}


def _plain(value: object) -> object:
    """Return what JSON has in place of a value, as the journal does: no event is refused for its data."""
    # numpy's numbers by what they can do: numpy itself need not be loaded here.
    if getattr(value, "ndim", None) == 0 and callable(number := getattr(value, "item", None)):
        return number()
    return f"left out: {type(value).__name__}"


def _draft(line: str) -> EventDraft | None:
    """Return the event of a line, None for one that a cut left half written, or a bad card changed."""
    try:
        told = json.loads(line)
        draft = EventDraft(**{**told, "kind": Kind(told["kind"]), "at": datetime.fromisoformat(told["at"])})
        is_whole = draft.at.tzinfo is not None and isinstance(draft.data, dict)
    except (ValueError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        logger.warning("an event that an earlier process left behind cannot be read: %.80s", line)
    return draft if is_whole else None


def _append(file: Path, line: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        # Begin with a line end as well: a full disk or a power cut may have left the line before half
        # written. A lone surrogate (Python's stand-in for an undecodable byte of a file name) becomes its
        # escape, which JSON reads back; plain UTF-8 would refuse it.
        os.write(descriptor, f"\n{line}".encode("utf-8", "backslashreplace"))
    finally:
        os.close(descriptor)


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)


def _lines(file: Path) -> list[str]:
    if not file.parent.is_dir() or not file.exists():
        return []
    # Not `splitlines`: JSON leaves U+2028 and U+0085 in a text as they are, and it would cut there.
    return [line for line in file.read_text(encoding="utf-8", errors="replace").split("\n") if line]
