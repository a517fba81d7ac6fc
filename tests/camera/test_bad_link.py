"""A camera behind a link that vanishes, stalls in its handshake, trickles or resets: told, and seen again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.camera.test_rtsp import FRESH_SECONDS, Door, age
from tests.fakes.bad_link import BadLink
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.camera.rtsp import RtspCamera

pytestmark = pytest.mark.rtsp

HANDSHAKE_BYTES = 400
"""Less than the answers to OPTIONS and DESCRIBE."""


@pytest.fixture
def link(rtsp: RtspCamera) -> Iterator[BadLink]:
    link = BadLink(int(rtsp.port))
    yield link
    link.close()


@pytest.fixture
def door(link: BadLink) -> Iterator[Door]:
    door = Door(f"rtsp://127.0.0.1:{link.port}/cam")
    door.worker.start()
    wait_until(lambda: len(door.slot.seen) >= 10, door.states)
    yield door
    link.heal()
    assert door.worker.stop(PATIENCE)


def handshake_stalls(link: BadLink) -> None:
    link.passes = HANDSHAKE_BYTES
    link.cut()


def handshake_trickles(link: BadLink) -> None:
    link.trickles = True
    link.cut()


def questions_vanish(link: BadLink) -> None:
    link.swallows_up = True
    link.cut()


@pytest.mark.parametrize(
    "strike", [BadLink.vanish, handshake_stalls, handshake_trickles, questions_vanish, BadLink.cut]
)
def test_a_bad_link_is_told_and_the_camera_comes_back(
    link: BadLink, door: Door, strike: Callable[[BadLink], None]
) -> None:
    strike(link)
    wait_until(lambda: "lost" in door.states(), door.states)
    before = len(door.slot.seen)
    link.heal()
    wait_until(lambda: len(door.slot.seen) > before + 5, door.states)
    wait_until(lambda: "back" in door.states(), door.states)
    assert max(age(frame) for frame in door.slot.seen) < FRESH_SECONDS
    assert not door.worker.has_failed


def test_pictures_go_on_while_only_questions_are_lost(link: BadLink, door: Door) -> None:
    """A link that carries in one direction: the camera hears no keep-alive, and we see."""
    link.swallows_up = True
    before = len(door.slot.seen)
    wait_until(lambda: len(door.slot.seen) > before + 30, door.states)
    assert max(age(frame) for frame in door.slot.seen) < FRESH_SECONDS
