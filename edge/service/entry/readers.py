"""Threads that read keypads and card readers, and wait for one that is unplugged or noisy."""

from __future__ import annotations

import contextlib
import importlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from edge.credentials.device import KeyDevice
from edge.credentials.keypad import Keypad, Wedge
from edge.credentials.wiegand import WiegandReader, WiegandWiring
from edge.errors import LockError, ReaderLost
from edge.events import Kind
from edge.relay.line import lgpio_factory, mock_factory
from edge.runtime.worker import Worker

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.config.settings import LockSection, Settings, WiegandSection
    from edge.credentials.card import Card

logger = logging.getLogger(__name__)

READ_SECONDS = 0.5
"""How long a reader is waited for before the thread reports that it is alive."""

REOPEN_SECONDS = 2.0
"""Between two tries to open a reader that was lost."""

STEADY_SECONDS = 5.0
"""A reader that stays open this long is reported as back; one that comes and goes stays reported as lost."""

NOISE_SECONDS = 60.0
"""At most one event about noise in this time, with a count: anybody can touch wires outside."""

CARD_SECONDS = 0.5
"""Between two cards of one reader: hands are slower, and a forger must not fill the journal."""

REPEAT_SECONDS = 1.5
"""Many readers send a card again and again, or twice, while it is held there: between 0.1 and 1 s apart."""

LONGEST_SHOWING_SECONDS = 10.0
"""A card that stays at the reader is answered again after so long: what refused it may be over."""

Heard = TypeVar("Heard")
Heard_co = TypeVar("Heard_co", covariant=True)


class Source(Protocol[Heard_co]):
    """A device that is read for keys or cards, such as `KeyDevice` and `WiegandReader`."""

    def read(self, timeout_seconds: float) -> Heard_co | None:
        """Return what came next, or None. Raises `ReaderLost`."""

    def close(self) -> None:
        """Release the device."""


@dataclass(frozen=True, slots=True)
class ReaderContext:
    """What every reader's thread needs: `report` gets a `health.reader` event's kind and data."""

    monotonic: Callable[[], float]
    report: Callable[[Kind, dict[str, Any]], None]
    stopping: threading.Event


class EntryTaker(Protocol):
    """What takes what the readers read; `edge.service.entry.access.DoorAccess` is one. Any thread."""

    def type_pin(self, number: str, pin: str) -> None:
        """Answer a number and PIN."""

    def present_card(self, card_id: str) -> None:
        """Answer a card."""


def reader_threads(
    settings: Settings, environ: Mapping[str, str], ways: EntryTaker, around: ReaderContext
) -> list[Worker]:
    """Return the threads of the readers that are configured, not yet started. Call from the main thread."""
    keypad, wedge, access = Keypad(), Wedge(RefusedFrames("card", around).heard), settings.access

    def card(shown: Card) -> None:
        ways.present_card(shown.id)

    presented = unhurried(card, around.stopping, around.monotonic)

    def key(pressed: str) -> None:
        typed = keypad.press(pressed, around.monotonic())
        if typed is not None:
            ways.type_pin(typed.number, typed.pin)

    def wedged(pressed: str) -> None:
        shown = wedge.press(pressed, around.monotonic())
        if shown is not None:
            presented(shown)

    workers = []
    if access.keypad is not None:
        workers.append(key_reader("keypad", access.keypad, key, around))
    if access.card_reader is not None:
        workers.append(key_reader("card", access.card_reader, wedged, around))
    if access.wiegand is not None:
        workers.append(wiegand_reader(access.wiegand, settings.lock, environ, card, around))
    return workers


def key_reader(name: str, path: Path, take: Callable[[str], None], around: ReaderContext) -> Worker:
    """Return the thread of one key device, not yet started; `take` gets each key."""
    return _worker(_Reader(name, lambda: KeyDevice(path), take, around))


def wiegand_reader(
    section: WiegandSection,
    lock: LockSection,
    environ: Mapping[str, str],
    take: Callable[[Card], None],
    around: ReaderContext,
) -> Worker:
    """Return the thread of a reader on two GPIO lines, not yet started; `take` gets each card.

    Call from the main thread.
    """
    wiring = WiegandWiring(section.d0, section.d1, frozenset(section.bits))
    noise = RefusedFrames("wiegand", around)
    with contextlib.suppress(ImportError, OSError):
        # Now and not in the thread: the library changes the process's folder while it loads.
        importlib.import_module("edge.relay.chip")

    def opened() -> WiegandReader:
        try:
            factory = _factory(lock, environ)
        except LockError as error:
            raise ReaderLost(f"card reader: {error}") from error
        return WiegandReader(wiring, factory, noise.heard)

    return _worker(_Reader("wiegand", opened, unhurried(take, around.stopping, around.monotonic), around))


def unhurried(
    take: Callable[[Card], None], stopping: threading.Event, monotonic: Callable[[], float]
) -> Callable[[Card], None]:
    """Return what takes a card and then rests for `CARD_SECONDS`, on whatever wire it came.

    A card that is read again while it is held there is one showing. One thread; seconds of `monotonic`.
    """
    showing = _CardShowing()

    def taken(card: Card) -> None:
        if showing.is_new(card.id, monotonic()):
            take(card)
            stopping.wait(CARD_SECONDS)

    return taken


class _CardShowing:
    """Which card is held to a reader now, since when, and when it was read last."""

    def __init__(self) -> None:
        self._card_id = ""
        self._since = self._last = float("-inf")

    def is_new(self, card_id: str, now: float) -> bool:
        is_same = card_id == self._card_id and now - self._last < REPEAT_SECONDS
        self._last = now
        if is_same and now - self._since < LONGEST_SHOWING_SECONDS:
            return False
        self._card_id, self._since = card_id, now
        return True


def _factory(lock: LockSection, environ: Mapping[str, str]) -> Any:
    if lock.pin_factory == "mock":
        return mock_factory(environ)
    return lgpio_factory(lock.gpio_chip, inputs=True)


def _worker(reader: _Reader[Any]) -> Worker:
    return Worker(reader.name, reader.step, close=reader.close, stopping=reader.stopping)


class _Reader(Generic[Heard]):
    """One device: opened, read, and opened again after it was lost. One thread."""

    def __init__(
        self,
        name: str,
        open_source: Callable[[], Source[Heard]],
        take: Callable[[Heard], None],
        around: ReaderContext,
    ) -> None:
        self.name = name
        self.stopping = around.stopping
        self._open_source = open_source
        self._take = take
        self._around = around
        self._source: Source[Heard] | None = None
        self._opened_at = 0.0
        self._is_lost = False

    def step(self) -> None:
        try:
            heard = self._opened().read(READ_SECONDS)
        except ReaderLost as error:
            self._lose(str(error))
            return
        if heard is not None:
            self._take(heard)
        # Only after it stayed open for a while: a loose plug would fill the journal.
        if self._is_lost and self._around.monotonic() - self._opened_at >= STEADY_SECONDS:
            self._is_lost = False
            self._tell("back")

    def close(self) -> None:
        # Given up first: one that cannot even be closed must not be read again.
        source, self._source = self._source, None
        if source is not None:
            source.close()

    def _opened(self) -> Source[Heard]:
        if self._source is None:
            self._source = self._open_source()
            self._opened_at = self._around.monotonic()
        return self._source

    def _lose(self, why: str) -> None:
        """Say so once, not every two seconds; the other ways in go on."""
        try:
            self.close()
        except Exception:  # somebody else's library, and ten failures in a row would end the door
            logger.exception("%s: cannot be closed", self.name)
        if not self._is_lost:
            self._is_lost = True
            logger.error("%s", why)
            self._tell("lost", why=why)
        self.stopping.wait(REOPEN_SECONDS)

    def _tell(self, state: str, **data: Any) -> None:
        self._around.report(Kind.HEALTH_READER, {"reader": self.name, "state": state, **data})


class RefusedFrames:
    """Counts refused frames of one reader and tells of them now and then. One thread."""

    def __init__(self, name: str, around: ReaderContext) -> None:
        self._name = name
        self._around = around
        self._count = 0
        self._told_at = float("-inf")

    def heard(self, why: str) -> None:
        """Take what was refused; tell of it now, or counted with the next."""
        self._count += 1
        now = self._around.monotonic()
        if now - self._told_at < NOISE_SECONDS:
            return
        self._told_at, frames, self._count = now, self._count, 0
        logger.warning("%s: %d frame(s) refused, the last: %s", self._name, frames, why)
        data = {"reader": self._name, "state": "noise", "frames": frames, "why": why}
        self._around.report(Kind.HEALTH_READER, data)
