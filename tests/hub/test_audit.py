"""Who asked for what: noted with the deed, chained, and kept when all else is forgotten."""

import json
from contextlib import closing

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.errors import SyncError
from edge.site.provision import Site
from edge.wire.commands import CommandType
from facegate_hub.signer.audit import first_broken, note_wish, read_wishes
from facegate_hub.signer.rights import Permission
from facegate_hub.signer.tables import open_memory
from facegate_hub.staff import Staff
from facegate_hub.tables import open_tables
from tests.hub.signing import ask


@pytest.fixture
def engine(tmp_path):
    engine = open_memory(tmp_path)
    yield engine
    engine.dispose()


def fill(engine, count):
    for number in range(count):
        with engine.begin() as connection:
            note_wish(connection, "Otto \x1b[2K", "command", {"door": "前门", "n": number})


def test_records_follow_each_other_and_steer_no_terminal(engine):
    fill(engine, 5)
    records = read_wishes(engine, 3)
    assert [one.seq for one in records] == [3, 4, 5]
    assert {one.by for one in records} == {"Otto ?[2K"}
    assert json.loads(records[-1].about) == {"door": "前门", "n": 4}
    assert first_broken(engine) is None


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit SET \"by\" = 'Anna' WHERE seq = 3", 3),
        ("UPDATE audit SET about = '{}' WHERE seq = 1", 1),
        ("UPDATE audit SET at = at + 60 WHERE seq = 5", 5),
        ("DELETE FROM audit WHERE seq = 2", 2),
        ("UPDATE audit SET seq = 9 WHERE seq = 5", 5),
    ],
)
def test_whatever_is_changed_or_taken_out_breaks_the_chain(engine, statement, broken):
    fill(engine, 5)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert first_broken(engine) == broken


def test_all_that_staff_do_is_noted_and_survives_forgetting(tmp_path):
    Site.create(tmp_path / "site", "Hill House", "127.0.0.1", 8883).add_door("front")
    url = f"sqlite:///{tmp_path}/hub.db"
    desk = Staff(tmp_path / "site", url, by="Anna")
    engine = open_tables(url)
    desk.import_people([{"id": "p1", "name": "P"}, {"id": "p2", "name": "P"}])
    desk.remove(["p2"])
    desk.configure("front", {"lock.unlock_seconds": 8})
    ask(engine, desk.signer, "front", CommandType.UNLOCK, "Night desk", {"seconds": 7.0})
    list(desk.events())
    desk.shut_out("front", "opened")
    desk.forget(1)
    with pytest.raises(SyncError):
        desk.remove(["nobody"])
    records, broken = desk.audit(50)
    assert broken is None
    assert [(one.by, one.what) for one in records] == [
        ("signer", "adopt"),
        ("Anna", "import"),
        ("Anna", "remove"),
        ("Anna", "settings"),
        ("Night desk", "command"),
        ("Anna", "export"),
        ("Anna", "shut-out"),
        ("Anna", "forget"),
    ]
    desk.close()
    engine.dispose()


def test_the_command_that_shows_the_audit_steers_no_terminal(tmp_path):
    """JSON lets the control characters from 0x80 on stand as they are."""
    site = tmp_path / "site"
    Site.create(site, "Hill House", "127.0.0.1", 8883)
    with closing(Staff(site, f"sqlite:///{tmp_path}/hub.db")) as desk:
        desk.signer.permit(Permission.EXPORT, {"why": "\x9b2K gone"})
    result = CliRunner().invoke(app, ["hub", "--site", str(site), "audit"])
    assert "?2K gone" in result.output
    assert "\x9b" not in result.output
