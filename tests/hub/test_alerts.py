"""Alarms reach somebody outside: signed requests and mail against servers on loopback, which may be away."""

from __future__ import annotations

import hashlib
import hmac
import json
import socketserver
import threading
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from edge.cli import app
from edge.errors import ConfigError
from edge.events import Kind
from edge.site.provision import Site
from facegate_hub.alert_channels import load_alerts
from facegate_hub.alerts import Alert, AlertSender, QuietHours
from facegate_hub.events import EventSink
from facegate_hub.inbox import MOST_LINES, Inbox, InboxKind
from facegate_hub.sending import FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS
from facegate_hub.tables import ALARMS, open_tables
from tests.hub.entries import pack
from tests.hub.journals import Journal
from tests.loopback import free_port
from tests.waiting import wait_until

NOON, NIGHT = 1_790_596_800.0, 1_790_636_400.0  # 2026-09-28 12:00 and 23:00 UTC


class HookServer(ThreadingHTTPServer):
    """Keeps what was posted to it."""

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self.seen: list[tuple[dict[str, str], bytes, str]] = []
        self.answer = 204


class PostServer(socketserver.ThreadingTCPServer):
    """Keeps the letters that were handed to it."""

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self.seen: list[bytes] = []
        self.people: list[list[str]] = []


class Hook(BaseHTTPRequestHandler):
    """Notes (headers, body) of each request and answers what it is told to."""

    server: HookServer

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((dict(self.headers), body, self.path))
        self.send_response(self.server.answer)
        if self.server.answer == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


class Post(socketserver.StreamRequestHandler):
    """As much of a mail server as our client speaks to."""

    server: PostServer

    def handle(self):
        self.say("220 here")
        body: list[bytes] = []
        people: list[str] = []
        reading = False
        for line in self.rfile:
            if reading and line == b".\r\n":
                reading = False
                self.server.seen.append(b"".join(body))
                self.say("250 taken")
            elif reading:
                body.append(line)
            elif line.upper().startswith(b"DATA"):
                reading = True
                self.server.people.append(people)
                self.say("354 go on")
            elif line.upper().startswith(b"QUIT"):
                self.say("221 bye")
                return
            elif line.upper().startswith(b"RCPT") and b"nobody" in line:
                self.say("550 no such person")
            else:
                if line.upper().startswith(b"RCPT"):
                    people.append(line.decode().partition("<")[2].partition(">")[0])
                self.say("250 well")

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hook():
    with serving(HookServer(("127.0.0.1", 0), Hook)) as server:
        yield server


@pytest.fixture
def post():
    with serving(PostServer(("127.0.0.1", 0), Post)) as server:
        yield server


@pytest.fixture
def engine(tmp_path):
    engine = open_tables(f"sqlite:///{tmp_path}/hub.db")
    yield engine
    engine.dispose()


class House:
    """A hub's alarms, its channels, and a clock of our own."""

    def __init__(self, tmp_path, engine, hook_port, post_port, to="otto@example.org", **more):
        (tmp_path / "secret").write_text("a shared secret\n")
        lines = [f"{key} = {json.dumps(value)}" for key, value in more.items()]
        lines += ["[webhook]", f'url = "http://127.0.0.1:{hook_port}/alarms?x=1"', 'secret_file = "secret"']
        lines += ["[mail]", 'host = "127.0.0.1"', f"port = {post_port}", 'tls = "none"']
        lines += ['sender = "gate@example.org"', f'to = ["{to}"]', 'language = "zh"']
        self.file = tmp_path / "alerts.toml"
        self.file.write_text("\n".join(lines))
        self.engine, self.seconds = engine, NOON
        self.channels, self.quiet = load_alerts(self.file, "Hill House")
        self.sender = AlertSender(engine, self.channels, self.quiet, lambda: self.seconds)
        self.journal = Journal("front")

    def alarm(self, *kinds):
        for kind in kinds:
            self.journal.append(kind, {}, resident="anna")
        EventSink(self.engine, lambda: self.seconds).store("front", pack(self.journal.entries))

    def step(self):
        """Return how many alarms went by webhook, and by mail."""
        return tuple(self.sender.step(channel) for channel in self.channels)


@pytest.fixture
def house(tmp_path, engine, hook, post):
    return House(tmp_path, engine, hook.server_address[1], post.server_address[1])


def test_an_alarm_is_posted_signed_and_mailed_once(house, hook, post):
    house.alarm(Kind.DOOR_FORCED, Kind.ACCESS_GRANTED, Kind.ALARM_DURESS)
    assert house.step() == (2, 2)
    assert house.step() == (0, 0)
    headers, body, path = hook.seen[0]
    assert path == "/alarms?x=1"
    told = json.loads(body)["alarms"]
    assert [(one["door"], one["type"], one["resident"]) for one in told] == [
        ("front", "door.forced", "anna"),
        ("front", "alarm.duress", "anna"),
    ]
    signed = headers["X-Facegate-Timestamp"].encode() + b"." + body
    wanted = hmac.new(b"a shared secret", signed, hashlib.sha256).hexdigest()
    assert headers["X-Facegate-Signature"] == f"sha256={wanted}"
    letter = message_from_bytes(post.seen[0], policy=default)
    assert letter["Subject"].startswith("[Hill House] front: ")
    assert "(+1)" in letter["Subject"]
    assert letter["To"] == "otto@example.org"
    assert "anna" in letter.get_content()


def test_an_address_in_any_script_is_asked_for_as_browsers_do(house, hook):
    house.file.write_text(house.file.read_text().replace("/alarms?x=1", "/报警/a%20b?门=前"))
    (webhook, _), _ = load_alerts(house.file, "Hill House")
    webhook.send([Alert(1, "front", Kind.DOOR_FORCED, NOON, 1, None)])
    assert hook.seen[0][2] == "/%E6%8A%A5%E8%AD%A6/a%20b?%E9%97%A8=%E5%89%8D"


def test_several_people_may_stand_in_one_text_with_their_names(house, post):
    house.file.write_text(
        house.file.read_text().replace("otto@example.org", "门卫 <otto@example.org>, anna@example.org")
    )
    (_, mail), _ = load_alerts(house.file, "Hill House")
    mail.send([Alert(1, "front", Kind.DOOR_FORCED, NOON, 1, None)])
    assert post.people == [["otto@example.org", "anna@example.org"]]


def test_an_alarm_that_comes_again_is_told_once_until_it_is_closed(house, hook):
    for _ in range(5):
        house.alarm(Kind.DOOR_HELD_REPEAT)
    assert house.step() == (1, 1)
    house.alarm(Kind.DOOR_HELD_REPEAT)
    assert house.step() == (0, 0)
    Inbox(house.engine).close(InboxKind.ALARMS, 1, "Otto")
    house.alarm(Kind.DOOR_HELD_REPEAT)
    assert house.step() == (1, 1)


def test_where_nobody_closes_alarms_each_is_told_outside(house):
    """The first forced door of a site that hears by mail alone was the last one that anybody heard of."""
    for _ in range(3 * MOST_LINES):
        house.alarm(Kind.DOOR_FORCED)
        assert house.step() == (1, 1)
        house.seconds += 600
        house.alarm(Kind.DOOR_FORCED)
        assert house.step() == (0, 0), "the same one"
        house.seconds += 2 * 3600
    with house.engine.connect() as connection:
        assert len(connection.execute(sa.select(ALARMS)).all()) == MOST_LINES


def test_an_alarm_of_before_the_machine_knew_the_time_is_told(tmp_path, engine, hook, post):
    """The network tells the time and takes mail: what came before both were there seemed to be days old."""
    house = House(tmp_path, engine, hook.server_address[1], post.server_address[1])
    house.alarm(Kind.DOOR_HELD)
    old = House(tmp_path, engine, hook.server_address[1], post.server_address[1])
    hook.answer, minutes = 503, [0.0]
    old.sender = AlertSender(engine, old.channels[:1], old.quiet, lambda: old.seconds, lambda: minutes[0])
    old.channels = old.channels[:1]
    assert old.step() == (0,)
    old.alarm(Kind.ALARM_DURESS)
    hook.seen.clear()
    hook.answer = 200
    old.seconds += 2 * 86_400
    assert old.step() == (1,)
    assert [one["type"] for one in json.loads(hook.seen[0][1])["alarms"]] == ["alarm.duress"]
    old.journal.append(Kind.DOOR_FORCED, {}, resident="anna")
    EventSink(engine, lambda: old.seconds - 3 * 86_400).store("front", pack(old.journal.entries))
    hook.answer = 503
    assert old.step() == (0,)
    hook.answer = 200
    old.seconds += 7200
    minutes[0] += 86_401
    assert old.step() == (0,), "nobody hears of it after a day"


def test_an_alarm_that_nobody_took_for_a_day_is_told_no_more_while_the_hub_runs(house, hook, post):
    minutes = [0.0]
    sender = AlertSender(house.engine, house.channels, house.quiet, lambda: house.seconds, lambda: minutes[0])
    assert sender.step(house.channels[0]) == 0
    house.alarm(Kind.DOOR_FORCED)
    hook.answer = 503
    assert sender.step(house.channels[0]) == 0
    hook.answer = 200
    house.seconds += 86_401
    minutes[0] += 86_401
    assert sender.step(house.channels[0]) == 0


@pytest.mark.parametrize("answer", [302, 400, 500, 503])
def test_what_is_not_taken_is_tried_again_later_and_later_and_the_other_way_works(house, hook, answer):
    hook.answer = answer
    house.alarm(Kind.DOOR_FORCED)
    assert house.step() == (0, 1)
    tries, waited = len(hook.seen), []
    for _ in range(12):
        began = house.seconds
        while len(hook.seen) == tries:
            house.seconds += FIRST_RETRY_SECONDS  # every wait is some of these
            assert house.step() == (0, 0)
        tries = len(hook.seen)
        waited.append(house.seconds - began)
    assert waited[0] == FIRST_RETRY_SECONDS
    assert waited == sorted(waited)
    assert waited[-1] == LONGEST_RETRY_SECONDS
    assert {path for _, _, path in hook.seen} == {"/alarms?x=1"}, "a redirect is not followed"
    hook.answer = 200
    house.seconds += LONGEST_RETRY_SECONDS
    assert house.step() == (1, 0)
    assert house.step() == (0, 0)


def test_a_server_that_is_away_or_refuses_a_recipient_has_not_taken_it(tmp_path, engine, hook, post):
    away = House(tmp_path, engine, free_port(), free_port())
    away.alarm(Kind.DOOR_FORCED)
    assert away.step() == (0, 0)
    picky = House(tmp_path, engine, hook.server_address[1], post.server_address[1], to="nobody@example.org")
    assert picky.step() == (1, 0)
    back = House(tmp_path, engine, hook.server_address[1], post.server_address[1])
    assert back.step() == (0, 1)


def test_at_night_only_what_is_urgent_is_told_and_the_rest_in_the_morning(tmp_path, engine, hook, post):
    ports = hook.server_address[1], post.server_address[1]
    house = House(tmp_path, engine, *ports, quiet="22:00-07:00", timezone="UTC")
    house.seconds = NIGHT
    house.alarm(Kind.DOOR_HELD, Kind.ALARM_DURESS)
    assert house.step() == (1, 1)
    house.seconds = NIGHT + 3600
    assert house.step() == (0, 0)
    house.seconds = NIGHT + 8 * 3600
    assert house.step() == (1, 1)


def test_what_is_closed_or_a_day_old_is_told_to_nobody(house):
    house.alarm(Kind.DOOR_FORCED, Kind.DOOR_HELD)
    Inbox(house.engine).close(InboxKind.ALARMS, 1, "Otto")
    house.seconds += 86_401
    assert house.step() == (0, 0)


def test_a_restart_tells_nothing_twice(tmp_path, engine, hook, post, house):
    house.alarm(Kind.DOOR_FORCED)
    assert house.step() == (1, 1)
    again = House(tmp_path, engine, hook.server_address[1], post.server_address[1])
    assert again.step() == (0, 0)


def test_the_threads_tell_by_themselves(house, hook, post):
    house.sender.start()
    house.alarm(Kind.DOOR_FORCED)
    wait_until(lambda: hook.seen and post.seen)
    house.sender.stop()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("http://127.0.0.1", "http://example.org"), "https"),
        (('host = "127.0.0.1"', 'host = "mail.example.org"'), "starttls or tls"),
        (("127.0.0.1:", "127.0.0.1:8x"), "[Pp]ort"),
        (("http://127.0.0.1", "https://"), "webhook.url"),
        (("otto@example.org", ""), "names nobody"),
        (("secret_file", "secret"), "webhook"),
        (('secret_file = "secret"', 'secret_file = "gone"'), "gone"),
        (("[webhook]", 'quiet = "always"\n[webhook]'), "write for example"),
        (("[webhook]", "x = 1\n[webhook]"), "x: "),
        (("[mail]", "[mail"), "alerts.toml"),
    ],
)
def test_mistakes_in_the_file_are_named(house, change, why):
    house.file.write_text(house.file.read_text().replace(*change, 1))
    with pytest.raises(ConfigError, match=why):
        load_alerts(house.file, "x")


def test_a_made_up_alarm_shows_whether_it_works(tmp_path, house, hook):
    site = tmp_path / "site"
    Site.create(site, "Hill House", "127.0.0.1")
    for name in ("alerts.toml", "secret"):
        (tmp_path / name).rename(site / "hub" / name)
    result = CliRunner().invoke(app, ["hub", "--site", str(site), "alerts", "test"])
    assert (result.exit_code, result.output) == (0, "webhook: taken\nmail: taken\n")
    hook.answer = 500
    assert CliRunner().invoke(app, ["hub", "--site", str(site), "alerts", "test"]).exit_code != 0


class Listener:
    """A channel that takes everything."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.taken: list[int] = []

    def send(self, items):
        self.taken += [one.id for one in items]


def test_two_channels_that_note_at_the_same_moment_are_told_once_each(postgresql):
    engine, channels = open_tables(postgresql), [Listener("webhook"), Listener("mail")]
    row = {"device": "front", "stream": "s", "seq": 1, "kind": str(Kind.DOOR_FORCED), "at": NOON}
    with engine.begin() as connection:
        connection.execute(sa.insert(ALARMS).values(**row, last_at=NOON, count=1, state="open"))
    sender = AlertSender(engine, channels, QuietHours(None, frozenset()), lambda: NOON)
    threads = [threading.Thread(target=sender.step, args=(one,)) for one in channels]
    waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

    def waiting_now() -> int:
        with engine.connect() as watch:  # one transaction sees the same all the time
            return watch.execute(waiting).scalar_one()

    with engine.begin() as desk:
        desk.execute(sa.update(ALARMS).values(count=2))  # both have to wait for this one
        for thread in threads:
            thread.start()
        wait_until(lambda: waiting_now() == 2)
    for thread in threads:
        thread.join()
    assert [sender.step(one) for one in channels] == [0, 0]
    assert [len(one.taken) for one in channels] == [1, 1]
    engine.dispose()
