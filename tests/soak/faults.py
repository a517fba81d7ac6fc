"""The faults of a bad day, each drawn at random: what strikes, and what lifts it again."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.soak.site import Site


CARD_FILES = (
    "journal.db*",
    "residents.db*",
    "keys.db*",
    "credentials.db*",
    "consents.db*",
    "clock-floor*",
    "*",
)
CARD_FAULTS = (
    "all {glob} EIO p=0.3",
    "all {glob} EIO",
    "changes {glob} EROFS",
    "writes {glob} ENOSPC",
    "fsync {glob} EIO count=1",
    "fsync {glob} HANG=0.1",
    "fsync {glob} HANG=2.5",
    "open {glob} EMFILE",
)
LEAPS = (3600, -3600, 86_400, -86_400, 700 * 86_400, -700 * 86_400)


@contextmanager
def a_bad_card(site: Site, rng: random.Random) -> Iterator[str]:
    """The card fails, is full, read-only or slow."""
    rule = rng.choice(CARD_FAULTS).format(glob=rng.choice(CARD_FILES))
    site.card.play(rule)
    yield f"the card: {rule}"
    site.card.play()


@contextmanager
def a_wrong_clock(site: Site, rng: random.Random) -> Iterator[str]:
    """The wall clock leaps, and back."""
    leap = rng.choice(LEAPS)
    site.card.play(f"# clock {leap}")
    yield f"the clock leaps {leap:+d} s"
    site.card.play()


@contextmanager
def a_killed_door(site: Site, rng: random.Random) -> Iterator[str]:
    """The door is killed, or stopped, at once or while its card fails."""
    is_bad = rng.random() < 0.3
    if is_bad:
        site.card.play("changes journal.db* EIO")
        time.sleep(0.5)
    blow = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
    site.door.strike(blow)
    yield f"the door gets {blow.name}" + (", its journal unwritable" if is_bad else "")
    site.card.play()


@contextmanager
def a_dead_guard(site: Site, rng: random.Random) -> Iterator[str]:
    """The relay's guard is killed; its unit starts it again."""
    blow = rng.choice([signal.SIGKILL, signal.SIGTERM])
    with suppress(ProcessLookupError):
        site.guard.strike_guard(blow)
    yield f"the guard gets {blow.name}"


@contextmanager
def a_dead_page(site: Site, rng: random.Random) -> Iterator[str]:
    """The page's process is killed."""
    pid = site.door.page_pid()
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    yield f"the page is killed ({'there was one' if pid else 'there was none'})"


@contextmanager
def a_flood(site: Site, rng: random.Random) -> Iterator[str]:
    """Very many connections to the page that say nothing."""
    count = rng.choice([20, 100, 300])
    with ExitStack() as stack:
        site.flood_page(count, stack)
        yield f"{count} silent connections to the page"


@contextmanager
def a_dead_broker(site: Site, rng: random.Random) -> Iterator[str]:
    """The broker is killed, or hangs."""
    if rng.random() < 0.5:
        site.broker.send(signal.SIGSTOP)
        yield "the broker hangs"
        site.broker.send(signal.SIGCONT)
        return
    site.broker.kill()
    yield "the broker is killed"
    site.broker.start()


@contextmanager
def a_damaged_file(site: Site, rng: random.Random) -> Iterator[str]:
    """A small file of the data folder has other bytes than were written."""
    name = rng.choice(["clock-floor", "mode.json", "chores-done"])
    (site.data / name).write_bytes(bytes(rng.randrange(256) for _ in range(40)))
    yield f"{name} is damaged"


FAULTS: dict[Callable[[Site, random.Random], AbstractContextManager[str]], int] = {
    a_bad_card: 12,
    a_wrong_clock: 4,
    a_killed_door: 3,
    a_dead_guard: 4,
    a_dead_page: 2,
    a_flood: 3,
    a_dead_broker: 3,
    a_damaged_file: 2,
}

SHUTS = frozenset({a_killed_door, a_dead_guard})
"""Nobody is let in while these last."""
