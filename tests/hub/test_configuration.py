"""Settings from the hub to a door and back, with a real broker; what a door says of itself is kept."""

import json
from functools import partial

import pytest

from edge.broker.settings import BrokerSettings, Tls
from edge.config.settings import Settings
from edge.errors import SyncError
from edge.runtime.clock import SystemClock
from edge.service.property.configuration import Configuration
from edge.site.provision import Site, load_trusted_keys
from edge.sync.configuration import ConfigurationFollower
from edge.wire.configuration import Reported
from facegate_hub.configuration import Configurations
from facegate_hub.database_urls import database_url
from facegate_hub.service import Hub
from facegate_hub.tables import open_tables
from tests.hub.test_hub import WholeDoor, staff
from tests.loopback import free_port
from tests.sync.broker import Broker
from tests.sync.doors import Door, Eager
from tests.waiting import wait_until

FILE = Settings.model_validate(
    {"door": {"id": "front"}, "camera": {"source": "0"}, "lock": {"driver": "dry-run"}}
)


class ConfiguredDoor:
    """A door that only keeps its settings."""

    def __init__(self, folder, site, port):
        folder.mkdir(exist_ok=True)
        bundle = site / "doors" / "front"
        tls = Tls(bundle / "ca.crt", bundle / "door.crt", bundle / "door.key")
        settings = BrokerSettings("127.0.0.1", "front", port, tls=tls)
        keys = load_trusted_keys(bundle / "trusted-keys.json")
        self.configuration = Configuration(FILE, folder / "configuration.json")
        self.clerk = ConfigurationFollower(settings, keys, self.configuration, self.append, SystemClock())
        self.door = Door(folder, port, device="front", others=[self.clerk], tls=tls)

    def append(self, draft):
        return self.door.journal.append(draft)

    def __enter__(self):
        self.clerk.start()
        self.door.__enter__()
        return self

    def __exit__(self, *exception):
        self.door.__exit__(*exception)
        self.clerk.stop()


@pytest.fixture
def place(tmp_path):
    site, port = tmp_path / "site", free_port()
    made = Site.create(site, "Test", "127.0.0.1", port)
    made.add_door("front")
    with Broker.of_site(site, port):
        yield site, port


@pytest.fixture
def hub(place):
    running = Hub(place[0], database_url(place[0]), rng=Eager())
    running.start()
    yield running
    running.stop()


@pytest.mark.broker
def test_a_setting_is_changed_shown_refused_and_taken_back(tmp_path, place, hub):
    with ConfiguredDoor(tmp_path / "front", *place) as front:
        code, text = staff(place, "config", "set", "front", "lock.unlock_seconds=8", "held.alarm_seconds=20")
        assert (code, text.strip()) == (0, "front: revision 1 counts")
        assert front.configuration.now.lock.unlock_seconds == 8

        code, text = staff(place, "config", "set", "front", "recognition.fpir=0.01")
        assert code == 1
        assert "at most the installer's 0.001" in text
        shown = staff(place, "config", "show", "front")[1]
        assert "refused: recognition.fpir" in shown
        assert "wanted: 0.01" in shown

        staff(place, "config", "set", "front", "recognition.fpir=0.0005", "--reset", "held.alarm_seconds")
        shown = staff(place, "config", "show", "front")[1]
        assert "from the next start" in shown
        assert "refused" not in shown
        assert front.configuration.now.lock.unlock_seconds == 8


@pytest.mark.broker
def test_a_door_that_was_away_finds_its_settings_at_the_broker(tmp_path, place, hub):
    approve = partial(hub.signer.approve_settings, about={})
    Configurations(hub.engine).change("front", {"lock.unlock_seconds": 9}, approve=approve)
    assert "the door has not said anything yet" in staff(place, "config", "show", "front")[1]
    with ConfiguredDoor(tmp_path / "front", *place) as front:
        wait_until(lambda: front.configuration.now.lock.unlock_seconds == 9)
        wait_until(lambda: Configurations(hub.engine).view("front").reported)


@pytest.mark.broker
def test_what_a_door_answers_to_diagnostics_is_shown_and_kept(tmp_path, place, hub):
    with WholeDoor(tmp_path / "front", place[0], "front", place[1]):
        code, text = staff(place, "diagnostics", "front")
        assert (code, json.loads(text)["device"]) == (0, "front")
    kept = json.loads(staff(place, "diagnostics", "front", "--last")[1])
    assert kept == json.loads(text)
    assert staff(place, "diagnostics", "back", "--last")[0] == 1


@pytest.fixture
def wishes(tmp_path):
    engine = open_tables(f"sqlite:///{tmp_path / 'hub.db'}")
    yield Configurations(engine)
    engine.dispose()


@pytest.mark.parametrize("told", [7, 2**53 - 1])
def test_revisions_grow_and_after_a_lost_database_are_above_all_that_were_counted(wishes, told):
    """By the hub's time: what a door claims is not signed back to it."""
    wishes._now = lambda: 1_800_000_000.5
    assert wishes.change("front", {"lock.unlock_seconds": 8}) == 1
    assert wishes.change("front", {"lock.unlock_seconds": 7}) == 2
    wishes.note("front", Reported(told, {}).encode())  # of a hub before this one
    assert wishes.change("front", {"journal.keep_days": 30}, ["lock.unlock_seconds"]) == 1_800_000_000
    assert wishes.change("front", {"journal.keep_days": 31}) == 1_800_000_001
    assert wishes.view("front").wanted == {"journal.keep_days": 31}


@pytest.mark.parametrize(
    ("device", "values"),
    [("front", {"fpir": 1}), ("front", {"a.b": "x" * 65}), ("../x", {"a.b": 1}), ("hub", {"a.b": 1})],
)
def test_what_can_be_no_setting_or_no_door_is_refused(wishes, device, values):
    with pytest.raises(SyncError):
        wishes.change(device, values)
    assert wishes.revisions() == {}
