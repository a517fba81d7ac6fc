"""Certificate, envelope, door list and letters: what is changed, moved or somebody else's is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import SyncError
from edge.site.authority import Authority
from edge.wire.faces.certificate import (
    FaceCertificate,
    FaceRow,
    SignedCertificate,
    commitment_of,
    make_body,
    open_body,
)
from edge.wire.faces.door_list import (
    ENROLS,
    RECEIVES,
    DoorList,
    DoorListAuthority,
    ListedDoor,
    signed_list,
)
from edge.wire.faces.envelope import EnvelopeHeader, FaceEnvelope, ReceivingKey
from edge.wire.faces.letters import (
    MAX_LETTER_BYTES,
    Letter,
    LetterKind,
    envelope_content,
    envelope_of,
    open_letter,
)
from edge.wire.signing import Signer

SITE = "ab" * 32
DOOR_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ROWS = (FaceRow("shot", bytes(range(256)) * 2), FaceRow("mean", bytes(reversed(range(256))) * 2))
SALT = bytes(range(32))
BACK, SIDE = ReceivingKey(bytes(range(96))), ReceivingKey(bytes(reversed(range(96))))
PUBLICS = {"back": BACK.public, "side": SIDE.public}


def unsigned(**changes):
    fields = {
        "site": SITE,
        "person": "3栋1203",
        "consent": "c-1",
        "notice": "shared-2026-1",
        "notice_hash": "00" * 32,
        "language": "zh",
        "is_minor": False,
        "doors": ("back", "side"),
        "model": "sface-1",
        "by": "front",
        "at": "2026-11-29T12:00:00+00:00",
    }
    return FaceCertificate(**{**fields, **changes})


def enrolled(rows=ROWS, **changes):
    face = unsigned(**changes)
    body = make_body(face, rows, SALT)
    return replace(face, commitment=commitment_of(body)), body


FACE, BODY = enrolled()
HEADER = EnvelopeHeader.of(FACE, "front", {"back": 1, "side": 7})
SEALED = FaceEnvelope.seal(HEADER, BODY, PUBLICS)


def doors_of(*listed):
    return DoorList(SITE, 3, {one.id: one for one in listed})


def listed(name, key=DOOR_KEY, roles=(ENROLS, RECEIVES), former=()):
    return ListedDoor(name, frozenset(roles), key.public_key().public_bytes_raw(), former)


def test_a_certificate_says_what_was_signed():
    found = SignedCertificate.parse(FACE.signed(DOOR_KEY))
    assert found.says == FACE
    found.verify(listed("front").keys)
    with pytest.raises(SyncError, match="not signed by 'front'"):
        found.verify([Ed25519PrivateKey.generate().public_key().public_bytes_raw()])


def test_two_certificates_fit_into_a_record():
    doors = tuple(f"door-{n:02}-of-a-compound" for n in range(32))
    assert len(enrolled(doors=doors)[0].signed(DOOR_KEY)) <= 3072
    assert len(FACE.signed(DOOR_KEY)) < 1000


@given(st.data())
def test_a_certificate_with_any_letter_changed_is_none(data):
    text = FACE.signed(DOOR_KEY)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("Az09-_.").filter(lambda sign: sign != text[place]))
    with pytest.raises(SyncError):
        SignedCertificate.parse(text[:place] + other + text[place + 1 :]).verify(listed("front").keys)


def test_the_face_comes_back_as_it_was_enrolled():
    assert open_body(SEALED.open("back", {1: BACK}), FACE) == ROWS
    assert open_body(SEALED.open("side", {7: SIDE}), FACE) == ROWS


MOVED: dict[str, Any] = {
    "site": "cd" * 32,
    "person": "4栋1203",
    "consent": "c-2",
    "commitment": "ee" * 32,
    "sender": "side",
    "receivers": {"back": 2, "side": 7},
}


@pytest.mark.parametrize("name", MOVED)
def test_an_envelope_with_another_header_stays_closed(name):
    moved = replace(SEALED, header=replace(HEADER, **{name: MOVED[name]}))
    with pytest.raises(SyncError, match="envelope"):
        moved.open("back", {1: BACK, 2: BACK})


def test_an_envelope_is_closed_to_every_other_key():
    for door, keys in (("back", {1: SIDE}), ("side", {7: BACK}), ("front", {1: BACK}), ("back", {2: BACK})):
        with pytest.raises(SyncError, match="envelope"):
            SEALED.open(door, keys)
    swapped = replace(SEALED, wrapped={"back": SEALED.wrapped["side"], "side": SEALED.wrapped["back"]})
    with pytest.raises(SyncError, match="envelope"):
        swapped.open("back", {1: BACK})
    with pytest.raises(SyncError, match="not for"):
        replace(SEALED, wrapped={}).open("back", {1: BACK})


@settings(max_examples=60)
@given(st.data())
def test_an_envelope_with_any_bit_changed_or_cut_stays_closed(data):
    part = data.draw(st.sampled_from(["sealed", "wrapped"]))
    raw = SEALED.sealed if part == "sealed" else SEALED.wrapped["back"]
    if data.draw(st.booleans()):
        changed = raw[: data.draw(st.integers(0, len(raw) - 1))]
    else:
        place, bit = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(0, 7))
        changed = raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]
    broken = (
        replace(SEALED, sealed=changed)
        if part == "sealed"
        else replace(SEALED, wrapped={**SEALED.wrapped, "back": changed})
    )
    with pytest.raises(SyncError, match="envelope"):
        broken.open("back", {1: BACK})


OTHERS = {
    "site": "cd" * 32,
    "person": "4栋1203",
    "consent": "c-2",
    "notice": "2026-2",
    "notice_hash": "11" * 32,
    "doors": ("back",),
    "model": "other-2",
    "by": "side",
    "at": "2026-11-29T12:00:01+00:00",
    "language": "en",
    "is_minor": True,
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_face_under_another_certificate_is_not_taken(name):
    """Neither with its own commitment nor when the certificate names the commitment of this very face."""
    other, _ = enrolled(**{name: OTHERS[name]})
    with pytest.raises(SyncError, match="not the face"):
        open_body(BODY, other)
    with pytest.raises(SyncError, match="somebody or something else"):
        open_body(BODY, replace(other, commitment=FACE.commitment))


def test_two_receivers_cannot_be_given_two_faces():
    """AES-GCM does not commit to its key: one ciphertext may open twice. The commitment does not."""
    _, second = enrolled(rows=(FaceRow("mean", bytes(512)),))
    with pytest.raises(SyncError, match="not the face"):
        open_body(second, FACE)


@given(st.binary(max_size=600))
def test_rubbish_is_no_face(rubbish):
    with pytest.raises(SyncError):
        open_body(rubbish, replace(FACE, commitment=commitment_of(rubbish)))


def test_a_body_that_lies_about_its_vectors_is_no_face():
    start = 36 + int.from_bytes(BODY[32:36], "big")
    fields = json.loads(BODY[36:start])
    for lie in ({"bytes": 510}, {"bytes": 0}, {"bytes": "512"}, {"kinds": ["shot"]}, {"kinds": "sm"}):
        head = json.dumps({**fields, **lie}).encode()
        body = SALT + len(head).to_bytes(4, "big") + head + BODY[start:]
        with pytest.raises(SyncError, match="vectors"):
            open_body(body, replace(FACE, commitment=commitment_of(body)))


@pytest.mark.parametrize("rows", [(), (ROWS[0], FaceRow("shot", bytes(8))), (ROWS[0],) * 65], ids=len)
def test_what_no_door_would_take_is_not_sent(rows):
    with pytest.raises(SyncError):
        make_body(FACE, rows, SALT)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority.create(tmp_path_factory.mktemp("ca"), "site")


def test_the_authority_lists_doors_and_nobody_else(authority):
    trust = DoorListAuthority(authority.certificate_pem)
    doors = replace(doors_of(listed("front"), listed("back")), site=trust.site)
    assert trust.open(authority.sign_doors(doors)) == doors
    with pytest.raises(SyncError, match="not signed"):
        trust.open(signed_list(doors, ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(SyncError, match="another site"):
        trust.open(authority.sign_doors(replace(doors, site=SITE)))


def test_a_door_list_that_was_touched_is_none(authority):
    trust = DoorListAuthority(authority.certificate_pem)
    fields = json.loads(authority.sign_doors(replace(doors_of(listed("front")), site=trust.site)))
    for broken in ({**fields, "p": fields["p"][:-4]}, {**fields, "sig": "AAAA"}, {**fields, "kid": "x"}, {}):
        with pytest.raises(SyncError):
            trust.open(json.dumps(broken).encode())


def letter(sender="front", kind=LetterKind.ENVELOPE, content=None):
    return Letter(SITE, sender, ("back",), kind, envelope_content(SEALED) if content is None else content)


def signer(name="front", key=DOOR_KEY):
    return Signer(name, key.private_bytes_raw())


def test_a_letter_arrives_as_it_was_written():
    payload = letter().signed(signer())
    assert len(payload) < MAX_LETTER_BYTES
    found = open_letter(payload, doors_of(listed("front")))
    assert envelope_of(found) == SEALED


def test_a_letter_counts_only_from_a_door_of_the_list_under_its_own_name():
    payload = letter().signed(signer())
    other = Ed25519PrivateKey.generate()
    for doors in (doors_of(listed("back")), doors_of(listed("front", other)), DoorList(SITE)):
        with pytest.raises(SyncError):
            open_letter(payload, doors)
    former = listed("front", other, former=(listed("front").key,))
    with pytest.raises(SyncError):
        open_letter(payload, doors_of(former))
    with pytest.raises(SyncError, match="signed by 'back'"):
        open_letter(letter().signed(signer("back", other)), doors_of(listed("front"), listed("back", other)))


def test_somebody_elses_ciphertext_is_worth_nothing_under_ones_own_name():
    """The sender stands in the header that everything is bound to."""
    mine = Ed25519PrivateKey.generate()
    stolen = letter("side").signed(signer("side", mine))
    found = open_letter(stolen, doors_of(listed("side", mine)))
    with pytest.raises(SyncError, match="envelope"):
        envelope_of(found).open("back", {1: BACK})


@given(st.binary(max_size=300))
def test_rubbish_is_no_letter(rubbish):
    with pytest.raises(SyncError):
        open_letter(rubbish, doors_of(listed("front")))
    with pytest.raises(SyncError):
        open_letter(signer().sign(rubbish, "letter"), doors_of(listed("front")))


def test_what_is_written_stays_as_it_is():
    """Test vectors: another implementation has to come to the same bytes."""
    vectors = json.loads((Path(__file__).parent / "face_vectors.json").read_text())
    assert vectors == {
        "body": BODY.hex(),
        "commitment": commitment_of(BODY),
        "certificate": FACE.signed(DOOR_KEY),
        "header": HEADER.encode().decode(),
        "info": HEADER.info("back").hex(),
        "private": BACK.private.hex(),
        "wrapped": vectors["wrapped"],
        "sealed": vectors["sealed"],
    }
    fixed = FaceEnvelope(
        HEADER, {"back": bytes.fromhex(vectors["wrapped"])}, bytes.fromhex(vectors["sealed"])
    )
    assert fixed.open("back", {1: BACK}) == BODY
