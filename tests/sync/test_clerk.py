"""What a part with a thread of its own says of the messages that it has sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.broker.clerk import TopicWorker
from edge.broker.session import BrokerSession

if TYPE_CHECKING:
    from collections.abc import Callable


class Line(BrokerSession):
    """A connection to nowhere; `look` is called while a message leaves, as another thread may look."""

    def __init__(self, look: Callable[[], object]) -> None:
        self._look = look
        self.looks: list[object] = []

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        done: int = 0,
        proof: str = "",
    ) -> int:
        self.looks.append(self._look())
        return len(self.looks)


def test_what_is_leaving_just_now_is_not_confirmed() -> None:
    """Home Assistant's part forgets a topic that is taken away for certain; too early, it stays there."""
    part = TopicWorker("part", ())
    line = Line(lambda: part.is_all_confirmed)
    part.send("homeassistant/button/x/config", b"", retain=True)
    part.step(line, 0.0)
    assert (line.looks, part.is_all_confirmed) == ([False], False)
    part.taken(1, None, 0.0)
    assert part.is_all_confirmed
