"""What it costs to open one ticket, beside Roundup, a tracker that installs from an index; in turns, one run.

python -m venv /tmp/peer && /tmp/peer/bin/pip install roundup
python -m tests.community.beside_roundup --peer /tmp/peer --rounds 6 --requests 60

Each shows a ticket with three messages, over one kept connection, to one reader after the other: Roundup its
classic tracker on SQLite to anybody, over plain HTTP; ours to a resident who is logged in, over TLS, its
network process included. CPU of the server's processes is counted, so that what else the machine does hardly
matters. The weight is what a browser without a cache loads: the page, its styles, scripts and pictures.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2 as httpx

from edge.runtime.clock import SystemClock
from facegate_hub.community.book import Doer
from facegate_hub.community.devices import Devices
from facegate_hub.community.machine import TicketAct, TicketKind
from facegate_hub.community.tickets import Report, TicketWish
from facegate_hub.page.app import COOKIE
from tests.community.compound import new_compound
from tests.community.crowd import children, cost_of
from tests.community.served import client, side
from tests.loopback import free_port
from tests.present import present

if TYPE_CHECKING:
    from collections.abc import Callable

TEXTS = ("The tap in the kitchen drips.", "Since Monday, every second.", "We come on Tuesday at nine.")
PARTS = re.compile(r'<(?:link[^>]+rel="stylesheet"[^>]+href|script[^>]+src|img[^>]+src)="([^"]+)"')


@dataclass
class Contender:
    """One side of the comparison: its browser, the ticket's path, its processes; and what was measured."""

    name: str
    browser: httpx.Client
    path: str
    processes: Callable[[], list[int]]
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def turn(self, requests: int) -> None:
        """Open the ticket so often."""
        before, began = cost_of(self.processes())[1], time.perf_counter()
        for _ in range(requests):
            answer = self.browser.get(self.path)
            assert answer.status_code == 200
            assert TEXTS[-1] in answer.text
        self.wall.append((time.perf_counter() - began) / requests)
        self.cpu.append((cost_of(self.processes())[1] - before) / requests)

    def weight(self) -> tuple[int, int]:
        """Return the bytes of a first visit, as they travel, and how many requests that are."""
        page = self.browser.get(self.path)
        parts = dict.fromkeys(PARTS.findall(page.text))
        answers = [page, *(self.browser.get(str(page.url.join(one))) for one in parts)]
        return sum(one.num_bytes_downloaded for one in answers), len(answers)


def ours(folder: Path, stack: ExitStack) -> Contender:
    """Return the residents' page with a ticket."""
    compound = new_compound(folder)
    compound.book.clock = SystemClock()
    wang = compound.people["wang"]
    report = Report(TicketKind.REPAIR, "water", TEXTS[0], flat="3-1203", requester=wang)
    number, _ = compound.tickets.report(compound.asker("wang"), report)
    for text in TEXTS[1:]:
        compound.tickets.take(compound.asker("dora"), number, TicketWish(TicketAct.COMMENT, {"text": text}))
    token = Devices(compound.book).begin(Doer("person", wang), "test")
    page = side("page", folder)
    page.start()
    stack.callback(page.stop)
    browser = stack.enter_context(client(page.url, COOKIE, token))
    return Contender(
        "ours",
        browser,
        f"/tickets/{number}",
        lambda: [present(page.process).pid, *children(present(page.process).pid)],
    )


def roundup(peer: Path, folder: Path, stack: ExitStack) -> Contender:
    """Return Roundup's classic tracker with an issue."""
    home, port = folder / "tracker", free_port()
    admin = [str(peer / "bin" / "roundup-admin"), "-i", str(home)]
    _said([*admin, "install", "classic", "sqlite"])
    config = home / "config.ini"
    text = re.sub(r"(?m)^#web = .*$", f"web = http://127.0.0.1:{port}/t/", config.read_text())
    text = re.sub(r"(?m)^#domain = .*$", "domain = example.com", text)
    config.write_text(re.sub(r"(?m)^#host = NO DEFAULT$", "host = localhost", text))
    _said([*admin, "initialise", "a good password"])
    made = [_said([*admin, "create", "msg", f"content={text}", "author=1", "date=."]) for text in TEXTS]
    wish = ["create", "issue", f"title={TEXTS[0]}", f"messages={','.join(made)}", "status=1", "priority=1"]
    number = _said([*admin, *wish])
    server = [str(peer / "bin" / "roundup-server"), "-p", str(port), "-n", "127.0.0.1", f"t={home}"]
    if os.geteuid() == 0:  # it refuses to run as root
        shutil.chown(home, "nobody")
        for one in home.rglob("*"):
            shutil.chown(one, "nobody")
        folder.chmod(0o711)
        server[1:1] = ["-u", "nobody"]
    process = subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    browser = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120))
    for _ in range(300):
        try:
            browser.get(f"/t/issue{number}")
            break
        except httpx.HTTPError:
            time.sleep(0.1)
    return Contender("roundup", browser, f"/t/issue{number}", lambda: [process.pid, *children(process.pid)])


def _said(words: list[str]) -> str:
    """Return what a command of the peer says."""
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--requests", type=int, default=60)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        both = [ours(folder / "ours", stack), roundup(wish.peer, folder, stack)]
        for one in both:
            one.turn(10)  # what is compiled and cached once
            one.cpu.clear()
            one.wall.clear()
        for _ in range(wish.rounds):
            for one in both:
                one.turn(wish.requests)
        for one in both:
            weight, count = one.weight()
            cpu = statistics.median(one.cpu)
            rates = sorted(1 / spent for spent in one.cpu if spent)
            sys.stdout.write(
                f"{one.name}: {1000 * cpu:.1f} ms of CPU, {1 / cpu:.0f} requests/s per core"
                f" ({rates[0]:.0f} to {rates[-1]:.0f}), {1000 * statistics.median(one.wall):.1f} ms each,"
                f" {weight / 1000:.1f} kB in {count} requests, {cost_of(one.processes())[0]} MB\n"
            )
    sys.stdout.write(f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
