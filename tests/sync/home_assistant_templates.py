"""Run with Home Assistant on the path: what its own template engine makes of what an entity is sent.

Reads `{"template": ..., "sent": [payload, ...]}` as JSON from standard input and prints a JSON list of what
came of each payload; the entity shows what came last, as the `event` component has it.
"""

import asyncio
import json
import sys
from importlib import import_module


class Entity:
    entity_id, name = "event.front_door", "Front door"

    def __init__(self, hass):
        self.hass = hass


async def main():
    given, came = json.load(sys.stdin), []
    hass = import_module("homeassistant.core").HomeAssistant("/nonexistent")
    written = import_module("homeassistant.helpers.template").Template(given["template"], hass)
    models = import_module("homeassistant.components.mqtt.models")
    template = models.MqttValueTemplate(written, hass=hass, entity=Entity(hass))
    for payload in given["sent"]:
        shown = template.async_render_with_possible_json_value(json.dumps(payload), None)
        came.append(json.loads(shown) if shown.strip() else None)
        if came[-1]:
            hass.states.async_set(Entity.entity_id, "now", came[-1])
    sys.stdout.write(json.dumps(came))


if __name__ == "__main__":
    asyncio.run(main())
