"""A look at the camera: do pictures come, how large and fast, and can a face be judged in them."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from edge.camera.source import CameraSpec, open_camera
from edge.errors import CameraLost
from edge.events import Kind
from edge.findings import CheckupFinding, amber, green, red
from edge.panel.picture import picture_facts
from edge.panel.sight import reach_metres
from edge.runtime.clock import SystemClock
from edge.service.checkup.recently import is_bad
from edge.words import Message, message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from edge.config.settings import CameraSection
    from edge.domain import Frame
    from edge.service.checkup.recently import RecentEvents

WATCHED_SECONDS = 3.0
"""How long the camera is watched: its exposure settles within one."""
DARK, BRIGHT = 40.0, 215.0
"""Mean brightness of the picture's middle, of 255, outside which few faces can be judged."""
BLURRED = 15.0
"""Variance of the Laplacian under which a picture of 640x480 has no sharp edge in it."""
LENS_DEGREES = 60
"""The text says so: what lens a camera has cannot be asked."""
EYES_PX = 20.0
"""Pixels between the eyes from which a face is judged (`recognition.min_interocular_px` may ask for more)."""


def watched(section: CameraSection) -> CheckupFinding:
    """Watch the camera for some seconds. Only while no door runs: most cameras serve one program."""
    try:
        frames, seconds = _frames(section)
    except CameraLost as error:
        return _dead(section, error.technical or error.message)
    facts = picture_facts(frames[-1].image)
    seen = {
        "width": facts.width,
        "height": facts.height,
        "rate": f"{(len(frames) - 1) / seconds:.1f}",
        "metres": f"{reach_metres(facts.width, LENS_DEGREES, EYES_PX):.1f}",
    }
    if not DARK <= facts.brightness <= BRIGHT:
        return amber("camera", "light", **seen, brightness=round(facts.brightness))
    return (
        amber("camera", "blurred", **seen) if facts.sharpness < BLURRED else green("camera", "fine", **seen)
    )


def told(section: CameraSection, recent: RecentEvents) -> CheckupFinding:
    """Return what the running door last said of its camera."""
    event = recent.since_start(Kind.HEALTH_CAMERA)
    if event is None or not is_bad(event):
        return _reshaped(recent) or green("camera", "running")
    is_plain = "detail" in event.data and "detail_code" not in event.data
    return _dead(section, str(event.data["detail"]) if is_plain else camera_problem(event.data))


def _reshaped(recent: RecentEvents) -> CheckupFinding | None:
    """Return that the picture has another shape since the door was started, None where it has not."""
    event = recent.since_start(Kind.HEALTH_PICTURE)
    if event is None or event.data.get("state") != "reshaped":
        return None
    return amber("camera", "reshaped", was=str(event.data.get("was")), now=str(event.data.get("now")))


def camera_problem(data: Mapping[str, Any]) -> Message:
    """Return what a `health.camera` event says is wrong, for a reader of any language."""
    state = Message(f"value.state.{data.get('state')}")
    return Message.decoded(data.get("detail_code")) or message("camera.state", state=state)


def _dead(section: CameraSection, problem: Message | str) -> CheckupFinding:
    source = section.source.split("@")[-1]  # no password
    return red("camera", "dead", source=source, problem=problem, setting="camera.source")


def _frames(section: CameraSection) -> tuple[list[Frame], float]:
    """Return the frames of some seconds, and how long they took. Raises `CameraLost` when none came."""
    size = section.width, section.height, section.fps
    spec = CameraSpec(section.source, *size, rotate=section.rotate, mirror=section.mirror)
    frames: list[Frame] = []
    with closing(open_camera(spec, SystemClock())) as source:
        end = time.monotonic() + WATCHED_SECONDS
        while time.monotonic() < end and (frame := source.read()) is not None:
            # At most 201 frames: three seconds of a fast camera would otherwise fill a small board's memory.
            frames = [*frames[-200:], frame]
    if not frames:
        raise CameraLost("no picture came")
    return frames, max(frames[-1].time - frames[0].time, 1e-3)
