"""What Home Assistant's MQTT discovery must be told so that a door shows up by itself.

Keys are those of the Home Assistant documentation, pages `MQTT`, `lock.mqtt`, `button.mqtt`, `sensor.mqtt`,
`binary_sensor.mqtt` and `event.mqtt`; nothing is abbreviated. What can be pressed exists only for who may
ask (`asking`): an entity that pretends would be worse than none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from edge.events import KINDS, Kind
from edge.wire.home_assistant import PREFIX
from edge.wire.names import ANSWER, ASK, ROOT

EVENTS = tuple(kind.value for kind, facts in KINDS.items() if facts.for_home)
"""What the event entity shows; Home Assistant wants to know all types beforehand."""

LOCK_WORDS = "{'locked': 'LOCKED', 'unlocked': 'UNLOCKED'}.get(value_json.door.lock, 'JAMMED')"
LOCK = f"{{{{ {LOCK_WORDS} }}}}"
LOCK_STATE = f"{{{{ {LOCK_WORDS} | lower }}}}"
CONTACT = "{{ {'opened': 'ON', 'closed': 'OFF'}.get(value_json.door.contact, 'None') }}"
PROBLEM = (
    "{{ 'ON' if value_json.camera not in ['ok', 'back'] or value_json.model is none"
    " or 'door_fault' in value_json.door.alarms else 'OFF' }}"
)
FACES = "{{ 'ON' if value_json.model is not none and value_json.mode != 'locked_down' else 'OFF' }}"
TAMPER = "{{ 'ON' if 'tamper' in value_json.door.alarms else 'OFF' }}"
RING_SECONDS = 60
"""A bell that was rung longer ago rings nowhere: a door that was offline tells hours later, and whoever
stood there is gone."""
WAS = "{% set was = this.attributes if this is defined else {} %}"
"""What the entity shows now: MQTT delivers an event twice at times, and a door sends again what was not
confirmed."""
NEW = "not (e.stream == was.get('stream') and e.seq <= was.get('seq', 0))"
PLACE = "'at': e.ts, 'stream': e.stream, 'seq': e.seq"
"""Attributes: an automation can tell by `at` what is late."""
LAST = "{% set e = value_json if value_json is mapping else value_json[-1] %}"
EVENT = (
    f"{WAS}{LAST}{{% if e.type in {list(EVENTS)} and {NEW} %}}"
    f"{{{{ {{'event_type': e.type, 'resident': e.resident, 'reason': e.reason, {PLACE}}} | to_json }}}}"
    "{% endif %}"
)
"""Nothing for other events, which Home Assistant then ignores; of an array it shows the last."""
FRESH = f"(e.clock != 'synced' or (as_timestamp(utcnow()) - as_timestamp(e.ts, 0)) | abs < {RING_SECONDS})"
"""By a clock that is right; of another one nobody can tell, and it rings."""
BELL = (
    f"{WAS}{{% for e in ([value_json] if value_json is mapping else value_json)"
    f" if e.type == '{Kind.DOOR_BELL}' and {NEW} and {FRESH} %}}{{% if loop.last %}}"
    f"{{{{ {{'event_type': 'press', {PLACE}}} | to_json }}}}{{% endif %}}{{% endfor %}}"
)
"""Of an array any, not only its last event: what came right after a ring would hush it."""
OUTCOME = "{{ (value_json.status ~ ': ' ~ value_json.text)[:255] }}"
DIAGNOSTICS = {
    "mode": ("Mode", "{{ value_json.mode }}"),
    "camera": ("Camera", "{{ value_json.camera }}"),
    "clock": ("Clock", "{{ value_json.clock }}"),
    "gallery": ("Residents with a face", "{{ value_json.gallery }}"),
    "roster": ("People in the roster", "{{ value_json.roster.count if value_json.roster else 0 }}"),
    "waiting": ("Events not sent yet", "{{ value_json.outbox.waiting if value_json.outbox else 0 }}"),
}
"""Sensors for the people who keep the door running: (name, template) by entity."""


@dataclass(frozen=True, slots=True)
class Announced:
    """One door as Home Assistant is told of it: `area` is a hint, `asking` an integration that may open."""

    device: str
    version: str
    prefix: str = PREFIX
    name: str = ""
    area: str = ""
    asking: str | None = None

    def topic(self, leaf: str) -> str:
        """Return a topic of the door."""
        return f"{ROOT}/{self.device}/{leaf}"


def discovery(door: Announced) -> list[tuple[str, bytes]]:
    """Return (topic, payload) of each entity, to be published retained."""
    state, sensor, event = door.topic("state"), "binary_sensor", door.topic("evt")
    entities = [
        ("sensor", "lock_state", _plain("Lock", state, LOCK_STATE)),
        (sensor, "door", _classed("Door", "door", state, CONTACT)),
        (sensor, "problem", _classed("Problem", "problem", state, PROBLEM)),
        (sensor, "face_unlock", _plain("Face unlock", state, FACES)),
        (sensor, "tamper", _classed("Tamper", "tamper", state, TAMPER)),
        ("event", "event", _plain("Last event", event, EVENT) | {"event_types": list(EVENTS)}),
        ("event", "bell", _classed("Doorbell", "doorbell", event, BELL) | {"event_types": ["press"]}),
        *(
            ("sensor", key, _plain(name, state, template) | {"entity_category": "diagnostic"})
            for key, (name, template) in DIAGNOSTICS.items()
        ),
        *_pressable(door),
    ]
    return [_entity(door, *entity) for entity in entities]


def removal(door: Announced) -> list[tuple[str, bytes]]:
    """Return what makes every entity of a door go that this or an older version announced."""
    topics = {topic for topic, _ in discovery(door)} | {_address(door, "lock", "lock")}
    return [(topic, b"") for topic in sorted(topics)]


def _pressable(door: Announced) -> list[tuple[str, str, dict[str, Any]]]:
    """Return what opens the door: for an integration that may ask for it, else nothing."""
    if door.asking is None:
        return []
    command = {"command_topic": f"{ROOT}/{ASK}/{door.asking}"}
    lock = _plain("Lock", door.topic("state"), LOCK) | command
    wish = _wish(door.device)
    unlock = f"{{% if value == 'UNLOCK' %}}{wish}{{% endif %}}"
    return [
        ("lock", "lock", lock | {"command_template": unlock, "optimistic": False}),
        ("button", "open", {"name": "Open", **command, "command_template": wish}),
        ("sensor", "outcome", _plain("Last opening from here", f"{ROOT}/{ANSWER}/{door.asking}", OUTCOME)),
    ]


def _wish(device: str) -> str:
    """Return a template of `ask`: with a time and an id of its own for each press."""
    # Home Assistant renders in Jinja's sandbox, which refuses a `range` of more than 100,000.
    digits = "{{ range(10000, 99999) | random }}"
    return (
        f'{{"v":1,"id":"ha-{digits * 2}-{digits * 2}","door":"{device}","do":"unlock",'
        '"at":"{{ utcnow().isoformat() }}"}'
    )


def _classed(name: str, device_class: str, topic: str, template: str) -> dict[str, Any]:
    return _plain(name, topic, template) | {"device_class": device_class}


def _plain(name: str, topic: str, template: str) -> dict[str, Any]:
    """Return what shows something; of a kind that Home Assistant has no class for."""
    return {"name": name, "state_topic": topic, "value_template": template}


def _entity(door: Announced, component: str, name: str, fields: dict[str, Any]) -> tuple[str, bytes]:
    """Add what all entities share: identity, availability, device and origin."""
    place = {"suggested_area": door.area} if door.area else {}
    payload = {
        **fields,
        "unique_id": f"facegate_{door.device}_{name}",
        "qos": 1,
        "availability_topic": door.topic("avail"),
        "availability_template": "{{ value_json.state }}",
        "payload_available": "online",
        "payload_not_available": "offline",
        "device": {
            "identifiers": [f"facegate_{door.device}"],
            "name": door.name or f"Door {door.device}",
            "manufacturer": "facegate",
            "model": "door",
            "sw_version": door.version,
            **place,
        },
        "origin": {"name": "facegate", "sw_version": door.version},
    }
    return _address(door, component, name), json.dumps(payload).encode()


def _address(door: Announced, component: str, name: str) -> str:
    return f"{door.prefix}/{component}/{_node(door.device)}/{name}/config"


def _node(device: str) -> str:
    """Return the door's id for a discovery topic, where no dot may stand; no two ids become one."""
    return "facegate-" + device.replace("_", "__").replace(".", "_-")
