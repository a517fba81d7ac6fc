"""Run with Home Assistant on the path: what its own schemas have against discovery payloads.

Reads `[[component, payload], ...]` as JSON from standard input, prints one problem a line.
"""

import importlib
import json
import sys

import voluptuous


def main():
    for component, payload in json.load(sys.stdin):
        module = importlib.import_module(f"homeassistant.components.mqtt.{component}")
        try:
            taken = module.DISCOVERY_SCHEMA(payload)
        except voluptuous.Invalid as error:
            sys.stdout.write(f"{component}: {error}\n")
        else:  # what it does not know it drops in silence
            sys.stdout.writelines(
                f"{component}: dropped {key}\n" for key in set(payload) - {*map(str, taken)}
            )


if __name__ == "__main__":
    main()
