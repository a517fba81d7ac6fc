"""What Home Assistant is told: only keys it documents, only topics the door has, real states."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.broker.settings import Ack
from edge.sync.announcer import FILE, Announcer, announcer
from edge.wire.asks import ProgramAsk
from edge.wire.discovery import DIAGNOSTICS, EVENTS, Announced, discovery, removal
from tests.present import present
from tests.sync.broker import Broker, Listener
from tests.sync.doors import Door
from tests.waiting import PATIENCE, wait_until

DOOR = Announced("door-1", "1.2")
ASKING = Announced("door-1", "1.2", name="Front door", area="House 3", asking="home")
COMMON = {"name", "unique_id", "qos", "device", "origin", "value_template", "state_topic"}
COMMON |= {"availability_topic", "availability_template", "payload_available", "payload_not_available"}
DOCUMENTED = {
    "lock": COMMON
    | {"command_topic", "command_template", "optimistic", "state_locked", "state_unlocked", "state_jammed"},
    "binary_sensor": COMMON | {"device_class", "payload_on", "payload_off"},
    "sensor": COMMON | {"device_class", "entity_category"},
    "button": (COMMON - {"state_topic", "value_template"}) | {"command_topic", "command_template"},
    "event": COMMON | {"device_class", "event_types"},
}
REQUIRED = {
    "lock": {"command_topic"},
    "binary_sensor": {"state_topic"},
    "sensor": {"state_topic"},
    "button": {"command_topic"},
    "event": {"state_topic", "event_types"},
}
DEVICE = {"identifiers", "name", "manufacturer", "model", "sw_version", "suggested_area"}
TOPIC = re.compile(r"homeassistant/(\w+)/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config")
STATE = {
    "camera": "ok",
    "model": "m",
    "mode": "normal",
    "door": {"contact": "closed", "lock": "locked", "alarms": []},
}


def entities(door=ASKING):
    """Return {(component, name): fields}; of a door that somebody may open by default."""
    found = {}
    for topic, payload in discovery(door):
        found[present(TOPIC.fullmatch(topic))[1], topic.split("/")[3]] = json.loads(payload)
    return found


@pytest.mark.parametrize("entity", sorted(entities()))
def test_each_entity_has_the_documented_keys_and_no_others(entity):
    fields, component = entities()[entity], entity[0]
    assert REQUIRED[component] | {"unique_id", "device"} <= set(fields) <= DOCUMENTED[component]
    assert set(fields["device"]) <= DEVICE
    assert fields["device"]["identifiers"]
    assert fields["availability_topic"] == "facegate/v1/door-1/avail"


def asked(script, given):
    """Return what a script says that runs with Home Assistant's own code."""
    home = Path(sys.prefix) / "share" / "home-assistant"
    if (home / "unavailable").is_file():
        pytest.skip((home / "unavailable").read_text(encoding="utf-8"))
    if not (home / "homeassistant").is_dir():
        reason = f"{home} is missing; run: tools/home-assistant {home} {sys.executable}"
        pytest.fail(reason) if os.environ.get("FACEGATE_CI") else pytest.skip(reason)
    result = subprocess.run(
        [sys.executable, str(Path(__file__).parent / script)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def judged(payloads):
    """Return what Home Assistant's own schemas have against [component, payload] pairs."""
    return asked("home_assistant.py", payloads).splitlines()


def shown(entity, *sent):
    """Return what an event entity of Home Assistant's own makes of payloads that come one after the other."""
    template = entities()["event", entity]["value_template"]
    return json.loads(asked("home_assistant_templates.py", {"template": template, "sent": list(sent)}))


def test_home_assistants_own_schemas_take_them_and_would_refuse_others():
    """Those of its release 2024.3, the last for Python 3.11."""
    good = [[component, fields] for (component, _), fields in entities().items()]
    assert judged(good) == []
    lock = entities()["lock", "lock"]
    wrong = [
        ["lock", {name: value for name, value in lock.items() if name != "command_topic"}],
        ["lock", lock | {"value_template": "{{ 'unclosed' "}],
        ["lock", lock | {"colour": "green"}],
        ["binary_sensor", entities()["binary_sensor", "door"] | {"device_class": "gate"}],
        ["event", entities()["event", "event"] | {"state_topic": "facegate/#/evt"}],
    ]
    assert [line.split(":")[0] for line in judged(wrong)] == ["lock"] * 3 + ["binary_sensor", "event"]


def sandbox():
    """Return Jinja as Home Assistant has it: a sandbox, which refuses more than plain Jinja does."""
    return pytest.importorskip("jinja2.sandbox").ImmutableSandboxedEnvironment(autoescape=False)


def test_nothing_can_be_pressed_without_a_grant():
    """No lock that pretends: what it is, a sensor says."""
    assert [name for name, fields in entities(DOOR).items() if "command_topic" in fields] == []
    assert {"lock", "button"} & {component for component, _ in entities(DOOR)} == set()
    pressable = {name for name, fields in entities().items() if "command_topic" in fields}
    assert pressable == {("lock", "lock"), ("button", "open")}
    assert {entities()[name]["command_topic"] for name in pressable} == {"facegate/v1/ask/home"}


@pytest.mark.parametrize(("entity", "value"), [(("lock", "lock"), "UNLOCK"), (("button", "open"), "PRESS")])
def test_what_is_pressed_is_an_ask_of_now_with_an_id_of_its_own(entity, value):
    environment = sandbox()
    environment.globals["utcnow"] = lambda: datetime.now(UTC)
    template = environment.from_string(entities()[entity]["command_template"])
    asks = [ProgramAsk.parse(template.render(value=value).encode()) for _ in range(2)]
    assert [(ask.door, ask.do) for ask in asks] == [("door-1", "unlock")] * 2
    assert asks[0].id != asks[1].id
    if entity[0] == "lock":
        assert template.render(value="LOCK") == ""


def test_a_door_has_what_people_and_those_who_keep_it_want_to_see():
    shown = {*entities(DOOR)}
    assert shown == {
        ("sensor", "lock_state"),
        ("binary_sensor", "door"),
        ("binary_sensor", "face_unlock"),
        ("binary_sensor", "problem"),
        ("binary_sensor", "tamper"),
        ("event", "event"),
        ("event", "bell"),
        *(("sensor", name) for name in DIAGNOSTICS),
    }
    assert {*entities()} - shown == {("lock", "lock"), ("button", "open"), ("sensor", "outcome")}
    assert len({fields["unique_id"] for fields in entities().values()}) == len(entities())
    assert entities()["lock", "lock"]["device"]["suggested_area"] == "House 3"


def test_what_was_announced_is_taken_away_when_it_is_switched_off_or_renamed(tmp_path):
    assert announcer(tmp_path, DOOR, wanted=False) is None
    first = announcer(tmp_path, DOOR, wanted=True)
    assert (tmp_path / FILE).exists()
    assert [topic for topic, payload in present(first)._messages if not payload] == [
        "homeassistant/lock/facegate-door-1/lock/config"
    ]
    moved = announcer(tmp_path, Announced("door-1", "1.2", "ha"), wanted=True)
    assert [one for one in present(moved)._messages if one[0].startswith("homeassistant")] == removal(DOOR)
    assert moved is not None
    moved._done()
    off = announcer(tmp_path, Announced("door-1", "1.2", "ha"), wanted=False)
    assert {payload for _, payload in present(off)._messages} == {b""}
    assert {topic.split("/")[0] for topic, _ in present(off)._messages} == {"ha"}
    assert off is not None
    off._done()
    assert announcer(tmp_path, DOOR, wanted=False) is None
    (tmp_path / FILE).write_text("rubbish")
    assert announcer(tmp_path, DOOR, wanted=False) is None


def test_any_door_id_makes_a_topic_home_assistant_reads_and_no_two_share_one():
    topics = [
        topic
        for device in ("a.b", "a_b", "a-b", "a_.b", "a._b", "a__b")
        for topic, _ in discovery(Announced(device, "1"))
    ]
    assert all(TOPIC.fullmatch(topic) for topic in topics)
    assert len(set(topics)) == len(topics)


def rendered(entity, value):
    """Render a value template as Home Assistant does: Jinja with `to_json`."""
    environment = sandbox()
    environment.filters["to_json"] = json.dumps
    return environment.from_string(entities()[entity]["value_template"]).render(value_json=value)


@pytest.mark.parametrize(
    ("name", "change", "word"),
    [
        (("lock", "lock"), {}, "LOCKED"),
        (("lock", "lock"), {"door": {"lock": "unlocked"}}, "UNLOCKED"),
        (("lock", "lock"), {"door": {"lock": "lock_fault"}}, "JAMMED"),
        (("sensor", "lock_state"), {"door": {"lock": "unlocked"}}, "unlocked"),
        (("sensor", "waiting"), {"outbox": {"waiting": 7}}, "7"),
        (("sensor", "mode"), {}, "normal"),
        (("binary_sensor", "door"), {}, "OFF"),
        (("binary_sensor", "door"), {"door": {"contact": "opened"}}, "ON"),
        (("binary_sensor", "door"), {"door": {"contact": "unknown"}}, "None"),
        (("binary_sensor", "face_unlock"), {}, "ON"),
        (("binary_sensor", "face_unlock"), {"model": None}, "OFF"),
        (("binary_sensor", "face_unlock"), {"mode": "locked_down"}, "OFF"),
        (("binary_sensor", "problem"), {}, "OFF"),
        (("binary_sensor", "problem"), {"camera": "lost"}, "ON"),
        (("binary_sensor", "problem"), {"model": None}, "ON"),
        (("binary_sensor", "tamper"), {}, "OFF"),
        (("binary_sensor", "tamper"), {"door": {"alarms": ["tamper"]}}, "ON"),
    ],
)
def test_the_templates_say_what_the_state_says(name, change, word):
    assert rendered(name, STATE | change) == word


def happened(kind, seq, seconds_ago=0.0, **more):
    at = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()
    fields = {"type": kind, "stream": "s", "seq": seq, "ts": at, "clock": "synced"}
    return fields | {"resident": None, "reason": None} | more


def test_the_event_entity_takes_one_event_or_the_last_of_several_and_no_unknown_type():
    event = happened("access.granted", 2, 9999, resident="anna", reason="granted")
    opened, unknown = happened("door.opened", 3), happened("health.camera", 4)
    found = shown("event", event, [event, opened], unknown, [event, opened], event)
    assert found[0] == {
        "event_type": "access.granted",
        "resident": "anna",
        "reason": "granted",
        "at": event["ts"],
        "stream": "s",
        "seq": 2,
    }
    assert [one and one["event_type"] for one in found] == ["access.granted", "door.opened", None, None, None]
    assert set(entities()["event", "event"]["event_types"]) == set(EVENTS)


def test_the_doorbell_rings_once_for_each_ring_of_now():
    """A door that was offline rang in the house hours later, and what was sent again rang again."""
    bell, other = (happened("door.bell", 5), happened("door.opened", 6))
    late, next_one = happened("door.bell", 4, 90), happened("door.bell", 7, 30)
    sent = [late, [late, bell, other], bell, [bell, other], next_one, bell, other]
    assert [one and one["seq"] for one in shown("bell", *sent)] == [None, 5, None, None, 7, None, None]


def test_a_bell_of_another_journal_or_of_a_clock_that_nobody_set_rings():
    bell, anew = happened("door.bell", 5), happened("door.bell", 1, stream="t")
    unset = happened("door.bell", 2, 1e9, stream="t", clock="unknown")
    nothing = happened("door.bell", 3, stream="t", clock="unknown", ts=None)
    ahead = happened("door.bell", 4, -300, stream="t")
    found = shown("bell", bell, anew, unset, nothing, ahead)
    assert [one and (one["stream"], one["seq"]) for one in found] == [
        *(("s", 5), ("t", 1), ("t", 2), ("t", 3)),
        None,
    ]


@pytest.mark.broker
def test_a_broker_that_refuses_them_takes_the_events_all_the_same(tmp_path, caplog):
    (tmp_path / "acl").write_text("topic readwrite facegate/#\n")
    announcer = Announcer(discovery(DOOR))
    with (
        Broker(tmp_path / "broker", f"acl_file {tmp_path}/acl") as broker,
        Door(tmp_path, broker.port, Ack.BROKER, others=[announcer]) as door,
    ):
        door.happen(3)
        wait_until(lambda: door.outbox.done_upto() == 3)
        wait_until(lambda: door.publisher.status().problem is None, door.publisher.status)
    assert "refused our events" not in caplog.text


@pytest.mark.broker
def test_they_are_left_at_the_broker(tmp_path):
    with (
        Broker(tmp_path / "broker") as broker,
        Door(tmp_path, broker.port, others=[Announcer(discovery(DOOR))]) as door,
    ):
        wait_until(lambda: door.publisher.status().link.connected)
        with Listener(broker.port, "homeassistant/#", client_id="assistant") as assistant:
            wait_until(lambda: len(assistant.messages) == len(discovery(DOOR)))
            assert all(message.retain for message in assistant.messages)
