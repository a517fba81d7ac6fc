"""The AsyncAPI 3 document of a door's topics, made of the shapes that the parsers check with."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from edge.wire.compound import Table
from edge.wire.shapes import Text
from edge.wire.topics import PARAMETERS, TOPICS

if TYPE_CHECKING:
    from edge.wire.topics import Topic

PROTOCOL_VERSION = "1.0.0"
"""Of what travels (`facegate/v1`), not of the software."""

SIGNED = Table(
    {
        "kid": Text(128, about="name of the key; the door trusts one, or two while keys are changed"),
        "p": Text(1024 * 1024, pattern="[A-Za-z0-9+/]*={0,2}", about="Base64 of the JSON that is signed"),
        "sig": Text(88, 88, "[A-Za-z0-9+/]{86}==", about="Base64 of the Ed25519 signature"),
    }
)
"""What `edge.wire.signing` makes and opens."""

INFO = {
    "title": "facegate: a door and its property",
    "version": PROTOCOL_VERSION,
    "description": (
        "What doors and hub tell each other over MQTT 5; made by `facegate mqtt asyncapi` of the shapes "
        "that the parsers check with. No payload carries a picture, or an embedding that is not sealed for "
        "the doors its person's consent names. The words around it, and how signatures, acknowledgements "
        "and commands work, are in docs/mqtt.md."
    ),
    "license": {"name": "Apache-2.0"},
}
SERVERS = {
    "property": {
        "host": "{broker}:8883",
        "protocol": "secure-mqtt",
        "protocolVersion": "5.0",
        "description": "The property's broker. Doors and hub show certificates of the site's authority.",
        "variables": {"broker": {"default": "localhost", "description": "name or address"}},
        "security": [{"$ref": "#/components/securitySchemes/certificate"}],
    }
}
CERTIFICATE = {
    "type": "X509",
    "description": "The common name is the user name; the access list lets a door use its own topics only.",
}


def document() -> dict[str, Any]:
    """Return the document, ready to be written as JSON."""
    return {
        "asyncapi": "3.0.0",
        "info": INFO,
        "defaultContentType": "application/json",
        "servers": SERVERS,
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {_verb(topic) + _capital(topic.name): _operation(topic) for topic in TOPICS},
        "components": {
            "messages": {topic.name: _message(topic) for topic in TOPICS},
            "parameters": {
                name: {"description": f"{meaning}; matches {pattern}"}
                for name, (meaning, pattern) in PARAMETERS.items()
            },
            "schemas": _schemas(),
            "securitySchemes": {"certificate": CERTIFICATE},
        },
    }


def as_text() -> str:
    """Return the document as it is written to docs/asyncapi.json."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _channel(topic: Topic) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", topic.address)
    return {
        "address": topic.address,
        "description": topic.summary,
        "messages": {topic.name: {"$ref": f"#/components/messages/{topic.name}"}},
        "parameters": {name: {"$ref": f"#/components/parameters/{name}"} for name in names},
    }


def _operation(topic: Topic) -> dict[str, Any]:
    """Return what a door does with the topic: AsyncAPI describes one application, here the door."""
    return {
        "action": _verb(topic),
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.summary,
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{topic.name}"}],
        "bindings": {"mqtt": {"qos": 1, "retain": topic.is_retained, "bindingVersion": "0.2.0"}},
    }


def _message(topic: Topic) -> dict[str, Any]:
    message = {
        "name": topic.name,
        "summary": topic.summary,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{topic.name}"},
    }
    if topic.purpose is not None:
        message["x-signature-purpose"] = topic.purpose
    return message


def _schemas() -> dict[str, Any]:
    """Return the schema of each payload; of a signed one also that of the JSON inside."""
    schemas: dict[str, Any] = {}
    for topic in TOPICS:
        if topic.purpose is None:
            schemas[topic.name] = topic.shape.schema()
            continue
        inside = f"{topic.name}Signed"
        schemas[inside] = topic.shape.schema()
        schemas[topic.name] = SIGNED.schema() | {"x-signed": {"$ref": f"#/components/schemas/{inside}"}}
    return schemas


def _verb(topic: Topic) -> str:
    return "send" if topic.sender == "door" else "receive"


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]
