"""What Home Assistant is told: only keys it documents, only topics the door has, real states."""

from __future__ import annotations

import json
import re

import pytest

from edge.sync.discovery import EVENTS, Announcer, discovery
from edge.sync.settings import Ack, BrokerSettings
from tests.sync.broker import Broker, Listener, wait_until
from tests.sync.doors import Door

SETTINGS = BrokerSettings("127.0.0.1", "door-1")
COMMON = {"name", "unique_id", "qos", "device", "origin", "value_template", "state_topic"}
COMMON |= {"availability_topic", "availability_template", "payload_available", "payload_not_available"}
DOCUMENTED = {
    "lock": COMMON
    | {"command_topic", "optimistic", "state_locked", "state_unlocked", "state_jammed", "payload_unlock"},
    "binary_sensor": COMMON | {"device_class", "payload_on", "payload_off"},
    "event": COMMON | {"device_class", "event_types"},
}
REQUIRED = {
    "lock": {"command_topic"},
    "binary_sensor": {"state_topic"},
    "event": {"state_topic", "event_types"},
}
DEVICE = {"identifiers", "name", "manufacturer", "model", "sw_version", "via_device"}
TOPIC = re.compile(r"homeassistant/(\w+)/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config")
STATE = {
    "camera": "ok",
    "model": "m",
    "door": {"contact": "closed", "lock": "locked", "alarms": []},
}


def entities(settings=SETTINGS):
    """Return {(component, name): fields}."""
    found = {}
    for topic, payload in discovery(settings, "1.2"):
        found[TOPIC.fullmatch(topic)[1], topic.split("/")[3]] = json.loads(payload)
    return found


@pytest.mark.parametrize("entity", sorted(entities()))
def test_each_entity_has_the_documented_keys_and_no_others(entity):
    fields, component = entities()[entity], entity[0]
    assert REQUIRED[component] | {"unique_id", "device"} <= set(fields) <= DOCUMENTED[component]
    assert set(fields["device"]) <= DEVICE
    assert fields["device"]["identifiers"]
    assert fields["availability_topic"] == "facegate/v1/door-1/avail"


def test_there_is_a_lock_a_door_a_problem_a_tamper_and_an_event():
    assert sorted(entities()) == [
        ("binary_sensor", "door"),
        ("binary_sensor", "problem"),
        ("binary_sensor", "tamper"),
        ("event", "event"),
        ("lock", "lock"),
    ]
    assert len({fields["unique_id"] for fields in entities().values()}) == 5


def test_any_door_id_makes_a_topic_home_assistant_reads_and_no_two_share_one():
    topics = [
        topic
        for device in ("a.b", "a_b", "a-b", "a_.b", "a._b", "a__b")
        for topic, _ in discovery(BrokerSettings("127.0.0.1", device), "1")
    ]
    assert all(TOPIC.fullmatch(topic) for topic in topics)
    assert len(set(topics)) == len(topics)


def rendered(entity, value):
    """Render a value template as Home Assistant does: Jinja with `to_json`."""
    jinja2 = pytest.importorskip("jinja2")
    environment = jinja2.Environment(autoescape=False)
    environment.filters["to_json"] = json.dumps
    return environment.from_string(entities()[entity]["value_template"]).render(value_json=value)


@pytest.mark.parametrize(
    ("name", "change", "word"),
    [
        (("lock", "lock"), {}, "LOCKED"),
        (("lock", "lock"), {"door": {"lock": "unlocked"}}, "UNLOCKED"),
        (("lock", "lock"), {"door": {"lock": "lock_fault"}}, "JAMMED"),
        (("binary_sensor", "door"), {}, "OFF"),
        (("binary_sensor", "door"), {"door": {"contact": "opened"}}, "ON"),
        (("binary_sensor", "door"), {"door": {"contact": "unknown"}}, "None"),
        (("binary_sensor", "problem"), {}, "OFF"),
        (("binary_sensor", "problem"), {"camera": "lost"}, "ON"),
        (("binary_sensor", "problem"), {"model": None}, "ON"),
        (("binary_sensor", "tamper"), {}, "OFF"),
        (("binary_sensor", "tamper"), {"door": {"alarms": ["tamper"]}}, "ON"),
    ],
)
def test_the_templates_say_what_the_state_says(name, change, word):
    assert rendered(name, STATE | change) == word


def test_the_event_entity_takes_one_event_or_the_last_of_several_and_no_unknown_type():
    event = {"type": "access.granted", "resident": "anna", "reason": "granted", "seq": 1}
    for value in (event, [event | {"type": "door.opened"}, event]):
        shown = json.loads(rendered(("event", "event"), value))
        assert shown == {"event_type": "access.granted", "resident": "anna", "reason": "granted"}
    assert rendered(("event", "event"), event | {"type": "health.camera"}) == ""
    assert set(entities()["event", "event"]["event_types"]) == set(EVENTS)


@pytest.mark.broker
def test_a_broker_that_refuses_them_takes_the_events_all_the_same(tmp_path, caplog):
    (tmp_path / "acl").write_text("topic readwrite facegate/#\n")
    announcer = Announcer(discovery(SETTINGS, "1.2"))
    with (
        Broker(tmp_path / "broker", f"acl_file {tmp_path}/acl") as broker,
        Door(tmp_path, broker.port, Ack.BROKER, others=[announcer]) as door,
    ):
        door.happen(3)
        wait_until(lambda: door.outbox.done_upto() == 3)
        assert door.publisher.status().problem is None
    assert "refused our events" not in caplog.text


@pytest.mark.broker
def test_they_are_left_at_the_broker(tmp_path):
    with (
        Broker(tmp_path / "broker") as broker,
        Door(tmp_path, broker.port, others=[Announcer(discovery(SETTINGS, "1.2"))]) as door,
    ):
        wait_until(lambda: door.publisher.status().link.connected)
        with Listener(broker.port, "homeassistant/#", client_id="assistant") as assistant:
            wait_until(lambda: len(assistant.messages) == 5)
            assert all(message.retain for message in assistant.messages)
