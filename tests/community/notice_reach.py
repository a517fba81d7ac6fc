"""How soon an approved notice stands on the displays of 300 doors; broker, hub and signer are real.

python -m tests.community.notice_reach --doors 300 --notices 10

The doors are connections with certificates of their own in this process; each checks the signature, keeps the
set in a file and writes the event, by the lines of a door. A notice's time begins when the manager's press
on the console is answered and ends when the door's display would show it. Ends with an error code when a
display never does, or when more than one in a hundred takes longer than three seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from edge.broker.session import BrokerSession
from edge.broker.settings import BrokerSettings, Tls
from edge.errors import SyncError
from edge.runtime.clock import SystemClock
from edge.service.property.notices import HeldNotices
from edge.site.provision import Site, load_trusted_keys
from edge.sync.notices import NoticeFollower
from tests.community.compound import new_compound
from tests.community.site_kills import HubProcess
from tests.community.web import staff
from tests.loopback import free_port
from tests.present import present
from tests.sync.broker import Broker

if TYPE_CHECKING:
    from edge.domain import EventDraft
    from tests.community.compound import Compound

PROMISED_SECONDS = 3.0
LONGEST_SECONDS = 120.0
STANDING = 4
"""Notices that stand at once; the oldest is ended, as displays show eight."""
SLOW_TURN_SECONDS = 1.0


class DisplayDoor:
    """A door of the site, as far as notices go. `shown` is when its display first had each title."""

    def __init__(self, bundle: Path, port: int, folder: Path) -> None:
        clock = SystemClock()
        self.events: list[EventDraft] = []
        self.shown: dict[str, float] = {}
        self.connections = 0
        tls = Tls(bundle / "ca.crt", bundle / "door.crt", bundle / "door.key")
        self._settings = BrokerSettings("127.0.0.1", bundle.name, port, tls=tls)
        self._held = HeldNotices(folder / f"{bundle.name}.json", bundle.name, clock, lambda: "synced")
        keys = load_trusted_keys(bundle / "trusted-keys.json")
        self._follower = NoticeFollower(self._settings, keys, self._held, self.events.append, clock)
        self.connect()

    def connect(self) -> None:
        will = (self._settings.topic("avail"), b'{"v":1,"state":"offline","boot":""}')
        self.session = BrokerSession(self._settings, will)
        self.session.subscribe([self._settings.topic("notice")])
        self.connections += 1

    @property
    def socket(self) -> int:
        return int(present(self.session._client.socket()).fileno())

    def turn(self) -> None:
        """Take what has come, and look at the display."""
        self.session.turn(0.0)
        while self.session.messages:
            self._follower.handle(self.session.messages.popleft())
            now = time.monotonic()
            for one in self._held.shown():
                self.shown.setdefault(one["en"], now)


class Displays(threading.Thread):
    """Doors that are turned when their sockets have something, and once a second anyway."""

    def __init__(self) -> None:
        super().__init__(name="displays", daemon=True)
        self.doors: list[DisplayDoor] = []
        self._ended = threading.Event()
        self._poll = select.epoll()
        self._by_socket: dict[int, DisplayDoor] = {}

    def add(self, door: DisplayDoor) -> None:
        self._listen(door)
        self.doors.append(door)

    def run(self) -> None:
        again = 0.0
        while not self._ended.is_set():
            woken = [self._by_socket[number] for number, _ in self._poll.poll(0.02)]
            if (now := time.monotonic()) >= again:
                again, woken = now + SLOW_TURN_SECONDS, list(self.doors)
            for door in woken:
                self._turn(door)

    def _turn(self, door: DisplayDoor) -> None:
        try:
            door.turn()
        except SyncError:
            self._connect_anew(door)

    def _connect_anew(self, door: DisplayDoor) -> None:
        door.session.close()
        try:
            door.connect()
        except SyncError:
            return  # a broker that is too busy: tried again at the next turn
        self._listen(door)

    def _listen(self, door: DisplayDoor) -> None:
        self._by_socket[door.socket] = door
        self._poll.register(door.socket, select.EPOLLIN)

    def wait_for(self, title: str, begun: float) -> list[float]:
        """Return after how many seconds each display had a notice; those that never had are left out."""
        while time.monotonic() < begun + LONGEST_SECONDS:
            if all(title in door.shown for door in self.doors):
                break
            time.sleep(0.05)
        return [door.shown[title] - begun for door in self.doors if title in door.shown]

    def close(self) -> None:
        self._ended.set()
        self.join()
        self._poll.close()
        for door in self.doors:
            door.session.close()


def run(folder: Path, doors: int, notices: int) -> dict[str, object]:
    """Return the figures of one run in an empty folder."""
    site, port = folder / "site", free_port()
    made = Site.create(site, "Trial", "127.0.0.1", port)
    bundles = [made.add_door(f"door-{number:03}") for number in range(doors)]
    (folder / "doors").mkdir()
    compound = new_compound(site)
    compound.clock.step_wall(time.time() - compound.book.now())
    with ExitStack() as stack:
        stack.enter_context(Broker.of_site(site, port))
        hub = HubProcess(site)
        hub.start()
        stack.callback(hub.stop)
        displays = Displays()
        displays.start()
        stack.callback(displays.close)
        for bundle in bundles:
            displays.add(DisplayDoor(bundle, port, folder / "doors"))
        _approved(compound, 0)
        displays.wait_for(
            "notice 0", time.monotonic()
        )  # until the hub serves, however long it takes to start
        reached = []
        for number in range(1, notices + 1):
            begun = _approved(compound, number)
            reached += displays.wait_for(f"notice {number}", begun)
        anew = sum(door.connections - 1 for door in displays.doors)
    return {**_figures(sorted(reached), doors * notices), "connected_anew": anew}


def _approved(compound: Compound, number: int) -> float:
    """Have a notice drafted and approved at the console; return when the press was answered."""
    dora, mona = staff(compound, "dora"), staff(compound, "mona")
    dora.get("/notices")
    end = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 3 * 86_400))
    dora.send("/notices", title_en=f"notice {number}", ends=end)
    mona.get("/notices")
    if number >= STANDING:
        mona.send(f"/notices/{number + 1 - STANDING}", do="end")
        mona.get("/notices")
    mona.send(f"/notices/{number + 1}", do="approve")
    return time.monotonic()


def _figures(reached: list[float], wanted: int) -> dict[str, object]:
    share = sum(seconds <= PROMISED_SECONDS for seconds in reached) / wanted
    return {
        "displays": wanted,
        "reached": len(reached),
        "p50_seconds": round(reached[len(reached) // 2], 2),
        "p99_seconds": round(reached[len(reached) * 99 // 100], 2),
        "longest_seconds": round(reached[-1], 2),
        "within_promise_percent": round(100 * share, 2),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--doors", type=int, default=300)
    parser.add_argument("--notices", type=int, default=10)
    wish = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, 20_000))
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = run(Path(folder), wish.doors, wish.notices)
        except SyncError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    sys.stdout.write(json.dumps(found) + "\n")
    is_kept = isinstance(share := found["within_promise_percent"], float) and share >= 99.0
    return 0 if is_kept and found["reached"] == found["displays"] else 1


if __name__ == "__main__":
    sys.exit(main())
