"""The AsyncAPI document as a judge of traffic: which topic a message is on, and whether it conforms."""

import base64
import json
import re
import sys
from pathlib import Path

import jsonschema

from edge.wire.asyncapi import document

SPECIFICATION = Path(sys.prefix) / "share/asyncapi/package/schemas/3.0.0.json"
DOCUMENT = document()
SCHEMAS = DOCUMENT["components"]["schemas"]
PATTERNS = {
    name: parameter["description"].rpartition("matches ")[2]
    for name, parameter in DOCUMENT["components"]["parameters"].items()
}
VALIDATORS = {name: jsonschema.Draft7Validator(schema) for name, schema in SCHEMAS.items()}


def _address(text):
    parts = re.split(r"{(\w+)}", text)
    return re.compile(
        "".join(f"(?:{PATTERNS[part]})" if n % 2 else re.escape(part) for n, part in enumerate(parts))
    )


ADDRESSES = {name: _address(channel["address"]) for name, channel in DOCUMENT["channels"].items()}


def channel_of(topic):
    """Return the name of the channel a topic belongs to, None for an undeclared one."""
    return next((name for name, pattern in ADDRESSES.items() if pattern.fullmatch(topic)), None)


def errors(name, value):
    """Return what a decoded payload has against the schema of this name."""
    return [f"{'/'.join(map(str, e.path))}: {e.message}"[:300] for e in VALIDATORS[name].iter_errors(value)]


def breaches(topic, payload):
    """Return how a message breaks the document; empty when it conforms. A signed one is opened."""
    name = channel_of(topic)
    if name is None:
        return ["no such topic"]
    try:
        value = json.loads(payload)
        found = errors(name, value)
        inside = SCHEMAS[name].get("x-signed")
        if inside and not found:
            signed = json.loads(base64.b64decode(value["p"]))
            found = errors(inside["$ref"].rpartition("/")[2], signed)
    except (ValueError, RecursionError) as error:
        return [str(error)[:200]]
    return found
