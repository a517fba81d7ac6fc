"""Sends each channel what it has not accepted yet, and repeats failed attempts with growing pauses."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from facegate_hub.clerk import DATABASE_FAILS
from facegate_hub.partly_taken import RefusedForSome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOG = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 600.0

Item = TypeVar("Item")
Taken_contra = TypeVar("Taken_contra", contravariant=True)


class OutsideChannel(Protocol[Taken_contra]):
    """One way to somebody outside. `name` tells it from the others, and stays."""

    @property
    def name(self) -> str:
        """The channel's name."""

    def send(self, items: Sequence[Taken_contra], /) -> None:
        """Hand them over, all or none.

        Raises `OSError` when they were not taken, `RefusedForSome` when they count as taken all the same.
        """


Channel = TypeVar("Channel", bound=OutsideChannel[Any])


class ChannelSender(ABC, Generic[Channel, Item]):
    """Sends every channel each thing once, as far as it can know. Has a thread for each of them.

    What a channel did not take is tried again, later and later up to every ten minutes. One channel never
    waits for another. `what` is what is sent, for the log; `now` is seconds since 1970.
    """

    what: str
    look_seconds: float

    def __init__(self, channels: Sequence[Channel], now: Callable[[], float]) -> None:
        self._now = now
        self._again: dict[str, tuple[float, float]] = {}
        """By channel: when it is tried again, and how long it waited for that."""
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(one,), name=f"hub-{self.what}-{one.name}", daemon=True)
            for one in channels
        ]

    def start(self) -> None:
        """Begin. Once."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """End; what is under way is sent again by the next run at the worst."""
        self._ended.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout_seconds)

    def step(self, channel: Channel) -> int:
        """Send one channel what it was not sent, unless it has to wait; return how many things that was."""
        now = self._now()
        again, waited = self._again.get(channel.name, (0.0, 0.0))
        # A time further ahead than the wait was set before the clock went back, and is ignored.
        is_waiting = now < again <= now + waited
        if is_waiting or not (items := self._due(channel, now)):
            return 0
        try:
            channel.send(items)
        except RefusedForSome as error:
            LOG.error("%s: %s", channel.name, error)  # noqa: TRY400 - one line is enough
        except OSError as error:
            wait = min(LONGEST_RETRY_SECONDS, max(FIRST_RETRY_SECONDS, 2 * waited))
            self._again[channel.name] = (now + wait, wait)
            LOG.error("%s does not take %s: %s; again in %.0f s", channel.name, self.what, error, wait)  # noqa: TRY400
            return 0
        self._again.pop(channel.name, None)
        # Noted after it was taken: if we die in between the channel gets it twice, never not at all.
        self._note(channel, items, now)
        return len(items)

    @abstractmethod
    def _due(self, channel: Channel, now: float) -> Sequence[Item]:
        """Return what this channel was not sent yet and may be sent now."""

    @abstractmethod
    def _note(self, channel: Channel, items: Sequence[Item], now: float) -> None:
        """Keep that this channel took them."""

    def _run(self, channel: Channel) -> None:
        while not self._ended.wait(self.look_seconds):
            try:
                self.step(channel)
            except DATABASE_FAILS:
                self._ended.wait(FIRST_RETRY_SECONDS)
            except Exception:  # the thread's outermost loop: it is worth another try
                LOG.exception("%s could not be sent on", self.what)
                self._ended.wait(FIRST_RETRY_SECONDS)
