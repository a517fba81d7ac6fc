"""One request, checked before a view sees it: session, role, form and its token."""

from __future__ import annotations

import hmac
import re
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, RedirectResponse, Response

from edge.errors import FacegateError, StoreError
from edge.panel.forms import FormAgain, FormTrouble
from edge.web.accounts import Role
from edge.web.between import COOKIE, LANGUAGE_COOKIE, SESSION_HEADER, STREAM
from edge.web.refusals import RefusalKind
from edge.web.sessions import IDLE_SECONDS, LONGEST_SECONDS
from edge.words import LANGUAGES, has, message, nearest, say, tag, zone_name

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from datetime import datetime

    from starlette.requests import Request

    from edge.findings import CheckupFinding
    from edge.panel.desk import Office, PanelServices
    from edge.web.sessions import LoginSession
    from edge.words import Message

ALL = frozenset(Role)
PEOPLE = frozenset({Role.INSTALLER, Role.STAFF})
INSTALLER = frozenset({Role.INSTALLER})
MOST_FILES, MOST_FIELDS = 8, 200
UNASKED_HEADER = "x-facegate-unasked"
"""What a page asks by itself says so: it keeps no session alive. A stream of news says it by its nature."""
OWN_PATH = re.compile(r"/(?:[a-z]+(?:/[\w.-]{1,64})?)?", re.ASCII)
"""Where a login or a change of language may lead back to: a page of ours, never another site."""

WAYS_OUT: Mapping[str, tuple[str, str, frozenset[Role]]] = MappingProxyType(
    {
        "backup": ("/backup", "backup", INSTALLER),
        "broker": ("/network", "network", ALL),
        "camera": ("/health#focus", "focus_aid", PEOPLE),
        "certificate": ("/network", "network", ALL),
        "clock": ("/health#clock", "clock_confirm", INSTALLER),
        "inputs": ("/test", "test", PEOPLE),
        "residents": ("/residents", "residents", ALL),
        "residents_none": ("/enrol", "enrol", PEOPLE),
        "residents_unmatched": ("/residents?show=unmatched", "list_unmatched", ALL),
        "rules": ("/rules", "rules", ALL),
    }
)
"""Where on the page a finding is mended, by its text or else its name: address, title, for whom. What stands
nowhere here is mended in the settings or with a screwdriver."""

PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)


@dataclass(slots=True)
class Ask:
    """What a view gets. `form` holds text fields, `files` (name, bytes) of uploads."""

    request: Request
    office: Office
    session: LoginSession
    form: dict[str, str] = dataclass_field(default_factory=dict)
    chosen: dict[str, list[str]] = dataclass_field(default_factory=dict)
    """Every value of a field: boxes that are ticked together share a name."""
    files: list[tuple[str, bytes]] = dataclass_field(default_factory=list)
    trouble: FormTrouble | None = None
    """Why the form of this request was refused; its page is shown again, with what was typed."""
    field: str = ""
    has_ended: bool = False
    """Whether the browser came with a session that is over."""

    @property
    def desk(self) -> PanelServices:
        """The door."""
        return self.office.desk

    @property
    def language(self) -> str:
        """The code of one of ours: the cookie's, else the browser's first wish."""
        chosen = self.request.cookies.get(LANGUAGE_COOKIE)
        return nearest(chosen or self.request.headers.get("accept-language", ""))

    @property
    def here(self) -> str:
        """The page that is shown, with its question; a form's answer has no address to come back to."""
        query = self.request.url.query
        is_page = self.request.method == "GET"
        return f"{self.request.url.path}{'?' + query if query else ''}" if is_page else "/"

    @property
    def address(self) -> str:
        """The other end's address."""
        return self.request.client.host if self.request.client else "?"

    def refused(self, why: RefusalKind) -> None:
        """Write down that this request was refused."""
        self.office.refusals.tell(why, self.address, self.request.url.path)

    def say(self, name: str, /, **values: object) -> str:
        """Return a text of the panel in the reader's language."""
        return say(f"panel.{name}", self.language, **values)

    def say_plain(self, name: str, /, **values: object) -> str:
        """Return a text that is not the panel's own, in the reader's language."""
        return say(name, self.language, **values)

    def tell(self, message: Message) -> str:
        """Return a message in the reader's language."""
        return message.said(self.language)

    @contextmanager
    def about(self, name: str) -> Iterator[None]:
        """Have what is refused inside told at the field of this name."""
        try:
            yield
        except FacegateError:
            self.field = name
            raise

    def again(self, path: str = "") -> FormAgain:
        """Return what the form that is sent to an address with this end shows: what was typed, if refused."""
        if self.trouble is None or not self.request.url.path.endswith(path):
            return FormAgain()
        told = self.tell(self.trouble.message)
        return FormAgain(self.form, self.chosen, self.trouble.field, told, is_refused=True)

    def way_out(self, finding: CheckupFinding) -> tuple[str, str] | None:
        """Return (address, title) of the page where this reader mends what was found, None for none here."""
        what = finding.what.id.removeprefix("checkup.")
        path, name, roles = WAYS_OUT.get(what) or WAYS_OUT.get(finding.name) or ("", "", frozenset())
        return (path, self.say(name)) if self.session.role in roles and finding.way_out else None

    def is_under(self, path: str) -> bool:
        """Return whether the page asked for is `path` or belongs to it."""
        here = self.request.url.path
        return here == path or (path != "/" and here.startswith(path + "/"))

    def known(self, name: str) -> str:
        """Return a text that there is by this name, or the rest of the name after its first _."""
        return self.say(name) if has(f"panel.{name}") else name.partition("_")[2]

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Return a rendered page."""
        news, self.session.news = self.session.news, None
        text = self.text(template, news=news, **values)
        is_refused = self.trouble is not None and status == HTTPStatus.OK
        return self.keep(HTMLResponse(text, HTTPStatus.UNPROCESSABLE_ENTITY if is_refused else status))

    def text(self, template: str, **values: Any) -> str:
        """Return a page or a part of one in the reader's language."""
        role = self.session.role
        return PAGES.get_template(template).render(
            ask=self,
            say=self.say,
            tag=tag,
            languages=LANGUAGES,
            own_name=lambda language: say("language.name", language),
            local=self.local,
            zone=self.zone,
            role=role.value if role else "",
            csrf=self.session.csrf,
            **values,
        )

    @property
    def zone(self) -> str:
        """The site's time zone in the reader's words."""
        return zone_name(self.desk.zone, self.language)

    def failed(self, status: int, text: Message, technical: str = "") -> Response:
        """Return the page that says why something did not work; `technical` is folded away."""
        values = {"title": self.say("not_shown"), "text": self.tell(text), "technical": technical}
        return self.page("message.html", status, **values)

    def local(self, time: datetime, form: str = "%Y-%m-%d %H:%M") -> str:
        """Return a moment as the site's clocks show it."""
        return time.astimezone(self.desk.zone).strftime(form)

    def last_moment(self, end: datetime) -> str:
        """Return an end as people say it: what ends at midnight lasts up to and with the day before."""
        shown = end.astimezone(self.desk.zone)
        is_whole_day = (shown.hour, shown.minute, shown.second) == (0, 0, 0)
        return f"{shown.date() - timedelta(days=1)}" if is_whole_day else self.local(end)

    def to(self, path: str, news: Message | None = None) -> Response:
        """Return the way to another page, which tells `news` at its top, once."""
        self.session.news = news or self.session.news
        return self.keep(RedirectResponse(path, 303))

    def keep(self, response: Response) -> Response:
        """Return `response` with the session's cookie."""
        response.set_cookie(
            COOKIE, self.session.token, path="/", secure=True, httponly=True, samesite="strict"
        )
        # Read and taken off by the process that faces the network: who may send large bodies.
        response.headers[SESSION_HEADER] = "new" if self.session.role is None else "known"
        return response


def no_picture(ask: Ask, problem: Message | None) -> str:
    """Return why there is no picture of the camera."""
    return ask.say("no_camera", problem=problem) if problem else ask.say("no_camera_yet")


def view(
    act: Callable[[Ask], Response],
    office: Office,
    roles: frozenset[Role] | None,
    again: Callable[[Ask], Response] | None = None,
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Return the endpoint for `act`; `roles` None means that nobody needs to be logged in.

    `again` shows the form once more whose content was refused.
    """

    async def endpoint(request: Request) -> Response:
        token, is_unasked = request.cookies.get(COOKIE), _is_unasked(request)
        known = office.sessions.get(token, is_use=not is_unasked)
        # Looked at with every request: a command on the machine may have changed or removed the account.
        if known and known.user and not await run_in_threadpool(is_account_unchanged, known, office):
            office.sessions.end(known.token)
            known = None
        if is_unasked and roles is not None and (known is None or known.role is None):
            return Response(status_code=HTTPStatus.UNAUTHORIZED)  # the page goes to the login, which says why
        session = known or office.sessions.begin()
        ask = Ask(request, office, session, has_ended=bool(token) and known is None)
        if (refusal := _refused_entry(ask, roles)) is not None:
            if refusal.status_code == HTTPStatus.FORBIDDEN:
                await run_in_threadpool(ask.refused, RefusalKind.NOT_ALLOWED)
            return refusal
        # Read only now: of who may not do this no upload is taken in.
        if request.method == "POST":
            try:
                await _read_form(ask)
            except ClientDisconnect:
                return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it
            except (MultiPartException, HTTPException) as error:  # Starlette raises the latter in an app
                await run_in_threadpool(ask.refused, RefusalKind.UPLOAD)
                return ask.failed(400, message("error.upload", most=MOST_FILES), str(error))
            if not _is_own_form(ask):
                await run_in_threadpool(ask.refused, RefusalKind.FORGED)
                return ask.failed(403, message("panel.not_allowed"))
        return await run_in_threadpool(_acting, act, ask, again)

    return endpoint


def is_account_unchanged(session: LoginSession, office: Office) -> bool:
    """Return whether an account still is what it was at the login."""
    try:
        account = office.desk.accounts.kept(session.user)
    except StoreError:  # a failing card must not shut out the one who is looking what is wrong with it
        return True
    return account is not None and account == session.account


def _refused_entry(ask: Ask, roles: frozenset[Role] | None) -> Response | None:
    if roles is None:
        return None
    if ask.session.role is None:
        return ask.to("/first") if ask.desk.accounts.first_code else _to_login(ask)
    if ask.session.role not in roles:
        return ask.failed(403, message("panel.not_allowed"))
    return None


def _to_login(ask: Ask) -> Response:
    """Return the way to the login and back; whose session has ended is told so there."""
    path = ask.here.partition("?")[0]
    way = f"/login?back={path}" if path != "/" and OWN_PATH.fullmatch(path) else "/login"
    limits = {"minutes": round(IDLE_SECONDS / 60), "hours": round(LONGEST_SECONDS / 3600)}
    return ask.to(way, message("panel.session_over", **limits) if ask.has_ended else None)


def _is_unasked(request: Request) -> bool:
    """Return whether a page asks by itself, without anybody using it."""
    is_stream = request.headers.get("accept") == STREAM
    return request.method == "GET" and (is_stream or UNASKED_HEADER in request.headers)


async def _read_form(ask: Ask) -> None:
    form: FormData
    async with ask.request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                if value.filename:
                    ask.files.append((value.filename[:80], await value.read()))
            else:
                ask.form[name] = value
                ask.chosen.setdefault(name, []).append(value)


def _is_own_form(ask: Ask) -> bool:
    """Return whether a form comes from a page of ours, shown in this very session."""
    origin = ask.request.headers.get("origin")
    host = ask.request.headers.get("host", "")
    # Browsers may leave `Origin` out, and cannot be made to lie about it: the token decides in that case.
    if origin not in {None, f"https://{host}"}:
        return False
    return hmac.compare_digest(ask.form.get("csrf", "").encode(), ask.session.csrf.encode())


def _acting(act: Callable[[Ask], Response], ask: Ask, again: Callable[[Ask], Response] | None) -> Response:
    try:
        return act(ask)
    except FacegateError as error:
        if again is None or ask.request.method != "POST":
            return ask.failed(422, error.message, error.technical)
        ask.trouble = FormTrouble.of(error, ask.field)
        # Without a third try: a page that cannot be shown either says so as a failure.
        return _acting(again, ask, None)
