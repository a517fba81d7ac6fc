"""Nothing that travels is a picture or an embedding, in whatever wrapping."""

import base64
import json
import re
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.domain import EventDraft, Template
from tests.sync.broker import Broker, Listener, wait_until
from tests.sync.test_roster_broker import House, grown

PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8", b"BM6")
BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{40,}={0,2}")
NUMBERS = re.compile(rb"(?:-?\d+(?:\.\d+)?(?:e-?\d+)?\s*,\s*){64,}")


def inner(payload):
    """Yield a payload and all that is base64 inside it, to any depth."""
    yield payload
    for text in BASE64.findall(payload):
        padded = text + b"=" * (-len(text) % 4)
        try:
            raw = base64.b64decode(padded)
        except ValueError:
            continue
        yield from inner(raw)


def offences(payload, embedding):
    """Return what is wrong with one message."""
    found = []
    for part in inner(payload):
        if part.startswith(PICTURES):
            found.append("a picture")
        if NUMBERS.search(part):
            found.append("a long list of numbers")
        if any(embedding.tobytes()[at : at + 16] in part for at in range(0, 512, 16)):
            found.append("an embedding")
    return found


def unit_vector():
    vector = np.random.default_rng(3).normal(size=128).astype(np.float32)
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda e: e.tobytes(),
        lambda e: base64.b64encode(e.tobytes()),
        lambda e: json.dumps({"p": base64.b64encode(b"x" + e.tobytes()).decode()}).encode(),
        lambda e: json.dumps(e.tolist()).encode(),
        lambda e: b"\xff\xd8\xff\xe0 a face",
        lambda e: base64.b64encode(b"\x89PNG" + bytes(60)),
    ],
)
def test_the_search_finds_what_it_looks_for(wrap):
    """Otherwise the next test would prove nothing."""
    assert offences(wrap(unit_vector()), unit_vector())


@pytest.mark.broker
def test_no_message_carries_a_face(tmp_path):
    """A door with an enrolled face, events, roster and refusals: every byte that passes is read."""
    site, embedding = grown(40), unit_vector()
    with (
        Broker(tmp_path / "broker") as broker,
        Listener(broker.port, "#", client_id="reader") as reader,
        House(tmp_path, broker.port, site) as house,
    ):
        house.tell(site.head())
        wait_until(house.in_sync)
        person = house.store.get("resident-00003")
        house.store.put(person, [Template(person.id, embedding, "m1", datetime.now(UTC))], source="roster")
        house.append(
            EventDraft("access.granted", datetime.now(UTC), 1.0, person.id, "granted", {"similarity": 0.7})
        )
        site.remove("resident-00003")
        house.tell(site.delta(40))
        house.hub.publish("facegate/v1/door-1/sync/delta", b"rubbish")
        wait_until(lambda: any(b"roster.refused" in message.payload for message in list(reader.messages)))
        messages = list(reader.messages)
    assert {message.topic.split("/")[-1] for message in messages} >= {"evt", "req", "head", "delta", "avail"}
    assert [
        (message.topic, found) for message in messages if (found := offences(message.payload, embedding))
    ] == []
