"""Another number for the same person: everything goes along, and a power cut costs nobody a way in."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from edge.domain import Consent, DoorEvent, EventDraft, Resident, Template
from edge.enrol.renumbering import NOTE_FILE, RenumberingDesk
from edge.enrol.ways_in import PassWish
from edge.errors import JournalUnavailable, KeyUnavailable, StoreError
from edge.events import Kind
from edge.identity import ResidentId
from edge.policy.passes import PassKind
from edge.store.roster import SOURCE
from edge.web.accounts import Role
from tests.fakes.scene import axis
from tests.panel.office import open_panel

OLD, NEW = "3-1203-1", ResidentId("5-0801-1")


def enrolled(panel):
    """Make somebody with everything one can have here."""
    desk, at = panel.desk, panel.clock.now()
    consent = Consent("c-1", OLD, at, "face-v1", "zh", "face", "ines")
    desk.consents.record(Consent("c-0", OLD, at, "face-v1", "zh", "greeting", "ines"))
    desk.consents.end("c-0", at)
    desk.consents.record(consent)
    desk.consents.note_uses({OLD: at})
    person = Resident(
        OLD, "李伟", ("resident", "cleaner"), valid_until=at + timedelta(days=400), extended_unlock=True
    )
    desk.residents.put(person, [Template(OLD, axis(0), "scene", at, consent_id="c-1")], source="import")
    pin = desk.ways.set_pin(OLD, "1203")
    desk.ways.set_pin(OLD, "1203", "480517", is_duress=True)
    desk.ways.give_card("w26:17:4711", OLD)
    desk.ways.issue_pass("gate", OLD, PassWish(at, at + timedelta(days=1), 3, PassKind.VISITOR))
    return person, pin


def given_the_new_number(panel, pin):
    """Check that the new number has all that the old one had, and the old one nothing."""
    desk = panel.desk
    moved = desk.residents.get(NEW)
    assert (moved.name, moved.access_levels, moved.extended_unlock) == ("李伟", ("resident", "cleaner"), True)
    assert desk.residents.source_of(NEW) == "import"
    assert [one.consent_id for one in desk.residents.templates_of(NEW)] == ["c-1"]
    assert [one.id for one in desk.consents.of(NEW)] == ["c-0", "c-1"]
    assert desk.consents.in_force()["c-1"].resident_id == NEW
    assert set(desk.consents.last_used()) == {NEW}
    assert desk.ways.cards() == {"w26:17:4711": NEW}
    assert desk.ways.book().match("1203", pin).resident_id == NEW
    assert desk.ways.book().match("1203", "480517").is_duress
    assert [one.is_ended for one in desk.ways.passes_of(NEW)] == [True]
    assert desk.residents.get(OLD) is None
    assert not desk.consents.of(OLD)
    assert not desk.ways.passes_of(OLD)
    assert OLD not in desk.residents.sealer.people()
    assert NEW in desk.residents.sealer.people()
    assert not desk.residents.edited()


def test_everything_goes_along_and_the_history_is_one(panel):
    person, pin = enrolled(panel)
    granted = {"method": "card"}
    panel.desk.log.record(EventDraft(Kind.ACCESS_GRANTED, panel.clock.now(), 1.0, OLD, "granted", granted))
    sam = panel.logged_in("sam", Role.STAFF)
    before = panel.desk.residents.version()
    sam.get(f"/residents/{OLD}")

    page = sam.post(f"/residents/{OLD}/number", new_id="５-0801-1")

    assert f"{person.name} had the number {OLD} and now has {NEW}" in page.text
    assert page.url.path == f"/residents/{NEW}"
    given_the_new_number(panel, pin)
    assert "Entry granted" in page.text or page.text.count(OLD) > 1, "what was before is in the history"
    changes = panel.desk.residents.changes_since(before)
    assert (changes.put, changes.removed) == ((NEW,), (OLD,)), "a running door follows"
    (event,) = panel.events("resident.renumbered")
    assert (event.resident_id, event.data) == (NEW, {"by": "sam", "was": OLD})


def test_who_gets_the_old_number_later_has_nothing_of_the_history(panel):
    enrolled(panel)
    sam = panel.logged_in("sam", Role.STAFF)
    sam.get(f"/residents/{OLD}")
    sam.post(f"/residents/{OLD}/number", new_id=NEW)
    sam.post("/people/new", resident_id=OLD, name="王芳", levels="resident")
    panel.desk.log.record(
        EventDraft(Kind.ACCESS_GRANTED, panel.clock.now(), 1.0, OLD, "granted", {"method": "pin"})
    )
    history = sam.get(f"/residents/{NEW}").text.partition('id="h-history"')[2]
    assert history.count("<li") == 1, "the change of the number; the other's entry is not this person's"


class Cut:
    """A part that dies when its turn comes, as in a power cut."""

    def renumber(self, was, now):
        raise KeyUnavailable("the power is gone")


@pytest.mark.parametrize("part", ["ways", "consents", "store"])
def test_a_power_cut_costs_nobody_a_way_in_and_is_made_good(panel, part):
    _, pin = enrolled(panel)
    desk = panel.desk
    whole = RenumberingDesk(desk.residents, desk.consents, desk.ways)

    class Store(Cut):
        def __getattr__(self, name):
            return getattr(desk.residents, name)

    parts = {
        "store": desk.residents,
        "consents": desk.consents,
        "ways": desk.ways,
        part: Store() if part == "store" else Cut(),
    }
    with pytest.raises(StoreError):
        RenumberingDesk(**parts).renumber(OLD, NEW, "sam", panel.clock, desk.log)

    holder = desk.ways.cards()["w26:17:4711"]
    assert desk.residents.get(holder).access_levels == ("resident", "cleaner")
    whole.finish()
    given_the_new_number(panel, pin)
    whole.finish()
    given_the_new_number(panel, pin)


def test_a_note_that_cannot_be_read_moves_nobody(panel):
    enrolled(panel)
    desk = panel.desk
    note = desk.residents.folder / NOTE_FILE
    for text in ("", "{", "[]", json.dumps({"was": OLD})):
        note.write_text(text)
        RenumberingDesk(desk.residents, desk.consents, desk.ways).finish()
    assert desk.residents.get(OLD)


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ("3-1204", "already somebody with the id 3-1204"),
        (OLD, "already somebody"),
        ("", "1 to 128 printable"),
        ("flat-9", "The access rules name flat-9"),
    ],
)
def test_what_cannot_be_is_told_at_the_field(tmp_path, stack, wish, told):
    rules = '[levels.resident]\nschedule = "always"\n[groups.vip]\nmembers = ["flat-9"]\n'
    panel = open_panel(tmp_path, stack, rules=rules)
    enrolled(panel)
    panel.desk.residents.put_people([Resident("3-1204", "Anna")])
    sam = panel.logged_in("sam", Role.STAFF)
    sam.get(f"/residents/{OLD}")
    answer = sam.post(f"/residents/{OLD}/number", new_id=wish)
    assert answer.status_code == 422
    assert told in answer.text
    assert 'id="fault-new_id"' in answer.text
    assert panel.desk.residents.get(OLD)


def test_who_is_switched_off_by_the_rules_is_not_switched_on_by_another_number(tmp_path, stack):
    panel = open_panel(tmp_path, stack, rules=f'[disabled]\n"{OLD}" = "misuse_under_review"\n')
    enrolled(panel)
    sam = panel.logged_in("sam", Role.STAFF)
    sam.get(f"/residents/{OLD}")
    assert "switched off" in sam.post(f"/residents/{OLD}/number", new_id=NEW).text
    assert panel.desk.residents.get(OLD)


def test_the_propertys_people_are_renumbered_there(panel):
    panel.desk.residents.put(Resident(OLD, "Anna"), [], source=SOURCE)
    sam = panel.logged_in("sam", Role.STAFF)
    assert "/number" not in sam.get(f"/residents/{OLD}").text
    assert sam.post(f"/residents/{OLD}/number", new_id=NEW).status_code == 422
    assert panel.desk.residents.get(OLD)


def test_what_cannot_be_written_down_is_not_done(panel):
    enrolled(panel)
    desk = panel.desk

    class Full:
        def record(self, draft: EventDraft) -> DoorEvent | None:
            return None

        def commit(self, draft: EventDraft) -> DoorEvent | None:
            raise JournalUnavailable("the disk is full")

    with pytest.raises(JournalUnavailable):
        RenumberingDesk(desk.residents, desk.consents, desk.ways).renumber(
            OLD, NEW, "sam", panel.clock, Full()
        )
    RenumberingDesk(desk.residents, desk.consents, desk.ways).finish()
    assert desk.residents.get(OLD)
    assert desk.residents.get(NEW) is None
