"""One door is hostile at full speed: what does another door feel, and what does the hub's memory do?

As a command: python -m tests.hub.flood [--seconds 600]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.sync.broker import Broker
from tests.sync.doors import Door
from tests.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
PAUSE_SECONDS = 0.005
"""Between two messages of the hostile door; a broker on the same core takes no more."""


def hostile(number):
    """Return the `number`th message: many events, a new journal each, deep nesting, another hash."""
    head = {"v": 1, "seq": number + 1, "type": "a.b", "prev": "p", "hash": f"h{number}"}
    match number % 4:
        case 0:
            size = 500 if number % 8 else 1000
            return json.dumps([{**head, "stream": "flood", "seq": number + k} for k in range(size)])
        case 1:
            return json.dumps({**head, "stream": f"s{number}"})
        case 2:
            depth = 900 + number % 100
            return json.dumps({**head, "stream": "deep"})[:-1] + f', "data": {"[" * depth}{"]" * depth}}}'
        case _:
            return json.dumps({**head, "stream": "again", "seq": 1})


class Flood(threading.Thread):
    """Sends without waiting for anybody until told to end."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.ended, self.count = threading.Event(), 0
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="evil", protocol=mqtt.MQTTv5)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def run(self):
        while not self.ended.wait(PAUSE_SECONDS):
            self.client.publish("facegate/v1/evil/evt", hostile(self.count), qos=0)
            self.count += 1
        self.client.disconnect()
        self.client.loop_stop()


def memory_mb(pid):
    """Return the resident memory of a process in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def measure(door, seconds, pid):
    """Return (delays of single events in seconds, most memory in MB)."""
    delays, most, end = [], 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        door.happen(1)
        wait_until(lambda: door.outbox.done_upto() == door.outbox.newest(), "the event is stored")
        delays.append(time.monotonic() - began)
        most = max(most, memory_mb(pid))
        time.sleep(0.05)
    return delays, most


def line(what, delays, most):
    """Write one line of figures."""
    delays = sorted(delays)
    worst = delays[int(len(delays) * 0.99)]
    middle = statistics.median(delays)
    sys.stdout.write(
        f"{what}: {len(delays)} events, median {middle:.2f} s, 99 % {worst:.2f} s, most {delays[-1]:.2f} s, "
        f"hub {most:.0f} MB\n"
    )
    sys.stdout.flush()
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(Broker(folder / "broker", "max_packet_size 1048576"))
        words = [sys.executable, "-m", "tests.hub.sink", str(folder / "hub.db"), str(broker.port), "0"]
        hub = subprocess.Popen(words, cwd=ROOT)
        stack.callback(hub.wait, 10)
        stack.callback(hub.kill)
        (folder / "honest").mkdir()
        door = stack.enter_context(Door(folder / "honest", broker.port, device="honest"))
        line("quiet", *measure(door, 10, hub.pid))
        flood = Flood(broker.port)
        flood.start()
        worst = line("flooded", *measure(door, options.seconds, hub.pid))
        flood.ended.set()
        flood.join(PATIENCE)
        sys.stdout.write(f"{flood.count} hostile messages\n")
    return 0 if worst <= 1.0 else 1


if __name__ == "__main__":
    sys.exit(main())
