"""A camera that hangs upside down or on its side gives upright pictures."""

from __future__ import annotations

import numpy as np
import pytest

from edge.camera.turned import TurnedCamera
from edge.domain import Frame
from tests.fakes.scene import START


class Still:
    """Shows one picture, then ends."""

    def __init__(self, image):
        self.images = [image]
        self.closed = 0

    def read(self):
        return Frame(self.images.pop(), 7, 1.5, START) if self.images else None

    def close(self):
        self.closed += 1


PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
def test_what_the_mounting_turned_is_turned_back(rotate, mirror):
    upright = PICTURE[:, ::-1] if mirror else PICTURE
    as_mounted = np.ascontiguousarray(np.rot90(upright[:, ::-1] if mirror else upright, rotate // 90))
    camera = TurnedCamera(lambda: Still(as_mounted), rotate, mirror)

    frame = camera.read()

    assert frame is not None
    assert np.array_equal(frame.image, upright)
    assert frame.image.flags.c_contiguous or frame.image.base is None
    assert (frame.seq, frame.time) == (7, 1.5)
    assert camera.read() is None


def test_closing_reaches_the_device():
    still = Still(PICTURE)
    TurnedCamera(lambda: still, 180).close()
    assert still.closed == 1
