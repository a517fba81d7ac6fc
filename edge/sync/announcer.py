"""Leaves a door's discovery messages at the broker, and takes them away when they were switched off."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from edge.durable import write_whole
from edge.wire.discovery import Announced, discovery, removal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge.broker.session import BrokerSession
    from edge.wire.messages import Message

FILE = "home-assistant.json"
"""Under which prefix this door was announced last; missing: it was not."""


class Announcer:
    """The part of sync that leaves discovery messages at the broker, on every connection.

    `done` is called when the broker has confirmed all of them.
    """

    subscriptions: Sequence[str] = ()

    def __init__(
        self, messages: Sequence[tuple[str, bytes]], done: Callable[[], None] = lambda: None
    ) -> None:
        self._messages = messages
        self._done = done
        self._unconfirmed: set[int] = set()

    def opened(self, session: BrokerSession, now: float) -> None:  # noqa: ARG002 - the part's signature
        """Publish them: the broker may have forgotten."""
        published = [session.publish(topic, payload, retain=True) for topic, payload in self._messages]
        # Message ids of this connection; those of the last one mean nothing any more.
        self._unconfirmed = set(published)

    def received(self, message: Message, now: float) -> None:
        """Ignore it: nothing is subscribed to here."""

    def taken(self, mid: int, problem: str | None, now: float) -> None:  # noqa: ARG002 - the part's signature
        """Count what the broker took or refused: what it refuses it does not keep either."""
        if mid in self._unconfirmed:
            self._unconfirmed.discard(mid)
            if not self._unconfirmed:
                self._done()

    def step(self, session: BrokerSession, now: float) -> None:
        """Have nothing to do in between."""


def announcer(data: Path, door: Announced, *, wanted: bool) -> Announcer | None:
    """Return what announces a door under its prefix, or takes away what an earlier run announced.

    A change of the prefix does both; None: neither is to be done.
    """
    path = data / FILE
    before = _prefix(path)
    gone = [] if before is None or (wanted and before == door.prefix) else removal(_under(door, before))
    if not wanted:
        return Announcer(gone, lambda: path.unlink(missing_ok=True)) if gone else None
    old_lock = [one for one in removal(door) if "/lock/" in one[0]]  # that of older versions pretended
    # Before the first message leaves: a door that dies in between still knows that something of its own
    # lies at the broker. Of a new prefix only once all is confirmed, or the former would stay there forever.
    if before is None:
        _keep(path, door.prefix)
    return Announcer([*gone, *old_lock, *discovery(door)], lambda: _keep(path, door.prefix))


def _keep(path: Path, prefix: str) -> None:
    with suppress(OSError):  # a full card: at the worst an entity stays that is switched off later
        write_whole(path, json.dumps({"prefix": prefix}).encode())


def _under(door: Announced, prefix: str) -> Announced:
    return Announced(door.device, door.version, prefix)


def _prefix(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text())["prefix"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
