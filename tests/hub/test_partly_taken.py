"""Mail that a server takes for some recipients only, and receivers that never come to an end."""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import threading
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest

from edge.events import Kind
from edge.line_end import ended_after
from edge.site.provision import Site
from facegate_hub.alert_channels import load_alerts
from facegate_hub.alerts import Alert, AlertSender
from facegate_hub.events import EventSink
from facegate_hub.partly_taken import RefusedForSome
from facegate_hub.sending import LONGEST_RETRY_SECONDS
from facegate_hub.tables import open_tables
from tests.hub.entries import pack
from tests.hub.journals import Journal
from tests.hub.test_alerts import NOON, serving
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

ANNA, BORIS, CHEN = (f"{name}@example.org" for name in ("anna", "boris", "chen"))


class PickyPost(socketserver.ThreadingTCPServer):
    """Keeps (recipients, subject) of each letter; `refuses` are its answers by recipient."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), PickyTalk)
        self.seen: list[tuple[list[str], str]] = []
        self.refuses: dict[str, str] = {}
        self.most = 100
        self.goodbye = "221 bye"


class PickyTalk(socketserver.StreamRequestHandler):
    """One conversation."""

    server: PickyPost
    greets = True

    def handle(self):
        if self.greets:
            self.say("220 here")
        people: list[str] = []
        for line in self.rfile:
            words = line.decode().strip().upper()
            if words.startswith("RCPT"):
                self.say(self.answer(line.decode().partition("<")[2].partition(">")[0], people))
            elif words == "DATA":
                self.say("354 go on")
                body = b"".join(iter(self.rfile.readline, b".\r\n"))
                subject = message_from_bytes(body, policy=default)["Subject"]
                self.server.seen.append((people, str(subject)))
                self.say("250 taken")
            elif words == "QUIT":
                self.say(self.server.goodbye)
                return
            else:
                people = [] if words in {"RSET", "DATA"} or words.startswith("MAIL") else people
                self.say("250 well")

    def answer(self, address, people):
        if (refusal := self.server.refuses.get(address)) is not None:
            return refusal
        if len(people) == self.server.most:
            return "452 too many recipients"
        people.append(address)
        return "250 well"

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


class Guardroom:
    """A hub whose alarms go by mail to several people, and a clock of our own."""

    def __init__(self, folder, post, *people):
        lines = ["[mail]", 'host = "127.0.0.1"', f"port = {post.server_address[1]}", 'tls = "none"']
        lines += ['sender = "gate@example.org"', f"to = {json.dumps(people)}"]
        (folder / "alerts.toml").write_text("\n".join(lines))
        self.engine, self.seconds = open_tables(f"sqlite:///{folder}/hub.db"), NOON
        (self.mail,), quiet = load_alerts(folder / "alerts.toml", "Hill House")
        self.sender = AlertSender(self.engine, [self.mail], quiet, lambda: self.seconds)
        self.journal = Journal("front")

    def alarm(self, kind):
        self.journal.append(kind, {}, resident="anna")
        EventSink(self.engine, lambda: self.seconds).store("front", pack(self.journal.entries))

    def hours(self, count):
        """Let time pass, looking as often as a channel is tried again."""
        for _ in range(int(count * 3600 / LONGEST_RETRY_SECONDS)):
            self.sender.step(self.mail)
            self.seconds += LONGEST_RETRY_SECONDS


@pytest.fixture
def post():
    with serving(PickyPost()) as server:
        yield server


@pytest.fixture
def room(tmp_path, post):
    room = Guardroom(tmp_path, post, ANNA, BORIS, CHEN)
    yield room
    room.engine.dispose()


def test_an_address_that_is_gone_sends_nobody_else_the_same_alarm_again(room, post):
    post.refuses[BORIS] = "550 no such person"
    room.alarm(Kind.DOOR_FORCED)
    room.hours(6)
    assert [people for people, _ in post.seen] == [[ANNA, CHEN]]


def test_nor_keeps_it_others_from_hearing_of_the_next_one_at_once(room, post):
    post.refuses[BORIS] = "550 no such person"
    for _ in range(2):
        room.alarm(Kind.DOOR_FORCED)
        assert room.sender.step(room.mail) == 1
        room.seconds += 2 * 3600
    assert [people for people, _ in post.seen] == [[ANNA, CHEN]] * 2


def test_who_is_to_be_tried_again_gets_all_later_and_the_others_only_what_is_new(room, post):
    post.refuses[BORIS] = "450 come back in five minutes"
    room.alarm(Kind.DOOR_FORCED)
    assert room.sender.step(room.mail) == 0
    room.alarm(Kind.ALARM_DURESS)
    room.hours(0.5)
    post.refuses.clear()
    room.hours(0.5)
    told = [(people, subject.endswith("(+1)")) for people, subject in post.seen]
    assert told == [([ANNA, CHEN], False), ([ANNA, CHEN], False), ([BORIS], True)]


def test_a_server_that_takes_few_recipients_at_once_gets_them_in_several_mails(room, post):
    post.most = 1
    room.alarm(Kind.DOOR_FORCED)
    assert room.sender.step(room.mail) == 1
    assert [people for people, _ in post.seen] == [[ANNA], [BORIS], [CHEN]]


def test_an_alarm_that_nobody_gets_is_tried_again(room, post):
    post.refuses = dict.fromkeys((ANNA, BORIS, CHEN), "550 no such person")
    room.alarm(Kind.DOOR_FORCED)
    assert room.sender.step(room.mail) == 0
    post.refuses.clear()
    room.hours(1)
    assert [people for people, _ in post.seen] == [[ANNA, BORIS, CHEN]]


def test_a_mail_that_was_taken_is_taken_whatever_the_server_says_to_our_goodbye(room, post):
    post.goodbye = "421 too slow"
    room.alarm(Kind.DOOR_FORCED)
    room.hours(1)
    assert [people for people, _ in post.seen] == [[ANNA, BORIS, CHEN]]


def test_who_tries_the_settings_is_told_whom_the_server_refuses(room, post):
    post.refuses[BORIS] = "550 no such person"
    alert = Alert(0, "test", Kind.DOOR_FORCED, NOON, 1, None)
    with pytest.raises(RefusedForSome, match=r"boris@example.org \(550 no such person\)"):
        room.mail.send([alert])


class SecuredPost(PickyPost):
    """The same behind TLS: from the first byte on, or once it is asked for."""

    def __init__(self, site: Path, *, at_once: bool) -> None:
        super().__init__()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(site / "broker" / "server.crt", site / "broker" / "server.key")
        self.at_once = at_once
        self.RequestHandlerClass = SecuredTalk


class SecuredTalk(PickyTalk):
    """One conversation with it."""

    server: SecuredPost

    def setup(self):
        super().setup()
        if self.server.at_once:
            self.secure()

    def secure(self):
        self.connection = self.server.context.wrap_socket(self.request, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)

    def handle(self):
        if not self.server.at_once:
            self.say("220 here")
            self.rfile.readline()
            self.say("250-here\r\n250 STARTTLS")
            assert self.rfile.readline().strip().upper() == b"STARTTLS"
            self.say("220 go on")
            self.secure()
            self.greets = False  # the client begins anew, without one
        super().handle()

    def finish(self):
        super().finish()
        self.connection.close()


@pytest.mark.parametrize("tls", ["tls", "starttls"])
def test_a_server_behind_tls_is_asked_by_the_name_in_its_certificate(tmp_path, monkeypatch, tls):
    """The line is made before it connects, so that it can be cut: TLS asks for the name all the same."""
    site = tmp_path / "site"
    Site.create(site, "Hill House", "mail.invalid")
    monkeypatch.setenv("SSL_CERT_FILE", str(site / "broker" / "ca.crt"))
    alert = Alert(0, "test", Kind.DOOR_FORCED, NOON, 1, None)
    with serving(SecuredPost(site, at_once=tls == "tls")) as server:
        for host, is_named in (("localhost", True), ("127.0.0.2", False)):
            lines = ["[mail]", f'host = "{host}"', f"port = {server.server_address[1]}", f'tls = "{tls}"']
            lines += ['sender = "gate@example.org"', f'to = ["{ANNA}"]']
            (tmp_path / "alerts.toml").write_text("\n".join(lines))
            (mail,), _ = load_alerts(tmp_path / "alerts.toml", "Hill House")
            if is_named:
                mail.send([alert])
            else:
                with pytest.raises(OSError, match=r"."):
                    mail.send([alert])
    assert [people for people, _ in server.seen] == [[ANNA]]


class Chatter(socketserver.StreamRequestHandler):
    """Says one line after another and never comes to an end; tells when nobody listens any more."""

    server: ChatterServer

    def handle(self):
        try:
            while not self.server.ended.wait(0.01):
                self.wfile.write(self.server.line)
        except OSError:
            self.server.cut.set()


class ChatterServer(socketserver.ThreadingTCPServer):
    """Answers whoever connects with `line`, again and again."""

    def __init__(self, line: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Chatter)
        self.line, self.cut, self.ended = line, threading.Event(), threading.Event()

    def server_close(self) -> None:
        """Let conversations end, too."""
        self.ended.set()
        super().server_close()


@pytest.mark.parametrize(
    ("section", "line"),
    [
        (
            '[mail]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\nsender = "a@b.cc"\nto = ["d@e.ff"]',
            b"220-on\r\n",
        ),
        ('[webhook]\nurl = "http://127.0.0.1:{port}/"\nsecret_file = "s"', b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_a_receiver_that_goes_on_for_ever_is_given_up(tmp_path, section, line):
    (tmp_path / "s").write_text("secret")
    alert = Alert(0, "test", Kind.DOOR_FORCED, NOON, 1, None)
    with serving(ChatterServer(line)) as server:
        (tmp_path / "alerts.toml").write_text(section.format(port=server.server_address[1]))
        (channel,), _ = load_alerts(tmp_path / "alerts.toml", "Hill House", longest_seconds=0.2)
        with pytest.raises(OSError, match=r"."):
            channel.send([alert])
        assert server.cut.wait(PATIENCE)


def test_a_line_is_cut_also_when_it_is_made_only_after_the_time_is_over():
    line: list[Any] = [None]
    with serving(ChatterServer(b"x")) as server, ended_after(0.0, lambda: line[0]):
        line[0] = socket.create_connection(server.server_address[:2])
        while line[0].recv(1000):
            pass
        line[0].close()
