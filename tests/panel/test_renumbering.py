"""Another number for the same person: everything goes along, and a power cut costs nobody a way in."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from edge.ports import EventWriter

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


class Cuts:
    """The journal of a machine whose power goes before (`keeps` false) or behind the commit."""

    def __init__(self, log: EventWriter, *, keeps: bool) -> None:
        self._log, self._keeps = log, keeps

    def record(self, draft: EventDraft) -> DoorEvent | None:
        return self._log.record(draft)

    def commit(self, draft: EventDraft) -> DoorEvent | None:
        if self._keeps:
            self._log.commit(draft)
        raise KeyboardInterrupt


@pytest.mark.parametrize("keeps", [False, True])
def test_a_cut_beside_the_journal_neither_tells_what_is_not_done_nor_does_what_is_not_told(panel, keeps):
    _, pin = enrolled(panel)
    desk = panel.desk
    office = RenumberingDesk(desk.residents, desk.consents, desk.ways)
    with pytest.raises(KeyboardInterrupt):
        office.renumber(OLD, NEW, "sam", panel.clock, Cuts(desk.log, keeps=keeps))
    office.finish(desk.log)
    given_the_new_number(panel, pin)
    told = {(one.resident_id, one.data["by"], one.data["was"]) for one in panel.events("resident.renumbered")}
    assert told == {(NEW, "sam", OLD)}


def test_who_got_the_number_since_an_error_gets_nothing_of_another(panel):
    _, pin = enrolled(panel)
    desk = panel.desk

    class Store(Cut):
        def put_people(self, people, before):
            raise StoreError("the card gives up")

        def __getattr__(self, name):
            return getattr(desk.residents, name)

    parts: dict[str, Any] = {"store": Store(), "consents": desk.consents, "ways": desk.ways}
    with pytest.raises(StoreError):
        RenumberingDesk(**parts).renumber(OLD, NEW, "sam", panel.clock, desk.log)
    desk.residents.put_people([Resident(NEW, "王芳")])
    office = RenumberingDesk(desk.residents, desk.consents, desk.ways)
    office.finish(desk.log)
    assert desk.ways.book().match("1203", pin).resident_id == OLD
    assert desk.residents.get(NEW).name == "王芳"
    office.finish(desk.log)
    assert desk.ways.cards() == {"w26:17:4711": OLD}


def test_what_an_error_stopped_is_finished_before_the_next_number_is_changed(panel):
    _, pin = enrolled(panel)
    desk = panel.desk
    desk.residents.put_people([Resident("9-0101-1", "Anna")])
    parts: dict[str, Any] = {"store": desk.residents, "consents": desk.consents, "ways": Cut()}
    with pytest.raises(StoreError):
        RenumberingDesk(**parts).renumber(OLD, NEW, "sam", panel.clock, desk.log)
    office = RenumberingDesk(desk.residents, desk.consents, desk.ways)
    office.renumber("9-0101-1", ResidentId("9-0102-1"), "sam", panel.clock, desk.log)
    given_the_new_number(panel, pin)
    assert desk.residents.get("9-0102-1").name == "Anna"


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
    whole.finish(desk.log)
    given_the_new_number(panel, pin)
    whole.finish(desk.log)
    given_the_new_number(panel, pin)


def test_a_note_that_cannot_be_read_moves_nobody(panel):
    enrolled(panel)
    desk = panel.desk
    note = desk.residents.folder / NOTE_FILE
    for text in ("", "{", "[]", json.dumps({"was": OLD})):
        note.write_text(text)
        RenumberingDesk(desk.residents, desk.consents, desk.ways).finish(desk.log)
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
    RenumberingDesk(desk.residents, desk.consents, desk.ways).finish(desk.log)
    assert desk.residents.get(OLD)
    assert desk.residents.get(NEW) is None
