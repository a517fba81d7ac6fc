"""A real mosquitto on loopback: started, killed, stopped and started again by tests."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.loopback import free_port
from tests.present import present
from tests.sync.wire import Recorder
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage


def mosquitto():
    """Return the path of mosquitto, or skip; in CI its absence is a failure."""
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        reason = "mosquitto is not installed (Debian package mosquitto)"
        pytest.fail(reason) if os.environ.get("FACEGATE_CI") else pytest.skip(reason)
    return found


def is_open(port):
    """Say whether somebody accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except OSError:
        return False
    return True


class Broker:
    """One mosquitto of our own, with default persistence, killed by pid and nothing else.

    It has a second listener, for the recorder that reads all that passes (`tests.sync.wire`).
    """

    def __init__(self, folder: Path, extra: str = "", anonymous: bool = True, listener: str = ""):
        self.port = free_port()
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self._recorder: Recorder | None = None
        self._recorders_port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self._configure(
            f"listener {self.port} 127.0.0.1\n{listener}\nallow_anonymous {str(anonymous).lower()}\n"
            f"persistence true\npersistence_location {folder}/\n{extra}\n"
        )

    @classmethod
    def of_site(cls, site, port):
        """Return the broker that `facegate provision` configured in this folder."""
        broker = cls(site / "run")
        broker.port = port
        broker._configure((site / "broker" / "mosquitto.conf").read_text())
        return broker

    def _configure(self, text):
        # Started as root it would drop to an account that cannot enter pytest's private folders.
        user = "user root\n" if os.getuid() == 0 else ""
        recorder = f"listener {self._recorders_port} 127.0.0.1\nallow_anonymous true\n"
        (self.folder / "mosquitto.conf").write_text(f"per_listener_settings true\n{user}{text}{recorder}")

    def start(self):
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [mosquitto(), "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log
        )
        log.close()
        wait_until(self._accepts, f"mosquitto accepts; see {self.folder / 'log'}")
        if "PYTEST_CURRENT_TEST" in os.environ:  # measurements run outside of it, without a second reader
            self._recorder = Recorder(self._recorders_port, self.folder)
        return self

    def _accepts(self):
        """Say whether both listeners are there: mosquitto opens them one after the other."""
        return is_open(self.port) and is_open(self._recorders_port)

    def send(self, number):
        present(self.process).send_signal(number)

    def kill(self, number=signal.SIGKILL):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            if self._recorder and number != signal.SIGKILL:
                self._recorder.finish()
            present(self.process).send_signal(number)
            self.process.wait(PATIENCE)
            self.process = None
            if self._recorder:
                self._recorder.stop()
                self._recorder = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill(signal.SIGTERM)


class Listener:
    """A plain client that remembers every message; the property's side in tests."""

    def __init__(self, port, *topics, client_id="listener", prepare=lambda client: None):
        self.messages: list[MQTTMessage] = []
        self.ready = False
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
        self._topics = topics
        self.client.on_connect = self._subscribe
        self.client.on_subscribe = lambda *_: setattr(self, "ready", True)
        self.client.on_message = lambda _c, _u, message: self.messages.append(message)
        prepare(self.client)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        wait_until(lambda: self.ready, "subscribed")

    def _subscribe(self, client, *_):
        client.subscribe([(topic, 1) for topic in self._topics])

    def payloads(self, topic):
        return [message.payload for message in list(self.messages) if message.topic == topic]

    def publish(self, topic, payload, **options):
        self.client.publish(topic, payload, qos=1, **options).wait_for_publish(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()
