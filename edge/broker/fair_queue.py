"""What waits to be handled, by sender: each has its share of the room, and they take turns."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.errors import SyncError

if TYPE_CHECKING:
    from edge.wire.messages import Message

ALONE = 4
"""How many shares a sender gets while nobody else waits; a sender that comes meanwhile waits for them."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much may wait: in all, and of one sender; messages and bytes."""

    messages: int
    bytes: int
    messages_each: int
    bytes_each: int


@dataclass(slots=True)
class _Sender:
    waiting: deque[Message] = field(default_factory=deque)
    bytes: int = 0


class FairQueue:
    """Messages of many senders, handed out in turns. Any thread may put, one takes.

    A sender that fills its room is refused alone; one that sends much is given `turn_bytes` a turn (and
    the message that goes beyond), which is how long it delays the others.
    """

    def __init__(self, room: Room, turn_bytes: int) -> None:
        self._room = room
        self._turn_bytes = turn_bytes
        self._senders: dict[str, _Sender] = {}
        self._order: deque[str] = deque()
        self._count = 0
        self._bytes = 0
        self._ended = False
        self._changed = threading.Condition()

    def put(self, sender: str, message: Message) -> None:
        """Let a message wait. Raises `SyncError` when there is no room for it."""
        size = len(message.payload)
        with self._changed:
            # Put into the table only with its message: a refused sender must not leave an entry behind.
            mine = self._senders.get(sender) or _Sender()
            if len(mine.waiting) >= self._room.messages_each or self._count >= self._room.messages:
                raise SyncError("too many messages at once")
            if mine.bytes + size > self._room.bytes_each or self._bytes + size > self._room.bytes:
                raise SyncError("too many bytes at once")
            if not mine.waiting:
                self._senders[sender] = mine
                self._order.append(sender)
            mine.waiting.append(message)
            mine.bytes += size
            self._count += 1
            self._bytes += size
            self._changed.notify()

    def take(self, timeout_seconds: float, most: int) -> list[Message] | None:
        """Wait for messages and return up to `most`, in turns; none after the time, None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._count or self._ended, timeout_seconds)
            if self._ended and not self._count:
                return None
            turn = self._turn_bytes if len(self._senders) > 1 else ALONE * self._turn_bytes
            return self._take_turns(turn, most)

    def end(self) -> None:
        """Hand out what waits, and then no more. Safe to call twice."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    @property
    def is_ended(self) -> bool:
        """Return whether the thread that takes should end. Any thread."""
        return self._ended

    def qsize(self) -> int:
        """Return how many messages wait. Any thread."""
        return self._count

    def empty(self) -> bool:
        """Return whether nothing waits. Any thread."""
        return self._count == 0

    def _take_turns(self, turn_bytes: int, most: int) -> list[Message]:
        """Take one message of each sender in turn, until each has nothing left or has had its share."""
        found: list[Message] = []
        spent: dict[str, int] = {}
        served: list[str] = []
        while self._order and len(found) < most:
            sender = self._order.popleft()
            message = self._next(self._senders[sender])
            found.append(message)
            spent[sender] = spent.get(sender, 0) + len(message.payload)
            if not self._senders[sender].waiting:
                del self._senders[sender]
            elif spent[sender] >= turn_bytes:
                # Behind all others, who have not had their share in this call.
                served.append(sender)
            else:
                self._order.append(sender)
        self._order.extend(served)
        return found

    def _next(self, mine: _Sender) -> Message:
        message = mine.waiting.popleft()
        mine.bytes -= len(message.payload)
        self._count -= 1
        self._bytes -= len(message.payload)
        return message
