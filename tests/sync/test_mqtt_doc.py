"""The copy-and-paste lines of docs/mqtt.md do what the page says."""

import re
import subprocess
from pathlib import Path

import pytest

from edge.errors import SyncError
from edge.wire.commands import CommandType
from edge.wire.messages import EventAck
from tests.sync.broker import Broker
from tests.sync.doors import Door
from tests.waiting import PATIENCE, wait_until

PAGE = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text()
LINES = re.findall(r"```sh\n(mosquitto_.+)\n```", PAGE)


def adapted(line, port, stream=""):
    return line.replace("-p 1883", f"-p {port}").replace("STREAM", stream)


@pytest.mark.broker
def test_the_lines_of_the_page_work(tmp_path):
    """Watch an event, see the availability, acknowledge by hand."""
    with Broker(tmp_path / "broker") as broker, Door(tmp_path, broker.port, device="front") as door:
        watch, there, acknowledge = (adapted(line, broker.port, door.journal.stream) for line in LINES)
        wait_until(lambda: door.publisher.status().link.connected)
        with subprocess.Popen(watch, shell=True, stdout=subprocess.PIPE, text=True) as watcher:
            door.happen(1)  # sent again after a silence, should the watcher come late
            assert '"type":"access.granted"' in watcher.communicate(timeout=PATIENCE)[0]
        seen = subprocess.run(
            there, shell=True, capture_output=True, text=True, timeout=PATIENCE, check=True
        ).stdout
        assert '"state": "online"' in seen
        subprocess.run(acknowledge, shell=True, timeout=PATIENCE, check=True)
        wait_until(lambda: door.outbox.done_upto() == 1)


def test_every_command_is_on_the_page():
    """And the acknowledgement's shape is the one that is parsed."""
    assert all(f"`{kind}`" in PAGE for kind in CommandType)
    with pytest.raises(SyncError):
        EventAck.parse(b"{}")
