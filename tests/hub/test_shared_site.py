"""Hub, console and page of one machine, each with an account of its own: what of a site is whose."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from edge.durable import let_group
from edge.errors import StoreError
from edge.runtime.clock import SystemClock
from edge.site.provision import Site
from facegate_hub.community.database import open_book
from facegate_hub.community.staff_store import TERMS_FILE, open_staff
from facegate_hub.database import open_engine
from facegate_hub.database_urls import database_url
from facegate_hub.shared_site import Groups, share_site
from facegate_hub.signer.tables import open_memory
from tests.places import REPOSITORY

HUB, CONSOLE, PAGE = 61101, 61102, 61103
STAFF_GROUP, COMMUNITY_GROUP = 61201, 61202
THEIRS = {
    HUB: (HUB, STAFF_GROUP, COMMUNITY_GROUP),
    CONSOLE: (CONSOLE, STAFF_GROUP, COMMUNITY_GROUP),
    PAGE: (PAGE, COMMUNITY_GROUP),
}
"""Groups of each account, its own first: as `systemd/sysusers-hub.conf` has them."""
OURS = Groups(os.getegid(), os.getegid())

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="a process of another user is started by root alone")


def as_account(account, code, *words, cwd="/", root="/"):
    """Run a program as an account, and return what it printed; what it imports is read before, by root."""
    own, *others = THEIRS[account]
    program = f"""
import os, pathlib, sqlite3, sys
{IMPORTS if "Site" in code or "share" in code else ""}
os.chroot({str(root)!r})
os.chdir({str(cwd)!r})
os.umask(0o077)
os.setgroups({others!r})
os.setgid({own})
os.setuid({account})
{code}
"""
    command = [sys.executable, "-c", program, *map(str, words)]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


IMPORTS = """
import cryptography.hazmat.backends.openssl.backend  # as a signature does; the checkout may be root's alone
from edge.site.provision import Site
from facegate_hub.shared_site import Groups, share_site
"""
SHARE = f"share_site(pathlib.Path(sys.argv[1]), Groups({STAFF_GROUP}, {COMMUNITY_GROUP}))"
READ = """
for name in sys.argv[1:]:
    try:
        open(name, 'rb').close()
    except (PermissionError, FileNotFoundError):
        continue
    print(name)
"""
WRITE = """
for name in sys.argv[1:]:
    database = sqlite3.connect(name, isolation_level=None)
    database.execute('PRAGMA journal_mode = WAL')
    database.execute('BEGIN IMMEDIATE')
    database.execute('CREATE TABLE IF NOT EXISTS written (by)')
    database.execute('INSERT INTO written VALUES (?)', (os.getuid(),))
    database.execute('COMMIT')
"""


@pytest.fixture
def place():
    """A folder that every account can go through, as /var/lib is."""
    folder = Path(tempfile.mkdtemp(prefix="facegate-site-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def make_site(folder: Path) -> Path:
    """Make a site with a door, people's database, book and staff, all of it of one account."""
    site = folder / "site"
    Site.create(site, "test", "localhost").add_door("front")
    with closing(sqlite3.connect(site / "hub" / "hub.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE kept (word)")
    book = open_book(site, None, SystemClock())
    staff = open_staff(site, book)
    (site / "staff" / TERMS_FILE).write_text('timezone = "Asia/Shanghai"\n')
    for name in ("community", "staff"):
        (site / name / "panel.key").write_text("a key")
    for one in (book.engine, staff.engine):
        one.dispose()
    return site


def make_old(folder: Path) -> Path:
    """Make it as an older version has it: no group has anything, the last commit is in the log only."""
    site = make_site(folder)
    hub = site / "hub"
    with closing(sqlite3.connect(hub / "hub.db", isolation_level=None)) as database:
        database.execute("INSERT INTO kept VALUES ('last')")
        for name in ("hub.db", "hub.db-wal"):
            shutil.copy(hub / name, folder / name)
    (hub / "hub.db-shm").unlink(missing_ok=True)
    for name in ("hub.db", "hub.db-wal"):
        shutil.move(folder / name, hub / name)  # as a kill leaves them
    for path in (site, *site.rglob("*")):
        os.chown(path, HUB, HUB)
        path.chmod(0o700 if path.is_dir() else 0o600)
    return site


def files(site: Path) -> list[Path]:
    return sorted(path for path in site.rglob("*") if path.is_file())


def modes(site: Path) -> dict[str, tuple[int, ...]]:
    found = {str(path.relative_to(site)): path.lstat() for path in sorted(site.rglob("*"))}
    return {name: (one.st_mode, one.st_uid, one.st_gid, one.st_ino) for name, one in found.items()}


@as_root
def test_a_site_of_one_account_becomes_one_of_three(place):
    site = make_old(place)
    as_account(HUB, SHARE, site)

    databases = [site / "hub" / "database" / "hub.db", site / "staff" / "staff.db"]
    shared = site / "community" / "community.db"
    for account in (CONSOLE, HUB):
        as_account(account, WRITE, *databases, shared)
    as_account(PAGE, WRITE, shared.name, root=shared.parent)  # its unit shows it no more than this
    as_account(HUB, WRITE, *databases, shared)
    for one, writers in (*((name, {HUB, CONSOLE}) for name in databases), (shared, {HUB, CONSOLE, PAGE})):
        with closing(sqlite3.connect(one)) as database:
            assert {row[0] for row in database.execute("SELECT by FROM written")} == writers
    with closing(sqlite3.connect(databases[0])) as database:
        assert database.execute("SELECT word FROM kept").fetchall() == [("last",)]


@as_root
def test_no_account_reads_what_is_another_s(place):
    site = make_old(place)
    as_account(HUB, SHARE, site)
    everything = files(site)

    console = set(as_account(CONSOLE, READ, *everything).split())
    assert {path.name for path in everything if str(path) in console} == {
        *("site.json", "ca.crt", "crl.pem", "hub.db", TERMS_FILE),
        *("community.db", "community.key", "staff.db", "staff.key", "panel.key"),
    }
    assert str(site / "hub" / "ca.crt") in console
    assert as_account(PAGE, READ, *everything) == "", "outside of its unit the page's account gets nowhere"
    inside = [os.path.relpath(path, site / "community") for path in everything]
    page = as_account(PAGE, READ, *inside, cwd=site / "community").split()
    assert page == ["community.db", "community.key", "panel.key"]


@as_root
def test_the_console_cannot_put_anything_in_place_of_the_hub_s_files(place):
    site = make_old(place)
    as_account(HUB, SHARE, site)
    code = """
for name in sys.argv[1:]:
    try:
        pathlib.Path(name).rename(name + '.gone')
    except (PermissionError, FileNotFoundError):
        continue
    print(name)
"""
    own = [site / "hub" / name for name in ("hub.key", "hub.crt", "ca.crt", "trusted-keys.json", "database")]
    own += [site / "site.json", site / "signer" / "signing.key", site / "staff", site / "broker" / "crl.pem"]
    assert as_account(CONSOLE, code, *own) == ""


@as_root
def test_terms_are_there_for_the_page_to_read(place):
    site = make_old(place)
    as_account(HUB, SHARE, site)
    with (site / "staff" / TERMS_FILE).open() as shown:
        # As the unit shows it: the file alone, whatever folder it lies in.
        code = "print(os.stat(int(sys.argv[1])).st_mode & 0o004)"
        done = subprocess.run(
            [sys.executable, "-c", f"import os, sys; {code}", str(shown.fileno())],
            pass_fds=(shown.fileno(),),
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout == "4\n"


@as_root
def test_a_door_that_is_added_or_revoked_later_is_the_console_s_to_see(place):
    site = make_old(place)
    as_account(HUB, SHARE, site)
    as_account(HUB, "Site(pathlib.Path(sys.argv[1])).add_door('garage')", site)
    seen = "print(*Site(pathlib.Path(sys.argv[1])).doors())"
    assert as_account(CONSOLE, seen, site) == "front garage\n"
    as_account(HUB, "Site(pathlib.Path(sys.argv[1])).revoke_door('garage')", site)
    assert as_account(CONSOLE, seen, site) == "front\n"
    assert as_account(CONSOLE, READ, site / "broker" / "crl.pem") != ""
    assert as_account(CONSOLE, READ, site / "doors" / "front" / "door.key") == ""


@as_root
def test_a_signer_that_has_its_folder_elsewhere_and_for_itself_is_left_alone(place):
    site, own = make_old(place), place / "facegate-signer"
    shutil.move(site / "signer", own)
    (site / "signer").symlink_to(own)
    os.chown(own, CONSOLE, CONSOLE)  # any account but the hub's
    before = own.stat()
    as_account(HUB, SHARE, site)
    after = own.stat()
    assert (after.st_mode, after.st_gid) == (before.st_mode, before.st_gid)
    assert stat.S_IMODE(site.stat().st_mode) == 0o750, "the rest is done"


@as_root
def test_what_the_page_leaves_there_leads_the_hub_nowhere(place):
    site = make_old(place)
    as_account(HUB, SHARE, site)
    secret = site / "hub" / "hub.key"
    community = site / "community"
    (community / "evil.db").symlink_to(secret)
    (community / "other.key").hardlink_to(secret)
    os.mkfifo(community / "waits.db")
    os.chown(community / "waits.db", PAGE, PAGE)
    before = secret.stat()
    as_account(HUB, SHARE, site)
    after = secret.stat()
    assert (after.st_mode, after.st_gid) == (before.st_mode, before.st_gid)


def test_the_signer_s_database_is_its_own_whoever_makes_it_first(place):
    """A command may come before the hub, with the mask of whoever types it."""
    before = os.umask(0o022)
    try:
        open_memory(place).dispose()
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "signer.db").stat().st_mode) == 0o600


def test_a_second_time_nothing_changes(place):
    site = make_site(place)
    share_site(site, OURS)
    before = modes(site)
    share_site(site, OURS)
    assert modes(site) == before
    assert database_url(site).endswith("/hub/database/hub.db")


def test_a_site_is_made_where_only_the_folders_are_shared_yet(place):
    share_site(place / "site", OURS)
    made = make_site(place)
    share_site(made, OURS)
    assert Site(made).doors() == ["front"]


def test_a_database_that_is_in_use_stays_and_the_hub_goes_on_with_it(place):
    site = make_site(place)
    with closing(sqlite3.connect(site / "hub" / "hub.db", isolation_level=None)) as used:
        used.execute("BEGIN")
        used.execute("SELECT * FROM kept").fetchall()
        with pytest.raises(StoreError, match="stop whatever has it open"):
            share_site(site, OURS)
        assert database_url(site).endswith("/hub/hub.db")
        assert not (site / "hub" / "database").exists(), "the console would begin an empty one there"
    share_site(site, OURS)
    assert database_url(site).endswith("/hub/database/hub.db")


def test_of_two_databases_it_takes_none_away(place):
    site = make_site(place)
    share_site(site, OURS)
    kept = site / "hub" / "hub.db"
    kept.write_bytes(b"a backup, put back where it was before")
    with pytest.raises(StoreError, match="has one database"):
        share_site(site, OURS)
    with pytest.raises(StoreError, match="move the first away"):  # neither does the hub go on with the first
        database_url(site)
    assert kept.read_bytes().startswith(b"a backup")


def test_whoever_makes_a_database_in_a_shared_folder_lets_the_group_have_it(place):
    shared, own = place / "shared", place / "own"
    before = os.umask(0o077)
    try:
        for folder, mode in ((shared, 0o2770), (own, 0o700)):
            folder.mkdir()
            folder.chmod(mode)
        for folder, mode in ((shared, 0o660), (own, 0o600)):
            engine = open_engine(f"sqlite:///{folder / 'made.db'}")
            with engine.begin() as connection:
                connection.execute(sa.text("CREATE TABLE made (word)"))
                found = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
            engine.dispose()
            assert found == {mode}
    finally:
        os.umask(before)


def test_only_what_lies_in_a_shared_folder_is_given(place):
    file = place / "file"
    file.write_text("")
    file.chmod(0o600)
    let_group(file, 0o060)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    place.chmod(0o2770)
    let_group(file, 0o040)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
