"""Nothing that travels is a picture or an embedding, in whatever wrapping.

Every broker of the whole suite is read (`tests.sync.wire`, `tests/conftest.py`); here is shown that
what must not travel would be found, and a door with an enrolled face is looked at closely.
"""

import base64
import gzip
import json
import random
import zlib
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.domain import EventDraft, Template
from edge.events import Kind
from tests.sync.broker import Broker, Listener
from tests.sync.hubside import signed
from tests.sync.privacy import Secrets, findings
from tests.sync.test_roster_broker import House, grown
from tests.sync.wire import SECRETS, Ledger, Recorder, judge
from tests.waiting import wait_until


def unit_vector(dimension=128, seed=3):
    vector = np.random.default_rng(seed).normal(size=dimension).astype(np.float32)
    return vector / np.linalg.norm(vector)


def quantised(vector):
    return np.round(vector / np.abs(vector).max() * 127).astype(np.int8)


VECTORS = {
    f"{dimension} {kind}": make(unit_vector(dimension))
    for dimension in (128, 512)
    for kind, make in {
        "float32": lambda v: v.tobytes(),
        "float16": lambda v: v.astype(np.float16).tobytes(),
        "int8": lambda v: quantised(v).tobytes(),
    }.items()
}
WRAPPINGS = {
    "raw": lambda raw: raw,
    "base64": base64.b64encode,
    "base64 for addresses": lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"="),
    "base64 in lines": base64.encodebytes,
    "hex": lambda raw: raw.hex().encode(),
    "JSON": lambda raw: json.dumps({"data": {"x": [{"t": base64.b64encode(raw).decode()}]}}).encode(),
    "JSON in JSON": lambda raw: json.dumps({"t": json.dumps({"t": raw.hex()})}).encode(),
    "signed": lambda raw: signed({"record": {"template": base64.b64encode(raw).decode()}}),
    "deflated": lambda raw: base64.b64encode(zlib.compress(raw)),
    "gzip": lambda raw: gzip.compress(base64.b64encode(raw)),
}
LISTS = {
    "list": lambda v: json.dumps(v.tolist()),
    "in an event": lambda v: json.dumps({"data": {"embedding": v.tolist()}}),
    "matrix": lambda v: json.dumps(v.reshape(-1, 8).tolist()),
    "object": lambda v: json.dumps({f"x{n}": float(x) for n, x in enumerate(v)}),
    "whole numbers": lambda v: json.dumps(quantised(v).tolist()),
    "text": lambda v: json.dumps({"note": " ".join(f"{x:.4f}" for x in v)}),
    "comma": lambda v: ",".join(map(str, v)),
}
PICTURES = {
    "JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(200)),
    "PNG": b"\x89PNG\r\n\x1a\n" + bytes(range(200)),
    "WebP": b"RIFF\xc8\x00\x00\x00WEBPVP8 " + bytes(range(200)),
    "HEIF": b"\x00\x00\x00\x18ftypheic" + bytes(range(200)),
}


@pytest.mark.parametrize("wrap", sorted(WRAPPINGS))
@pytest.mark.parametrize("content", sorted(VECTORS) + sorted(PICTURES))
def test_a_vector_or_picture_is_found_in_every_wrapping(content, wrap):
    raw = (VECTORS | PICTURES)[content]
    assert findings(WRAPPINGS[wrap](raw))


@pytest.mark.parametrize("dimension", [128, 512])
@pytest.mark.parametrize("kind", sorted(LISTS))
def test_a_vector_is_found_as_numbers(kind, dimension):
    assert findings(LISTS[kind](unit_vector(dimension)).encode())


@pytest.mark.parametrize("offset", range(8))
def test_a_vector_is_found_behind_a_header_of_any_length(offset):
    """Its own length gives nothing away then; that it is made of small numbers does."""
    raw = random.Random(offset).randbytes(offset) + unit_vector().tobytes() + b"end"
    assert findings(base64.b64encode(raw))


def test_a_piece_of_a_known_template_is_found():
    template = VECTORS["128 float16"]
    assert findings(base64.b64encode(bytes(200) + template[64:128] + bytes(9)), Secrets(template))


@pytest.mark.parametrize("offset", range(3))
def test_any_piece_of_any_of_many_secrets_is_found_wherever_it_stands(offset):
    rng = random.Random(offset)
    secrets = [rng.randbytes(512) for _ in range(300)]
    known, calm = Secrets(*secrets), rng.randbytes(4000)
    assert not known.stand_in(calm)
    for secret in secrets[::20]:
        for at in (0, 16, 496):
            piece = secret[at : at + 16]
            assert known.stand_in(piece + calm)
            assert known.stand_in(calm[:offset] + piece)
            assert not known.stand_in(calm + piece[:-1])


def test_what_does_travel_is_not_found():
    """Signatures, digests, nonces, a hundred events with their numbers, random bytes of other lengths."""
    rng = random.Random(1)
    event = {"seq": 1, "hash": "ab" * 32, "data": {f"n{k}": k / 7 for k in range(40)}}
    calm = [
        signed({"v": 1, "parts": [rng.randbytes(32).hex() for _ in range(40)]}),
        json.dumps([event] * 100).encode(),
        json.dumps({"nonce": base64.urlsafe_b64encode(rng.randbytes(32)).decode()}).encode(),
        json.dumps({"reason": "the door " * 60}).encode(),
        *(rng.randbytes(n) for n in range(1000, 1020)),
    ]
    assert [findings(payload) for payload in calm] == [[]] * len(calm)


def test_a_name_is_found_outside_the_roster():
    """Names come from the roster's own messages; events may carry ids only."""
    part = [{"rev": 1, "op": "put", "record": {"id": "r-1", "name": "Anna Petrowa"}}]
    ledger = Ledger()
    messages = [
        ("facegate/v1/front/sync/snap/1/1", json.dumps(part).encode()),
        ("facegate/v1/front/state", b'{"resident": "r-1"}'),
        ("facegate/v1/front/state", json.dumps({"seen": ["Anna Petrowa"]}).encode()),
    ]
    judge(messages, ledger)
    assert ["the name 'Anna Petrowa'" in line for line in ledger.personal] == [True]
    assert ledger.messages == 3


def test_an_undeclared_topic_or_payload_is_found():
    ledger = Ledger()
    judge([("facegate/v1/front/faces", b"{}"), ("facegate/v1/front/avail", b'{"state":"asleep"}')], ledger)
    assert len(ledger.nonconforming) == 2


@pytest.mark.broker
def test_the_recorder_reads_every_byte_of_every_client(tmp_path):
    """A burst of three thousand, none of them lost."""
    with Broker(tmp_path / "broker") as broker:
        second = Recorder(broker._recorders_port, tmp_path)
        with Listener(broker.port, "x") as client:
            for _number in range(3000):
                client.client.publish("facegate/v1/front/avail", b'{"state":"online"}', qos=1)
            client.publish("facegate/v1/front/avail", b'{"v":1,"state":"offline"}')
        second.finish()
        payloads = [payload for _, payload in second.messages()]
        second.stop()
    assert payloads.count(b'{"state":"online"}') == 3000
    assert payloads[-1] == b'{"v":1,"state":"offline"}'


@pytest.mark.broker
@pytest.mark.nonsense
def test_no_message_carries_a_face(tmp_path):
    """A door with an enrolled face, events, roster and refusals: every byte that passes is read."""
    site, embedding = grown(40), unit_vector()
    SECRETS.add(embedding.tobytes())  # from here on, nowhere in this run
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
            EventDraft(Kind.ACCESS_GRANTED, datetime.now(UTC), 1.0, person.id, "granted", {"similarity": 0.7})
        )
        site.remove("resident-00003")
        house.tell(site.delta(40))
        house.hub.publish("facegate/v1/door-1/sync/delta", b"rubbish")
        wait_until(lambda: any(b"roster.refused" in message.payload for message in list(reader.messages)))
        messages = list(reader.messages)
    assert {message.topic.split("/")[-1] for message in messages} >= {"evt", "req", "head", "delta", "avail"}
    assert [found for message in messages if (found := findings(message.payload, SECRETS))] == []
