"""The panel inside `facegate run`: one process, one camera, from the one-time code to the withdrawal."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import httpx2 as httpx
import numpy as np
import pytest

from edge.camera.file import VideoFile
from edge.demo.annotate import VideoSink
from tests.fakes.site import record_walk_ups
from tests.loopback import free_port
from tests.places import need_models, shared_data
from tests.service.running import Door, is_kind, settings
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.models
FPS = 25.0
PASSWORD = "correct horse 9"


def with_panel(clip: Path, port: int, more: str = "", keys: str = "") -> str:
    named = '[site]\noperator = "Hill House Services"\ncontact = "0571-1234"'
    return settings(clip, f"{named}\n[panel]\nenabled = true\nport = {port}\n{keys}\n{more}")


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Door]]:
    doors: list[Door] = []

    def begin(config: str, **environ: str) -> Door:
        doors.append(Door(tmp_path, config, **environ))
        return doors[-1]

    yield begin
    for door in doors:
        door.kill()


@pytest.fixture(scope="module")
def walk_up(tmp_path_factory) -> Path:
    return record_walk_ups(tmp_path_factory.mktemp("clip") / "walk-up.avi", 1, 2)


@pytest.fixture
def visit() -> Iterator[Callable[[int], Visitor]]:
    with ExitStack() as stack:
        yield lambda port: stack.enter_context(closing(Visitor(port)))


STANDING_SECONDS = 9.0
"""As long as an enrolment takes; whoever waits for the next visit waits for the end of this one."""


def coming_and_going(source: Path, path: Path) -> Path:
    """Write a clip in which somebody stands at the door, and then nobody for two seconds."""
    frames, sink = VideoFile(source), None
    while (frame := frames.read()) is not None and frame.time < STANDING_SECONDS:
        height, width = frame.image.shape[:2]
        sink = sink or VideoSink(path, (width, height), FPS)
        sink.add(frame.image)
    frames.close()
    assert sink is not None
    noise = np.random.default_rng(1).integers(100, 140, (height, width, 3), np.uint8)
    for shift in range(2 * int(FPS)):
        sink.add(np.ascontiguousarray(np.roll(noise, shift, axis=1)))
    sink.close()
    return path


class Visitor:
    """Somebody with a browser: keeps cookies, brings the token of the last form."""

    def __init__(self, port: int) -> None:
        self.client = httpx.Client(
            base_url=f"https://127.0.0.1:{port}", verify=False, timeout=PATIENCE, follow_redirects=True
        )
        self.csrf = ""

    def close(self) -> None:
        self.client.close()

    def get(self, path: str) -> httpx.Response:
        return self._seen(self.client.get(path))

    def post(self, path: str, **fields: str) -> httpx.Response:
        return self._seen(self.client.post(path, data={"csrf": self.csrf, **fields}))

    def _seen(self, answer: httpx.Response) -> httpx.Response:
        if found := re.search(r'name="csrf" value="([^"]+)"', answer.text):
            self.csrf = found[1]
        return answer


def until(answer: Callable[[], object], door: Door, what: str) -> object:
    def found() -> object:
        assert door.process.poll() is None, door.log
        return answer()

    return wait_until(found, lambda: f"{what}\n{door.log}")


def first_code(door: Door) -> str:
    found = until(lambda: re.search(r"first account: (\S+)", door.log), door, "one-time code")
    assert isinstance(found, re.Match)
    return str(found[1])


@pytest.mark.shared
@pytest.mark.slow
def test_first_start_login_enrol_walk_up_withdraw_walk_up_in_one_process(start, visit, tmp_path):
    need_models("yunet", "sface")
    clip = coming_and_going(shared_data("video", "lp_d9.mp4"), tmp_path / "clip.avi")
    port = free_port()
    door = start(with_panel(clip, port))
    code = first_code(door)
    ines = visit(port)
    ines.get("/first")
    assert ines.post("/first", code=code, name="ines", password=PASSWORD).status_code == 200
    ines.post("/logout")
    ines.get("/login")
    ines.post("/login", name="ines", password=PASSWORD)

    form = {"resident_id": "flat-1203", "name": "Li Wei", "agrees": "yes"}
    assert ines.post("/enrol/start", **form).status_code == 422  # the mode is not open
    ines.get("/enrol")
    ines.post("/enrol/mode")
    ines.post("/enrol/start", **form)
    until(lambda: ines.get("/enrol/state").json()["over"], door, "end of the enrolment")
    assert "The pictures of the face are good" in ines.get("/enrol/now").text
    ines.post("/enrol/save")
    granted = door.wait_for(is_kind("access.granted"))
    assert granted["resident"] == "flat-1203"

    ines.get("/test")
    ines.post("/test/pulse", sure="yes")
    ines.get("/residents/flat-1203")
    assert "CONFIRMATION OF DELETION" in ines.post("/residents/flat-1203/withdraw", typed="flat-1203").text
    erased = door.wait_for(is_kind("face.erased"))
    refused = door.wait_for(lambda e: e["type"] == "access.denied" and e["seq"] > erased["seq"])

    assert refused["reason"] == "unknown_credential"
    kinds = [event["type"] for event in door.events()]
    assert {"panel.claimed", "panel.login", "enrol.window_opened", "enrol.saved", "panel.door_test"} < {
        *kinds
    }
    again = door.facegate("panel", "--port", str(free_port()), expect=1)
    assert "a door is running here" in again
    assert door.stop()[0] == 0


def test_the_display_rings_takes_pins_and_shows_what_was_decided(start, visit, walk_up):
    port = free_port()
    door = start(with_panel(walk_up, port))
    first_code(door)
    gate = visit(port)

    gate.get("/screen")
    gate.csrf = gate.get("/screen/state").json()["csrf"]
    assert gate.post("/screen/ring").status_code == 204
    assert door.wait_for(is_kind("door.bell"))["data"] == {"at": "screen"}
    assert gate.post("/screen/pin", number="1203", pin="4711").status_code == 204
    wrong = door.wait_for(lambda e: e["type"] == "access.denied" and e["data"]["method"] == "pin")
    assert wrong["reason"] == "incorrect_authentication_factor"
    until(lambda: gate.get("/screen/state").json()["state"] == "refused", door, "refusal on the display")
    until(lambda: gate.get("/screen/state").json()["state"] in {"idle", "guide"}, door, "idle display")


def test_a_port_that_is_taken_costs_the_panel_and_not_the_door(start, walk_up):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        door = start(with_panel(walk_up, port))
        told = door.wait_for(is_kind("health.panel"))
        assert f"127.0.0.1:{port}" in told["data"]["error"]
        assert door.wait_for(is_kind("access.denied"))  # somebody walked up and was looked at
    first_code(door)  # and once the port is free it is served


def test_a_certificate_that_is_none_costs_the_panel_and_not_the_door(start, walk_up, tmp_path):
    (tmp_path / "site.crt").write_text("nonsense")
    (tmp_path / "site.key").write_text("nonsense")
    keys = f'cert_file = "{tmp_path / "site.crt"}"\nkey_file = "{tmp_path / "site.key"}"'
    door = start(with_panel(walk_up, free_port(), keys=keys))

    assert "panel.cert_file" in door.wait_for(is_kind("health.panel"))["data"]["error"]
    assert door.wait_for(is_kind("access.denied"))
    assert door.stop()[0] == 0


def test_without_the_extra_the_door_runs_and_says_what_to_install(start, walk_up, tmp_path):
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "uvicorn.py").write_text('raise ImportError("gone", name="uvicorn")')
    door = start(with_panel(walk_up, free_port()), PYTHONPATH=str(tmp_path / "shadow"))

    assert "libraries are not installed" in door.wait_for(is_kind("health.panel"))["data"]["error"]
    assert door.wait_for(is_kind("access.denied"))
    assert door.stop()[0] == 0
