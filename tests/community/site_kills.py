"""Page, console and hub are killed in turns while people report, answer, approve, invite and make passes.

python -m tests.community.site_kills --kills 60

With a broker, two doors and the hub's own signer. Ends with an error code unless every step that somebody
was told of is there once, the book verifies, each notice was approved once and stands once at each door, each
wish for a pass was granted at most once, and no invitation let anybody in twice.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2 as httpx
import sqlalchemy as sa

from edge.broker.settings import Tls
from edge.runtime.clock import SystemClock
from edge.site.provision import Site, load_trusted_keys
from edge.wire.notices import PURPOSE, NoticeSet
from facegate_hub.community.book import SYSTEM, Doer
from facegate_hub.community.devices import Devices
from facegate_hub.community.machine import TicketKind
from facegate_hub.community.notice_desk import NoticeDesk
from facegate_hub.community.notices import NoticeState
from facegate_hub.community.schema import CONTENTS, INVITATIONS, LEDGER, PASSES
from facegate_hub.community.staff_store import FOLDER, TERMS_FILE
from facegate_hub.community.tickets import Report
from facegate_hub.community.verify import verify
from facegate_hub.console.app import COOKIE as CONSOLE_COOKIE
from facegate_hub.page.app import COOKIE as PAGE_COOKIE
from facegate_hub.visitors import PASS_KEY_FILE
from tests.community.compound import new_compound
from tests.community.served import client, csrf, side
from tests.loopback import free_port
from tests.present import present
from tests.sync.broker import Broker, Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    import paho.mqtt.client as mqtt


DOORS = ("front", "back")
FEW = "[limits]\n" + "".join(
    f"{name} = 1000000\n" for name in ("tickets_a_day", "alike_a_day", "passes_a_day", "passes_alive")
)
"""No limits of a day in a trial that lasts minutes."""
SLOWLY = 2.0
"""Between two passes: the hub grants thirty a minute."""
SHOWN = 4
"""Notices that stand at once; the oldest is ended, as displays show eight."""


@dataclass
class HubProcess:
    """`facegate hub run` of a site, with the signer it starts."""

    site: Path
    process: subprocess.Popen[bytes] | None = None

    name = "hub"

    def start(self) -> None:
        words = [sys.executable, "-c", "from edge.cli import main; main()", "hub", "--site", str(self.site)]
        with (self.site / "hub.log").open("a") as log:
            self.process = subprocess.Popen([*words, "run"], stdout=log, stderr=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait()


@dataclass
class Habit:
    """Something that somebody does again and again: `told` are those they were told of, `tried` are all."""

    name: str
    act: Callable[[str], str]
    pause: float = 0.0
    tried: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def run(self, ended: threading.Event) -> None:
        while not ended.wait(self.pause):
            text = f"{self.name}-{len(self.tried)}-"
            self.tried.append(text)
            try:
                self.told.append(self.act(text))
            except (httpx.HTTPError, TypeError, IndexError):
                ended.wait(0.1)  # away, and on its way back; its page was no page


class Town:
    """A site with everybody who does something in it, before they begin."""

    def __init__(self, folder: Path, port: int) -> None:
        self.site = Site.create(folder, "Trial", "127.0.0.1", port)
        for door in DOORS:
            self.site.add_door(door)
        (folder / "hub" / PASS_KEY_FILE).write_bytes(secrets.token_bytes(32))
        self.folder, self.compound, self.browsers = folder, new_compound(folder), ExitStack()
        (folder / FOLDER / TERMS_FILE).write_text(FEW)
        self.compound.book.clock = SystemClock()
        for name, person in self.compound.people.items():
            self.compound.register.change(SYSTEM, person, resident=name)
        wang = self.compound.people["wang"]
        report = Report(TicketKind.OPINION, "noise", "the lift", flat="3-1203", requester=wang)
        self.ticket, _ = self.compound.tickets.report(self.compound.asker("wang"), report)
        self.page, self.console, self.hub = side("page", folder), side("console", folder), HubProcess(folder)

    def at_page(self, name: str) -> httpx.Client:
        who = Doer("person", self.compound.people[name])
        cookie = Devices(self.compound.book).begin(who, "test")
        return self.browsers.enter_context(client(self.page.url, PAGE_COOKIE, cookie))

    def at_console(self, name: str) -> httpx.Client:
        who = Doer("account", name)
        cookie = Devices(self.compound.staff).begin(who, "test")
        return self.browsers.enter_context(client(self.console.url, CONSOLE_COOKIE, cookie))

    def habits(self) -> list[Habit]:
        wang, again, li = (self.at_page(name) for name in ("wang", "wang", "li"))
        dora, drafts, desk, mona = (self.at_console(name) for name in ("dora", "dora", "dora", "mona"))
        place = f"/tickets/{self.ticket}"
        step = f"{place}/step"
        return [
            Habit("report", lambda text: _report(wang, text)),
            Habit("answer", lambda text: _sent(again, place, step, _comment(text)), 0.3),
            Habit("work", lambda text: _sent(dora, place, step, _comment(text))),
            Habit("notice", lambda text: self._notice(drafts, mona, text), 0.3),
            Habit("invite", lambda _: self._invite(desk), 0.3),
            Habit("pass", lambda _: _wish(li), SLOWLY),
        ]

    def _notice(self, dora: httpx.Client, mona: httpx.Client, text: str) -> str:
        draft = {
            "title_en": text,
            "ends": time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 3 * 86_400)),
        }
        _sent(dora, "/notices", "/notices", draft)
        notices = NoticeDesk(self.compound.staff).all()
        mine = next(one.number for one in notices if one.titles["en"] == text)
        _sent(mona, "/notices", f"/notices/{mine}", {"do": "approve"})
        shown = sorted(one.number for one in notices if one.state is NoticeState.SHOWN)
        for old in shown[:-SHOWN]:
            _sent(mona, "/notices", f"/notices/{old}", {"do": "end"})
        return text

    def _invite(self, dora: httpx.Client) -> str:
        """Have somebody invited and in; return the invitation's code."""
        person = self.compound.people["zhao"]
        shown = _page(dora, f"/people/{person}")
        given = {"csrf": csrf(shown), "person": person, "flat": "5-101"}
        slip = _shown(dora.post("/invite", data=given))
        code = present(re.search(r'class="code">([^<]+)<', slip))[1]
        with client(self.page.url, "other", "0") as phone:
            fields = {"csrf": csrf(_page(phone, "/enter")), "code": code}
            token = csrf(_shown(phone.post("/enter", data=fields)))
            _redirected(phone.post("/enter/accept", data={"csrf": token, "code": code}))
        return code


def trial(
    folder: Path, kills: int, rng: random.Random, end: float = float("inf"), pause: float = 0.0
) -> list[str]:
    """Kill page, console and hub in turns, until a moment of the monotonic clock; return what is wrong.

    Everybody pauses for so many seconds at least before they do it again.
    """
    town = Town(folder, port := free_port())
    ended = threading.Event()
    with ExitStack() as stack:
        stack.enter_context(Broker.of_site(folder, port))
        stack.enter_context(town.browsers)
        habits = town.habits()
        for habit in habits:
            habit.pause = max(habit.pause, pause)
        sides: list[Any] = [town.page, town.console, town.hub]
        for one in sides:
            one.start()
            stack.callback(one.stop)
        threads = [threading.Thread(target=one.run, args=(ended,)) for one in habits]
        for thread in threads:
            thread.start()
        try:
            for number in range(kills):
                _let_them(town, habits)
                if time.monotonic() > end:
                    break
                time.sleep(rng.random() * 0.5)
                sides[number % 3].kill()
                sides[number % 3].start()
                print(f"{number + 1} killed", flush=True)  # noqa: T201
            _let_them(town, habits)
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        _settle(town)
        return [*_steps(town, habits), *_notices(town, port), *_passes(town, habits[-1]), *_entered(town)]


def _let_them(town: Town, habits: list[Habit]) -> None:
    """Wait until everybody was told of something since, and the hub granted a pass; or give up waiting."""
    before, granted, patience = [len(one.told) for one in habits], _granted(town), 1200

    def waiting() -> list[str]:
        idle = [one.name for one, then in zip(habits, before, strict=True) if len(one.told) == then]
        return [*idle, *(["hub"] if _granted(town) == granted else [])]

    while waiting() and (patience := patience - 1):
        time.sleep(0.1)
    if not patience:
        sys.stdout.write(f"waited two minutes for {waiting()}\n")
        sys.stdout.write((town.folder / "hub.log").read_text()[-4000:])


def _granted(town: Town) -> int:
    with town.compound.book.looking() as connection:
        done = sa.select(sa.func.count()).where(PASSES.c.state.not_in(["wished"]))
        return connection.execute(done).scalar_one()


def _settle(town: Town) -> None:
    for _ in range(1200):
        with town.compound.book.looking() as connection:
            if not connection.execute(sa.select(PASSES.c.id).where(PASSES.c.state == "wished")).first():
                break
        time.sleep(0.1)
    time.sleep(2.0)  # the hub looks twice a second whether doors are to be told something


def _steps(town: Town, habits: list[Habit]) -> list[str]:
    book = town.compound.book
    with book.looking() as connection:
        problems = list(verify(connection, book.sealer).problems)
        marks = connection.execute(sa.select(CONTENTS.c.mark)).scalars()
        kept = Counter(book.text(connection, mark) for mark in set(marks))
    for one in habits[:3]:
        problems += [f"{text}: lost" for text in one.told if kept[text] < 1]
        problems += [f"{text}: {kept[text]} times" for text in one.tried if kept[text] > 1]
    for one in habits:
        sys.stdout.write(f"{one.name}: {len(one.told)} told of {len(one.tried)} tried\n")
    titles = Counter(one.titles["en"] for one in NoticeDesk(town.compound.staff).all(1_000_000))
    problems += [f"{text}: {titles[text]} drafts" for text in habits[3].told if titles[text] != 1]
    problems += [f"{text}: {count} drafts" for text, count in titles.items() if count > 1]
    return problems


def _notices(town: Town, port: int) -> list[str]:
    """Return which notices were approved more than once, or stand at a door more than once, or not at all."""
    counted = _entries(town, "notice.approved")
    problems = [f"{name}: approved {count} times" for name, count in counted.items() if count > 1]
    wanted = [str(one.number) for one in NoticeDesk(town.compound.staff).for_doors()][:8]
    keys = load_trusted_keys(town.folder / "doors" / DOORS[0] / "trusted-keys.json")
    for door in DOORS:
        bundle = town.folder / "doors" / door
        tls = Tls(bundle / "ca.crt", bundle / "door.crt", bundle / "door.key")
        topic = f"facegate/v1/{door}/notice"

        def known(connecting: mqtt.Client, tls: Tls = tls) -> None:
            connecting.tls_set(str(tls.ca_file), str(tls.cert_file), str(tls.key_file))

        with Listener(port, topic, client_id=door, prepare=known) as listener:
            for _ in range(100):
                if listener.payloads(topic):
                    break
                time.sleep(0.1)
            told = [NoticeSet.parse(keys.open(one, PURPOSE)) for one in listener.payloads(topic)[-1:]]
        stands = Counter(line.id for line in told[0].items) if told else Counter()
        if stands != Counter(wanted):
            problems.append(f"{door}: shows {dict(stands)}, not {wanted}")
    return problems


def _passes(town: Town, habit: Habit) -> list[str]:
    counted = _entries(town, "pass.granted")
    problems = [f"{name}: granted {count} times" for name, count in counted.items() if count > 1]
    with town.compound.book.looking() as connection:
        rows = connection.execute(sa.select(PASSES)).all()
    there = {row.id for row in rows}
    problems += [f"pass {one}: lost" for one in habit.told if one not in there]
    codes = Counter(row.pass_id for row in rows if row.pass_id)
    problems += [f"pass {one}: given {count} times" for one, count in codes.items() if count > 1]
    if len(rows) > len(habit.tried):
        problems.append(f"{len(rows)} wishes of {len(habit.tried)} that were sent")
    states = Counter(row.state for row in rows)
    sys.stdout.write(f"passes: {json.dumps(states)}\n")
    return problems


def _entered(town: Town) -> list[str]:
    with town.compound.book.looking() as connection:
        bodies = connection.execute(
            sa.select(LEDGER.c.body).where(LEDGER.c.kind == "invitation.used")
        ).scalars()
        used = Counter(row[1] for body in bodies for row in json.loads(body)["rows"])
        query = sa.select(sa.func.count()).where(INVITATIONS.c.state == "used")
        count = connection.execute(query).scalar_one()
    problems = [f"an invitation let {many} in" for many in used.values() if many > 1]
    return [*problems, *([f"{used.total()} entered by {count} invitations"] if used.total() != count else [])]


def _entries(town: Town, kind: str) -> Counter[str]:
    """Return how often there is an entry of a kind, by what it is about."""
    with town.compound.book.looking() as connection:
        return Counter(connection.execute(sa.select(LEDGER.c.subject).where(LEDGER.c.kind == kind)).scalars())


def _page(browser: httpx.Client, path: str) -> str:
    return _shown(browser.get(path))


def _shown(answer: httpx.Response) -> str:
    """Return the page that was answered; a side that is away just now answers none."""
    if answer.status_code != 200:
        raise httpx.HTTPError(f"answered {answer.status_code}")
    return answer.text


def _redirected(answer: httpx.Response) -> str:
    if answer.status_code != 303:
        raise httpx.HTTPError(f"answered {answer.status_code}")
    return answer.headers["location"]


def _sent(browser: httpx.Client, page: str, place: str, fields: dict[str, str]) -> str:
    _redirected(browser.post(place, data={**fields, "csrf": csrf(_page(browser, page))}))
    return next(iter(fields.values())) if "text" not in fields else fields["text"]


def _comment(text: str) -> dict[str, str]:
    return {"act": "comment", "text": text}


def _report(browser: httpx.Client, text: str) -> str:
    fields = {"kind": "opinion", "category": "noise", "text": text, "flat": "3-1203"}
    return _sent(browser, "/new", "/new", fields)


def _wish(browser: httpx.Client) -> str:
    fields = {"kind": "visitor", "hours": "2", "uses": "1", "csrf": csrf(_page(browser, "/visitors"))}
    return _redirected(browser.post("/visitors", data=fields)).rpartition("/")[2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="Judge what was done by then.")
    wish = parser.parse_args()
    end = time.monotonic() + 60 * wish.minutes
    with tempfile.TemporaryDirectory() as folder, suppress(KeyboardInterrupt):
        wrong = trial(Path(folder) / "site", wish.kills, random.Random(wish.seed), end)
    sys.stdout.write("".join(f"{one}\n" for one in wrong[:20]) + f"{len(wrong)} wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
