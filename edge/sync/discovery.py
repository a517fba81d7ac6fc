"""What Home Assistant's MQTT discovery must be told so that a door shows up by itself.

Keys are those of the Home Assistant documentation, pages `MQTT`, `lock.mqtt`,
`binary_sensor.mqtt` and `event.mqtt`; nothing is abbreviated.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edge.events import KINDS
from edge.wire.home_assistant import PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.broker.session import BrokerSession
    from edge.broker.settings import BrokerSettings
    from edge.wire.messages import Message

EVENTS = tuple(kind.value for kind, facts in KINDS.items() if facts.for_home)
"""What the event entity shows; Home Assistant wants to know all types beforehand."""

LOCK = "{{ {'locked': 'LOCKED', 'unlocked': 'UNLOCKED'}.get(value_json.door.lock, 'JAMMED') }}"
CONTACT = "{{ {'opened': 'ON', 'closed': 'OFF'}.get(value_json.door.contact, 'None') }}"
PROBLEM = (
    "{{ 'ON' if value_json.camera not in ['ok', 'back'] or value_json.model is none"
    " or 'door_fault' in value_json.door.alarms else 'OFF' }}"
)
FACES = "{{ 'ON' if value_json.model is not none and value_json.mode != 'locked_down' else 'OFF' }}"
TAMPER = "{{ 'ON' if 'tamper' in value_json.door.alarms else 'OFF' }}"
EVENT = (
    "{% set e = value_json if value_json is mapping else value_json[-1] %}"
    f"{{% if e.type in {list(EVENTS)} %}}"
    "{{ {'event_type': e.type, 'resident': e.resident, 'reason': e.reason} | to_json }}{% endif %}"
)
"""Nothing for other events, which Home Assistant then ignores; of an array it shows the last."""


def discovery(settings: BrokerSettings, version: str) -> list[tuple[str, bytes]]:
    """Return (topic, payload) of each entity, to be published retained.

    The lock shows what the door says. Its command topic is the door's own, where only signed
    commands count: a press in Home Assistant opens nothing and is a `command.refused` event.
    There is no switch and no button, whose press would be worth as little: whether faces open the
    door is a sensor.
    """
    state, sensor = settings.topic("state"), "binary_sensor"
    lock = {
        "name": "Lock",
        "state_topic": state,
        "value_template": LOCK,
        "command_topic": settings.topic("cmd"),
        "optimistic": False,
    }
    entities = [
        ("lock", "lock", lock),
        (sensor, "door", _sensor("Door", "door", state, CONTACT)),
        (sensor, "problem", _sensor("Problem", "problem", state, PROBLEM)),
        (sensor, "face_unlock", _plain_sensor("Face unlock", state, FACES)),
        (sensor, "tamper", _sensor("Tamper", "tamper", state, TAMPER)),
        ("event", "event", _event(settings.topic("evt"))),
    ]
    return [_entity(settings, version, *entity) for entity in entities]


class Announcer:
    """The part of sync that leaves discovery messages at the broker, on every connection."""

    subscriptions: Sequence[str] = ()

    def __init__(self, messages: Sequence[tuple[str, bytes]]) -> None:
        self._messages = messages

    def opened(self, session: BrokerSession, now: float) -> None:  # noqa: ARG002 - the part's signature
        """Publish them: the broker may have forgotten."""
        for topic, payload in self._messages:
            session.publish(topic, payload, retain=True)

    def received(self, message: Message, now: float) -> None:
        """Ignore it: nothing is subscribed to here."""

    def taken(self, mid: int, problem: str | None, now: float) -> None:
        """Care for nothing: doors work without Home Assistant."""

    def step(self, session: BrokerSession, now: float) -> None:
        """Have nothing to do in between."""


def _sensor(name: str, device_class: str, topic: str, template: str) -> dict[str, Any]:
    return {"name": name, "device_class": device_class, "state_topic": topic, "value_template": template}


def _plain_sensor(name: str, topic: str, template: str) -> dict[str, Any]:
    """Return a sensor of a kind that Home Assistant has no class for."""
    return {"name": name, "state_topic": topic, "value_template": template}


def _event(topic: str) -> dict[str, Any]:
    return {
        "name": "Last event",
        "state_topic": topic,
        "event_types": list(EVENTS),
        "value_template": EVENT,
    }


def _entity(
    settings: BrokerSettings, version: str, component: str, name: str, fields: dict[str, Any]
) -> tuple[str, bytes]:
    """Add what all entities share: identity, availability, device and origin."""
    device = settings.device_id
    payload = {
        **fields,
        "unique_id": f"facegate_{device}_{name}",
        "qos": 1,
        "availability_topic": settings.topic("avail"),
        "availability_template": "{{ value_json.state }}",
        "payload_available": "online",
        "payload_not_available": "offline",
        "device": {
            "identifiers": [f"facegate_{device}"],
            "name": f"Door {device}",
            "manufacturer": "facegate",
            "sw_version": version,
        },
        "origin": {"name": "facegate", "sw_version": version},
    }
    return f"{PREFIX}/{component}/{_node(device)}/{name}/config", json.dumps(payload).encode()


def _node(device: str) -> str:
    """Return the door's id for a discovery topic, where no dot may stand; no two ids become one."""
    return "facegate-" + device.replace("_", "__").replace(".", "_-")
