"""The residents' page replaced by a liar, with the page's real rights: it writes what it likes, for no power.

It runs as another user, who may do everything in the site's folder `community` and nothing outside of it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from edge.policy.passes import Pass, PassKind, door_marks
from edge.web.accounts import password_digest
from edge.wire.ended_passes import PassEnds
from edge.wire.notices import NoticeSet
from facegate_hub.community.accounts import StaffAccounts
from facegate_hub.community.book import SYSTEM, Change, Doer
from facegate_hub.community.devices import Devices
from facegate_hub.community.duties import Duty
from facegate_hub.community.notice_desk import NoticeDesk, NoticeDraft
from facegate_hub.community.notices import NoticeLevel, NoticeState
from facegate_hub.community.pass_desk import EndReason, PassDesk
from facegate_hub.community.passkeys import Passkeys
from facegate_hub.community.schema import ACCOUNTS, DEVICES, PASSES, PASSKEYS, SECRETS
from facegate_hub.community.staff_store import FOLDER, TERMS_FILE, open_staff
from facegate_hub.community.totp import code_at, new_secret
from facegate_hub.community.verify import verify
from facegate_hub.console.app import COOKIE
from facegate_hub.database import put
from facegate_hub.ended_passes import PassEnder
from facegate_hub.notices import NoticeServer
from facegate_hub.service import open_community
from facegate_hub.signed_passes import SignedPasses
from facegate_hub.tables import open_tables
from tests.community.compound import new_compound
from tests.community.web import staff
from tests.community.world import new_book
from tests.present import present
from tests.sync.hubside import SIGNER

NOBODY = 65534
TOKEN = "x" * 43
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
LIAR = f"""
import os, pathlib, sqlite3
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
book = sqlite3.connect('community.db', isolation_level=None)
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="a process of another user is started by root alone")


@pytest.fixture
def site():
    """A site's folder that another user can go through, whose folder `community` is theirs."""
    folder = Path(tempfile.mkdtemp(prefix="facegate-liar-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def compound(site):
    return new_compound(site)


def lie(site, code):
    """Run a program with the page's rights in the page's folder; return what it printed."""
    own = site / "community"
    for path in (own, *own.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    program = f"{LIAR}{code}"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def row(table, **values):
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    statement = f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})"
    return f"book.execute({statement!r}, {tuple(values.values())!r})\n"


@as_root
def test_nothing_of_staff_s_is_there_to_read_or_write(compound, site):
    code = f"""
for name in {[path.name for path in (site / FOLDER).iterdir()]!r}:
    for way in ('rb', 'r+b'):
        try:
            open(pathlib.Path('..') / {FOLDER!r} / name, way)
        except PermissionError:
            continue
        print(name, way)
"""
    assert {path.name for path in (site / FOLDER).iterdir()} >= {"staff.db", "staff.key"}
    assert lie(site, code) == ""


@as_root
def test_a_session_that_it_writes_lets_nobody_in(compound, site):
    now = compound.book.now()
    times = {"made_at": now, "used_at": now, "until": now + 10**6}
    lie(site, row("devices", id="d", token=DIGEST, holder="account:mona", label="x", **times))
    browser = staff(compound)
    browser.client.cookies.set(COOKIE, TOKEN, domain="testserver.local")
    browser.get("/tickets")
    assert browser.title == "Log in"
    with compound.book.looking() as connection:
        assert connection.execute(sa.select(DEVICES.c.id)).scalar() == "d", (
            "it is there, and counts for nothing"
        )


@as_root
def test_accounts_passwords_and_keys_that_it_writes_are_nobody_s(compound, site):
    password, salt, totp = "a good long password", b"s" * 16, new_secret()
    sealed = compound.book.sealer.seal(totp, b"totp:evil")
    secret = {"salt": salt, "digest": password_digest(password, salt), "totp": sealed, "totp_used": 0}
    code = row("accounts", id="evil", duty="admin", side="property", state="active")
    code += row("accounts", id="dora", duty="admin", side="property", state="active")
    code += row("secrets", account="evil", **secret)
    key = {"host": "hub.example", "data": b"x", "uses": 0, "label": "", "made_at": 1, "used_at": 1}
    code += row("passkeys", id="k", holder="account:root", **key)
    lie(site, code)
    for store in (compound.staff, open_staff(site, compound.book)):
        accounts = StaffAccounts(store)
        digits = code_at(totp, compound.book.now())
        assert accounts.check("evil", password, digits) is None
        assert accounts.one("evil") is None
        assert present(accounts.one("dora")).duty is Duty.DESK
        assert Passkeys(store).all(Doer("account", "root")) == []


def drafted(compound, **more):
    now = compound.book.now()
    values = {"level": NoticeLevel.INFO, "title_zh": "停水", "title_en": "No water", "text": "From nine."}
    draft = NoticeDraft(**{**values, "begins": now, "ends": now + 86_400, **more})
    return NoticeDesk(compound.staff).draft(present(StaffAccounts(compound.staff).one("dora")), draft)


@as_root
def test_doors_are_told_nothing_that_it_writes(compound, site):
    """Neither a notice of its own, nor another text of one that is approved; nor does one vanish there."""
    desk, mona = NoticeDesk(compound.staff), StaffAccounts(compound.staff).one("mona")
    number, waits = drafted(compound), drafted(compound, title_en="Tank cleaning")
    desk.approve(present(mona), number)
    now = compound.book.now()
    shown = {"level": "emergency", "buildings": "", "tie": "", "begins": now, "ends": now + 9999}
    code = row("notices", id="99", number=99, state="shown", drafted_by="dora", approved_by="mona", **shown)
    theirs = "state = 'shown', approved_by = 'mona', level = 'emergency'"
    code += f"book.execute({f'UPDATE notices SET {theirs}'!r})\n"
    code += f"book.execute({f'DELETE FROM notices WHERE number = {number}'!r})\n"
    lie(site, code)
    told = {one.number: (one.level, one.titles["en"]) for one in desk.for_doors()}
    assert told == {number: (NoticeLevel.INFO, "No water")}
    desk.approve(present(mona), waits)
    assert desk.for_doors()[0].level is NoticeLevel.INFO, "what is approved is what was drafted"


@as_root
def test_its_terms_are_nobody_s(compound, site):
    """By them the hub grants passes, and a building is locked down."""
    lie(site, f"open({TERMS_FILE!r}, 'w').write('[limits]\\npasses_a_day = 1000000\\n')")
    _, terms = present(open_community(site))
    assert terms.passes_a_day == 6


@as_root
def test_staff_log_in_while_it_keeps_the_book_from_everybody(compound, site):
    """What they did is told to the book when it can be, in order and with its time."""
    lie(site, "book.execute('ALTER TABLE ledger RENAME TO gone')")
    token = Devices(compound.staff).begin(Doer("account", "mona"), "desk")
    assert present(Devices(compound.staff).find(token)).holder == "account:mona"
    number = drafted(compound)
    assert [one.number for one in NoticeDesk(compound.staff).all()] == [number]
    lie(site, "book.execute('ALTER TABLE gone RENAME TO ledger')")
    compound.clock.advance(3600)
    assert compound.staff.tell() == 2
    assert compound.staff.tell() == 0
    with compound.book.looking() as connection:
        first, second = reversed(compound.book.newest(connection, 2))
        assert (first.kind, second.kind) == ("device.begun", "notice.drafted")
        assert first.say["was_at"] == compound.book.now() - 3600
        assert verify(connection, compound.book.sealer).problems == []


@as_root
def test_doors_hear_of_notices_and_of_what_staff_ended_while_the_book_is_spoilt(compound, site, caplog):
    engine = open_tables(f"sqlite:///{site / 'hub.db'}")
    now = compound.book.now()
    begins, ends = (datetime.fromtimestamp(at, UTC) for at in (now, now + 3600))
    granted = Pass(bytes(8), "wang", begins, ends, 1, PassKind.VISITOR, door_marks(("gate",)))
    SignedPasses(engine).note(granted, ("gate",), now)
    row_of = {"maker": compound.people["wang"], "flat": "3-1203", "kind": "visitor", "state": "granted"}
    row_of |= {"pass_id": granted.id.hex(), "begins": now, "ends": now + 3600, "uses": 1}
    with compound.book.writing() as writing:
        writing.enter(SYSTEM, "pass.granted", "pass:p", Change(PASSES, "p", row_of))
    desk, mona = NoticeDesk(compound.staff), present(StaffAccounts(compound.staff).one("mona"))
    desk.approve(mona, drafted(compound))
    PassDesk(compound.staff).end(mona, granted.id.hex(), EndReason.WRONG_PERSON)
    lie(site, "book.execute('DROP TABLE passes')\nbook.execute('DROP TABLE ledger')")
    ender = PassEnder(engine, SIGNER, compound.staff, lambda: ("gate",), lambda: now)
    server = NoticeServer(engine, SIGNER, (compound.staff, compound.terms), lambda: ("gate",))
    for part in (ender, server):
        part.look()
    assert PassEnds.parse(present(ender.compose("gate", 1, None))).ended[0].id == granted.id.hex()
    (item,) = NoticeSet.parse(present(server.compose("gate", 1, None))).items
    assert item.text["en"] == "No water"
    assert "wait for the book" in caplog.text
    engine.dispose()


@as_root
def test_terms_that_are_a_link_are_not_taken_over(site):
    """It would write into them afterwards."""
    an_older_site(site)
    lie(site, f"os.rename({TERMS_FILE!r}, 'mine'); os.symlink('../community/mine', {TERMS_FILE!r})")
    book, _ = new_book(site)
    open_staff(site, book)
    assert not (site / FOLDER / TERMS_FILE).exists()


def an_older_site(folder):
    """A site as an older version left it: all of staff's in the community's database."""
    compound = new_compound(folder)
    drafted(compound, title_en="Old")
    NoticeDesk(compound.staff).approve(present(StaffAccounts(compound.staff).one("mona")), 1)
    totp, salt = new_secret(), b"s" * 16
    sealed = compound.book.sealer.seal(totp, b"totp:mona")
    with compound.book.engine.begin() as connection:
        secret = {"salt": salt, "digest": password_digest("a good long password", salt), "totp": sealed}
        put(connection, SECRETS, {"account": "mona", **secret, "totp_used": 0})
        key = {"host": "hub.example", "data": b"x", "uses": 0, "label": "", "made_at": 1, "used_at": 1}
        put(connection, PASSKEYS, {"id": "k", "holder": "account:mona", **key})
        put(connection, PASSKEYS, {"id": "r", "holder": "person:1", **key})
        for verb in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(f"DROP TRIGGER ledger_{verb}")
        connection.exec_driver_sql("DELETE FROM ledger WHERE kind = 'staff.taken_over'")
    (folder / "community" / TERMS_FILE).write_text("[limits]\npasses_a_day = 3\n")
    for engine in (compound.staff.engine, compound.book.engine):
        engine.dispose()
    shutil.rmtree(folder / FOLDER)
    return totp


def test_a_site_of_an_older_version_opens_with_its_staff(tmp_path):
    """Once, and nothing of it stays where the page can read it."""
    totp = an_older_site(tmp_path)
    book, _ = new_book(tmp_path)
    store = open_staff(tmp_path, book)
    accounts = StaffAccounts(store)
    assert present(accounts.one("dora")).duty is Duty.DESK
    digits = code_at(totp, book.now())
    assert present(accounts.check("mona", "a good long password", digits)).duty is Duty.MANAGER
    assert len(Passkeys(store).all(Doer("account", "mona"))) == 1
    (notice,) = NoticeDesk(store).for_doors()
    assert (notice.titles["en"], notice.text, notice.state) == ("Old", "From nine.", NoticeState.SHOWN)
    assert (tmp_path / FOLDER / TERMS_FILE).read_text().endswith("= 3\n")
    with book.looking() as connection:
        assert connection.execute(sa.select(SECRETS)).all() == []
        assert connection.execute(sa.select(PASSKEYS.c.id)).scalars().all() == ["r"]
    assert (tmp_path / FOLDER / "staff.db").stat().st_mode & 0o077 == 0


def test_a_staff_database_that_was_lost_takes_nobody_s_word(tmp_path):
    """By then the community's database may hold anybody's accounts: they begin anew, with codes."""
    compound = new_compound(tmp_path)
    with compound.book.engine.begin() as connection:
        put(connection, ACCOUNTS, {"id": "evil", "duty": "admin", "side": "property", "state": "active"})
    compound.staff.engine.dispose()
    shutil.rmtree(tmp_path / FOLDER)
    store = open_staff(tmp_path, compound.book)
    assert StaffAccounts(store).all() == []
    assert StaffAccounts(store).first_code() is not None
