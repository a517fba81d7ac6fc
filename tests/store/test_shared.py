"""A file that could not be opened is tried again, whatever kept the last try from it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from edge.aside import simulated
from edge.errors import StoreUnavailable
from edge.store.database import Schema, open_database, transaction
from edge.store.shared import AGAIN_SECONDS, SharedDatabase

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge.aside import Asked

NOTES = Schema("notes", 0x6E6F7465, (("CREATE TABLE notes (text TEXT) STRICT",),))


class Bench:
    """Makes each call at once, on a clock of its own; `threads` are left to be had."""

    def __init__(self) -> None:
        self.now = 100.0
        self.threads = 1000

    def monotonic(self) -> float:
        return self.now

    def queue(self, name: str) -> Callable[[Asked[Any]], object]:
        raise NotImplementedError(name)

    def start(self, name: str, asked: Asked[Any]) -> None:
        if not self.threads:
            raise RuntimeError("can't start new thread")
        self.threads -= 1
        asked.run()

    def wait(self, done: threading.Event, seconds: float) -> bool:
        return done.is_set()


class Functions(Mapping[str, "Callable[..., str | bytes]"]):
    """No functions of migrations; whoever asks for them meets `trouble` while there is any."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble

    def __getitem__(self, name: str) -> Callable[..., str | bytes]:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        if self.trouble is not None:
            raise self.trouble
        return iter(())

    def __len__(self) -> int:
        return 0


def noted(path: Path, text: str) -> None:
    with closing(open_database(path, NOTES)) as connection, transaction(connection):
        connection.execute("INSERT INTO notes VALUES (?)", (text,))


def read(file: SharedDatabase) -> str:
    with file.using() as connection:
        return str(connection.execute("SELECT text FROM notes").fetchone()[0])


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    with simulated(made):
        yield made


def replaced(path: Path, text: str) -> None:
    noted(path.with_name("new.db"), text)
    path.with_name("new.db").replace(path)


def test_a_try_that_ended_in_what_nobody_foresaw_is_not_the_last_one(tmp_path, bench):
    path, functions = tmp_path / "notes.db", Functions()
    noted(path, "before")
    with closing(SharedDatabase(path, NOTES, functions=functions)) as file:
        replaced(path, "after")
        functions.trouble = MemoryError()
        assert read(file) == "before"
        bench.now += AGAIN_SECONDS
        assert read(file) == "before"
        assert "MemoryError" in str(file.problem)
        functions.trouble = None
        bench.now += AGAIN_SECONDS
        read(file)
        assert read(file) == "after"
        assert file.problem is None


def test_a_patient_start_goes_on_after_what_nobody_foresaw(tmp_path, bench):
    path, functions = tmp_path / "notes.db", Functions(MemoryError())
    noted(path, "kept")
    with closing(SharedDatabase(path, NOTES, functions=functions, is_patient=True)) as file:
        with pytest.raises(StoreUnavailable):
            read(file)
        functions.trouble = None
        bench.now += AGAIN_SECONDS
        assert read(file) == "kept"


def test_a_machine_without_a_thread_to_spare_is_asked_again(tmp_path, bench):
    path = tmp_path / "notes.db"
    noted(path, "before")
    with closing(SharedDatabase(path, NOTES)) as file:
        replaced(path, "after")
        bench.threads = 0
        bench.now += AGAIN_SECONDS
        assert read(file) == "before"
        bench.threads = 1
        bench.now += AGAIN_SECONDS
        read(file)
        assert read(file) == "after"
