"""`facegate hub community`, `console` and `page`: what residents and property tell each other."""

from __future__ import annotations

import getpass
import re
import secrets
import signal
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from edge.errors import ConfigError
from edge.extras import way_to_install
from edge.here import EVERYWHERE, reached_at
from edge.lazy_group import ToldGroup
from edge.runtime.stop_signals import stop_on_signals
from facegate_hub.cli.attached import EndsWithParent, attached_option
from facegate_hub.cli.dossier import dossier
from facegate_hub.cli.options import encoding_option
from facegate_hub.database_urls import COMMUNITY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette

    from edge.web.server import PanelThread, Served
    from facegate_hub.community.book import Book
    from facegate_hub.community.staff_store import StaffStore
    from facegate_hub.community.terms import Terms
    from facegate_hub.console.doors_desk import DoorsDesk, SessionWatch
    from facegate_hub.looking import LookingThread

CONSOLE_PORT, PAGE_PORT = 8444, 8445
HERE = "127.0.0.1"

database_option = click.option(
    "--community-database",
    "database",
    envvar=COMMUNITY_VARIABLE,
    show_envvar=True,
    help="SQLAlchemy URL; default: SQLite in the site's community folder.",
)
host_option = click.option(
    "--host", default=HERE, show_default=True, help="Address to listen on; 0.0.0.0: the LAN."
)


def port_option(flag: str, usual: int, what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the option that says on which port `what` is served."""
    ports = click.IntRange(1, 65535)
    return click.option(flag, default=usual, show_default=True, type=ports, help=f"Port of {what}.")


@dataclass(frozen=True, slots=True)
class _ForStaff:
    """What staff keep of a site, with its book, and its terms; `folder` is theirs alone."""

    folder: Path
    staff: StaffStore
    terms: Terms


def _book(site: Path, database: str | None) -> Book:
    try:
        from edge.runtime.clock import SystemClock
        from facegate_hub.community.database import open_book
    except ImportError as error:
        raise ConfigError(f"the community needs a package ({error.name}); {way_to_install('hub')}") from error
    return open_book(site, database, SystemClock())


def _for_staff(site: Path, database: str | None) -> _ForStaff:
    book = _book(site, database)
    from facegate_hub.community.staff_store import FOLDER, open_staff
    from facegate_hub.community.terms import read_terms

    staff = open_staff(site, book)
    return _ForStaff(site / FOLDER, staff, read_terms(site / FOLDER))


@click.command()
@host_option
@port_option("--port", CONSOLE_PORT, "the console")
@click.option(
    "--page-url",
    envvar="FACEGATE_PAGE_URL",
    help="Where residents reach their page, printed on invitations and slips; default: this machine.",
)
@database_option
@attached_option
@click.pass_obj
def console(place: tuple[Path, str], /, page_url: str | None, database: str | None, **served: Any) -> None:
    """Serve the console for staff and committee. The first account's code is printed.

    Example: facegate hub console --host 0.0.0.0
    """
    from facegate_hub.community.accounts import StaffAccounts
    from facegate_hub.community.staff_store import StaffTeller
    from facegate_hub.community.timekeeper import Timekeeper

    opened = _for_staff(place[0], database)
    doors = _doors(place)
    app = _console_app(opened, _page_url(page_url, served["host"]), doors)
    code = StaffAccounts(opened.staff).first_code()
    with ExitStack() as stack:
        keepers: list[LookingThread] = [
            Timekeeper(opened.staff.book, opened.terms),
            StaffTeller(opened.staff),
        ]
        if doors is not None:
            stack.callback(doors.close)
            keepers.append(_session_watch(opened, doors))
        for keeper in keepers:
            keeper.start()
            stack.callback(keeper.stop)
        _serve_one(opened.folder, app, code, **served)


@click.command()
@host_option
@port_option("--port", PAGE_PORT, "the page")
@database_option
@attached_option
@click.pass_obj
def page(place: tuple[Path, str], /, database: str | None, **served: Any) -> None:
    """Serve the page for residents' phones. It reads nothing of the site but its community folder and terms.

    Example: facegate hub page --host 0.0.0.0
    """
    book = _book(place[0], database)
    from facegate_hub.community.database import FOLDER
    from facegate_hub.community.terms import terms_for_page

    folder = place[0] / FOLDER
    _serve_one(folder, _page_app(book, terms_for_page(place[0], folder)), None, **served)


@click.group(cls=ToldGroup)
def community() -> None:
    """Keep what residents and property tell each other.

    Example: facegate hub community verify
    """


@community.command()
@click.option(
    "--noted", multiple=True, metavar="ENTRY:HASH", help="Written down elsewhere, such as a receipt."
)
@database_option
@click.pass_obj
def verify(place: tuple[Path, str], noted: tuple[str, ...], database: str | None) -> None:
    """Replay the book and compare every table with it; say what was changed behind its back.

    Example: facegate hub community verify --noted 120:9f86d081884c
    """
    from facegate_hub.community.verify import verify as check_book

    book = _book(place[0], database)
    with book.looking() as connection:
        check = check_book(connection, book.sealer, dict(map(_noted, noted)))
    for problem in check.problems:
        click.echo(problem, err=True)
    click.echo(f"{check.count} entries, last hash {check.head[:12]}, {len(check.problems)} problems")
    if check.problems:
        raise SystemExit(1)


community.add_command(dossier)


@community.command()
@click.option("--door", help="One door; else all that were told of the book.")
@database_option
@click.pass_obj
def witness(place: tuple[Path, str], door: str | None, database: str | None) -> None:
    """Compare the book with what doors wrote of it into their own journals, once an hour.

    A chain that was rebuilt as a whole, or cut off, shows here; what is younger than an hour has no witness.

    Example: facegate hub community witness --door front
    """
    from facegate_hub.community.verify import verify as check_book
    from facegate_hub.notices import witnessed
    from facegate_hub.tables import open_tables

    noted = witnessed(open_tables(place[1]), door)
    book = _book(place[0], database)
    with book.looking() as connection:
        check = check_book(connection, book.sealer, noted)
    for problem in check.problems:
        click.echo(problem, err=True)
    last = f"the last of entry {max(noted)}" if noted else "none yet"
    click.echo(f"{check.count} entries, {len(noted)} noted by doors ({last}), {len(check.problems)} problems")
    if check.problems:
        raise SystemExit(1)


@community.command()
@click.argument("name")
@click.option("--by", default=getpass.getuser, help="Who asks; stands in the book.")
@database_option
@click.pass_obj
def code(place: tuple[Path, str], name: str, by: str, database: str | None) -> None:
    """Print a new one-time code, good for seven days, for an account whose phone, password or code is lost.

    Example: facegate hub community code desk-1
    """
    from facegate_hub.community.accounts import StaffAccounts
    from facegate_hub.community.book import Doer

    found = StaffAccounts(_for_staff(place[0], database).staff).begin_again(Doer("command", by[:60]), name)
    if found is None:
        raise click.UsageError(f"{name!r}: there is no such account")
    click.echo(f"one-time code of {name}, at /first: {found}")


@community.command()
@click.argument("file", type=click.File("rb"))
@encoding_option
@click.option("--by", default=getpass.getuser, help="Who asks; stands in the book.")
@database_option
@click.pass_obj
def flats(
    place: tuple[Path, str], file: BinaryIO, encoding: str | None, by: str, database: str | None
) -> None:
    """Make the flats of a list, one a line, such as 3-1203; those that are there stay as they are.

    Example: facegate hub community flats flats.txt
    """
    from facegate_hub.community.book import Doer
    from facegate_hub.community.flats import new_flats
    from facegate_hub.community.people import PeopleRegister
    from facegate_hub.list_encoding import certain_text

    register = PeopleRegister(_book(place[0], database))
    fresh, bad = new_flats(register.flats(), certain_text(file.read(), encoding))
    if bad:
        raise click.UsageError(f"{', '.join(bad[:10])}: no building and number (3-1203); nothing was made")
    made = register.put_flats(Doer("command", by[:60]), fresh)
    click.echo(f"{made} flats made, {len(register.flats())} there now")


@community.group()
def person() -> None:
    """Hand over or erase what is kept of one person; `facegate hub console` shows their id in its address.

    Example: facegate hub community person export 4f2a...
    """


@person.command()
@click.argument("identity")
@database_option
@click.pass_obj
def export(place: tuple[Path, str], identity: str, database: str | None) -> None:
    """Print everything that is kept of a person as JSON; photos as hex.

    Example: facegate hub community person export 0c1f0a3b5d7e9f002244 > person.json
    """
    import json

    from facegate_hub.community.person import export_person

    found = export_person(_book(place[0], database), identity)
    click.echo(json.dumps(found, ensure_ascii=False, indent=1))


@person.command()
@click.argument("identity")
@click.option("--by", default=getpass.getuser, help="Who asks; stands in the book.")
@click.confirmation_option(prompt="Erase texts, photos and contact for good?")
@database_option
@click.pass_obj
def erase(place: tuple[Path, str], identity: str, by: str, database: str | None) -> None:
    """Erase a person's name, contact, texts and photos for good; the book verifies afterwards.

    Example: facegate hub community person erase 0c1f0a3b5d7e9f002244
    """
    from facegate_hub.community.book import Doer
    from facegate_hub.community.person import erase_person

    gone = erase_person(_book(place[0], database), Doer("command", by[:60]), identity)
    click.echo(f"{gone} texts and photos erased; a backup made before still has them")


@community.command()
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-out/compound"),
    show_default=True,
    help="Folder to fill; one that a demo has filled is shown again.",
)
@click.option("--only-fill", is_flag=True, help="Fill, verify and tell what there is; serve nothing.")
@port_option("--console-port", CONSOLE_PORT, "the console")
@port_option("--page-port", PAGE_PORT, "the page")
@attached_option
def demo(into: Path, only_fill: bool, console_port: int, page_port: int, attached: int | None) -> None:
    """Fill a folder with a compound that does not exist, and open its console and page on this machine.

    Example: facegate hub community demo
    """
    opened, people = _filled(into)
    _tell(opened.staff.book)
    if only_fill:
        return
    from facegate_hub.community.devices import Devices
    from facegate_hub.console.app import COOKIE as CONSOLE_COOKIE
    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.database_urls import database_url
    from facegate_hub.demo_doors import GUARD, new_password
    from facegate_hub.page.app import COOKIE as PAGE_COOKIE
    from facegate_hub.web.demo import with_way_in

    book = opened.staff.book
    desk = DoorsDesk(into, database_url(into))
    console_app = _console_app(opened, f"https://{HERE}:{page_port}", desk)
    page_app = _page_app(book, opened.terms)
    doors = (
        (with_way_in(console_app, Devices(opened.staff), CONSOLE_COOKIE, people), console_port),
        (with_way_in(page_app, Devices(book), PAGE_COOKIE, people), page_port),
    )
    for name, path in people.items():
        port = page_port if name.startswith("person") else console_port
        who = name.partition(":")[2] if port == console_port else "resident"
        click.echo(f"{who:12} https://{HERE}:{port}/demo/{path}")
    click.echo(f"on the page of the doors, {GUARD} acts with the password {new_password(desk.looking)}")
    click.echo("what the doors say is from before the start: no hub runs here, and no door answers")
    click.echo("the browser warns of the certificate, which this machine made for itself; Ctrl-C ends")
    EndsWithParent(attached).start()
    watch = _session_watch(opened, desk)
    watch.start()
    _serve_all(opened.folder, doors)
    watch.stop()
    desk.close()


def _filled(into: Path) -> tuple[_ForStaff, dict[str, str]]:
    """Return the demo's compound and the ways in by whom they let in; it is filled when it is not there."""
    from edge.runtime.clock import ManualClock, SystemClock
    from facegate_hub.community.database import FOLDER, open_book
    from facegate_hub.community.demo import DAYS, STAFF, fill_demo
    from facegate_hub.community.people import PeopleRegister
    from facegate_hub.community.staff_store import FOLDER as STAFF_FOLDER
    from facegate_hub.community.staff_store import open_staff
    from facegate_hub.community.terms import read_terms
    from facegate_hub.database_urls import database_url
    from facegate_hub.demo_doors import BEGINS, TERMS, fill_doors

    if not (into / FOLDER / "community.db").exists():
        (into / STAFF_FOLDER).mkdir(mode=0o700, parents=True)
        (into / STAFF_FOLDER / "terms.toml").write_text(TERMS, encoding="utf-8")
        clock = ManualClock(SystemClock().now() - timedelta(days=DAYS))
        terms = read_terms(into / STAFF_FOLDER)
        fill_demo(lambda manual: open_staff(into, open_book(into, None, manual)), terms, clock)
    if not (into / "site.json").exists():
        clock = ManualClock(SystemClock().now() - timedelta(seconds=BEGINS))
        fill_doors(into, database_url(into), clock)
    opened = _for_staff(into, None)
    resident = PeopleRegister(opened.staff.book).of_flat("3-1203")[0].id
    holders = [f"person:{resident}", *(f"account:{name}" for name in STAFF)]
    return opened, {holder: secrets.token_urlsafe(9) for holder in holders}


def _tell(book: Book) -> None:
    from facegate_hub.community.verify import verify as check_book
    from facegate_hub.community.wall import read_wall

    wall = read_wall(book)
    with book.looking() as connection:
        check = check_book(connection, book.sealer)
    states = ", ".join(f"{count} {state.value}" for state, count in wall.by_state)
    click.echo(f"tickets: {states}; {wall.broken} of {wall.promises} promised times not kept")
    click.echo(f"the book has {check.count} entries and {len(check.problems)} problems")


def _noted(text: str) -> tuple[int, str]:
    seq, _, digits = text.partition(":")
    if not seq.isdecimal() or len(digits) < 12:
        raise click.BadParameter(
            f"{text!r}: write the entry's number and 12 or more digits, as 120:9f86d081884c"
        )
    return int(seq), digits


def _page_url(given: str | None, host: str) -> str:
    """Return the address that is printed for residents, and say it where nobody has. Raises `ConfigError`."""
    if given:
        if not re.fullmatch(r"https://[^\s/]+(?:/\S*)?", given):
            raise ConfigError(f"--page-url: {given!r} is no address; write it as https://home.example:8445")
        return given.rstrip("/")
    url = f"https://{reached_at(host)}:{PAGE_PORT}"
    click.echo(f"invitations and slips lead to {url}; for another address: FACEGATE_PAGE_URL, or --page-url")
    return url


def _console_app(opened: _ForStaff, page_url: str, doors: DoorsDesk | None = None) -> Starlette:
    from facegate_hub.console.app import make_console

    return make_console(opened.staff, opened.terms, page_url, doors)


def _doors(place: tuple[Path, str]) -> DoorsDesk | None:
    """Return the way to the site's doors; None where the folder is no provisioned site."""
    from facegate_hub.console.doors_desk import DoorsDesk

    if not (place[0] / "site.json").exists():
        click.echo(f"{place[0]}: not a provisioned site, so the console has no pages of doors", err=True)
        return None
    return DoorsDesk(*place)


def _session_watch(opened: _ForStaff, doors: DoorsDesk) -> SessionWatch:
    from facegate_hub.community.devices import Devices
    from facegate_hub.console.doors_desk import SessionWatch

    return SessionWatch(doors, Devices(opened.staff))


def _page_app(book: Book, terms: Terms) -> Starlette:
    from facegate_hub.page.app import make_page

    return make_page(book, terms)


def _certified(folder: Path, app: Starlette, host: str, on_ready: Callable[[str], None]) -> Served:
    from edge.web.server import Served
    from edge.web.tls import own_certificate

    names = {host, "localhost", HERE} - EVERYWHERE
    certified = partial(own_certificate, folder, sorted(names))
    certificate, key, seen = certified()
    return Served(app, certificate, key, partial(on_ready, seen), app.state.cookie, renew=certified)


def _serve_one(
    folder: Path, app: Starlette, code: str | None, host: str, port: int, attached: int | None
) -> None:
    from edge.web.server import serve

    def ready(fingerprint: str) -> None:
        EndsWithParent(attached).start()
        click.echo(f"https://{reached_at(host)}:{port}/")
        click.echo(f"certificate SHA-256: {fingerprint}")
        if code:
            click.echo(f"one-time code (首次启用码) of the account admin, at /first: {code}")
            click.echo("it is good for seven days; another one: facegate hub community code admin")

    serve(_certified(folder, app, host, ready), (host, port))


def _serve_all(folder: Path, doors: tuple[tuple[Starlette, int], ...]) -> None:
    """Serve several applications until a signal comes."""
    ended = threading.Event()
    stop_on_signals(ended, signal.SIGTERM, signal.SIGINT)
    threads = [_thread(_certified(folder, app, HERE, lambda _: None), port) for app, port in doors]
    for thread in threads:
        thread.start()
    ended.wait()
    for thread in threads:
        thread.stop()


def _thread(served: Served, port: int) -> PanelThread:
    from edge.web.server import PanelThread

    def tell(problem: str) -> None:
        click.echo(f"port {port}: {problem}", err=True)

    return PanelThread((HERE, port), lambda _: served, tell)
