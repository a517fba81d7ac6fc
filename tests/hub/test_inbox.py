"""What a console asks: alarms and who sees to them, people and their history, commands to many doors."""

import json
from contextlib import closing

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from edge.cli import app
from edge.errors import SyncError
from edge.events import Kind
from edge.site.provision import Site
from edge.wire.commands import CommandType
from facegate_hub.events import EventSink
from facegate_hub.inbox import MOST_LINES, OTHER, InboxKind, InboxState
from facegate_hub.reading import EventFilter
from facegate_hub.signer.rights import NotPermitted
from facegate_hub.staff import Staff
from facegate_hub.tables import DOUBTS as DOUBTS_TABLE
from facegate_hub.tables import EVENTS, GIVEN_WAYS, GRANTED_PASSES, REQUESTS, open_tables
from tests.hub.entries import pack
from tests.hub.journals import Journal

pytestmark = pytest.mark.slow

ALARMS, DOUBTS = InboxKind.ALARMS, InboxKind.DOUBTS
OPEN = (InboxState.OPEN,)
NOT_CLOSED = (InboxState.OPEN, InboxState.ACKNOWLEDGED)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    is_file = request.param == "sqlite"
    return f"sqlite:///{tmp_path}/hub.db" if is_file else request.getfixturevalue("postgresql")


@pytest.fixture
def desk(tmp_path, url):
    site = Site.create(tmp_path / "site", "Hill House", "127.0.0.1")
    for door in ("front", "back", "garage"):
        site.add_door(door)
    with closing(Staff(tmp_path / "site", url, by="Anna")) as desk:
        yield desk


@pytest.fixture
def engine(url):
    engine = open_tables(url)
    yield engine
    engine.dispose()


def told(engine, door, *events):
    """Store events of a door: (kind, resident, data)."""
    journal = Journal(door)
    for kind, resident, data in events:
        journal.append(kind, data, resident=resident)
    EventSink(engine).store(door, pack(journal.entries))
    return journal


def test_alarms_of_doors_are_in_the_inbox_and_nothing_else_is(desk, engine):
    told(
        engine,
        "front",
        (Kind.ACCESS_GRANTED, "anna", {}),
        (Kind.DOOR_FORCED, None, {}),
        (Kind.ALARM_DURESS, "anna", {}),
        (Kind.HEALTH_CREDENTIALS, None, {"state": "ok"}),
        (Kind.HEALTH_CREDENTIALS, None, {"state": "lost"}),
    )
    found = desk.inbox.items(ALARMS, OPEN)
    assert [(one.kind, one.resident, one.is_silent) for one in found] == [
        (Kind.HEALTH_CREDENTIALS, None, False),
        (Kind.ALARM_DURESS, "anna", True),
        (Kind.DOOR_FORCED, None, False),
    ]
    assert desk.inbox.items(ALARMS, OPEN, 1)[0].id == found[0].id
    assert [one.id for one in desk.inbox.items(ALARMS, OPEN, 9, found[0].id)] == [one.id for one in found[1:]]


def test_an_alarm_that_comes_again_is_counted_until_it_is_closed(desk, engine):
    journal = told(engine, "front", *[(Kind.DOOR_HELD_REPEAT, None, {})] * 30)
    (one,) = desk.inbox.items(ALARMS, OPEN)
    assert one.count == 30
    EventSink(engine).store("front", pack(journal.entries))  # sent again: nothing new
    assert desk.inbox.item(ALARMS, one.id).count == 30
    desk.close_item(ALARMS, one.id, "a brick held it")
    journal.append(Kind.DOOR_HELD_REPEAT, {})
    EventSink(engine).store("front", pack(journal.entries))
    assert [two.count for two in desk.inbox.items(ALARMS, OPEN)] == [1]
    assert desk.inbox.item(ALARMS, one.id).note == "a brick held it"


def test_an_alarm_of_another_hour_or_person_has_a_line_of_its_own(desk, engine):
    """As long as nobody closed the first one it was a number beside it, and nobody outside heard of it."""
    journal, seconds = Journal("front"), [1.9e9]
    sink = EventSink(engine, now=lambda: seconds[0])

    def comes(resident, after):
        seconds[0] += after
        journal.append(Kind.ALARM_DURESS, {}, resident=resident)
        sink.store("front", pack(journal.entries))
        return [(one.resident, one.count, str(one.state)) for one in desk.inbox.items(ALARMS, NOT_CLOSED)]

    assert comes("anna", 0) == [("anna", 1, "open")]
    desk.see_to(ALARMS, desk.inbox.items(ALARMS, OPEN)[0].id)
    assert comes("anna", 600) == [("anna", 2, "acknowledged")], "whoever sees to it sees to this as well"
    assert comes("bert", 600) == [("bert", 1, "open"), ("anna", 2, "acknowledged")]
    assert comes("anna", 7200)[0] == ("anna", 1, "open")
    for _ in range(47):
        found = comes("anna", 1800)
    assert found[0][:2] == ("anna", 48)
    assert comes("anna", 1800)[0][:2] == ("anna", 1), "told again after a day"
    seconds[0] -= 30 * 86_400
    assert comes("anna", 0)[0][:2] == ("anna", 1), "whatever the clock says"


def test_a_door_that_makes_residents_up_fills_no_inbox_and_is_told_of_all_the_same(desk, engine):
    journal, seconds = Journal("front"), [1.9e9]
    sink = EventSink(engine, now=lambda: seconds[0])
    for number in range(3 * MOST_LINES):
        journal.append(Kind.ALARM_DURESS, {}, resident=f"made-up-{number}")
    sink.store("front", pack(journal.entries))
    lines = desk.inbox.items(ALARMS, NOT_CLOSED, 1000)
    assert len(lines) == MOST_LINES
    assert sum(one.count for one in lines) == 3 * MOST_LINES
    newest = lines[0].id
    desk.see_to(ALARMS, newest)
    seconds[0] += 7200
    journal.append(Kind.ALARM_DURESS, {}, resident="anna")
    sink.store("front", pack(journal.entries[-1:]))
    assert len(desk.inbox.items(ALARMS, NOT_CLOSED, 1000)) == MOST_LINES
    assert desk.inbox.item(ALARMS, newest).state == InboxState.OPEN


def test_a_door_that_makes_alarms_up_has_one_line(desk, engine):
    told(engine, "front", *[(f"alarm.x{n}", None, {}) for n in range(50)])
    assert [(one.kind, one.count) for one in desk.inbox.items(ALARMS, OPEN)] == [(OTHER, 50)]


def test_one_person_sees_to_an_alarm_until_it_is_handed_over_and_closed(desk, engine):
    told(engine, "front", (Kind.DOOR_FORCED, None, {}))
    (one,) = desk.inbox.items(ALARMS, OPEN)
    desk.see_to(ALARMS, one.id)
    with pytest.raises(SyncError, match="acknowledged already, by Anna"):
        desk.see_to(ALARMS, one.id)
    desk.hand_over(ALARMS, one.id, "Night guard", "strike\x1b[2K loose")
    found = desk.inbox.item(ALARMS, one.id)
    assert (found.holder, found.state, found.note) == ("Night guard", "acknowledged", "strike?[2K loose")
    desk.close_item(ALARMS, one.id)
    for step in (desk.see_to, desk.close_item):
        with pytest.raises(SyncError, match="closed already, by Anna"):
            step(ALARMS, one.id)
    with pytest.raises(SyncError, match="no number 99"):
        desk.see_to(ALARMS, 99)
    assert {one.what for one in desk.audit(3)[0]} == {"alarms"}


def test_of_two_who_take_an_alarm_over_at_once_one_has_it_and_the_word_of_the_one_before_stays(desk, engine):
    """Each believed that they had it, and what the night guard had written was gone."""
    told(engine, "front", (Kind.DOOR_FORCED, None, {}))
    (one,) = desk.inbox.items(ALARMS, OPEN)
    with pytest.raises(SyncError, match="is open already"):
        desk.take_over(ALARMS, one.id, "")
    desk.hand_over(ALARMS, one.id, "Night guard", "strike is loose")
    desk.take_over(ALARMS, one.id, "Night guard")
    with pytest.raises(SyncError, match="by Anna"):
        desk.inbox.take_over(ALARMS, one.id, "Bert", "Night guard")
    desk.hand_over(ALARMS, one.id, "Bert")
    desk.close_item(ALARMS, one.id)
    found = desk.inbox.item(ALARMS, one.id)
    assert (found.holder, found.note, found.closed_by) == ("Bert", "strike is loose", "Anna")
    with pytest.raises(SyncError, match="closed already"):
        desk.take_over(ALARMS, one.id, "Bert")
    assert json.loads(desk.audit(1)[0][0].about)["did"] == "take over from Bert"


def test_who_saw_to_a_doubt_in_an_older_version_is_taken_over_from_as_well(desk, engine):
    journal = Journal("front")
    journal.append(Kind.ACCESS_GRANTED, {})
    broken = [text.replace('"type":"access.granted"', '"type":"access.denied"') for text in journal.entries]
    EventSink(engine).store("front", pack(broken))
    one = desk.inbox.items(DOUBTS, OPEN)[0]
    with engine.begin() as connection:
        old = {"acknowledged_by": "Otto", "acknowledged_at": 1.0, "holder": None, "state": None}
        connection.execute(sa.update(DOUBTS_TABLE).where(DOUBTS_TABLE.c.id == one.id).values(**old))
    desk.take_over(DOUBTS, one.id, "Otto")
    assert desk.inbox.item(DOUBTS, one.id).holder == "Anna"


def test_doubts_have_the_same_inbox(desk, engine):
    journal = Journal("front")
    for _ in range(3):
        journal.append(Kind.ACCESS_GRANTED, {})
    broken = [text.replace('"type":"access.granted"', '"type":"access.denied"') for text in journal.entries]
    EventSink(engine).store("front", pack(broken))
    found = desk.inbox.items(DOUBTS, OPEN)
    assert {one.kind for one in found} >= {"hash"}
    desk.see_to(DOUBTS, found[0].id)
    desk.close_item(DOUBTS, found[0].id, "card replaced")
    assert len(desk.inbox.items(DOUBTS, OPEN)) == len(found) - 1 == len(desk.doubts())
    assert desk.acknowledge_doubts("Anna") == len(found) - 1
    assert desk.inbox.items(DOUBTS, OPEN) == []


def test_who_may_not_work_on_alarms_is_refused(tmp_path, url, desk, engine):
    told(engine, "front", (Kind.DOOR_FORCED, None, {}))
    (one,) = desk.inbox.items(ALARMS, OPEN)
    desk.signer.change("add", name="Otto", kind="person", account=None)
    desk.signer.change("grant", name="Otto", role="desk", doors="back", wanted={})
    token = desk.signer.change("token", name="Otto")
    with closing(Staff(tmp_path / "site", url, signer=desk.signer.speaking_for(token))) as other:
        with pytest.raises(NotPermitted):
            other.see_to(ALARMS, one.id)
        with pytest.raises(NotPermitted):
            other.erase_person_events("anna")
        with pytest.raises(NotPermitted, match="front: Otto does not have the right"):
            other.command("front", CommandType.UNLOCK, "Anna")


def test_people_are_listed_page_by_page(desk):
    desk.import_people(
        [{"id": f"flat-{n:03}", "name": f"P{n}"} for n in range(25)] + [{"id": "x_1", "name": "X"}]
    )
    first = desk.people.page(10)
    assert [one.id for one in first] == [f"flat-{n:03}" for n in range(10)]
    assert [one.id for one in desk.people.page(10, first[-1].id, "flat-01")] == [
        f"flat-{n:03}" for n in range(10, 20)
    ]
    assert desk.people.page(9, beginning="x%") == []
    assert desk.people.one("x_1").record["name"] == "X"
    assert desk.people.one("nobody") is None


def test_somebodys_events_are_exported_and_erased_and_the_chain_stays(tmp_path, desk, engine, url):
    """Erased in the file as well; the door sends nothing again, and nobody else is touched."""
    journal = told(
        engine,
        "front",
        (Kind.ACCESS_GRANTED, "flat-王-7", {"similarity": 0.77}),
        (Kind.ACCESS_GRANTED, "flat-王-70", {}),
        (Kind.ACCESS_COMPANY, None, {"with": ["flat-王-7"]}),
        (Kind.DOOR_FORCED, "flat-王-7", {}),
    )
    desk.import_people([{"id": "flat-王-7", "name": "Wang"}])
    doubts = len(desk.doubts())
    with engine.begin() as connection:
        for person in ("flat-王-7", "flat-王-70"):
            order = {"number": 7, "device": f"door-{person}", "person": person, "way": "pin", "after": 0}
            given = {"by": "mei", "at": 1.9e9, "sealed": "c2VhbGVk", "status": "taken"}
            connection.execute(sa.insert(GIVEN_WAYS).values(**order, **given))
            made = {"id": person[-2:], "doors": "front", "until": 1_900_000_000, "ended_at": 1.8e9}
            connection.execute(sa.insert(GRANTED_PASSES).values(**made, host=person, flat="3-1203"))
    found = list(desk.person_data("flat-王-7"))
    assert [next(iter(one)) for one in found] == ["record", "way", "pass", "event", "event"]
    assert (found[1]["way"]["device"], "sealed" in found[1]["way"]) == ("door-flat-王-7", False)
    assert found[2]["pass"]["flat"] == "3-1203"
    with pytest.raises(SyncError, match="roster remove"):
        desk.erase_person_events("flat-王-7")
    desk.remove(["flat-王-7"])
    assert desk.erase_person_events("flat-王-7") == 3
    assert desk.erase_person_events("flat-王-7") == 0
    assert list(desk.people.everything("flat-王-7")) == []
    assert len(desk.people.history("flat-王-70").events) == 1
    assert [next(iter(one)) for one in desk.people.everything("flat-王-70")] == ["way", "pass", "event"]
    with engine.connect() as connection:
        ended = connection.execute(sa.select(GRANTED_PASSES.c.ended_at, GRANTED_PASSES.c.flat)).all()
    assert sorted(map(tuple, ended), key=str) == [(1.8e9, "3-1203"), (1.8e9, None)], (
        "doors are told all the same"
    )
    assert EventSink(engine).store("front", pack(journal.entries))["upto"] == 4
    assert len(desk.doubts()) == doubts
    with engine.connect() as connection:
        bodies = connection.execute(sa.select(EVENTS.c.body)).scalars().all()
    assert sum('"flat-王-7"' in body for body in bodies) == 0
    assert desk.page(EventFilter(device="front")).events[0].kind == Kind.DOOR_FORCED
    assert desk.inbox.items(ALARMS, OPEN)[0].resident is None
    if url.startswith("sqlite"):
        left = b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))
        assert b"0.77" not in left


def test_doors_have_names_and_their_last_state(desk, engine):
    desk.name_door("front", "Front door", "House 3")
    with pytest.raises(SyncError, match="did you mean 'front'"):
        desk.name_door("fronts", "x")
    assert [(door.id, door.name, door.place) for door in desk.doors()] == [
        ("back", "", ""),
        ("front", "Front door", "House 3"),
        ("garage", "", ""),
    ]


def test_each_door_of_a_group_answers_when_it_has_done_it(desk, engine):
    """The slowest keeps nobody waiting; who may not is told at once; whoever leaves withdraws the rest."""
    desk.signer.set_group("all", ["back", "front", "garage"])
    given = desk.orders.give(["@all", "front"], CommandType.LOCKDOWN, "Anna")
    assert sorted(one.door for one in given) == ["back", "front", "garage"]
    following = desk.orders.follow(given)
    ends = {one.door: one.id for one in given}

    def end(door):
        done = (
            sa.update(REQUESTS).where(REQUESTS.c.id == ends[door]).values(status="done", answer="locked down")
        )
        with engine.begin() as connection:
            connection.execute(done)

    for door in ("garage", "back"):
        end(door)
        found = next(following)
        assert (found.door, found.status, found.text) == (door, "done", "locked down")
    following.close()
    with engine.connect() as connection:
        status = sa.select(REQUESTS.c.status).where(REQUESTS.c.id == ends["front"])
        assert connection.execute(status).scalar() == "failed"


def test_the_commands_show_and_close_alarms(tmp_path, desk, engine, url):
    told(engine, "front", (Kind.ALARM_DURESS, "anna", {}))

    def run(*words):
        result = CliRunner().invoke(app, ["hub", "--site", str(tmp_path / "site"), "--database", url, *words])
        return result.output

    assert "SILENT" in run("alarms", "list")
    number = str(desk.inbox.items(ALARMS, OPEN)[0].id)
    assert "yours" in run("alarms", "acknowledge", number)
    assert "Otto sees to it" in run("alarms", "hand-over", number, "Otto")
    assert "closed" in run("alarms", "close", number, "--note", "false alarm")
    assert run("alarms", "list") == ""
    assert "false alarm" in run("alarms", "list", "--closed")
    assert "Front door" in run("name-door", "front", "Front door", "--at", "House 3")
    assert json.loads(run("person", "export", "anna").splitlines()[0])["event"]["resident"] == "anna"
    assert run("person", "export", "ana").startswith("ana: nothing is stored")
    assert "1 events erased" in run("person", "erase", "anna", "--yes")


def test_a_level_that_looks_like_a_slip_is_asked_about(desk):
    def person(level):
        return [{"id": "x", "name": "X", "access_levels": [level]}]

    desk.require_known_levels(person("resident"))  # nobody has any level yet
    desk.import_people(person("resident"))
    with pytest.raises(SyncError, match="did you mean 'resident'"):
        desk.require_known_levels(person("residents"))
    desk.require_known_levels(person("residents"), ["residents"])
    desk.require_known_levels(person("staff"))


def test_days_of_an_export_begin_where_the_site_is(tmp_path, desk, engine, url):
    """The journal's entries are of 08:00 UTC."""
    told(engine, "front", (Kind.ACCESS_GRANTED, "anna", {}))

    def count(*words):
        command = ["hub", "--site", str(tmp_path / "site"), "--database", url, "events", "export", "--json"]
        return len(CliRunner().invoke(app, [*command, *words]).stdout.splitlines())

    assert count("--since", "2026-03-01", "--until", "2026-03-02") == 1
    at_home = ("--timezone", "Pacific/Kiritimati")  # 14 hours ahead: 22:00 of the same day
    assert count("--since", "2026-03-01", "--until", "2026-03-02", *at_home) == 1
    behind = ("--timezone", "Pacific/Pago_Pago")  # 11 hours behind: 21:00 of the day before
    assert count("--since", "2026-03-01", *behind) == 0
    assert count("--until", "2026-03-01", *behind) == 1


def test_numbers_that_json_does_not_have_are_stored_without_and_doubted(desk, engine):
    journal = Journal("front")
    journal.append(Kind.ACCESS_GRANTED, {"similarity": 0.5})
    for number in ("NaN", "Infinity", "1e999"):
        text = journal.entries[0].replace("0.5", number)
        assert EventSink(engine).store("front", pack([text]))["upto"] == 1
    (event,) = list(desk.events(EventFilter(device="front")))
    assert json.loads(event.body, parse_constant=pytest.fail)["data"] == {"similarity": None}
    assert {"hash"} <= {one.kind for one in desk.inbox.items(DOUBTS, OPEN)}
