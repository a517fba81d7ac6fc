"""Which camera a setting means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge.addresses import Address, is_ipv4, login_alone, masked, plain_sign, public_name
from edge.camera.file import open_recording
from edge.camera.lag import Stamps
from edge.camera.opencv import OpenCvCamera, rtsp_connector, v4l2_connector
from edge.camera.picamera import PiCamera
from edge.camera.playback import Playback
from edge.camera.turned import TurnedCamera
from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.ports import Camera, Clock

RTSP = frozenset({"rtsp", "rtsps"})
_MISTYPED = re.compile(r"\s*(?:rtsps?|https?|rtmp|udp|file)\s*[:：]\s*[/\\／]*", re.IGNORECASE)
"""What would be an address, with a sign wrong or missing; as a file it would be looked for without end."""
_BARE_IPV6 = re.compile(r"\w+://(?:.*@)?[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*(?:[/?#][^@]*)?")
"""Nobody can tell whether `fe80::1:554` ends with a port."""
_IN_FRONT = "rtsp:// in front of the camera's address"
_OTHERWISE = tuple(
    (re.compile(sign, re.IGNORECASE | re.DOTALL), write)
    for sign, write in (
        (r"video\d+", "/dev/video0, with its number"),
        (r"(?:usb|webcam|camera|cam)[ :#]?\d*|-\d+|\d+\.\d+", "0, 1, ... or /dev/video0 for a USB camera"),
        (
            r"(?:csi|libcamera|lib camera|rpicam|raspicam|pi[ -]?cam)[ :]?\d*|picamera[ #]?\d+",
            "picamera, or picamera:1",
        ),
        (r"(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?(?:/.*)?", _IN_FRONT),
        (r"rtsps?[/\\].*|(?!picamera:)[\w.-]+:\d+(?:/.*)?", _IN_FRONT),
        (r"~.*|[a-z]:[/\\].*", "the whole path on this machine, from / on"),
        (
            r"(?:ffmpeg|exec|v4l2|onvif|gst|webrtc|dvrip|tapo|echo)[:：].*",
            "what stands behind the first colon",
        ),
    )
)
"""Names of cameras in other programs: as a file each would be looked for without end."""
_NUMBERS = re.compile(r"\d[\d.]*", re.ASCII)
_PICAMERA = re.compile(r"picamera(?::(\d+))?")


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """A camera in plain values.

    `source` is `0` or `/dev/video0` (USB), `rtsp://...`, `picamera` or `picamera:1` (CSI), or
    the path of a video, a picture or a folder of pictures, played as if live. `width`, `height`
    (px) and `fps` are wishes to USB and CSI cameras; `loop` starts a recording over at its end.
    `rotate` (0, 90, 180 or 270 degrees clockwise) sets upright what such a mounting turned; `mirror`
    then exchanges left and right.
    """

    source: str
    width: int = 640
    height: int = 480
    fps: float = 15.0
    loop: bool = False
    rotate: int = 0
    mirror: bool = False

    def __repr__(self) -> str:
        return f"CameraSpec({public_name(self.source)!r}, {self.width}x{self.height}, {self.fps} fps)"


def check_source(source: str) -> None:
    """Raise `ConfigError` for an address that no camera here understands. Opens nothing."""
    address = Address.parse(source)
    if address is None and (meant := _meant(source)):
        raise ConfigError(f"camera.source = {masked(source)}: no camera and no file; write {meant}")
    if ("://" in source and address is None) or (address is not None and address.scheme not in RTSP):
        rule = "must be rtsp://, rtsps://, a device, picamera or a file"
        raise ConfigError(f"camera.source = {public_name(source)}: {rule}")
    if address is None and (found := _MISTYPED.match(source)) is not None:
        raise ConfigError(f"camera.source begins with {found[0]!r}: an address begins with rtsp://")
    if address is not None and (wide := address.wide_sign()):
        rule = f"{wide!r} (U+{ord(wide):04X}) is a wide sign; write {plain_sign(wide)}"
        raise ConfigError(f"camera.source = {public_name(source)}: {rule}")
    if address is not None and _BARE_IPV6.fullmatch(source) is not None:
        rule = "an IPv6 address stands in brackets: rtsp://[fe80::1]:554/stream"
        raise ConfigError(f"camera.source = {public_name(source)}: {rule}")
    port = re.search(r":(\d+)$", "" if address is None else address.place)
    if port is not None and not 0 < int(port[1]) < 65_536:
        raise ConfigError(f"camera.source: {port[1]} is no port; the most is 65535, cameras use 554")
    _require_a_place(address)


def _require_a_place(address: Address | None) -> None:
    """Refuse an address whose host cannot be one."""
    host = "" if address is None else address.place.partition(":")[0]
    if _NUMBERS.fullmatch(host) and not is_ipv4(host):
        raise ConfigError(f"camera.source: {host} is no address: IPv4 has four numbers, each up to 255")
    # A sign of a password that was not escaped: what stands for the host is a part of it, and is not
    # repeated.
    if address is not None and not address.place:
        escapes = "write # as %23, / as %2F, ? as %3F, @ as %40 and % as %25"
        raise ConfigError(f"camera.source: user and password cannot be told from the host; {escapes}")


def missing_path(source: str) -> Path | None:
    """Return the device or file that a camera's name means when nothing is there.

    None for an address, for a CSI camera, and for what is there. Raises `ConfigError` like `check_source`.
    """
    check_source(source)
    if Address.parse(source) is not None or _PICAMERA.fullmatch(source):
        return None
    path = Path(f"/dev/video{source}") if source.isdecimal() else Path(source)
    return None if path.exists() else path


def _meant(source: str) -> str:
    """Return what somebody may have meant who named a camera as other programs do; empty for a path."""
    is_login = login_alone(source) and _MISTYPED.match(source) is None
    found = (write for sign, write in _OTHERWISE if sign.fullmatch(source.strip()))
    return next(found, _IN_FRONT if is_login else "")


def camera_opener(spec: CameraSpec, clock: Clock) -> Callable[[], Camera]:
    """Return a function that opens the camera, again and again; it raises `CameraLost`.

    Call this from the main thread, before others start (see `rtsp_connector`). Raises
    `ConfigError` for an address that no camera here understands.
    """
    as_mounted = _opener(spec, clock)
    if not spec.rotate and not spec.mirror:
        return as_mounted
    return partial(TurnedCamera, as_mounted, spec.rotate, spec.mirror)


def _opener(spec: CameraSpec, clock: Clock) -> Callable[[], Camera]:
    source, size, name = spec.source, (spec.width, spec.height), public_name(spec.source)
    check_source(source)
    address = Address.parse(source)
    if address is not None and address.scheme in RTSP:
        return partial(OpenCvCamera, name, rtsp_connector(address.sent()), clock, stamps=Stamps())
    if is_device(source):
        device = int(source) if source.isdecimal() else source
        return partial(OpenCvCamera, name, v4l2_connector(device, size, spec.fps), clock, stamps=Stamps())
    if match := _PICAMERA.fullmatch(source):
        return partial(PiCamera, int(match[1] or 0), size, spec.fps, clock)
    return partial(Playback, partial(open_recording, Path(source)), clock, loop=spec.loop)


def is_device(source: str) -> bool:
    """Return whether a number or a path means a USB camera, also while it is unplugged."""
    # /dev/shm is a disk in memory: what lies there, or is missing there, is a recording.
    is_there = source.startswith("/dev/") and not source.startswith("/dev/shm/")  # noqa: S108
    return source.isdecimal() or (is_there and not Path(source).is_file())


def open_camera(spec: CameraSpec, clock: Clock) -> Camera:
    """Open the camera that `spec` means. Raises `CameraLost`."""
    return camera_opener(spec, clock)()
