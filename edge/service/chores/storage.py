"""Which of the door's files the card does not give as it should, told once something can be told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from edge.events import Kind
from edge.store.mended import news

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)


class FileState(Protocol):
    """What knows how its file is; stores of `edge.store` do."""

    @property
    def problem(self) -> str | None:
        """Why nothing can be changed, or read, now; None when it can as far as is known."""


class StorageWatch:
    """Says in `health.storage` events what the card does to the files. Call `look` about every second.

    `files` are what to ask by the file's name. A file that was mended is told as well: how many rows
    were saved, and in how many places something was lost.
    """

    def __init__(
        self, files: Mapping[str, FileState], report: Callable[[Kind, dict[str, Any]], object]
    ) -> None:
        self._files = files
        self._report = report
        self._told: frozenset[str] = frozenset()

    @property
    def failing(self) -> tuple[str, ...]:
        """The names of the files that cannot be used as they should now. Any thread."""
        return tuple(sorted(name for name, stored in self._files.items() if stored.problem is not None))

    def look(self) -> None:
        """Tell what is new, and what is well again."""
        for mended in news():
            self._report(Kind.HEALTH_STORAGE, {"state": "mended", **mended.told()})
        problems = {name: stored.problem for name, stored in self._files.items()}
        now = frozenset(name for name, problem in problems.items() if problem is not None)
        for name in sorted(now - self._told):
            logger.error("%s: the card fails: %s", name, problems[name])
            self._report(
                Kind.HEALTH_STORAGE, {"state": "failing", "file": name, "problem": str(problems[name])[:300]}
            )
        for name in sorted(self._told - now):
            self._report(Kind.HEALTH_STORAGE, {"state": "ok", "file": name})
        self._told = now
