"""Acknowledgements: nothing of a door's journal counts as arrived until a hub of its own site says so."""

import json
from dataclasses import replace

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.broker.settings import BrokerSettings
from edge.errors import SyncError
from edge.sync.publisher import EventPump
from edge.wire.messages import EventAck, Message
from edge.wire.proof import ACK_PURPOSE, EVENTS_PURPOSE, BatchHead, Origin, ack_body
from tests.fakes.line import Line
from tests.fakes.proofs import certificate, identity, notary
from tests.hub.crowd import MemoryOutbox

SETTINGS = BrokerSettings("127.0.0.1", "front")


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def outbox():
    outbox = MemoryOutbox("front", 5)
    outbox.happen(5)
    return outbox


@pytest.fixture
def pump(outbox, line):
    return begun(EventPump(outbox, SETTINGS, notary("front")), line)


def begun(pump, line):
    pump.opened(line, 0.0)
    pump.step(line, 0.0)
    return pump


def told(pump, outbox, upto=5, by="hub", proven=True, body=None, purpose=ACK_PURPOSE, **changes):
    body = body or ack_body("front", outbox.stream, upto)
    shown = identity(by, **changes).prove(body, purpose) if proven else None
    payload = EventAck(outbox.stream, upto, shown).encode()
    pump.received(Message("facegate/v1/front/evt/ack", payload, False), 1.0)


def test_what_a_door_sends_proves_whose_it_is(pump, line, outbox):
    (payload, done, proof), *_ = line.sent
    first, last = json.loads(payload)["seq"], json.loads(payload)["seq"]
    head = BatchHead.of("front", (outbox.stream, first, last), done, payload)
    assert notary().origin.name(proof, head.body, EVENTS_PURPOSE) == "front"


@pytest.mark.parametrize("name", ["hub", "hub.1", "hub.999"])
def test_a_hub_that_proves_its_word_is_believed(pump, outbox, name):
    told(pump, outbox, by=name)
    assert pump.done == 5


def test_a_word_without_proof_counts_for_nothing_and_staff_are_told(pump, outbox):
    with pytest.raises(SyncError, match="without a hub's proof"):
        told(pump, outbox, proven=False)
    assert pump.done == 0
    assert "bring the hub up to date" in pump.problem


def test_an_older_hub_is_believed_where_the_installer_says_so(outbox, line):
    pump = begun(EventPump(outbox, replace(SETTINGS, unsigned_acks=True), notary("front")), line)
    told(pump, outbox, proven=False)
    assert pump.done == 5


def test_a_door_without_certificates_takes_the_broker_at_its_word(outbox, line):
    pump = begun(EventPump(outbox, SETTINGS), line)
    assert {proof for *_, proof in line.sent} == {""}
    told(pump, outbox, proven=False)
    assert pump.done == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"by": "front"},
        {"by": "back"},
        {"by": "broker"},
        {"by": "hub.0"},
        {"issuer": "another site"},
        {"usage": ExtendedKeyUsageOID.SERVER_AUTH},
        {"purpose": EVENTS_PURPOSE},
        {"body": ack_body("back", "stream-of-front", 5)},
        {"body": ack_body("front", "stream-of-back", 5)},
        {"body": ack_body("front", "stream-of-front", 4)},
    ],
)
def test_nobody_else_and_no_word_for_something_else_is_believed(pump, outbox, changes):
    with pytest.raises(SyncError):
        told(pump, outbox, **changes)
    assert pump.done == 0


def test_a_certificate_that_was_revoked_proves_nothing_from_then_on(tmp_path):
    """The list is read again when it changes; without one the broker alone turns them away."""
    from edge.site.authority import Authority  # noqa: PLC0415
    from edge.wire.proof import Identity  # noqa: PLC0415

    authority = Authority.create(tmp_path / "ca", "here")
    for name in ("front", "back"):
        authority.issue(name, tmp_path / f"{name}.crt", tmp_path / f"{name}.key")
    front, back = (Identity.load(tmp_path / f"{n}.crt", tmp_path / f"{n}.key") for n in ("front", "back"))
    listed = tmp_path / "crl.pem"
    origin = Origin.load(tmp_path / "ca" / "ca.crt", listed)
    assert origin.name(front.prove(b"x", "p"), b"x", "p") == "front"
    authority.revoke(tmp_path / "front.crt")
    listed.write_bytes(authority.revoked_pem)
    with pytest.raises(SyncError, match="revoked"):
        origin.name(front.prove(b"x", "p"), b"x", "p")
    assert origin.name(back.prove(b"x", "p"), b"x", "p") == "back"


def test_a_certificate_that_expired_proves_nothing_to_a_hub(tmp_path):
    origin = Origin(certificate("a", issuer="a"), tmp_path / "none")
    with pytest.raises(SyncError, match="expired on 2020-01-02"):
        origin.name(identity("front", issuer="a", days=1).prove(b"x", "p"), b"x", "p")
