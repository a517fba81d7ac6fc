"""What somebody tries who has the hub, a door, an old recording or an old list: nothing comes of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from edge.errors import SyncError
from edge.service.sharing.keys import signing_key
from edge.wire.faces.certificate import SignedCertificate
from edge.wire.faces.door_list import DoorList, signed_list
from edge.wire.faces.envelope import EnvelopeHeader, FaceEnvelope, ReceivingKey
from edge.wire.faces.letters import Letter, LetterKind, envelope_content, envelope_of, to_base64
from edge.wire.signing import Signer
from tests.sharing.rig import AT, opened


@pytest.fixture
def site(tmp_path):
    with opened(tmp_path, "front", "back", "garage") as compound:
        compound.put("anna", "otto")
        yield compound


def written(site, name, kind, to, content, signer=None):
    """Return a letter as the door of this name signs it, or somebody with another key."""
    rig = site.doors[name]
    key = signer or signing_key(rig.book).private_bytes_raw()
    return Letter(rig.ties.authority.site, name, tuple(to), kind, content).signed(Signer(name, key))


def envelopes(site):
    return [(letter, payload) for letter, payload in site.mail if letter.kind is LetterKind.ENVELOPE]


def sent(site, who="anna", *doors):
    """Enrol and let it go as far as the envelopes; return them."""
    site.doors["front"].enrol(who, *(doors or ("back", "garage")))
    for _ in range(4):
        site.look()
        if found := envelopes(site):
            return found
        site.carry()
    raise AssertionError("no envelope was written")


def test_the_hub_alone_makes_no_face(site):
    """It lists a certificate that no door of the list signed, and sends what it made itself."""
    consent = site.doors["front"].enrol("anna", "back")
    text = site.doors["front"].book.held()[consent.id].certificate
    forged = replace(SignedCertificate.parse(text).says, person="otto", consent="c-forged")
    body, _, signature = text.partition(".")
    for made in (forged.signed(signing_key(site.doors["garage"].book)), f"{body[:-2]}AA.{signature}"):
        site.certificates[made] = ("otto", "c-forged")
    site.spread()
    site.settle()
    assert not site.doors["back"].knows("otto")


def test_a_certificate_in_another_persons_record_counts_for_nobody(site):
    consent = site.doors["front"].enrol("anna", "back")
    text = site.doors["front"].book.held()[consent.id].certificate
    site.certificates[text] = ("otto", consent.id)
    site.spread()
    site.settle()
    assert not site.doors["back"].knows("otto")
    assert not site.doors["back"].knows("anna")


def test_a_door_alone_puts_no_face_anywhere(site):
    """It signs and sends; the property lists nothing."""
    site.lists_faces = False
    site.doors["front"].enrol("anna", "back", "garage")
    site.settle(20)
    assert site.knowing("anna") == {"front"}
    assert not envelopes(site)


def test_a_door_that_may_not_enrol_enrols_for_nobody_else(site):
    site.number += 1
    rig = site.doors["front"]
    listed = {name: one.listed() for name, one in site.doors.items()}
    listed["front"] = rig.listed(roles=["receives"])
    payload = site.authority.sign_doors(DoorList(rig.ties.authority.site, site.number, listed))
    consent = rig.enrol("anna", "back")
    for one in site.doors.values():
        one.exchange.take_doors(payload)
    site.settle()
    assert consent.id in site.doors["front"].book.held()
    assert not site.doors["back"].knows("anna")
    assert rig.desk.doors() == ()


def test_the_hub_cannot_make_a_list_of_doors(site):

    rig = site.doors["back"]
    evil = rig.listed()
    doors = DoorList(rig.ties.authority.site, 99, {"evil": replace(evil, id="evil")})
    rig.exchange.take_doors(signed_list(doors, ec.generate_private_key(ec.SECP256R1())))
    rig.exchange.take_doors(b"nonsense")
    assert rig.events.why() == ["letter", "letter"]
    site.doors["front"].enrol("anna", "back")
    site.settle()
    assert rig.knows("anna")


def test_the_hub_swaps_a_receiving_key_and_learns_nothing(site):
    """A key letter is signed by its door; one with another key inside is refused."""
    mine = ReceivingKey.new()
    content = {"number": 9, "public": to_base64(mine.public), "ended": 0, "answer": False}
    front = site.doors["front"]
    front.exchange.take([written(site, "back", LetterKind.KEY, ["front"], content, bytes(32))])
    assert front.book.peers()["back"].public != mine.public
    [(letter, _), *_] = sent(site)
    with pytest.raises(SyncError):
        envelope_of(letter).open("back", {letter.content["receivers"]["back"]: mine})


def test_an_older_key_of_a_door_is_never_sealed_for(site):
    front, old = site.doors["front"], site.doors["front"].book.peers()["back"]
    back = site.doors["back"]
    back.ran += 31 * 86_400
    site.settle(3)
    assert front.book.peers()["back"].number > old.number
    content = {"number": old.number, "public": to_base64(old.public), "ended": 0, "answer": False}
    front.exchange.take([written(site, "back", LetterKind.KEY, ["front"], content)])
    assert front.book.peers()["back"].number > old.number
    back.ran += 31 * 86_400
    site.look()
    assert old.number not in back.exchange._keys.keys


def test_an_envelope_of_another_door_is_worth_nothing(site):
    """Sent on under one's own name, or to a door it was not sealed for."""
    [(letter, payload), *_] = sent(site, "anna", "back")
    site.mail.clear()
    garage = site.doors["garage"]
    resigned = written(site, "garage", LetterKind.ENVELOPE, ["back"], letter.content)
    site.doors["back"].exchange.take([resigned])
    garage.exchange.take([payload])
    assert not site.doors["back"].knows("anna")
    assert not garage.knows("anna")
    assert garage.templates_on_disk() == 0


def test_two_receivers_cannot_be_given_two_faces_by_the_door_that_enrolled(site):
    """What it seals under the listed commitment has to be the face of that commitment."""
    [(letter, _), *_] = sent(site)
    site.mail.clear()
    front, back = site.doors["front"], site.doors["back"]
    face = front.exchange._register.listed[letter.content["consent"]]
    peer = front.book.peers()["back"]
    header = EnvelopeHeader.of(face, "front", {"back": peer.number})
    other = FaceEnvelope.seal(header, b"another face" * 100, {"back": peer.public})
    back.exchange.take([written(site, "front", LetterKind.ENVELOPE, ["back"], envelope_content(other))])
    assert back.events.why() == ["envelope"]
    assert not back.knows("anna")


def test_a_recording_played_back_after_the_withdrawal_revives_nothing(site):
    recorded = sent(site)
    site.settle()
    old_rosters = list(site.roster_log)
    site.doors["front"].withdraw("anna")
    site.settle()
    assert site.knowing("anna") == set()
    for _, payload in recorded:
        for door in site.doors.values():
            door.exchange.take([payload])
    # Even a property that lists the face again, for good.
    records, state = old_rosters[-1]
    for door in site.doors.values():
        door.roster.replace(records, replace(state, rev=state.rev + 100))
        door.exchange.take([payload for _, payload in recorded])
    for _ in range(5):
        site.look()
        site.clock.advance(20)
    assert site.knowing("anna") == set()
    assert all(door.templates_on_disk() == 0 for door in site.doors.values())


def test_a_door_that_begins_anew_is_told_what_has_ended(tmp_path, site):
    """A property that keeps the ended consent listed cannot have it revived at a door without memory."""
    recorded = sent(site)
    site.settle()
    site.doors["front"].withdraw("anna")
    for name in ("front", "garage"):
        site.look(name)
    site.mail.clear()
    back = site.doors["back"]
    back.ledger.end_for_good([], AT)
    assert back.knows("anna")
    site.doors["front"].exchange._announces = True
    site.look("front", "garage")
    site.carry()
    site.look()
    site.carry()
    site.settle(3)
    assert not back.knows("anna")
    for _, payload in recorded:
        back.exchange.take([payload])
    assert not back.knows("anna")


def test_a_withdrawal_destroys_the_key_by_which_the_face_came(site):
    recorded = sent(site)
    site.settle()
    back = site.doors["back"]
    number = envelope_of(recorded[0][0]).header.receivers["back"]
    assert number in back.exchange._keys.keys
    back.withdraw("anna")
    site.settle()
    assert number not in back.exchange._keys.keys
    assert number not in back.book.receiving_keys()
    site.doors["front"].enrol("otto", "back")
    site.settle()
    assert back.knows("otto")


def test_letters_of_somebody_who_is_no_door_are_refused_and_counted(site):
    back = site.doors["back"]
    for number in range(200):
        content = {"consents": [f"c-{number}"], "at": AT.isoformat(), "answer": True}
        back.exchange.take([written(site, "front", LetterKind.END, ["back"], content, bytes(32))])
    assert back.ledger.ended() == frozenset()
    assert len(back.events.why()) == 10


@pytest.mark.parametrize("name", ["person", "consent", "commitment", "sealed", "keys", "receivers"])
def test_an_envelope_with_anything_changed_is_not_taken(site, name):
    [(letter, _), *_] = sent(site, "anna", "back")
    site.mail.clear()
    changed = json.loads(json.dumps(letter.content))
    changed[name] = {
        "person": "otto",
        "consent": "c-other",
        "commitment": "ab" * 32,
        "sealed": changed["sealed"][:-4] + ("AAA=" if not changed["sealed"].endswith("AAA=") else "BBB="),
        "keys": {},
        "receivers": {"back": 77},
    }[name]
    back = site.doors["back"]
    back.exchange.take([written(site, "front", LetterKind.ENVELOPE, ["back"], changed)])
    assert not back.knows("anna")
    assert back.templates_on_disk() == 0
