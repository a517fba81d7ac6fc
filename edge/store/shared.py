"""One database shared by the threads of its owner, opened as well as the card allows."""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from edge.aside import TooSlow, begin_beside, monotonic
from edge.errors import StoreDamaged, StoreError, StoreUnavailable
from edge.store.card import is_damage, is_read_only
from edge.store.database import NO_FUNCTIONS, open_copy, open_database, transaction
from edge.store.salvage import mend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from edge.aside import Asked
    from edge.errors import FacegateError
    from edge.store.database import Schema
    from edge.store.mended import Mended

LOG = logging.getLogger(__name__)

OPEN_SECONDS = 1.0
"""How long a start waits for a file, and then for a copy: a healthy card needs some 10 ms."""
AGAIN_SECONDS = 2.0
"""Between two attempts to open a file on a card that did not let it be opened."""


class SharedDatabase:
    """Hands a connection to the file at `path` to one thread at a time. Any thread.

    On a card that cannot be written to (read-only, full, failing) a copy in memory answers reads, and the
    file itself is tried again every two seconds, in a thread of its own. With `is_patient` even a file that
    cannot be read is no error at the start: every use raises `StoreUnavailable` until it can be read. With
    `after_mending` (statements, see `edge.store.salvage`) a damaged file is set aside, also while in use,
    and its readable rows go on in a new one; without `begins_anew` only if there are any. `at` names the
    old one (default: now). When another process replaces the file, the new one is opened.

    SQLite's errors come out as `error` (`StoreDamaged` for damage), with a message that names `path`
    and `what` it is. Raises `StoreError` when the file is damaged, foreign or newer, or cannot be read now.
    """

    def __init__(
        self,
        path: Path,
        schema: Schema,
        *,
        what: str | None = None,
        error: type[FacegateError] = StoreError,
        functions: Mapping[str, Callable[..., str | bytes]] = NO_FUNCTIONS,
        after_mending: tuple[str, ...] | None = None,
        begins_anew: bool = True,
        is_patient: bool = False,
        at: datetime | None = None,
    ) -> None:
        self.mended: Mended | None = None
        """What came of damage that was found here, None for none."""
        self._at = at
        self._path, self._schema, self._functions = path, schema, functions
        self._what = what or f"the {schema.name}"
        self._error = error
        self._after_mending, self._begins_anew = after_mending, begins_anew
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._problem: StoreUnavailable | None = None
        self._tried_at = monotonic()
        self._is_trying = self._is_closed = self._is_suspect = False
        self._inode = 0
        self._opened_times = 0
        self._refusal: StoreError | None = None
        if is_patient:
            self._open_soon()
            return
        try:
            self._connection = self._opened()
        except StoreUnavailable as problem:
            self._problem = problem
            self._connection = self._copied_now()
            if self._connection is None:
                raise
            LOG.error("%s; it can be read and not changed until the card is well", problem)  # noqa: TRY400

    @property
    def problem(self) -> str | None:
        """Why the file cannot be written to now, None when it can as far as is known. Never waits."""
        problem = self._problem
        # Not blocking: a thread that holds the lock has the file tried again itself.
        if problem is not None and self._lock.acquire(blocking=False):
            try:
                self._try_again_beside()
            finally:
                self._lock.release()
        return None if problem is None else str(problem)

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, for code that runs within a block of `using` or `writing`."""
        if self._connection is None:
            raise StoreUnavailable(str(self._problem))
        return self._connection

    @contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for the block, for reading or for several steps."""
        try:
            with self._lock:
                yield self._readable()
        except sqlite3.Error as error:
            raise self._told(error) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for one write: all of the block is committed, or none of it happened."""
        with self.using() as connection:
            if self._problem is not None:
                raise self._error(f"{self._path}: cannot be changed now: {self._problem}")
            with transaction(connection):
                yield connection

    def mark(self) -> tuple[int, int, int]:
        """Return what changes with every change of the file, by this process or another; costs microseconds.

        SQLite counts both kinds of change for each connection, from the same numbers on. A file that was
        opened anew would seem unchanged without the first number.
        """
        with self.using() as connection:
            (others,) = connection.execute("PRAGMA data_version").fetchone()
            return self._opened_times, int(others), connection.total_changes

    def check(self) -> None:
        """Look for damage anywhere in the file; what is found is mended at once.

        Raises `StoreDamaged` when it is not, `StoreUnavailable` when the card does not let it be done.
        """
        with self._lock:
            if self._problem is not None and not self._is_suspect:
                return
            found = self._looked_through()
            if found == "ok" and not self._is_suspect:
                return
            if self._after_mending is None:
                raise StoreDamaged(f"{self._path}: the {self._schema.name} is damaged: {found}")
            before, self._is_suspect = self._connection, True
            # Where this raises the old connection goes on: a copy answers, a damaged file tells what it can.
            self._connection, self._problem = self._opened(), None
            self._opened_times += 1
            if before is not None:
                before.close()

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._is_closed = True
            if self._connection is not None:
                self._connection.close()

    def _looked_through(self) -> str:
        try:
            return str(self.connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.Error as error:
            return str(error)

    def _opened(self) -> sqlite3.Connection:
        """Open the file, mended if need be."""
        if self._is_suspect:
            self._mend()
        try:
            connection = open_database(self._path, self._schema, functions=self._functions)
        except StoreDamaged:
            if self._after_mending is None:
                raise
            connection = self._opened_mended()
        self._is_suspect = False
        try:
            self._inode = self._path.stat().st_ino
        except OSError as error:  # removed or failing in this very moment
            connection.close()
            raise StoreUnavailable(f"{self._path}: {error}") from error
        return connection

    def _opened_mended(self) -> sqlite3.Connection:
        self._mend()
        try:
            return open_database(self._path, self._schema, functions=self._functions)
        except StoreDamaged as error:  # `damage_of` found the file whole: it was read wrongly twice
            raise StoreUnavailable(str(error)) from error

    def _mend(self) -> None:
        done = mend(
            self._path,
            self._schema,
            self._functions,
            self._after_mending or (),
            begins_anew=self._begins_anew,
            at=self._at,
        )
        self.mended = done or self.mended

    def _open_soon(self) -> None:
        """Open the file beside; go on with a copy, or without, when the card does not answer."""
        self._problem = StoreUnavailable(f"{self._path}: the card has not answered yet")
        self._is_trying = True
        self._waited_for(self._try_again)
        if self._refusal is not None:
            raise self._refusal
        if self._problem is not None and self._connection is None:
            self._waited_for(self._copy_meanwhile)
        if self._problem is not None:
            what = "be read and not changed" if self._connection is not None else "not be read"
            LOG.error("%s; it can %s until the card is well", self._problem, what)

    def _beside(self, call: Callable[[], None]) -> Asked[None]:
        return begin_beside(f"open-{self._path.name}", call)

    def _waited_for(self, call: Callable[[], None]) -> None:
        with suppress(TooSlow):
            self._beside(call).wait(OPEN_SECONDS)

    def _copy_meanwhile(self) -> None:
        """Put a copy in place, unless the file was opened after all."""
        copy = self._copied_now()
        with self._lock:
            if copy is not None and self._connection is None:
                self._connection = copy
                self._opened_times += 1

    def _readable(self) -> sqlite3.Connection:
        """Return what can be asked now, and see to it that the file is tried again."""
        if self._problem is None and self._was_replaced():
            self._problem = StoreUnavailable(f"{self._path}: another file has this name now")
        if self._problem is not None:
            self._try_again_beside()
        return self.connection

    def _was_replaced(self) -> bool:
        try:
            # By inode: a connection goes on with the file that it opened, whatever has its name now.
            return self._path.stat().st_ino != self._inode
        except OSError:
            return False

    def _try_again_beside(self) -> None:
        now = monotonic()
        if self._is_trying or self._is_closed or now - self._tried_at < AGAIN_SECONDS:
            return
        self._is_trying, self._tried_at = True, now
        try:
            self._beside(self._try_again)
        except RuntimeError as error:  # Python's for a machine that has no thread left
            self._is_trying = False
            LOG.error("%s cannot be tried now: %s", self._path, error)  # noqa: TRY400 - one clear line

    def _try_again(self) -> None:
        fresh: sqlite3.Connection | None = None
        problem: StoreUnavailable | None
        try:
            fresh, problem = self._tried()
        except Exception as error:  # a thread of its own: what this try met, the next one may not
            LOG.exception("%s cannot be opened; it is tried again", self._path)
            problem = StoreUnavailable(f"{self._path}: {type(error).__name__}: {error}")
        with self._lock:
            self._is_trying, self._problem = False, problem
            if fresh is None:
                return
            before, self._connection = self._connection, fresh
            self._opened_times += 1
            if before is not None:
                before.close()
                LOG.warning("%s can be %s again", self._path, "used" if problem is None else "read")
            if self._is_closed:
                fresh.close()

    def _tried(self) -> tuple[sqlite3.Connection | None, StoreUnavailable | None]:
        """Return what can be had of the file now, and what is wrong."""
        try:
            return self._opened(), None
        except StoreUnavailable as error:
            return self._copied_now(), error
        except StoreError as error:
            self._refusal = error
            return None, self._problem

    def _copied_now(self) -> sqlite3.Connection | None:
        """Return a copy when there was none so far."""
        if self._connection is not None:
            return None
        try:
            return open_copy(self._path, self._schema, self._functions)
        except StoreError:
            return None
        except Exception:  # a copy is a help, not a need: without one the file is tried again all the same
            LOG.exception("%s cannot be copied", self._path)
            return None

    def _told(self, error: sqlite3.Error) -> FacegateError:
        said = f"{self._path}: cannot use {self._what}: {error}"
        if not is_damage(error):
            is_now = isinstance(error, sqlite3.OperationalError) and self._error is StoreError
            if is_read_only(error) and self._problem is None:
                # Either the card turned read-only, or one wrong bit in the header says so of the file.
                # Opening it afresh tells which.
                self._problem = StoreUnavailable(said)
            return StoreUnavailable(said) if is_now else self._error(said)
        if self._after_mending is not None and self._problem is None:
            # The readable part keeps answering until a fresh look finds the file whole, or it is mended.
            self._is_suspect, self._problem, self._tried_at = True, StoreUnavailable(said), 0.0
        return StoreDamaged(said) if self._error is StoreError else self._error(said)
