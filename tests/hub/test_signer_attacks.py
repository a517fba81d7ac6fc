"""What a principal, or somebody who guesses, tries against the signer: each once was a way round its word."""

import json
import socket
import threading
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from edge.domain import RosterState
from edge.errors import SyncError
from edge.site.integrations import IntegrationGrant
from edge.wire import notices
from edge.wire.asks import AskAnswer, ProgramAsk
from edge.wire.commands import CommandType
from edge.wire.messages import Message
from edge.wire.notices import DoorNotice, NoticeSet
from facegate_hub.asks import AskClerk
from facegate_hub.service import hand_over_site
from facegate_hub.signer.allowance import MOST_CHARACTERS, MOST_COMMANDS
from facegate_hub.signer.audit import read_wishes
from facegate_hub.signer.calls import answer
from facegate_hub.signer.client import SignerClient, SocketLine
from facegate_hub.signer.desk import MOST_REFUSALS, Permit, SigningDesk
from facegate_hub.signer.principals import MOST_FAILURES, Caller
from facegate_hub.signer.rights import NotPermitted, Permission
from facegate_hub.signer.server import LINE_SECONDS, SignerServer
from facegate_hub.signer.tables import FIRST_VOICES
from facegate_hub.signer.wishes import MOST_WAITING
from facegate_hub.tables import REQUESTS, open_tables
from tests.hub.test_signer import OWNER, Place
from tests.sync.hubside import SIGNER
from tests.waiting import PATIENCE, wait_until

PASSWORD = "correct horse battery 9"


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    place.engine.dispose()


def notes(place):
    return read_wishes(place.engine, 1000)


def test_guesses_made_at_once_are_each_counted(place):
    place.person("gao")
    place.owner.change("password", name="gao", password=PASSWORD)
    tried, ready = [], threading.Barrier(3 * MOST_FAILURES)

    def guess(number):
        ready.wait()
        try:
            place.desk.principals.log_in("gao", f"wrong guess number {number}")
        except NotPermitted as error:
            tried.append(str(error))

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(3 * MOST_FAILURES)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum("belong together" in one for one in tried) == MOST_FAILURES
    with pytest.raises(NotPermitted, match="too many"):
        place.desk.principals.log_in("gao", PASSWORD)
    place.seconds += 61
    assert place.desk.principals.log_in("gao", PASSWORD)


def test_no_roster_is_approved_that_the_audit_cannot_tell_of(place):
    """Half a character goes into no database: what was noted afterwards was then not noted at all."""
    place.person("anna", "manager")
    token = place.owner.change("token", name="anna")
    state = RosterState(1, 1, "0" * 64, 1)
    fields = {"before": None, "after": [[1, 1, "0" * 64, 1]], "about": {"note": "\ud800"}}
    told = answer(place.desk, Caller(OWNER.uid, token), "approve_roster", fields)
    assert "failed" in told
    with pytest.raises(NotPermitted):
        place.desk._rosters.require(state)


@pytest.mark.parametrize("about", [{"principal": "bob"}, {"what": "command", "door": "front"}])
def test_nobody_writes_anothers_deed_into_the_audit(place, about):
    reader = place.person("anna", "reader")
    with suppress(SyncError):
        reader.permit(Permission.LOOK, about)
    assert all(one.what != "command" and '"principal": "bob"' not in one.about for one in notes(place))


def test_nobody_fills_the_audit_by_what_they_may(place):
    reader = place.person("anna", "reader")
    with pytest.raises(SyncError, match="too long"):
        reader.permit(Permission.LOOK, {"note": "x" * 100_000})
    assert sum(len(one.about) for one in notes(place)) < 10_000


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("revoke", {"grant": 10**30}),
        ("end", {"name": ["gao"]}),
        ("end", {"name": {"a": 1}}),
        ("end", {"name": "\ud800"}),
        ("audit", {"count": 1e400}),
        ("log_in", {"name": "\ud800", "password": "x"}),
        ("void", {"ids": ["\x00", "\ud800"]}),
        ("grant", {"name": "gao", "role": "desk", "doors": "*", "wanted": {"until": float("nan")}}),
        ("grant", {"name": "gao", "role": "desk", "doors": "*", "wanted": {"until": "tomorrow"}}),
        ("grant", {"name": "gao", "role": ["desk"], "doors": "*", "wanted": {}}),
        ("rule", {"name": "timezone", "value": "../../../etc/passwd"}),
    ],
)
def test_odd_values_are_refused_in_words(place, name, fields):
    place.person("gao")
    assert "failed" in answer(place.desk, OWNER, name, fields)


@pytest.mark.parametrize("taken", ["end", "revoke"])
def test_a_first_voice_ends_with_the_right_to_it(place, taken):
    anna, bob = place.person("anna", "guard"), place.person("bob", "guard")
    place.owner.change("rule", name="persons.evacuation", value="2")
    assert [one.id for one in anna.ask(["front"], "evacuation")] == [None]
    mine = next(one for one in place.owner.register()["principals"] if one["name"] == "anna")
    gone = {"name": "anna"} if taken == "end" else {"grant": mine["grants"][0]["id"]}
    place.owner.change(taken, **gone)
    assert [(one.id, one.refused) for one in bob.ask(["front"], "evacuation")] == [(None, None)]


def test_what_one_person_leaves_waiting_for_a_second_one_is_bounded(place):
    """Each PIN that is tried is another wish, which waits for a day."""
    clerk = place.person("anna", "admin")
    place.owner.change("rule", name="persons.ways", value="2")
    voice = {"door": "front", "principal": "anna", "at": place.seconds}
    with place.engine.begin() as connection:
        waiting = [voice | {"kind": f"ways:{number:020}"} for number in range(MOST_WAITING - 1)]
        connection.execute(sa.insert(FIRST_VOICES), waiting)
    assert clerk.approve_ways([("front", "a" * 64)], {}) is False
    with pytest.raises(NotPermitted, match="wait for a second person"):
        clerk.approve_ways([("front", "b" * 64)], {})
    place.seconds += 86_401.0
    assert clerk.approve_ways([("front", "b" * 64)], {}) is False
    with place.engine.connect() as connection:
        left = sa.select(sa.func.count()).select_from(FIRST_VOICES)
        assert connection.execute(left).scalar_one() == 1


def test_a_command_that_takes_two_ends_nobodys_wait_for_other_things(place):
    """Two minutes for a command, a day for rules: the first one for rules was forgotten with the command."""
    anna, bob = place.person("anna", "admin"), place.person("bob", "admin")
    for what in ("evacuation", "rules"):
        place.owner.change("rule", name=f"persons.{what}", value="2")
    wish = ("front", 1, "a" * 64)
    assert not anna.approve_rules(wish, {})
    place.seconds += 600
    assert anna.ask(["back"], CommandType.EVACUATION)[0].id is None
    assert bob.approve_rules(wish, {})


def test_no_notice_is_signed_that_the_audit_does_not_tell_of(place):
    """A full disk refused the first attempt; the second one was signed as if it had been noted."""
    began = datetime.fromtimestamp(place.seconds, UTC)
    line = DoorNotice("n1", "info", began, began + timedelta(days=1), {"en": "Water is off", "zh": ""})
    shown = NoticeSet("front", 1, (line,))
    with place.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit RENAME TO away")
    with pytest.raises(sa.exc.OperationalError):
        place.desk.sign(OWNER, shown.encode(), notices.PURPOSE)
    with place.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO audit")
    for _ in range(2):
        assert place.desk.sign(OWNER, shown.encode(), notices.PURPOSE)
    assert [one.what for one in notes(place)].count("notice") == 1


class LookedAt:
    """A monotonic clock that knows how often it was asked."""

    def __init__(self):
        self.seconds, self.looks = 0.0, 0

    def __call__(self):
        self.looks += 1
        return self.seconds


def test_who_sends_a_byte_now_and_then_holds_no_place(place, tmp_path):
    clock, path = LookedAt(), tmp_path / "signer.sock"
    server = SignerServer(place.desk, path, clock)
    server.start()
    with closing(caller_at(path)) as slow:
        slow.sendall(b"{")
        wait_until(lambda: clock.looks >= 2)
        clock.seconds += LINE_SECONDS + 1
        slow.sendall(b" ")
        assert slow.recv(1) == b""
    server.stop()


def caller_at(path):
    caller = socket.socket(socket.AF_UNIX)
    caller.settimeout(PATIENCE)
    caller.connect(str(path))
    return caller


def test_an_answer_of_rubbish_after_a_lost_line_is_told_as_such(tmp_path):
    path = tmp_path / "signer.sock"
    with socket.socket(socket.AF_UNIX) as listening, closing(SocketLine(path)) as line:
        listening.bind(str(path))
        listening.listen()

        def answer_badly():
            listening.accept()[0].close()
            second = listening.accept()[0]
            second.recv(65536)
            second.sendall(b"what?\n")
            second.close()

        thread = threading.Thread(target=answer_badly)
        thread.start()
        with pytest.raises(SyncError, match="makes no sense"):
            line.call("who", None, {})
        thread.join(PATIENCE)


def test_two_programs_are_not_two_people(place):
    """A hub that was broken into speaks for every integration."""
    bob = place.person("bob", "guard")
    place.owner.change("rule", name="persons.evacuation", value="2")
    place.desk = SigningDesk(
        *(place.engine, SIGNER), now=lambda: place.seconds, integrations=lambda: [grant("one"), grant("two")]
    )
    assert [asked(place, name).id for name in ("one", "two", "one")] == [None, None, None]
    assert bob.ask(["front"], CommandType.EVACUATION)[0].by == "app.one and bob"
    with pytest.raises(SyncError, match="for integrations"):
        place.owner.change("add", name="app.one", kind="person", account=None)


def grant(name):
    return IntegrationGrant(name, ("front",), ("evacuation",))


def asked(place, name):
    at = datetime.fromtimestamp(place.seconds, UTC)
    ask = ProgramAsk(str(uuid.uuid4()), "front", CommandType.EVACUATION, at, {})
    return place.desk.ask_for(OWNER, name, ask)


class Restarting(SignerClient):
    """A signer that answers after some calls, as one does that was killed; its history is kept."""

    def __init__(self, silent: int) -> None:
        self.silent, self.calls = silent, 0

    def adopt(self, states: Sequence[RosterState], wishes: Mapping[str, tuple[int, str]]) -> None:
        self.calls += 1
        if self.calls <= self.silent:
            raise SyncError("the signer does not answer")


def test_a_hub_whose_signer_was_just_killed_waits_for_it():
    """It begins all the same; one that stays away is told as before."""
    pauses: list[float] = []
    signer = Restarting(3)
    hand_over_site(signer, [], {}, pauses.append)
    assert (signer.calls, len(pauses)) == (4, 3)
    with pytest.raises(SyncError):
        hand_over_site(Restarting(10**6), [], {}, pauses.append)


def test_a_wish_for_two_doors_uses_up_no_colleagues_voice_at_one_of_them(place):
    """Each of the two then waited for the other for ever, with a voice at one door each."""
    anna, bob = place.person("anna", "admin"), place.person("bob", "admin")
    place.owner.change("rule", name="persons.ways", value="2")
    front, back = ("front", "a" * 64), ("back", "b" * 64)
    assert not anna.approve_ways([front], {})
    assert not bob.approve_ways([front, back], {})
    assert anna.approve_ways([front, back], {})
    with place.engine.connect() as connection:
        assert connection.execute(sa.select(FIRST_VOICES)).all() == []


@pytest.mark.parametrize("what", ["notes", "commands"])
def test_nobody_who_may_ask_fills_the_audit_without_bound(place, what):
    clerk = place.person("anna", "manager")
    about = {"why": "x" * 3000}
    if what == "notes":
        place.desk._allowance.take_characters(place.desk.principals.principal("anna"), MOST_CHARACTERS - 10)
        with pytest.raises(NotPermitted, match="than the audit takes"):
            clerk.permit(Permission.EXPORT, about)
        # Whoever has used up their notes still gives commands.
        assert clerk.ask(["front"], CommandType.LOCKDOWN)[0].id
    else:
        anna = place.desk.principals.principal("anna")
        place.desk._allowance.take_commands(anna, MOST_COMMANDS - 1)
        assert clerk.ask(["front"], CommandType.UNLOCK)[0].id
        assert "than the audit takes" in str(clerk.ask(["front"], CommandType.UNLOCK)[0].refused)
    count = len(notes(place))
    for _ in range(30):
        with suppress(NotPermitted):
            clerk.permit(Permission.EXPORT, about) if what == "notes" else clerk.ask(["front"], "unlock")
    assert len(notes(place)) <= count + MOST_REFUSALS
    place.seconds += 3600.0
    assert clerk.permit(Permission.EXPORT, about)
    assert clerk.ask(["front"], CommandType.UNLOCK)[0].id


def test_a_database_of_the_signer_that_fails_is_an_answer_and_not_an_end(place):
    """The server dropped the connection, and the client sent the same call a second time."""
    with place.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit RENAME TO away")
    found = answer(place.desk, OWNER, "permit", {"right": "export", "about": {}})
    assert "database fails" in found["failed"]
    with pytest.raises(SyncError, match="database fails"):
        place.owner.permit(Permission.EXPORT, {})


class Granting:
    """A signer as the hub's ask clerk calls it: each id is granted once."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask_for(self, _name: str, ask: bytes) -> Permit:
        identity = str(json.loads(ask)["id"])
        if identity in self.asked:
            raise NotPermitted(f"{identity}: was asked before; each ask needs an id of its own")
        self.asked.append(identity)
        return Permit("front", str(uuid.uuid4()))


class Clerk(AskClerk):
    """The clerk with what it tells programs, and a database that works again after the first failure."""

    def __init__(self, engine: sa.Engine, signer: Granting) -> None:
        super().__init__(engine, signer)  # type: ignore[arg-type]
        self.told: list[AskAnswer] = []
        self.failed = 0

    def _tell(self, name: str, answer: AskAnswer) -> None:
        self.told.append(answer)

    def database_failed(self, error: Exception) -> None:
        self.failed += 1
        with self._engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO requests")


def test_an_ask_that_was_granted_waits_for_the_database_and_is_not_called_a_second_one(tmp_path):
    engine = open_tables(f"sqlite:///{tmp_path}/hub.db")
    clerk = Clerk(engine, Granting())
    payload = {
        "v": 1,
        "id": "press-0001",
        "door": "front",
        "do": "unlock",
        "at": datetime.now(UTC).isoformat(),
    }
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE requests RENAME TO away")
    clerk.handle_all([Message("facegate/v1/ask/home", json.dumps(payload).encode(), retained=False)])
    assert clerk.failed == 1
    assert clerk.told == []
    with engine.connect() as connection:
        assert len(connection.execute(sa.select(REQUESTS)).all()) == 1
    engine.dispose()
