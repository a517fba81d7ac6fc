"""What a web console would call: doors, events, people, without a broker."""

import itertools
import time
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from edge.cli import app
from edge.errors import ConfigError, SyncError
from edge.site.provision import Site
from edge.wire.commands import CommandType
from edge.wire.rules import ReportedRules
from facegate_hub.database import put, reading
from facegate_hub.doubts import note_doubts
from facegate_hub.events import EventSink
from facegate_hub.reading import EventFilter, history, page
from facegate_hub.staff import Staff
from facegate_hub.tables import DEVICES, DOUBTS, REQUESTS, WAY_DOORS, open_tables
from facegate_hub.vouching import allow_unproven
from tests.hub.entries import chain, pack
from tests.present import present

DOUBT = {"device": "front", "stream": "s", "seq": 1, "kind": "hash", "what": "its hash does not fit"}
WANTED: dict[str, Any] = {
    "device": "front",
    "devices": ("front", "back"),
    "resident": "anna",
    "kind": "access.granted",
    "reason": "granted",
    "since": "2026-03-01",
    "until": "2026-04-01",
}


@pytest.fixture
def place(tmp_path):
    Site.create(tmp_path / "site", "Hill House", "127.0.0.1", 8883)
    return tmp_path / "site", f"sqlite:///{tmp_path}/hub.db"


@pytest.fixture
def engine(place):
    engine = open_tables(place[1])
    yield engine
    engine.dispose()


@pytest.fixture
def desk(place):
    desk = Staff(*place)
    yield desk
    desk.close()


def people(count):
    return [{"id": f"p{n:03}", "name": "P"} for n in range(count)]


def test_doors_say_how_far_behind_they_are(desk, engine):
    desk.import_people(people(5))
    with engine.begin() as connection:
        put(connection, DEVICES, {"id": "front", "avail": "online", "rev": 5})
        put(connection, DEVICES, {"id": "back", "avail": "offline", "rev": 2, "problem": "?"})
        put(connection, DEVICES, {"id": "new", "avail": None})
    assert [(door.id, door.availability, door.behind, door.problem) for door in desk.doors()] == [
        ("back", "offline", 3, "?"),
        ("front", "online", 0, None),
        ("new", None, 5, None),
    ]


def test_events_are_found_by_door_kind_and_day(desk, engine):
    sink = EventSink(engine)
    sink.store("front", pack(chain("front", 3, day=1)))
    sink.store("back", pack(chain("back", 2, day=2)))
    assert [(event.device, event.seq) for event in desk.events()] == [
        ("front", 1),
        ("front", 2),
        ("front", 3),
        ("back", 1),
        ("back", 2),
    ]
    assert len(list(desk.events(EventFilter(device="back", kind="access.granted")))) == 2
    assert len(list(desk.events(EventFilter(until="2026-03-02")))) == 3
    assert [event.device for event in desk.events(EventFilter(since="2026-03-02"))] == ["back", "back"]
    assert list(desk.events(EventFilter(kind="door.forced"))) == []


def test_the_last_events_are_those_of_all_doors(desk, engine):
    sink = EventSink(engine)
    sink.store("front", pack(chain("front", 30, day=1)))
    sink.store("back", pack(chain("back", 2, day=2)))
    assert [(event.device, event.seq) for event in desk.latest(3)] == [
        ("front", 30),
        ("back", 1),
        ("back", 2),
    ]


def test_news_are_each_seen_once_and_never_before_a_gap_is_filled(desk, engine):
    entries, sink, news = chain("front", 5), EventSink(engine), desk.news()
    sink.store("front", pack(entries[:1] + entries[2:3]))
    assert [event.seq for event in news.look()] == [1]
    sink.store("front", pack(entries[1:2] + entries[3:]))
    assert [event.seq for event in news.look()] == [2, 3, 4, 5]
    assert news.look() == []
    assert [event.seq for event in desk.news().look()] == []


def test_who_only_looks_keeps_nobody_from_storing(desk, engine):
    """A long export must not stop the doors' acknowledgements."""
    entries, sink = chain("front", 4), EventSink(engine)
    sink.store("front", pack(entries[:2]))
    looking = desk.events()
    next(looking)
    with reading(engine) as connection:
        connection.execute(sa.select(DOUBTS)).all()
        assert sink.store("front", pack(entries[2:]))["upto"] == 4
    assert len(list(looking)) == 1  # what was there when the looking began


def test_a_file_with_the_wrong_content_does_not_empty_the_house(desk):
    """Replacing most people must be meant; then it works."""
    desk.import_people(people(100))
    for wrong in (people(0), people(20)):
        with pytest.raises(SyncError, match=f"remove {100 - len(wrong)} of 100 people"):
            desk.import_people(wrong, replace=True)
        with pytest.raises(SyncError, match="say so"):
            desk.import_people(wrong, replace=True, removing=7)
    assert desk.roster().count == 100
    assert desk.import_people(people(60), replace=True).removed == 40
    assert desk.import_people(people(20), replace=True, removing=40).removed == 40
    assert desk.roster().count == 20


def test_a_list_that_is_read_again_means_the_people_of_before(desk):
    """An earlier version kept `3–1203` as it was typed: the file is the same, and nobody's face is to go."""
    desk.import_people([{"id": "3–1203", "name": "Wang"}, {"id": "3–1204", "name": "Li"}])
    done = desk.import_people([{"id": "3-1203", "name": "王"}, {"id": "3-1204", "name": "李"}], replace=True)
    assert (done.removed, desk.roster().count) == (0, 2)
    assert present(desk.people.one("3–1203")).record["name"] == "王"


def test_nobody_is_removed_when_one_id_is_wrong(desk):
    desk.import_people(people(3))
    with pytest.raises(SyncError, match="not in the roster: anna"):
        desk.remove(["p000", "anna"])
    assert desk.roster().count == 3
    assert desk.remove(["p000"]) == 4


def test_a_refused_command_is_an_error_with_the_doors_reason(desk, engine):
    """`sleep` stands for the hub's work while we wait."""

    def answer(_seconds):
        with engine.begin() as connection:
            connection.execute(sa.update(REQUESTS).values(status="rejected", answer="six a minute"))

    with pytest.raises(SyncError, match="front: rejected: six a minute"):
        desk.command("front", CommandType.UNLOCK, "desk", sleep=answer)


def test_an_answer_is_returned_as_the_door_gave_it(desk, engine):
    def answer(_seconds):
        with engine.begin() as connection:
            connection.execute(sa.update(REQUESTS).values(status="done", answer="unlocked, never opened"))

    assert desk.command("front", CommandType.UNLOCK, "desk", sleep=answer) == "unlocked, never opened"


def test_a_name_on_an_open_broker_does_not_steer_the_terminal(place, engine):
    """Escape sequences are shown as question marks."""
    EventSink(engine).store("\x1b[2Jdoor", pack(chain("front", 1)))
    words = ["hub", "--site", str(place[0]), "--database", place[1], "staff", "watch"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    assert result.output.startswith("?[2Jdoor")


def test_listing_doors_needs_no_signing_key(place, engine):
    """Whoever only looks cannot sign."""
    (place[0] / "signer" / "signing.key").unlink()
    desk = Staff(*place)
    assert desk.doors() == []
    with pytest.raises(ConfigError, match="no signer"):
        desk.import_people(people(2))
    desk.close()


def test_doors_that_were_never_heard_are_listed_and_a_restored_epoch_counts_as_behind(place, engine, desk):
    Site(place[0]).add_door("garage")
    desk.import_people(people(5))
    with engine.begin() as connection:
        put(connection, DEVICES, {"id": "front", "avail": "online", "epoch": 7, "rev": 900})
    assert [(door.id, door.availability, door.behind) for door in desk.doors()] == [
        ("front", "online", 5),
        ("garage", None, 5),
    ]


def test_of_a_door_that_was_never_heard_nothing_else_is_said(place, engine):
    Site(place[0]).add_door("garage")
    words = ["hub", "--site", str(place[0]), "--database", place[1], "doors"]
    line = next(row for row in CliRunner().invoke(app, words).output.splitlines() if "garage" in row)
    assert line.split() == ["garage", "unknown", "never", "heard"]


def test_a_list_whose_numbers_a_spreadsheet_cut_removes_nobody(desk):
    there = ["0101", "0102", "1203", "5.10", "3-0101", "007", "7", "anna"]
    desk.import_people([{"id": one, "name": "P"} for one in there])
    cut = ["101", "102", "1203", "5.1", "3-0101", "7", "anna"]
    with pytest.raises(SyncError, match=r"101 \(0101\), 102 \(0102\), 5\.1 \(5\.10\)"):
        desk.import_people([{"id": one, "name": "P"} for one in cut], replace=True)
    assert desk.roster().count == 8
    desk.import_people([{"id": one, "name": "P"} for one in there if one != "anna"], replace=True)
    desk.import_people(
        [{"id": one, "name": "P"} for one in there if one not in ("anna", "007")], replace=True
    )
    assert desk.roster().count == 6, "7 was there beside 007"
    desk.import_people([{"id": "101", "name": "P"}])  # another person's, beside it


def test_doors_that_have_seen_more_than_a_restored_database_are_named_and_count_as_behind(engine, desk):
    """They refuse its roster: whoever is removed there is let in until it is begun anew."""
    desk.import_people(people(5))
    with engine.begin() as connection:
        put(connection, DEVICES, {"id": "front", "avail": "online", "epoch": 1, "rev": 900})
        put(connection, DEVICES, {"id": "back", "avail": "online", "epoch": 1, "rev": 5})
    desk.remove(["p001"])
    told = {door.id: door for door in desk.doors()}
    assert told["front"].behind > 0
    assert "begin-anew" in told["front"].problem
    assert (told["back"].behind, told["back"].problem) == (1, None)
    epoch = desk.begin_anew()
    told = {door.id: door for door in desk.doors()}
    assert [(door.behind, door.problem) for door in told.values()] == [(6, None), (6, None)], (
        "till they took it"
    )
    with engine.begin() as connection:
        put(connection, DEVICES, {"id": "front", "epoch": epoch, "rev": 6})
    assert {door.id: door.behind for door in desk.doors()} == {"front": 0, "back": 6}


def test_an_old_problem_is_shown_no_more_and_none_steers_a_terminal(desk, engine):
    with engine.begin() as connection:
        put(connection, DEVICES, {"id": "back", "problem": "x", "problem_at": time.time() - 7200})
        put(connection, DEVICES, {"id": "front", "problem": "x\x1b[2K", "problem_at": time.time()})
    assert [door.problem for door in desk.doors()] == [None, "x?[2K"]


def test_a_door_can_be_shut_out_let_in_again_and_retired(desk, engine):
    sink = EventSink(engine)
    sink.store("front", pack(chain("front", 2)))
    with engine.begin() as connection:
        put(connection, DEVICES, {"id": "front", "avail": "online"})
        put(connection, WAY_DOORS, {"device": "front", "shown": "certificate", "upto": 0})
    desk.rules.note("front", ReportedRules(0, "", takes=True).encode())
    desk.shut_out("front", "panel was opened")
    assert desk.doors()[0].problem == "shut out: panel was opened"
    desk.let_in_again("front")
    assert desk.doors()[0].problem is None
    desk.retire("front")
    assert desk.doors() == []
    assert desk.rules.views() == []
    assert desk.ways.doors() == []
    assert len(desk.latest(5)) == 2


def test_doubts_that_were_looked_at_are_shown_no_more(desk, engine):
    sink = EventSink(engine)
    with engine.begin() as connection:
        for door in ("front", "back"):
            allow_unproven(connection, door, "of an older version")
    sink.store("front", pack(chain("front", 2)))
    sink.store("front", pack(chain("front", 3)))
    (doubt,) = desk.doubts()
    assert "a new journal" in doubt.what
    assert "ends at 2" in doubt.what
    assert desk.acknowledge_doubts("Otto", "back") == 0
    assert desk.acknowledge_doubts("Otto") == 1
    assert desk.doubts() == []
    sink.store("back", pack(chain("back", 2)))
    assert desk.doubts() == []


def test_a_doubt_that_came_while_somebody_read_is_not_acknowledged_with_the_others(place, engine, desk):
    """Nobody had seen it, and nobody saw it afterwards."""
    with engine.begin() as connection:
        note_doubts(connection, [{**DOUBT, "seq": seq} for seq in range(600)], 1.0)
    shown = desk.doubts()
    with engine.begin() as connection:
        note_doubts(connection, [{**DOUBT, "device": "back", "seq": 1000}], 2.0)
    assert desk.acknowledge_doubts("Otto", shown=[one.id for one in shown]) == len(shown)
    assert [(one.device, one.seq) for one in desk.doubts()] == [("back", 1000)]


@pytest.mark.parametrize("words", [("events", "doubts"), ("alarms", "list", "--doubts")])
def test_a_doubt_does_not_steer_the_terminal(place, engine, words):
    """On a broker without access list anybody chooses a door's name and its journal's."""
    with engine.begin() as connection:
        note_doubts(connection, [{**DOUBT, "device": "\x1b[2Jdoor", "stream": "\x9b2J"}], 1.0)
    result = CliRunner().invoke(app, ["hub", "--site", str(place[0]), "--database", place[1], *words])
    assert "[2Jdoor" in result.output
    assert not {"\x1b", "\x9b"} & set(result.output)


def test_news_that_a_failing_database_kept_from_being_shown_come_later(desk, engine):
    """What was read before it failed counted as shown."""
    sink, news, left = EventSink(engine), desk.news(), [0]
    sink.store("front", pack(chain("front", 3)))
    sink.store("back", pack(chain("back", 3)))

    @sa.event.listens_for(desk._engine, "before_cursor_execute")
    def fail(_connection, _cursor, statement, *_):
        if " events " in statement.replace("\n", " "):
            left[0] -= 1
            if left[0] == 0:
                raise sa.exc.OperationalError(statement, {}, OSError("the disk is gone"))

    left[0] = 2
    with pytest.raises(sa.exc.OperationalError):
        news.look()
    assert len(news.look()) == 6
    assert news.look() == []


def test_a_principal_who_could_be_granted_nothing_is_named_with_the_way_on(place):
    words = ["hub", "--site", str(place[0]), "principal", "add", "Bob", "--role", "desk", "--doors", "a b"]
    result = CliRunner().invoke(app, words)
    assert "Bob is added, but may do nothing yet" in str(result.exception)
    assert "principal grant 'Bob' --role desk" in str(result.exception)


def test_a_door_that_nobody_knows_is_named_at_once(place, engine, desk):
    """And which one may be meant."""
    Site(place[0]).add_door("front")
    with pytest.raises(SyncError, match=r"no such door.*did you mean 'front'"):
        desk.command("fornt", CommandType.UNLOCK, "desk")
    with engine.connect() as connection:
        assert connection.execute(sa.select(REQUESTS)).all() == []


def test_a_database_that_fails_while_we_wait_is_asked_again(desk, engine):
    """The door may have opened: a traceback would tell nobody."""
    with engine.begin() as connection:
        put(connection, DEVICES, {"id": "front", "avail": "online"})
    steps = iter(("break", "mend", "answer"))

    def sleep(_seconds):
        match next(steps):
            case "break":
                rename("requests", "gone")
            case "mend":
                rename("gone", "requests")
            case "answer":
                with engine.begin() as connection:
                    connection.execute(sa.update(REQUESTS).values(status="done", answer="unlocked"))

    def rename(old, new):
        with engine.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")

    assert desk.command("front", CommandType.UNLOCK, "desk", sleep=sleep) == "unlocked"


@pytest.mark.parametrize(
    "wanted",
    [EventFilter(), EventFilter(device="front"), EventFilter(resident="anna", kind="access.granted")],
)
def test_pages_follow_each_other_without_gap_and_without_doubling(desk, engine, wanted):
    """Newest first; what is stored meanwhile moves nothing."""
    sink = EventSink(engine)
    sink.store("front", pack(chain("front", 25, day=1)))
    sink.store("back", pack(chain("back", 12, day=2)))
    everything = list(desk.events(wanted))[::-1]
    found, then = [], None
    while True:
        one = desk.page(wanted, 4, then)
        found += one.events
        if (then := one.then) is None:
            break
        sink.store("later", pack(chain("later", 1, day=28)))
    assert sorted(found, key=lambda e: (e.at, e.device, e.stream, e.seq), reverse=True) == found
    assert {(e.device, e.seq) for e in found} == {(e.device, e.seq) for e in everything}
    assert len(found) == len(everything)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (EventFilter(), "events_by_time"),
        (EventFilter(device="front"), "events_by_device"),
        (EventFilter(resident="anna"), "events_by_person"),
        (EventFilter(kind="door.forced"), "events_by_kind"),
        (EventFilter(reason="granted"), "events_by_reason"),
        (EventFilter(resident="anna", kind="access.granted", reason="granted"), "events_by_person"),
        (
            EventFilter(device="front", resident="anna", kind="access.granted"),
            "events_by_resident_and_device",
        ),
        (EventFilter(device="front", kind="access.granted", reason="granted"), "events_by_device_and_reason"),
        (EventFilter(device="front", kind="door.forced", since="2026"), "events_by_device_and_kind"),
        (EventFilter(devices=tuple(map(str, range(50))), kind="door.forced"), "events_by_kind"),
    ],
)
def test_a_page_begins_at_its_place_in_an_index(engine, wanted, index):
    """No table is read for it, and nothing is sorted."""
    plans = []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def explain(_connection, cursor, statement, parameters, _context, _many):
        if "FROM events" in statement:
            plans.extend(cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())

    page(engine, wanted, 50, ("2026-03-01T08:00:00.000000Z", "front", "s", 1))
    text = " ".join(row[-1] for row in plans)
    assert f"SEARCH events USING INDEX {index} " in text
    assert "TEMP B-TREE" not in text


def test_whatever_is_asked_together_there_is_an_index_for_it(engine):
    """SQLite ends with an error where the index that it is told to take does not serve."""
    together = [names for count in range(7) for names in itertools.combinations(WANTED, count)]
    for names in together:
        wanted = EventFilter(**{name: WANTED[name] for name in names})
        first = page(engine, wanted, 5)
        later = page(engine, wanted, 5, ("2026-03-02T08:00:00.000000Z", "front", "s", 9))
        assert first.events == later.events == list(history(engine, wanted)) == []


def test_a_page_of_some_doors_reads_nothing_of_the_others(desk, engine):
    """Whoever may see two quiet doors does not wait for a busy one to be read."""
    sink = EventSink(engine)
    for name in ("back", "front", "side"):
        sink.store(name, pack(chain(name, 9, day=1)))
    wanted = EventFilter(devices=("front", "side"), kind="access.granted")
    found: list[Any]
    found, then = [], None
    while not found or then is not None:
        one = desk.page(wanted, 4, then)
        found, then = found + one.events, one.then
    assert [event.at for event in found] == sorted((event.at for event in found), reverse=True)
    assert {(e.device, e.seq) for e in found} == {(e.device, e.seq) for e in desk.events(wanted)}
    assert {event.device for event in found} == {"front", "side"}
    assert desk.page(EventFilter(devices=()), 4).events == []
