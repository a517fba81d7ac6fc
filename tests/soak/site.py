"""A door in real processes: service, page, relay guard and broker, and the people before it."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.credentials.device import EVENT, KEYS, PRESSED, RELEASED
from edge.policy.pin import PinBook
from edge.store.credentials import CredentialStore, PinRow
from edge.store.outbox import SqliteOutbox
from edge.store.reader import JournalReader
from edge.store.sealer import file_key
from edge.store.way_rows import CREDENTIALS_FILE, PIN_KEY_FILE
from tests.hardware.mini_systemd import MiniSystemd
from tests.io.base import PEOPLE, make_base
from tests.io.card import ROOT, Card
from tests.loopback import free_port
from tests.relay.relay_lines import Lines
from tests.sync.broker import Broker

PIN = "729418"
READY_SECONDS = 90.0
CODES = {key: code for code, key in KEYS.items()}

CONFIG = """
[door]
id = "north"
[camera]
source = "{clip}"
loop = true
[lock]
driver = "gpio"
pin = 17
gpio_chip = 0
active_high = true
lock_wiring = "fail-secure"
unlock_seconds = 1
guard_socket = "{home}/guard.sock"
[recognition]
liveness = "off"
[access]
keypad = "{home}/keypad"
card_reader = "{home}/reader"
[storage]
directory = "{home}/data"
[panel]
enabled = true
port = {page}
[mqtt]
host = "127.0.0.1"
port = {broker}
tls = false
"""


class Site:
    """One door and everything around it, for as long as it is open; the card fails by `card`."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.home, self.data = home, home / "data"
        make_base(self.data)
        _give_pins(self.data)
        _record_nothing(home / "clip.avi")
        (home / "run").mkdir()
        self.card = Card(self.data, home / "control")
        self.page_port = free_port()
        self.broker = stack.enter_context(Broker(home / "broker"))
        self.config = home / "config.toml"
        self.config.write_text(
            CONFIG.format(home=home, clip=home / "clip.avi", page=self.page_port, broker=self.broker.port)
        )
        self.lines = Lines(home)
        self.readers = {name: _pipe(home / name) for name in ("keypad", "reader")}
        for descriptor in self.readers.values():
            stack.callback(os.close, descriptor)
        self.guard = stack.enter_context(closing(MiniSystemd(self.config, self.lines.environment(), home)))
        self.door = stack.enter_context(closing(Service(self)))

    def tap(self, number: int) -> None:
        """Show the card of the resident of this number; a number without a resident is a stranger's."""
        self._press("reader", f"{7_000_000 + number}#")

    def type_pin(self, number: int, pin: str = PIN) -> None:
        """Type the PIN of this resident."""
        self._press("keypad", f"{101 + number}*{pin}#")

    def opened_since(self, moment: float, seconds: float) -> bool:
        """Return whether the relay was energised after `moment`, waiting so long for it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if any(pulse.start >= moment for pulse in self.lines.pulses()):
                return True
            time.sleep(0.05)
        return False

    def is_at_rest(self) -> bool:
        return not self.lines.energised

    def events(self) -> list[dict[str, Any]]:
        """Return the journal; raises when its chain is broken."""
        with closing(JournalReader(self.data / "journal.db")) as reader:
            reader.verify()
            return [json.loads(row.body) for row in reader.rows(0, 1_000_000)]

    def waiting_for_broker(self) -> int:
        """Return how many events the broker has not acknowledged."""
        with closing(_outbox(self.data)) as outbox:
            return outbox.newest() - outbox.done_upto()

    def flood_page(self, connections: int, stack: ExitStack) -> None:
        """Open so many connections to the page and say nothing, or begin a request and stop."""
        for number in range(connections):
            with suppress(OSError):
                plain = socket.create_connection(("127.0.0.1", self.page_port), timeout=0.5)
                stack.callback(plain.close)
                if number % 3 == 0:
                    plain.send(b"\x16\x03\x01")

    def page_answers(self) -> bool:
        """Return whether the page answers a request."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with (
                socket.create_connection(("127.0.0.1", self.page_port), timeout=3) as plain,
                context.wrap_socket(plain) as page,
            ):
                page.sendall(b"GET /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return page.recv(64).startswith(b"HTTP/1.1")
        except OSError:
            return False

    def _press(self, reader: str, keys: str) -> None:
        data = b"".join(
            EVENT.pack(0, 0, 1, CODES[key], value) for key in keys for value in (PRESSED, RELEASED)
        )
        with suppress(BlockingIOError):  # nobody has read for long: the door is down
            os.write(self.readers[reader], data)


class Service:
    """Keeps `facegate run` alive as systemd does: a second after each end it starts again."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._stopping = threading.Event()
        self.starts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(site.home / "door-notify"))
        self._notify.settimeout(0.1)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="service", daemon=True)
        self._thread.start()

    def wait_ready(self) -> None:
        """Wait until the door says READY. Raises AssertionError after a while."""
        assert self._ready.wait(READY_SECONDS), (self._site.home / "log").read_text()[-3000:]

    def strike(self, blow: signal.Signals) -> None:
        """Send the door's process a signal."""
        assert self.process is not None
        if blow in (signal.SIGKILL, signal.SIGTERM):
            self._ready.clear()
        self.process.send_signal(blow)

    def page_pid(self) -> int | None:
        """Return the process that serves the page, None when there is none."""
        assert self.process is not None
        for task in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            with suppress(OSError):
                if pids := task.read_text().split():
                    return int(pids[0])
        return None

    def close(self) -> None:
        """Stop the door for good, cleanly."""
        self._stopping.set()
        self._thread.join(60)
        self._notify.close()

    def _keep(self) -> None:
        site = self._site
        environ = site.card.environ(
            NOTIFY_SOCKET=str(site.home / "door-notify"),
            RUNTIME_DIRECTORY=str(site.home / "run"),
            OMP_NUM_THREADS="1",
        )
        while not self._stopping.is_set():
            with (site.home / "log").open("ab") as log:
                command = [sys.executable, "-m", "edge.cli", "run", "--config", str(site.config)]
                self.process = subprocess.Popen(command, env=environ, stderr=log, cwd=ROOT)
            self.starts += 1
            self._watch(self.process)
            self._ready.clear()
            self._stopping.wait(1.0)

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None:
            if self._stopping.is_set():
                process.terminate()
            with suppress(TimeoutError):
                if b"READY=1" in self._notify.recv(4096):
                    self._ready.set()


def _give_pins(data: Path) -> None:
    book = PinBook(file_key(data / PIN_KEY_FILE))
    for number, who in enumerate(PEOPLE):
        book = book.with_pin(str(101 + number), who, PIN)
    rows = [PinRow(one.number, one.resident_id, one.is_duress, one.digest) for one in book.entries]
    with closing(CredentialStore(data / CREDENTIALS_FILE)) as store:
        for row in rows:
            store.put_pin(row)


def _record_nothing(path: Path) -> None:
    """Write a clip of an empty gate."""
    rng = np.random.default_rng(1)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5.0, (160, 120))
    for _ in range(25):
        video.write(rng.integers(90, 150, (120, 160, 3)).astype(np.uint8))
    video.release()


def _pipe(path: Path) -> int:
    os.mkfifo(path)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK)


def _outbox(data: Path) -> SqliteOutbox:
    return SqliteOutbox(data / "journal.db")
