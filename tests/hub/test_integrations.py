"""Other programs of a house, with a real broker: what they may ask, and what they are told."""

import json
import signal
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.errors import ConfigError
from edge.site.integrations import IntegrationGrant, Integrations, load_grant
from edge.site.provision import Site
from edge.wire.commands import CommandType
from facegate_hub.database_urls import database_url
from facegate_hub.service import Hub
from tests.hub.test_hub import WholeDoor
from tests.loopback import free_port
from tests.present import present
from tests.sync.broker import Broker, Listener
from tests.sync.doors import Eager
from tests.waiting import wait_until

ASK, ANSWER = "facegate/v1/ask/home", "facegate/v1/answer/home"


def provision(folder, *words):
    result = CliRunner().invoke(app, ["provision", "integration", str(folder), *words])
    assert result.exit_code == 0, result.output
    return result.output


def ask(number=1, door="front", do="unlock", seconds=0.0, **more):
    """Return an ask as a program writes it, `seconds` ago."""
    at = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
    return json.dumps({"v": 1, "id": f"press-{number:04}", "door": door, "do": do} | {"at": at} | more)


class Program(Listener):
    """An integration at the broker, with its certificate."""

    def __init__(self, site, port, name="home"):
        bundle = site / "integrations" / name
        super().__init__(
            port,
            f"facegate/v1/answer/{name}",
            "facegate/v1/+/evt",
            "facegate/v1/+/state",
            "facegate/v1/+/cmd",
            "homeassistant/#",
            client_id=f"app.{name}",
            prepare=lambda client: client.tls_set(
                str(bundle / "ca.crt"), str(bundle / "client.crt"), str(bundle / "client.key")
            ),
        )

    def answers(self):
        return [json.loads(payload) for payload in self.payloads(ANSWER)]

    def asks(self, payload, **options):
        """Ask and return the answer."""
        before = len(self.answers())
        self.publish(ASK, payload, **options)
        wait_until(lambda: len(self.answers()) > before)
        return self.answers()[-1]


@pytest.fixture
def place(tmp_path):
    port = free_port()
    site = Site.create(tmp_path / "site", "Hill House", "127.0.0.1", port)
    site.add_door("front")
    site.add_door("back")
    return tmp_path / "site", port


@pytest.fixture
def running(tmp_path, place):
    """A broker, a hub and a door of a site that was provisioned for one program."""
    folder, port = place
    provision(folder, "home", "--door", "front", "--may", "unlock", "--per-minute", "4", "--home-assistant")
    with Broker.of_site(folder, port):
        hub = Hub(folder, database_url(folder), rng=Eager())
        hub.start()
        wait_until(lambda: hub.client.status().connected)
        with WholeDoor(tmp_path / "front", folder, "front", port) as door, Program(folder, port) as program:
            yield hub, door, program
        hub.stop()


@pytest.mark.broker
@pytest.mark.nonsense
def test_it_opens_its_door_hears_what_happened_and_nothing_else(running):
    hub, door, program = running
    told = program.asks(ask(1, args={"seconds": 5}))
    assert (told["id"], told["status"], told["text"]) == (
        "press-0001",
        "done",
        "unlocked, opened after 2.1 s",
    )
    assert door.executed == [(CommandType.UNLOCK, "app.home", {"seconds": 5.0})]
    for payload, why in (
        (ask(1), "was asked before"),
        (ask(2, seconds=60), "asked 60 s ago"),
        (ask(3, seconds=-60), "asked -60 s ago"),
        (ask(4, door="back"), "does not have the right “unlock” at back"),
        (ask(5, do="lockdown"), "does not have the right “lockdown”"),
        (ask(6, do="challenge"), "do must be"),
        (ask(7, door="nowhere"), "does not have the right “unlock”"),
        ("UNLOCK", "not JSON"),
        ("", "not JSON"),
        ("[" * 5000, "not JSON"),
        (json.dumps({"id": "press-0008", "door": "front"}), "needs "),
        (ask(9, at="2026-03-01T08:00:00"), "with its zone"),
        (json.dumps({"id": 8, "door": "front\n"}), "needs "),
    ):
        refused = program.asks(payload)
        if "press-" in payload:  # a program finds its answer by the id, also where something else was wrong
            assert (refused["id"], refused["door"]) == tuple(
                json.loads(payload)[one] for one in ("id", "door")
            )
        assert refused["status"] == "refused", payload
        assert why in refused["text"], (refused, why)
    assert len(door.executed) == 1
    records = [json.loads(one.about) for one in hub.signer.audit(50)[0] if one.by == "app.home"]
    assert {"unlock", "lockdown"} <= {one.get("type") for one in records}
    assert program.payloads("facegate/v1/front/cmd") == []
    wait_until(lambda: program.payloads("facegate/v1/front/evt"))


@pytest.mark.broker
def test_it_asks_no_more_often_than_it_may(running):
    _, door, program = running
    found = [program.asks(ask(number))["status"] for number in range(6)]
    assert found == ["done"] * 4 + ["refused"] * 2
    assert len(door.executed) == 4


@pytest.mark.broker
def test_what_the_broker_kept_opens_nothing(tmp_path, place):
    """An ask that lay there while the hub was away."""
    folder, port = place
    provision(folder, "home", "--door", "front", "--may", "unlock")
    with Broker.of_site(folder, port), Program(folder, port) as program:
        program.publish(ASK, ask(1), retain=True)
        hub = Hub(folder, database_url(folder), rng=Eager())
        hub.start()
        wait_until(program.answers)
        assert "kept by the broker" in program.answers()[0]["text"]
        hub.stop()


@pytest.mark.broker
def test_an_ask_published_with_retain_opens_once_whoever_comes_back(tmp_path, place):
    """The broker clears the flag for a hub that listens, and sends the same ask again at each connection."""
    folder, port = place
    provision(folder, "home", "--door", "front", "--may", "unlock")
    with Broker.of_site(folder, port) as broker:
        hub = Hub(folder, database_url(folder), rng=Eager())
        hub.start()
        wait_until(lambda: hub.client.status().connected)
        with WholeDoor(tmp_path / "front", folder, "front", port) as door, Program(folder, port) as program:
            first = ask(1)
            assert program.asks(first, retain=True)["status"] == "done"
            program.ready = False
            broker.kill(signal.SIGTERM)
            broker.start()
            wait_until(lambda: program.ready and hub.client.status().connected)
            hub.stop()
            before = len(program.answers())
            hub = Hub(folder, database_url(folder), rng=Eager())
            hub.start()
            wait_until(lambda: len(program.answers()) > before)
            assert "kept by the broker" in program.answers()[-1]["text"]
            # What somebody has recorded and sends without the flag is known by its id, also after a restart.
            assert "was asked before" in program.asks(first)["text"]
            # Answers come in the order of the asks: what was kept would have opened before this one.
            assert program.asks(ask(2))["status"] == "done"
            assert len(door.executed) == 2
        hub.stop()


@pytest.mark.broker
def test_home_assistant_is_told_of_a_lock_only_where_it_may_open(tmp_path, place, running):
    _, _, program = running

    def shown():
        latest = {message.topic: message.payload for message in list(program.messages)}
        return {topic for topic, payload in latest.items() if topic.startswith("homeassistant/") and payload}

    lock = "homeassistant/lock/facegate-front/lock/config"
    wait_until(lambda: lock in shown())
    fields = json.loads(program.payloads(lock)[-1])
    assert fields["command_topic"] == ASK
    provision(place[0], "home", "--door", "front", "--home-assistant")
    wait_until(lambda: lock not in shown())
    assert "homeassistant/binary_sensor/facegate-front/door/config" in shown()
    provision(place[0], "home", "--door", "front")
    wait_until(lambda: shown() == set())


def test_ending_it_revokes_its_certificate_and_its_grant(place):
    folder, _ = place
    assert "client.key" in provision(folder, "home", "--door", "front", "--may", "unlock,acknowledge_alarm")
    acl = (folder / "broker" / "acl").read_text()
    assert "user app.home\ntopic read facegate/v1/front/evt\n" in acl
    assert "topic write facegate/v1/ask/home\n" in acl
    assert present(load_grant(folder, "home")).per_minute == 6
    before = (folder / "broker" / "crl.pem").read_bytes()
    assert "ended" in provision(folder, "home", "--end")
    assert "app.home" not in (folder / "broker" / "acl").read_text()
    assert load_grant(folder, "home") is None
    assert (folder / "broker" / "crl.pem").read_bytes() != before
    assert "client.key" in provision(folder, "home", "--door", "back")
    assert "ask/home" not in (folder / "broker" / "acl").read_text(), "it only reads"


@pytest.mark.parametrize("name", ["", "a/b", "../x", "A", "x" * 41, "+", "#", "a b", "a\nuser hub"])
def test_names_that_could_be_something_else_are_refused(place, name):
    with pytest.raises(ConfigError):
        Integrations(place[0]).add(IntegrationGrant(name, ("front",)))
    assert load_grant(place[0], name) is None


@pytest.mark.parametrize(
    "grant",
    [
        {"doors": ("front\ntopic readwrite #",)},
        {"doors": ("#",)},
        {"doors": ("+",)},
        {"doors": ()},
        {"doors": ("front",), "may": ("challenge",)},
        {"doors": ("front",), "home_assistant": "a/#"},
    ],
)
def test_grants_that_would_say_something_else_to_the_broker_are_refused(place, grant):
    with pytest.raises(ConfigError):
        Integrations(place[0]).add(IntegrationGrant("home", **grant))
    assert not (place[0] / "integrations" / "home" / "client.key").exists()


def test_hours_that_cannot_be_are_refused_before_anything_is_made(place):
    words = ["provision", "integration", str(place[0]), "home", "--door", "front", "--hours", "always"]
    assert CliRunner().invoke(app, words).exit_code != 0
    assert not (place[0] / "integrations").exists()


def test_a_door_that_is_not_there_is_refused_with_those_that_are(place):
    words = ["provision", "integration", str(place[0]), "home", "--door", "frnt"]
    assert "it has back, front" in str(CliRunner().invoke(app, words).exception)
    assert not (place[0] / "integrations").exists()


@pytest.mark.parametrize("door", ["app.home", "ask", "answer"])
def test_no_door_has_the_name_of_a_program(place, door):
    with pytest.raises(ConfigError, match="not 'hub'"):
        Site(place[0]).add_door(door)
