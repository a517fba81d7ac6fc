"""An RTSP camera on loopback for tests, for Debian's Python: `python3 rtsp_server.py [PORT] [locked]`.

Prints the port it listens on. `/cam` is live H.264, 320x240 at 15 fps, each frame carrying the
CLOCK_MONOTONIC milliseconds of its making as 32 black or white blocks; `/still` repeats one
picture without noise. When `locked`, only user `keeper` with password `hunter2` sees anything.
"""

import sys
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - versions must be asked for first

WIDTH, HEIGHT, FPS = 320, 240, 15
CHECKER = 0xAA55AA55
ENCODE = (
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15"
    " ! rtph264pay name=pay0 pt=96 config-interval=1"
)
CAPS = f"video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1"
LAUNCH = f"( appsrc name=source is-live=true do-timestamp=true format=time caps={CAPS} ! {ENCODE} )"


def picture(number):
    """One I420 frame that shows 32 bits as 8 x 4 blocks."""
    rows = []
    for row in range(4):
        bits = ((number ^ CHECKER) >> (24 - 8 * row)) & 0xFF
        line = b"".join(
            bytes([235 if bits >> (7 - column) & 1 else 16]) * (WIDTH // 8) for column in range(8)
        )
        rows.append(line * (HEIGHT // 4))
    return b"".join(rows) + bytes([128]) * (WIDTH * HEIGHT // 2)


class Camera(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]  # GStreamer has no types
    """A live source per client, fed by the main loop."""

    def __init__(self, is_still):
        super().__init__()
        self.is_still = is_still
        self.set_launch(LAUNCH)
        self.connect("media-configure", self.configure)

    def configure(self, _factory, media):
        source = media.get_element().get_by_name("source")
        GLib.timeout_add(1000 // FPS, self.push, source)

    def push(self, source):
        number = 0 if self.is_still else int(time.monotonic() * 1000) & 0xFFFFFFFF
        return source.emit("push-buffer", Gst.Buffer.new_wrapped(picture(number))) == Gst.FlowReturn.OK


def open_to_keeper(factory):
    role = Gst.Structure.new_empty("keeper")
    for permission in ("media.factory.access", "media.factory.construct"):
        role.set_value(permission, True)
    factory.add_role_from_structure(role)
    return factory


def authentication():
    keeper = GstRtspServer.RTSPToken()
    keeper.set_string("media.factory.role", "keeper")
    auth = GstRtspServer.RTSPAuth.new()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic("keeper", "hunter2"), keeper)
    return auth


def main():
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1] if len(sys.argv) > 1 else "0")
    if "locked" in sys.argv:
        server.set_auth(authentication())
    points = server.get_mount_points()
    points.add_factory("/cam", open_to_keeper(Camera(is_still=False)))
    points.add_factory("/still", open_to_keeper(Camera(is_still=True)))
    if not server.attach(None):
        sys.exit("cannot listen")
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
