"""A face is never replaced by accident: another person is stopped, the same one replaces and says so."""

from __future__ import annotations

from edge.consent.rules import GREETING, Statement, consent_from, matchable
from edge.domain import Resident, Template
from edge.web.accounts import Role
from tests.fakes.scene import START, Actor, axis, leaning
from tests.panel.office import photo

BO = Actor(1, axis(1))
FLAT_7 = Resident("flat-7", "flat-7")


def enrol(panel, browser, resident_id="flat-7", actor=None, **fields):
    if actor is not None and actor not in panel.scene.actors:
        panel.scene.actors.append(actor)
    browser.get("/enrol")
    picture = photo(panel.scene, actor=actor) if actor else photo(panel.scene)
    files = [("photos", (f"{n}.png", picture, "image/png")) for n in range(3)]
    return browser.post("/enrol/photos", files=files, resident_id=resident_id, agrees="yes", **fields)


def saved(panel, browser, **fields):
    answer = enrol(panel, browser)
    assert browser.post("/enrol/save", **fields).status_code == 200
    return answer


def in_force(panel, resident_id="flat-7"):
    return [one for one in panel.desk.consents.of(resident_id) if one.withdrawn_at is None]


def test_another_person_under_the_same_id_is_stopped_in_words(panel):
    browser = panel.logged_in()
    saved(panel, browser)
    before = panel.desk.residents.templates_of("flat-7")

    page = enrol(panel, browser, actor=BO).text
    assert "This is not the person enrolled as flat-7" in page
    for installer_tries in ({}, {"reason": "they say so"}, {"checked": "yes", "reason": "x"}):
        answer = browser.post("/enrol/save", **installer_tries)
        assert answer.status_code == 422
        assert "not the person" in answer.text

    after = panel.desk.residents.templates_of("flat-7")
    assert [one.consent_id for one in after] == [one.consent_id for one in before]
    assert len(panel.desk.consents.of("flat-7")) == 1
    browser.get("/enrol/now")
    browser.post("/enrol/discard")
    assert panel.events("enrol.dropped")[0].data["why"] == "another_person"


def test_somebody_whose_face_is_not_matched_is_compared_all_the_same(panel):
    """Templates without a consent in force are in no gallery, and yet a face that is enrolled."""
    browser = panel.logged_in()
    panel.desk.residents.put(FLAT_7, [Template("flat-7", axis(1), "scene", START)])
    assert "not the person" in enrol(panel, browser).text


def test_the_same_person_replaces_says_so_and_the_older_consent_ends(panel):
    browser = panel.logged_in("sam", Role.STAFF)
    saved(panel, browser)
    greeting = Statement("flat-7", agrees=True, notice="greeting-2026-1", purpose=GREETING)
    panel.desk.consents.record(consent_from(greeting, "sam", panel.clock.now()))
    (first,) = [one for one in in_force(panel) if one.purpose == "door"]

    page = enrol(panel, browser).text
    assert "same person as enrolled on" in page
    answer = browser.post("/enrol/save")
    assert "was replaced" in answer.text

    purposes = {one.purpose: one.id for one in in_force(panel)}
    assert set(purposes) == {"door", "greeting"}  # what another purpose is about stays
    assert purposes["door"] != first.id
    templates = panel.desk.residents.templates_of("flat-7")
    assert {one.consent_id for one in templates} == {purposes["door"]}
    assert matchable(templates, panel.desk.consents.in_force())[1] == {}
    (ended,) = panel.events("consent.ended")
    assert (ended.data["consent"], ended.data["replaced_by"]) == (first.id, purposes["door"])
    assert panel.events("enrol.saved")[1].data["replaces"] == "same_person"


def test_a_face_of_another_model_is_replaced_only_after_somebody_checked(panel):
    browser = panel.logged_in("sam", Role.STAFF)
    panel.desk.residents.put(FLAT_7, [Template("flat-7", axis(0), "older", START)])

    assert "cannot be compared" in enrol(panel, browser).text
    assert browser.post("/enrol/save").status_code == 422
    browser.get("/enrol/now")
    assert browser.post("/enrol/save", checked="yes").status_code == 200
    assert panel.events("enrol.saved")[0].data["replaces"] == "not_compared"


def test_somebody_a_little_alike_is_replaced_only_after_somebody_checked(panel):
    """A sister scores what the person themselves scores on a bad day."""
    browser = panel.logged_in("sam", Role.STAFF)
    panel.desk.residents.put(FLAT_7, [Template("flat-7", leaning(0, 0.52), "scene", START)])

    assert "close relative" in enrol(panel, browser).text
    assert browser.post("/enrol/save").status_code == 422
    browser.get("/enrol/now")
    assert browser.post("/enrol/save", checked="yes").status_code == 200
    assert panel.events("enrol.saved")[0].data["replaces"] == "not_certain"


def test_after_a_withdrawal_anybody_may_be_enrolled_under_the_id(panel):
    browser = panel.logged_in()
    saved(panel, browser)
    browser.get("/residents/flat-7")
    browser.post("/residents/flat-7/withdraw", typed="flat-7")
    enrol(panel, browser, actor=BO)
    assert browser.post("/enrol/save").status_code == 200


def test_somebody_enrolled_meanwhile_is_not_overwritten(panel):
    """The sheet was shown before another desk, or a command, enrolled somebody under this id."""
    browser = panel.logged_in()
    assert "good" in enrol(panel, browser).text
    panel.desk.residents.put(FLAT_7, [Template("flat-7", axis(1), "scene", START)])
    assert browser.post("/enrol/save").status_code == 422


def test_who_was_removed_during_the_enrolment_does_not_come_back_with_a_face(panel):
    browser = panel.logged_in()
    panel.desk.residents.put(FLAT_7, [])
    enrol(panel, browser)
    panel.desk.residents.remove("flat-7")
    answer = browser.post("/enrol/save")
    assert answer.status_code == 422
    assert "has changed since" in answer.text
    assert panel.desk.residents.get("flat-7") is None


def test_a_face_does_not_become_that_of_whoever_got_the_number_during_the_enrolment(panel):
    """They would get in by the other one's rights."""
    browser = panel.logged_in()
    enrol(panel, browser)
    other = Resident("flat-7", "Somebody Else", ("staff",))
    panel.desk.residents.put_people([other])
    assert browser.post("/enrol/save").status_code == 422
    assert panel.desk.residents.templates_of("flat-7") == ()
    assert not panel.desk.consents.of("flat-7")
