"""The passive networks: one number per face and frame, 0 = a picture of a face, 1 = a face."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.errors import FrameRefused, ModelCorrupt
from edge.faces.liveness.chips import context_chip, dimmed_chip, sized_box, texture_chip

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge.domain import Box, Image
    from edge.faces.weights import OnnxSession


@dataclass(frozen=True, slots=True)
class NetSpec:
    """How one network wants to be fed and read.

    `system` is who made it: networks of one system were published to be averaged, and have one
    vote between them. `live` is the index of "live" among `classes` outputs.
    """

    name: str
    system: str
    chip: Callable[[Image, Box], Image]
    side_px: int
    classes: int
    live: int
    is_rgb: bool = False
    scale: float = 1.0


_pair_chip = partial(context_chip, side_px=80, fit=sized_box)

SPECS = {
    spec.name: spec
    for spec in (
        # crop sizes are in the publishers' file names; BGR 0..255 although their code divides (commented out)
        NetSpec("silentface-2.7", "silentface", partial(_pair_chip, scale=2.7), 80, 3, 1),
        NetSpec("silentface-4.0", "silentface", partial(_pair_chip, scale=4.0), 80, 3, 1),
        # its own JavaScript feeds RGB, which separates worse (AUC .931 instead of .985)
        NetSpec("faceplugin", "faceplugin", partial(dimmed_chip, scale=2.7, side_px=128), 128, 3, 0),
        NetSpec(
            "texture", "texture", partial(texture_chip, side_px=128), 128, 2, 0, is_rgb=True, scale=1 / 255
        ),
    )
}
"""Every network that can be installed, by its name in the manifest."""


SCORE_SECONDS = 1.0
"""CPU time, a hundred times what a network takes: an answer that needs more is none. Not wall clock: a
board that is busy for a moment must not refuse a resident."""


class PassiveNet:
    """One network, opened. Any thread, one at a time. About 4 ms of CPU per face on x86."""

    def __init__(
        self, spec: NetSpec, session: OnnxSession, clock: Callable[[], float] = time.thread_time
    ) -> None:
        self.spec = spec
        self._clock = clock
        self._session = session
        self._input: str = session.get_inputs()[0].name
        classes = session.get_outputs()[0].shape[-1]
        if classes != spec.classes:
            raise ModelCorrupt(f"{spec.name}: {classes} classes, {spec.classes} are needed: wrong network")

    def score(self, image: Image, box: Box) -> float:
        """Return how alive the face in `box` of `image` looks, 0..1.

        `image` is the whole frame, (H, W, 3) uint8 BGR. Raises `FrameRefused` when the network answers
        with anything but finite numbers, or too late: that is a failure, never a pass.
        """
        begun = self._clock()
        chip = self.spec.chip(image, box)
        blob = cv2.dnn.blobFromImage(chip, self.spec.scale, swapRB=self.spec.is_rgb)
        logits = self._session.run(None, {self._input: blob})[0]
        seconds = self._clock() - begun
        if not seconds <= SCORE_SECONDS:
            raise FrameRefused(f"{self.spec.name} took {seconds:.1f} s of CPU, {SCORE_SECONDS} s are allowed")
        return live_probability(logits, self.spec.live)


def live_probability(logits: NDArray[np.float32], live: int) -> float:
    """Return the softmax of `logits` (1, classes) at `live`, 0..1.

    Raises `FrameRefused` when a logit is not finite.
    """
    values = np.asarray(logits, np.float64).reshape(-1)
    if not np.isfinite(values).all():
        raise FrameRefused("a liveness network answered with numbers that are not finite")
    powers = np.exp(values - values.max())  # less the largest, so that none overflows
    return float(powers[live] / powers.sum())
