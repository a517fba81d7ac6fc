"""The door's letter box: letters of other doors come in, its own go out, and what was taken is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.broker.clerk import TopicWorker
from edge.broker.fair_queue import Room
from edge.wire.faces.letters import MAX_LETTER_BYTES, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.broker.session import BrokerSession
    from edge.broker.settings import BrokerSettings
    from edge.wire.messages import Message

LOOK_SECONDS = 0.2
"""A tenth of what is promised: at every named door within three seconds."""
MOST_A_TURN = 60
"""Letters that leave in one turn: 300 a second, which hub and broker take from several doors at once."""
POST_ROOM = Room(500, 500 * MAX_LETTER_BYTES, 500, 500 * MAX_LETTER_BYTES)


class Correspondent(Protocol):
    """Who reads and writes the letters. Everything on the letter box's thread; nothing raises."""

    def take(self, payloads: Sequence[bytes]) -> None:
        """Do what these letters ask for, or refuse them; either way they are done with."""

    def take_doors(self, payload: bytes) -> None:
        """Take a list of doors."""

    def connected(self) -> None:
        """Begin again: what was on its way when a connection ended may be lost."""

    def look(self, send: Callable[[bytes], None], room: int) -> None:
        """Do what is due; `send` sends a signed letter, up to `room` of them."""


class PostBox(TopicWorker):
    """The part of sync that carries letters; has a thread of its own (see `TopicWorker`)."""

    def __init__(self, settings: BrokerSettings, correspondent: Correspondent) -> None:
        self._doors_topic = settings.topic("face", "doors")
        self._in_topic = settings.topic("face", "in", "+")
        super().__init__("faces", (self._doors_topic, self._in_topic), LOOK_SECONDS, POST_ROOM)
        self._out_topic, self._taken_topic = settings.topic("face", "out"), settings.topic("face", "taken")
        self._correspondent = correspondent
        self._is_new = False

    def opened(self, session: BrokerSession, now: float) -> None:
        """Begin again on a new connection."""
        super().opened(session, now)
        self._is_new = True

    def handle(self, message: Message) -> None:
        """Take one message."""
        self.handle_all([message])

    def handle_all(self, messages: list[Message]) -> None:
        """Take lists of doors, then the letters together; say which were taken. Letters are never kept."""
        for message in messages:
            if message.topic == self._doors_topic:
                self._correspondent.take_doors(message.payload)
        # A retained letter would come again at each connection, and nothing of it proves when it was written.
        letters = [one for one in messages if one.topic != self._doors_topic and not one.retained]
        if not letters:
            return
        # Said to be taken only after this returned: if we die before, the hub sends them again.
        self._correspondent.take([one.payload for one in letters])
        numbers = [one.topic.rpartition("/")[2] for one in letters]
        self.send(self._taken_topic, taken([int(number) for number in numbers if number.isdecimal()]))

    def idle(self) -> None:
        """Write what is due."""
        if self._is_new:
            self._is_new = False
            self._correspondent.connected()
        self._correspondent.look(
            lambda payload: self.send(self._out_topic, payload), min(MOST_A_TURN, self.room)
        )
