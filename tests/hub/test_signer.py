"""Who may sign: whoever has the database alone opens no door, and everybody else only what they may."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace

import pytest
import sqlalchemy as sa

from edge.domain import RosterState
from edge.errors import ConfigError, SyncError
from edge.policy.hours import GrantHours
from edge.site.provision import Site, load_trusted_keys
from edge.site.signing import move_key, signing_key
from edge.store.roster import digest_of_lines
from edge.wire.commands import CommandType
from edge.wire.roster import HEAD, Head
from facegate_hub.commands import Commander
from facegate_hub.database import put
from facegate_hub.requests import outcome
from facegate_hub.roster import RosterLog
from facegate_hub.signer.asking import FacesListed
from facegate_hub.signer.calls import answer
from facegate_hub.signer.client import (
    OwnDesk,
    SignerClient,
    SocketLine,
    listens,
    open_signer,
    socket_path,
)
from facegate_hub.signer.desk import MOST_REFUSALS, SigningDesk
from facegate_hub.signer.principals import IDLE_SECONDS, SESSION_SECONDS, Caller
from facegate_hub.signer.rights import NotPermitted, Permission
from facegate_hub.signer.server import MOST_OF_ONE, SignerServer
from facegate_hub.signer.tables import open_memory
from facegate_hub.staff import Staff
from facegate_hub.tables import CONFIGS, REQUESTS, ROSTER, ROSTER_LOG, open_tables
from tests.hub.signing import own_signer
from tests.hub.test_workers import children
from tests.loopback import free_port
from tests.present import present
from tests.sync.hubside import KEYS, SIGNER
from tests.waiting import PATIENCE, wait_until

OWNER = Caller(os.geteuid())
NOBODY = 65_534
MONDAY_NOON = 1_790_596_800.0  # 2026-09-28 12:00 UTC


class Place:
    """A signer with a clock of our own; people of it come with tokens."""

    def __init__(self, folder):
        self.seconds = MONDAY_NOON
        self.engine = open_memory(folder)
        self.desk = SigningDesk(self.engine, SIGNER, now=lambda: self.seconds)
        self.owner = SignerClient(OwnDesk(self.desk))
        self.owner.change("rule", name="timezone", value="UTC")

    def person(self, name, role="none", doors="*", **wanted):
        self.owner.change("add", name=name, kind="person", account=None)
        self.owner.change("grant", name=name, role=role, doors=doors, wanted=wanted)
        return self.owner.speaking_for(self.owner.change("token", name=name))


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    place.engine.dispose()


def refused(client, kind, doors=("front",)):
    return [one.refused for one in client.ask(list(doors), CommandType(kind))]


# The database alone


class Silent(Commander):
    """The hub's commands on a link that works and leads nowhere."""

    def __init__(self, engine: sa.Engine, signer: SignerClient, now: Callable[[], float] = time.time) -> None:
        super().__init__(engine, signer, now)
        self.sent: list[bytes] = []

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.sent.append(payload)

    def link_problem(self, now: float) -> str | None:
        return None


@pytest.mark.parametrize("status", ["asked", "sent", "given", "unknown"])
def test_rows_written_into_the_database_open_no_door(tmp_path, status):
    """Whatever they look like, and also as a copy of a request that was granted and carried out."""
    engine, signer = open_tables(f"sqlite:///{tmp_path}/hub.db"), own_signer(tmp_path)
    hub = Silent(engine, signer)
    row = {"id": "forged-request-1", "device": "front", "type": "unlock", "args": "{}", "by": "owner"}
    with engine.begin() as connection:
        connection.execute(sa.insert(REQUESTS).values(**row, asked_at=time.time(), status=status))
    hub._is_to_begin = False
    hub.idle()
    assert hub.sent == []
    if status == "asked":
        assert outcome(engine, row["id"]) == (
            "failed",
            "not signed: the signer granted no such command, or not just now",
        )
    engine.dispose()


def test_a_row_that_was_changed_is_signed_as_it_was_granted(tmp_path):
    """Another door, kind or argument in the database: the signer keeps its own record."""
    signer = own_signer(tmp_path)
    permit = signer.ask(["front"], CommandType.DIAGNOSTICS)[0]
    fields = json.loads(KEYS.open(signer.order(permit.id, "a nonce"), "cmd"))
    assert (fields["device"], fields["type"], fields["nonce"]) == ("front", "diagnostics", "a nonce")
    with pytest.raises(NotPermitted, match="signed already"):
        signer.order(permit.id, "another nonce")


@pytest.mark.parametrize("tamper", ["put", "back", "other"])
def test_a_roster_changed_in_the_database_is_signed_for_no_door(tmp_path, tamper):
    engine, signer = open_tables(f"sqlite:///{tmp_path}/hub.db"), own_signer(tmp_path)
    log = RosterLog(engine, signer)
    signer.adopt(log.states(), {})
    approve = lambda before, after: signer.approve_roster(before, after, {})  # noqa: E731
    log.change([{"id": "anna", "name": "A"}, {"id": "ben", "name": "B"}], approve=approve)
    old = log.state()
    log.change(removals=["ben"], approve=approve)
    signer.sign(Head("front", log.state()).encode(), HEAD)
    with engine.begin() as connection:
        if tamper == "put":
            text = json.dumps({"id": "eve", "name": "E", "access_levels": ["resident"]})
            put(connection, ROSTER, {"id": "eve", "rev": 4, "text": text})
            put(connection, ROSTER_LOG, {"rev": 4, "id": "eve", "text": text})
        elif tamper == "other":
            connection.execute(sa.update(ROSTER).values(text='{"id":"anna","name":"Z"}'))
    fresh = RosterLog(engine, signer)
    state = old if tamper == "back" else fresh.state()
    with pytest.raises(NotPermitted, match="somebody else changed the database"):
        signer.sign(Head("front", state).encode(), HEAD)
    if tamper != "back":
        with pytest.raises(NotPermitted):
            fresh.change([{"id": "carl", "name": "C"}], approve=approve)
        assert fresh.missing(["carl"]) == ["carl"]
    fresh.begin_anew(approve)
    assert signer.sign(Head("front", fresh.state()).encode(), HEAD)
    engine.dispose()


def test_a_change_that_was_approved_and_not_stored_does_no_harm(tmp_path):
    engine, signer = open_tables(f"sqlite:///{tmp_path}/hub.db"), own_signer(tmp_path)
    log = RosterLog(engine, signer)
    signer.adopt(log.states(), {})

    def approve_then_fail(before, after):
        signer.approve_roster(before, after, {})
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        log.change([{"id": "anna", "name": "A"}], approve=approve_then_fail)
    assert signer.sign(Head("front", log.state()).encode(), HEAD)
    log.change([{"id": "ben", "name": "B"}], approve=lambda *states: signer.approve_roster(*states, {}))
    assert signer.sign(Head("front", log.state()).encode(), HEAD)
    engine.dispose()


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def faces_listed(change):
    """What the hub sends when a door enrolled Anna, with the record after it as `change` makes it."""
    old = '{"id":"anna","name":"A"}'
    lines = [("anna", 1, sha256(old), sha256(old)), ("ben", 2, sha256("b"), sha256("b"))]
    before = RosterState(1, 2, digest_of_lines((name, rev, whole) for name, rev, whole, _ in lines), 2)
    return FacesListed(before, lines, [("anna", old, change)])


def test_the_hub_may_list_faces_and_change_nothing_else(place):
    wanted = '{"faces":["certificate"],"id":"anna","name":"A"}'
    good = faces_listed(wanted)
    place.owner.approve_roster(None, [good.before], {})
    for wrong in (
        faces_listed('{"faces":["certificate"],"id":"anna","name":"B"}'),
        replace(good, records=[("ben", *good.records[0][1:])]),
        replace(good, records=[("eve", "x", "x")]),
        replace(good, lines=good.lines[:1]),
        replace(good, lines=[*good.lines, ("eve", 3, "x", "x")]),
        replace(good, lines=[(name, rev, whole, sha256("e")) for name, rev, whole, _ in good.lines]),
    ):
        with pytest.raises(NotPermitted):
            place.owner.approve_faces(wrong)
    place.owner.approve_faces(good)
    for text in (wanted, good.records[0][1]):
        lines = [("anna", 3, sha256(text)), ("ben", 2, sha256("b"))]
        assert place.owner.sign(Head("front", RosterState(1, 3, digest_of_lines(lines), 2)).encode(), HEAD)


def test_settings_written_into_the_database_are_not_signed(tmp_path):
    Site.create(tmp_path / "site", "Hill House", "127.0.0.1").add_door("front")
    url = f"sqlite:///{tmp_path}/hub.db"
    with closing(Staff(tmp_path / "site", url)) as desk:
        desk.configure("front", {"lock.unlock_seconds": 8})
        body = b'{"v":1,"device":"front","rev":1,"values":{"lock.unlock_seconds":8}}'
        assert desk.signer.sign(body, "config")
        for other in (body.replace(b"8}", b"30}"), body.replace(b"front", b"back")):
            with pytest.raises(NotPermitted, match="nobody who may has asked"):
                desk.signer.sign(other, "config")
        engine = open_tables(url)
        with engine.begin() as connection:
            put(connection, CONFIGS, {"device": "back", "rev": 1, "wanted": "{}"})
        engine.dispose()
        desk._adopt()  # only ever the first time
        with pytest.raises(NotPermitted):
            desk.signer.sign(b'{"v":1,"device":"back","rev":1,"values":{}}', "config")


@pytest.mark.parametrize("purpose", ["cmd", "pass", "", "roster-heads"])
def test_nothing_else_is_signed(place, purpose):
    with pytest.raises(SyncError):
        place.owner.sign(b'{"v":1,"id":"12345678","device":"front","type":"unlock"}', purpose)


# Who they are


def test_strangers_get_nothing(place):
    for caller in (Caller(NOBODY), Caller(NOBODY, "guess"), Caller(OWNER.uid, "guess"), Caller(0, "")):
        for name, fields in (
            ("ask", {"doors": ["front"], "kind": "unlock", "by": "owner", "args": {}}),
            ("who", {}),
            ("audit", {"count": 3}),
            ("token", {"name": "x"}),
            ("sign", {"body": "", "purpose": "config"}),
            ("order", {"id": "x", "nonce": "y"}),
            ("groups", {}),
        ):
            assert answer(place.desk, caller, name, fields).get("refused"), (caller, name)


@pytest.mark.parametrize(
    "fields", [{}, {"doors": 7}, {"doors": [], "kind": "unlock", "args": {}}, {"doors": ["x"], "kind": "fly"}]
)
def test_calls_that_make_no_sense_are_refused_in_words(place, fields):
    assert "failed" in answer(place.desk, OWNER, "ask", fields)
    assert "no such call" in answer(place.desk, OWNER, "ask_nicely", fields)["failed"]


def test_the_door_reads_in_whose_name_a_command_was_given(place):
    """An owner may speak for others; nobody else may pretend."""
    anna = place.person("Anna", "desk")
    assert place.owner.ask(["front"], CommandType.UNLOCK, "Night desk")[0].by == "Night desk"
    permit = anna.ask(["front"], CommandType.UNLOCK, "The director")[0]
    assert permit.by == "Anna"
    assert json.loads(KEYS.open(place.owner.order(permit.id, "n"), "cmd"))["by"] == "Anna"


def test_a_token_ends_with_the_next_one_and_with_its_principal(place):
    anna = place.person("Anna", "desk")
    fresh = place.owner.speaking_for(place.owner.change("token", name="Anna"))
    with pytest.raises(NotPermitted):
        anna.who()
    assert fresh.who().name == "Anna"
    place.owner.change("end", name="Anna")
    with pytest.raises(NotPermitted):
        fresh.who()


def test_sessions_end_by_themselves_and_with_the_password(place):
    place.person("Anna", "desk")
    place.owner.change("password", name="Anna", password="four good words")
    token = place.owner.log_in("Anna", "four good words")
    session = place.owner.speaking_for(token)
    place.seconds += IDLE_SECONDS - 1
    assert session.who().name == "Anna"
    place.seconds += IDLE_SECONDS + 1
    with pytest.raises(NotPermitted):
        session.who()
    busy = place.owner.speaking_for(place.owner.log_in("Anna", "four good words"))
    for _ in range(int(SESSION_SECONDS // 1000)):
        place.seconds += 1000
        busy.who()
    place.seconds += 1000
    with pytest.raises(NotPermitted):
        busy.who()
    last = place.owner.speaking_for(place.owner.log_in("Anna", "four good words"))
    place.owner.change("password", name="Anna", password="four other words")
    with pytest.raises(NotPermitted):
        last.who()


def test_guessing_passwords_waits(place):
    place.person("Anna", "desk")
    place.owner.change("password", name="Anna", password="four good words")
    for _ in range(5):
        with pytest.raises(NotPermitted, match="belong together"):
            place.owner.log_in("Anna", "wrong wrong wrong")
    with pytest.raises(NotPermitted, match="wait"):
        place.owner.log_in("Anna", "four good words")
    with pytest.raises(NotPermitted, match="belong together"):
        place.owner.log_in("Nobody", "wrong wrong wrong")
    place.seconds += 61
    assert place.owner.log_in("Anna", "four good words")


# What they may


def test_roles_hold_at_their_doors_only(place):
    place.owner.set_group("lobby", ["front", "back"])
    anna = place.person("Anna", "desk", "@lobby")
    assert refused(anna, "unlock", ["@lobby"]) == [None, None]
    assert refused(anna, "unlock", ["garage", "front"]) == [
        "Anna does not have the right “unlock” at garage",
        None,
    ]
    assert refused(anna, "lockdown") == ["Anna does not have the right “lockdown” at front"]
    with pytest.raises(SyncError, match="no such group"):
        refused(anna, "unlock", ["@cellar"])
    place.owner.set_group("lobby", ["back"])
    assert refused(anna, "unlock", ["front", "back"]) == [
        "Anna does not have the right “unlock” at front",
        None,
    ]
    assert not anna.who().may(Permission.UNLOCK, "front")
    assert anna.who().may(Permission.UNLOCK, "back")


def test_what_is_of_the_whole_site_takes_a_grant_for_the_whole_site(place):
    manager = place.person("Mia", "manager", "front")
    for right in (Permission.ROSTER, Permission.EXPORT, Permission.PRINCIPALS):
        with pytest.raises(NotPermitted):
            manager.permit(right, {})
    with pytest.raises(NotPermitted):
        manager.approve_roster(None, [RosterState()], {})
    manager.permit(Permission.DOORS, {"door": "front"})
    with pytest.raises(NotPermitted):
        manager.permit(Permission.DOORS, {"door": "back"})


def test_nobody_grants_themselves_more(place):
    manager = place.person("Mia", "manager")
    for name, fields in (
        ("grant", {"name": "Mia", "role": "admin", "doors": "*", "wanted": {}}),
        ("add", {"name": "Eve", "kind": "person", "account": None}),
        ("token", {"name": "Mia"}),
        ("password", {"name": "Mia", "password": "four good words"}),
        ("rule", {"name": "persons.evacuation", "value": "1"}),
    ):
        with pytest.raises(NotPermitted):
            manager.change(name, **fields)


@pytest.mark.parametrize(
    ("hours", "at", "holds"),
    [
        ("mon-fri 07:00-19:00", 0, True),
        ("mon-fri 07:00-11:59", 0, False),
        ("tue 00:00-24:00", 0, False),
        ("sat-mon 12:00-12:01", 0, True),
        ("sun 22:00-13:00", 0, True),
        ("22:00-06:00", 10.5, True),
        ("", 0, True),
    ],
)
def test_hours_are_those_of_the_site(place, hours, at, holds):
    anna = place.person("Anna", "desk", hours=hours)
    place.seconds += at * 3600
    assert (refused(anna, "unlock") == [None]) is holds


@pytest.mark.parametrize(
    "text", ["always", "mon-xyz 07:00-19:00", "07:00", "mon 07:00-19:00 sat", "25:00-26:00"]
)
def test_hours_that_cannot_be_are_refused_in_words(text):
    with pytest.raises(SyncError, match="write for example"):
        GrantHours.parse(text)


def test_a_rate_counts_what_was_granted_in_a_minute(place):
    bot = place.person("Bot", may=["unlock"], doors="front", per_minute=2)
    assert [refused(bot, "unlock")[0] is None for _ in range(3)] == [True, True, False]
    place.seconds += 61
    assert refused(bot, "unlock") == [None]


def test_a_grant_ends_on_its_day(place):
    anna = place.person("Anna", "desk", until=MONDAY_NOON + 10)
    assert refused(anna, "unlock") == [None]
    place.seconds += 11
    assert refused(anna, "unlock") == ["Anna has the right “unlock”, but not at this hour"]


def test_an_evacuation_can_take_two_people(place):
    place.owner.change("rule", name="persons.evacuation", value="2")
    anna, otto = place.person("Anna", "guard"), place.person("Otto", "guard")
    for _ in range(2):  # one person twice is one person
        permit = anna.ask(["front"], CommandType.EVACUATION)[0]
        assert (permit.id, permit.refused) == (None, None)
    assert otto.ask(["back"], CommandType.EVACUATION)[0].id is None  # another door
    permit = otto.ask(["front"], CommandType.EVACUATION)[0]
    assert (permit.id is not None, permit.by) == (True, "Anna and Otto")
    assert otto.ask(["front"], CommandType.EVACUATION)[0].id is None  # used up
    place.seconds += 121
    assert anna.ask(["front"], CommandType.EVACUATION)[0].id is None  # too late
    assert refused(place.person("Mia", "desk"), "evacuation") == [
        "Mia does not have the right “evacuation” at front"
    ]


def test_a_permit_is_good_for_half_a_minute(place):
    permit = place.owner.ask(["front"], CommandType.UNLOCK)[0]
    place.seconds += 31
    with pytest.raises(NotPermitted, match="not just now"):
        place.owner.order(permit.id, "n")


def test_what_was_withdrawn_is_never_signed_whatever_the_database_says(place):
    """Nor can somebody else withdraw it."""
    anna, otto = place.person("Anna", "desk"), place.person("Otto", "desk")
    kept, gone = (anna.ask(["front"], CommandType.UNLOCK)[0].id for _ in range(2))
    otto.void([kept])
    anna.void([gone])
    assert place.owner.order(kept, "n")
    with pytest.raises(NotPermitted, match="signed already"):
        place.owner.order(gone, "n")


def test_nobody_fills_the_audit_by_being_refused(place):
    anna = place.person("Anna", "reader")
    before = place.owner.audit(1)[0][0].seq
    for _ in range(100):
        refused(anna, "unlock")
    assert place.owner.audit(1)[0][0].seq == before + MOST_REFUSALS
    place.seconds += 61
    refused(anna, "unlock")
    assert json.loads(place.owner.audit(1)[0][0].about)["more"] == 100 - MOST_REFUSALS


@pytest.mark.parametrize(("kind", "args"), [("unlock", {"seconds": 99}), ("lockdown", {"seconds": 3})])
def test_what_no_door_would_take_is_granted_to_nobody(place, kind, args):
    with pytest.raises(SyncError):
        place.owner.ask(["front"], CommandType(kind), None, args)
    with pytest.raises(SyncError):
        place.owner.ask(["front/../x"], CommandType.UNLOCK)


def test_no_secret_is_in_the_audit_or_the_register(place):
    place.person("Anna", "desk")
    token = place.owner.change("token", name="Anna")
    place.owner.change("password", name="Anna", password="four good words")
    shown = json.dumps([one.about for one in place.owner.audit(1000)[0]]) + json.dumps(place.owner.register())
    assert token not in shown
    assert "four good words" not in shown


def test_refusals_are_in_the_audit_as_well(place):
    anna = place.person("Anna", "reader")
    refused(anna, "unlock")
    with pytest.raises(NotPermitted):
        anna.permit(Permission.EXPORT, {})
    records, broken = place.owner.audit(2)
    assert broken is None
    assert [(one.by, one.what) for one in records] == [("Anna", "refused"), ("Anna", "refused")]


# The process and its socket


@pytest.fixture
def served(tmp_path):
    engine = open_memory(tmp_path)
    server = SignerServer(SigningDesk(engine, SIGNER), tmp_path / ("deep" * 30) / "signer.sock")
    yield server
    server.stop()
    engine.dispose()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / ("deep" * 30) / "signer.sock"
    path.parent.mkdir()
    return path


def test_calls_go_over_a_socket_of_any_path(path, served):
    served.start()
    with closing(SignerClient(SocketLine(path))) as client:
        assert client.who().is_owner
        assert client.ask(["front"], CommandType.UNLOCK)[0].id
        with pytest.raises(ConfigError, match="is there already"):
            SignerServer(served._desk, path)


def test_a_client_outlives_its_signer(path, served):
    served.start()
    with closing(SignerClient(SocketLine(path))) as client:
        assert client.who()
        served.stop()
        with pytest.raises(SyncError, match="does not answer"):
            client.who()
        again = SignerServer(served._desk, path)
        again.start()
        assert client.who()
        again.stop()


def test_whoever_floods_stalls_or_talks_rubbish_keeps_nobody_away(path, served):
    served.start()
    loud = [socket.socket(socket.AF_UNIX) for _ in range(MOST_OF_ONE + 8)]
    with closing(SignerClient(SocketLine(path))) as client:
        for number, one in enumerate(loud):
            one.connect(f"/proc/self/fd/{os.open(path.parent, os.O_PATH)}/signer.sock")
            with suppress(OSError):
                one.sendall(
                    (b"{", b"[]\n", b"\xff\xfe\n", b'{"call":7}\n', b"[" * 100_000 + b"\n")[number % 5]
                )
        assert client.who().is_owner
    for one in loud:
        one.close()


def test_many_at_once_are_all_answered(path, served):
    served.start()
    found: list[str | None] = []

    def talk():
        with closing(SignerClient(SocketLine(path))) as client:
            found.extend(client.ask(["front"], CommandType.DIAGNOSTICS)[0].id for _ in range(10))

    threads = [threading.Thread(target=talk) for _ in range(8)]
    for one in threads:
        one.start()
    wait_until(lambda: len(found) == 80)
    assert len(set(found)) == 80


# A site


def test_an_older_sites_key_is_used_where_it_is_and_moved_by_one_command(tmp_path):
    site = tmp_path / "site"
    Site.create(site, "Hill House", "127.0.0.1")
    old = site / "hub" / "signing.key"
    (site / "signer" / "signing.key").rename(old)
    assert signing_key(site) == old
    with closing(open_signer(site)) as client:
        before = client.order(present(client.ask(["front"], CommandType.UNLOCK)[0].id), "n")
    assert load_trusted_keys(site / "hub" / "trusted-keys.json").open(before, "cmd")
    assert (move_key(site) / "signing.key").exists()
    assert not old.exists()
    assert signing_key(site).stat().st_mode & 0o077 == 0
    move_key(site)


def test_whoever_may_not_read_the_key_and_finds_no_signer_is_told_so(tmp_path):
    Site.create(tmp_path / "site", "Hill House", "127.0.0.1")
    (tmp_path / "site" / "signer" / "signing.key").unlink()
    with pytest.raises(ConfigError, match="no signer listens"):
        open_signer(tmp_path / "site")


def test_one_command_runs_hub_and_signer_and_starts_a_killed_signer_again(tmp_path):
    """`facegate hub run`, without a broker: staff may ask all the same; at the end nothing is left."""
    site = tmp_path / "site"
    Site.create(site, "Hill House", "127.0.0.1", free_port()).add_door("front")
    words = [sys.executable, "-m", "edge.cli", "hub", "--site", str(site), "run"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as hub:
        try:
            wait_until(lambda: listens(socket_path(site)))
            (first,) = wait_until(lambda: children(hub.pid, "signer"))
            with closing(open_signer(site)) as client:
                assert client.ask(["front"], CommandType.UNLOCK)[0].id
                os.kill(first, signal.SIGKILL)
                wait_until(lambda: children(hub.pid, "signer") not in ([], [first]))
                wait_until(lambda: listens(socket_path(site)))
                assert client.ask(["front"], CommandType.UNLOCK)[0].id
        finally:
            hub.send_signal(signal.SIGTERM)
            hub.wait(PATIENCE)
    assert hub.returncode == 0
    assert not listens(socket_path(site))


def test_a_signer_whose_hub_died_while_it_started_ends_too(tmp_path):
    """Killed hubs left signers behind that nobody asked any more, each with the key in its memory."""
    site = tmp_path / "site"
    Site.create(site, "Hill House", "127.0.0.1", free_port()).add_door("front")
    with subprocess.Popen(["true"]) as hub:
        pass
    words = [
        sys.executable,
        "-m",
        "edge.cli",
        "hub",
        "--site",
        str(site),
        "signer",
        "--attached",
        str(hub.pid),
    ]
    assert subprocess.run(words, check=False, timeout=PATIENCE, capture_output=True).returncode == 0
