"""Faces among doors: one enrolment, known where the consent says; one withdrawal, known nowhere."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from edge.consent.receipt import verified
from edge.errors import StoreError
from edge.store.face_book import FACE_BOOK_FILE, FaceBook
from edge.wire.faces.letters import LetterKind
from tests.sharing.rig import MODEL, SharingRig, opened

SIX = ("front", "back", "garage", "north", "south", "pool")


@pytest.fixture
def site(tmp_path):
    with opened(tmp_path, "front", "back", "garage") as compound:
        compound.put("anna", "otto")
        yield compound


def test_one_enrolment_and_all_named_doors_know_the_person(tmp_path):
    with opened(tmp_path, *SIX) as compound:
        compound.put("anna")
        compound.doors["front"].enrol("anna", *SIX[1:])
        assert compound.knowing("anna") == {"front"}
        compound.settle()
        assert compound.knowing("anna") == set(SIX)
        assert set(compound.doors["front"].desk.reach("anna").values()) == {"known"}

        receipt = compound.doors["pool"].withdraw("anna")
        assert set(receipt.asked) == set(SIX) - {"pool"}
        compound.settle()
        assert compound.knowing("anna") == set()
        assert all(door.templates_on_disk() == 0 for door in compound.doors.values())
        line = compound.doors["pool"].ledger.receipt_of("anna")
        key = compound.doors["pool"].ties.receipt_key().public_key()
        assert set(verified(line, key).answered) == set(SIX) - {"pool"}


def test_a_door_that_the_consent_does_not_name_never_gets_the_face(site):
    site.doors["front"].enrol("anna", "back")
    site.settle()
    assert site.knowing("anna") == {"front", "back"}
    assert site.doors["garage"].templates_on_disk() == 0


def test_without_doors_in_the_consent_the_face_stays_where_it_was_taken(site):
    site.doors["front"].enrol("anna")
    site.settle()
    assert site.knowing("anna") == {"front"}
    assert site.doors["front"].book.held() == {}


def test_a_door_that_no_level_of_the_person_opens_does_not_take_it_and_erases_it_when_that_ends(site):
    site.doors["back"].shut.add("anna")
    site.doors["front"].enrol("anna", "back", "garage")
    site.settle()
    assert site.knowing("anna") == {"front", "garage"}
    site.doors["garage"].shut.add("anna")
    site.settle(40)
    assert site.knowing("anna") == {"front"}
    assert site.doors["garage"].templates_on_disk() == 0
    site.doors["garage"].shut.clear()
    site.settle(40)
    assert site.knowing("anna") == {"front", "garage"}


def test_a_face_that_the_property_does_not_list_counts_nowhere_else(site):
    site.lists_faces = False
    site.doors["front"].enrol("anna", "back", "garage")
    site.settle()
    assert site.knowing("anna") == {"front"}
    site.lists_faces = True
    site.spread()
    site.settle()
    assert site.knowing("anna") == {"front", "back", "garage"}


def test_a_door_that_was_away_catches_up(site):
    site.doors["front"].enrol("anna", "back", "garage")
    for _ in range(6):
        site.look("front", "garage")
        site.carry(to={"front", "garage"})
        site.clock.advance(2)
    assert site.knowing("anna") == {"front", "garage"}
    site.doors["back"].exchange.connected()
    site.settle()
    assert site.knowing("anna") == {"front", "garage", "back"}


def test_another_door_helps_out_when_the_one_that_enrolled_is_gone(site):
    site.doors["front"].enrol("anna", "back", "garage")
    for _ in range(6):
        site.look("front", "garage")
        site.carry(to={"front", "garage"})
        site.clock.advance(2)
    for _ in range(30):
        site.look("back", "garage")
        site.carry(to={"back", "garage"})
        site.clock.advance(5)
    assert site.doors["back"].knows("anna")


def test_a_face_that_several_doors_ask_for_is_sealed_once_for_all_of_them(tmp_path):
    with opened(tmp_path, *SIX) as compound:
        people = [f"flat-{number}" for number in range(15)]
        compound.put(*people)
        for who in people:  # more than are sent without being asked for
            compound.doors["front"].enrol(who, *SIX[1:])
        envelopes = []
        for _ in range(8):
            compound.look()
            envelopes += [one for one, _ in compound.mail if one.kind is LetterKind.ENVELOPE]
            compound.carry()
            compound.clock.advance(2.0)
        assert all(compound.knowing(who) == set(SIX) for who in people)
        assert sorted(one.content["person"] for one in envelopes) == sorted(people)
        assert {one.to for one in envelopes} == {tuple(SIX[1:])}


def test_all_certificates_reach_a_property_that_lists_none_of_them(tmp_path):
    with opened(tmp_path, "front", "back") as compound:
        people = [f"flat-{number}" for number in range(7)]
        compound.put(*people)
        front, told = compound.doors["front"], []
        front.exchange._sending._most_unlisted = 3
        for who in people:
            front.enrol(who, "back")
        for _ in range(4):
            compound.look("front")
            told += [one.content["certificate"] for one, _ in compound.mail if one.kind == "certificate"]
            compound.mail.clear()
            compound.clock.advance(61)
        assert len(told[:3]) == 3
        assert len(set(told)) == 7


def test_who_enrols_again_after_a_withdrawal_is_offered_at_once(site):
    front = site.doors["front"]
    front.enrol("anna", "back")
    site.settle()
    front.withdraw("anna")
    site.settle()
    front.enrol("anna", "back", seed=7)
    site.look()
    assert [one.kind for one, _ in site.mail] == [LetterKind.CERTIFICATE]
    site.settle()
    assert site.knowing("anna") == {"front", "back"}


def test_a_removed_resident_is_known_nowhere(site):
    site.doors["front"].enrol("anna", "back", "garage")
    site.settle()
    site.remove("anna")
    site.settle()
    assert not site.knowing("anna") & {"back", "garage"}
    assert site.doors["back"].templates_on_disk() == 0


def test_who_enrols_again_is_known_by_the_new_face_alone(site):
    old = site.doors["front"].enrol("anna", "back", "garage", seed=1)
    site.settle()
    site.doors["back"].withdraw("anna")
    site.settle()
    new = site.doors["back"].enrol("anna", "front", seed=2)
    site.settle()
    assert site.knowing("anna") == {"back", "front"}
    assert {one.consent_id for one in site.doors["front"].store.templates_of("anna")} == {new.id}
    assert old.id in site.doors["garage"].ledger.ended()


def test_a_face_of_another_model_is_never_taken(tmp_path, site):
    other = SharingRig(tmp_path / "lobby", "lobby", site.authority, site.clock, model="m-2")
    site.doors["lobby"] = other
    site.list_doors()
    site.spread()
    site.settle(3)
    site.doors["front"].enrol("anna", "back", "lobby")
    site.settle()
    assert site.knowing("anna") == {"front", "back"}
    assert other.templates_on_disk() == 0
    assert site.doors["front"].ties.model_id == MODEL


def test_a_look_alike_is_not_taken(site):
    site.doors["back"].enrol("otto", seed=7)
    site.doors["front"].enrol("anna", "back", "garage", seed=7)
    site.settle()
    assert site.knowing("anna") == {"front", "garage"}
    assert "look_alike" in site.doors["back"].events.why()


def test_the_own_enrolment_at_a_door_wins_over_a_face_from_elsewhere(site):
    mine = site.doors["back"].enrol("anna", seed=5)
    site.doors["front"].enrol("anna", "back", seed=6)
    site.settle()
    assert {one.consent_id for one in site.doors["back"].store.templates_of("anna")} == {mine.id}
    assert site.doors["front"].desk.reach("anna") == {"back": "known"}


def test_two_doors_enrol_one_person_at_once(site):
    site.doors["front"].enrol("anna", "back", "garage", seed=5)
    site.doors["back"].enrol("anna", "front", "garage", seed=6)
    site.settle()
    assert site.knowing("anna") == {"front", "back", "garage"}
    site.doors["garage"].withdraw("anna")
    site.settle()
    assert site.knowing("anna") == set()


def test_a_door_off_the_list_gets_nothing_and_what_it_enrolled_counts_nowhere(site):
    site.doors["front"].enrol("anna", "back", "garage")
    site.settle()
    site.list_doors("back")
    site.doors["front"].enrol("otto", "garage")
    site.settle()
    assert not site.doors["back"].knows("otto")
    assert site.knowing("anna") >= {"front", "garage"}
    site.list_doors("front")
    site.settle()
    assert "garage" not in site.knowing("anna")
    assert site.doors["garage"].templates_on_disk() == 0


def test_an_older_list_of_doors_changes_nothing(site):
    old = site.list_doors("back")
    site.list_doors()
    site.doors["garage"].exchange.take_doors(old)
    assert "letter" in site.doors["garage"].events.why()
    site.doors["front"].enrol("anna", "back")
    site.settle()
    assert site.doors["back"].knows("anna")


def test_faces_from_elsewhere_count_for_a_week_without_the_property(site):
    site.doors["front"].enrol("anna", "back", "garage")
    site.settle()
    back = site.doors["back"]
    back.ran += 7 * 86_400 - 100
    site.look()
    assert back.knows("anna")
    back.ran += 200
    site.look()
    assert not back.knows("anna")
    assert site.doors["front"].knows("anna")
    site.spread()
    site.look()
    assert back.knows("anna")


def test_a_withheld_list_of_doors_ends_the_lease(site):
    site.doors["front"].enrol("anna", "back")
    site.settle()
    back = site.doors["back"]
    back.exchange.newest_list = lambda: site.number + 1
    back.ran += 6 * 86_400
    site.clock.advance(10)
    site.spread()
    site.look()
    assert back.knows("anna")
    back.ran += 2 * 86_400
    site.look()
    assert not back.knows("anna")


def test_a_stopped_clock_and_a_clock_of_2099_change_nothing(site):
    site.doors["front"].enrol("anna", "back", "garage")
    site.clock.step_wall(73 * 365 * 86_400)
    site.settle()
    assert site.knowing("anna") == {"front", "back", "garage"}
    site.clock.step_wall(-140 * 365 * 86_400)
    site.doors["back"].withdraw("anna")
    site.settle()
    assert site.knowing("anna") == set()


class FullBook(FaceBook):
    """A book on a card that is full for a while."""

    is_full = True

    def keep_doors(self, number, payload):
        if self.is_full:
            raise StoreError("no space left")
        return super().keep_doors(number, payload)


def test_a_list_of_doors_that_a_full_card_did_not_take_is_taken_once_it_does(tmp_path):
    """A door that was excluded would be sent faces until the next connection."""
    with opened(tmp_path, "gate", "pool") as site:
        site.list_doors()
        gate = site.doors["gate"]
        with closing(FullBook(gate.folder / FACE_BOOK_FILE, gate.store.sealer)) as book:
            gate.ties = replace(gate.ties, book=book)
            gate.begin()
            site.list_doors("pool")
            assert book.doors() is not None
            before = book.doors()
            book.is_full = False
            gate.clock.advance(60)
            gate.exchange.look(lambda _payload: None, 10)
            assert book.doors() != before
