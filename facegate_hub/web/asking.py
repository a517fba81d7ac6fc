"""One request, checked before a view sees it: who asks, what they may, the form and its token."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, RedirectResponse, Response

from edge.errors import CommunityRefused, FacegateError
from edge.web.between import LANGUAGE_COOKIE, SESSION_HEADER
from edge.web.refusals import RefusalKind
from edge.words import LANGUAGES, has, message, nearest, say, tag, zone_name
from facegate_hub.community.book import Doer
from facegate_hub.community.devices import RESIDENT_SECONDS
from facegate_hub.community.doors import NETWORK
from facegate_hub.community.duties import Right, may
from facegate_hub.community.faults import in_own_language
from facegate_hub.community.parts import Asker
from facegate_hub.web.files import versioned

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping

    from starlette.requests import Request

    from edge.words import Message
    from facegate_hub.community.accounts import Account
    from facegate_hub.community.devices import Device
    from facegate_hub.community.machine import TicketKind
    from facegate_hub.community.people import Person
    from facegate_hub.web.form_pages import FormPages
    from facegate_hub.web.office import WebOffice

T = TypeVar("T")

UNASKED_HEADER = "x-facegate-unasked"
"""A header of requests that a page makes by itself: they do not extend the session."""
MOST_FILES, MOST_FIELDS = 3, 200
ONCE = "once"
"""A field that tells one form that was shown from the next one (see `SentOnce`)."""
NOT_SHOWN = frozenset({"csrf", ONCE, "password", "pin", "card", "digits", "code", "answer"})
"""Fields that no page shows again: secrets, and what no person typed."""
LEAST_SHOWN = 12
"""Characters of a text that would be missed; what is shorter was chosen, or is typed again in a moment."""
MOST_FIELD_BYTES = 8 * 1024 * 1024
"""As much as a body: a list of 20,000 people is sent back by the page that shows what it would change, and
a Chinese letter takes nine bytes in a form. Who is not logged in sends small bodies."""


@dataclass(slots=True)
class PageAsk:
    """What a view gets.

    `form` holds text fields, `files` the bytes of pictures; who asks is `person` on the residents' page,
    `account` on the console, or nobody.
    """

    request: Request
    office: WebOffice
    token: str
    device: Device | None = None
    person: Person | None = None
    account: Account | None = None
    form: dict[str, str] = field(default_factory=dict)
    files: list[bytes] = field(default_factory=list)
    chosen: dict[str, list[str]] = field(default_factory=dict)
    """Every value of each field: several boxes may have one name."""
    at: str = ""
    """Which field the view looked at when it refused, "" for none."""
    pages: FormPages | None = None
    names: Mapping[str, str] | None = None
    """What people call doors, once a page has asked for it."""

    @contextmanager
    def about(self, name: str) -> Iterator[None]:
        """Attribute a refusal that is raised within the block to a field of the form."""
        try:
            yield
        except FacegateError:
            self.at = name
            raise

    @property
    def language(self) -> str:
        """The code of one of ours: the cookie's, else their own, else the browser's first wish."""
        wish = self.request.cookies.get(LANGUAGE_COOKIE) or (self.person.language if self.person else "")
        return nearest(wish or self.request.headers.get("accept-language", ""))

    @property
    def address(self) -> str:
        """The other end's address."""
        return self.request.client.host if self.request.client else "?"

    @property
    def asker(self) -> Asker:
        """Who asks, as the community knows them. Raises `CommunityRefused` for nobody."""
        if self.person is not None:
            return Asker(Doer("person", self.person.id), flats=frozenset(self.person.flats))
        if self.account is not None:
            return Asker(self.account.doer, self.account.duty)
        raise CommunityRefused(message("community.refused.not_yours"))

    @property
    def csrf(self) -> str:
        """What a form of this browser brings along."""
        return hmac.digest(self.office.secret, self.token.encode(), "sha256").hex()

    def once(self, make: Callable[[], T]) -> T:
        """Return what `make` returns, or returned when this very form was sent before."""
        if not self.form.get(ONCE):
            return make()
        # With all that was typed: whoever goes back and writes something else means something else.
        typed = sorted((name, text) for name, text in self.form.items() if name != "csrf")
        sent = hashlib.sha256(repr((self.token, self.request.url.path, typed)).encode())
        for picture in self.files:
            sent.update(hashlib.sha256(picture).digest())
        return self.office.once.answer(sent.hexdigest(), make)

    @property
    def host(self) -> str:
        """The host that the browser asked for, with its port where it named one."""
        return self.request.headers.get("host", "")[:255]

    @property
    def only_looks_on(self) -> bool:
        """Whether this browser has been idle for so long that it may only receive news."""
        return self.device is not None and self.device.is_idle(self.now)

    @property
    def now(self) -> int:
        """The time, UTC seconds."""
        return self.office.book.now()

    def may(self, right: str) -> bool:
        """Return whether the account has a right."""
        return self.account is not None and may(self.account.duty, Right(right))

    def refused(self, why: RefusalKind) -> None:
        """Write down that this request was refused."""
        self.office.refusals.tell(why, self.address, self.request.url.path)

    def say(self, name: str, /, **values: object) -> str:
        """Return a text of the community in the reader's language."""
        return say(f"community.{name}", self.language, **values)

    def say_in(self, language: str, name: str, /, **values: object) -> str:
        """Return a text of the community in a language: paper is read by who gets it, not by who prints."""
        return say(f"community.{name}", language, **values)

    def known(self, name: str) -> str:
        """Return a text when there is one of this name, else its last part as it stands."""
        return self.say(name) if has(f"community.{name}") else name.rpartition(".")[2]

    def tell(self, text: Message) -> str:
        """Return a message in the reader's language."""
        return text.said(self.language)

    def called(self, door: str) -> str:
        """Return what people call a door: the name that the property gave it, else its id."""
        if door == NETWORK:
            return self.say("door.network")
        if self.names is None:
            self.names = self.office.door_names()
        return self.names.get(door, door)

    def called_all(self, doors: Iterable[str]) -> str:
        """Return what people call several doors, in one line."""
        return ", ".join(map(self.called, doors))

    def local(self, at: int | None, form: str = "%Y-%m-%d %H:%M") -> str:
        """Return a moment as the compound's clocks show it; nothing for none."""
        if at is None:
            return ""
        return datetime.fromtimestamp(at, UTC).astimezone(self.office.terms.zone).strftime(form)

    def when(self, at: int) -> str:
        """Return a moment with its weekday: who invites somebody for Sunday looks for that word."""
        moment = datetime.fromtimestamp(at, UTC).astimezone(self.office.terms.zone)
        day = self.say(f"weekday.{moment.weekday()}")
        return self.say("when", weekday=day, date=f"{moment:%m-%d}", time=f"{moment:%H:%M}")

    def own_words(self, kind: TicketKind, text: str | None) -> str:
        """Return a ticket's text as its reader is shown it; of an erased one that it is."""
        return in_own_language(kind, text, self.language) if text else self.say("erased")

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Return a rendered page."""
        language = self.language
        text = self.office.pages.get_template(template).render(
            ask=self,
            say=self.say,
            say_in=self.say_in,
            paper_languages=sorted(LANGUAGES, key=lambda one: one != language),
            known=self.known,
            local=self.local,
            when=self.when,
            own_words=self.own_words,
            called=self.called,
            called_all=self.called_all,
            tag=tag,
            languages=LANGUAGES,
            own_name=lambda one: say("language.name", one),
            site=self.office.terms.name.get(language) or self.office.terms.name["en"],
            zone=zone_name(self.office.terms.zone, language),
            versioned=versioned,
            csrf=self.csrf,
            once=new_token(),
            **values,
        )
        return self.keep(HTMLResponse(text, status))

    def again(self, told: str, status: int, why: str = "", technical: str = "") -> Response | None:
        """Return the page of a refused form with what was typed; None where it cannot be shown again."""
        if self.pages is None or self.request.method != "POST":
            return None
        return self.pages.shown(self, told, status, (why, technical))

    def failed(self, status: int, text: Message) -> Response:
        """Return the page that says why something did not work."""
        return self.page("message.html", status, title=self.say("failed"), text=self.tell(text))

    def to(self, path: str) -> Response:
        """Return the way to another page."""
        return self.keep(RedirectResponse(path, 303))

    def enter(self, token: str, path: str) -> Response:
        """Return a redirect for a browser that has just logged in, with a new cookie.

        The cookie from before the login is not kept: somebody else may have planted it (session fixation).
        """
        self.token, self.device = token, self.office.devices.find(token)
        return self.to(path)

    def leave(self, path: str) -> Response:
        """Return the way on for a browser that was logged out."""
        self.token, self.device = new_token(), None
        return self.to(path)

    def keep(self, response: Response) -> Response:
        """Return `response` with the browser's cookie."""
        is_resident = self.device is not None and self.device.holder.startswith("person:")
        response.set_cookie(
            self.office.cookie,
            self.token,
            path="/",
            secure=True,
            httponly=True,
            samesite="lax" if is_resident else "strict",
            max_age=RESIDENT_SECONDS if is_resident else None,
        )
        # For the process that faces the network, which removes it: only known browsers may send large bodies.
        response.headers[SESSION_HEADER] = "new" if self.device is None else "known"
        return response

    def waiting(self) -> str | None:
        """Count a try at a code or password; return what to say when it is not looked at."""
        seconds = self.office.logins.begin(self.address)
        return self.say("wait", seconds=math.ceil(seconds)) if seconds > 0 else None


@dataclass(frozen=True, slots=True)
class Who:
    """Who may see a view: `entry` is where others are sent; `is_allowed` decides about those who are in."""

    entry: str | None = None
    is_allowed: Callable[[PageAsk], bool] = lambda _: True
    stays_on: bool = False
    """Whether a page that is open goes on telling news to staff who have not touched it for long."""

    def entry_for(self, ask: PageAsk) -> str | None:
        """Return where whoever asks has to log in first; None where they need not."""
        return self.entry if ask.person is None and ask.account is None else None


ANYBODY = Who()


def view(
    act: Callable[[PageAsk], Response], office: WebOffice, who: Who, pages: FormPages | None = None
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Return the endpoint for `act`; `pages` show its form again when it is refused."""

    async def endpoint(request: Request) -> Response:
        # Databases wait; the loop that serves all pages must not.
        ask = await run_in_threadpool(_recognised, request, office, who)
        ask.pages = pages
        if (entry := who.entry_for(ask)) is not None:
            return await _lapsed(ask, entry) if request.method == "POST" else ask.to(entry)
        if not who.is_allowed(ask):
            await run_in_threadpool(ask.refused, RefusalKind.NOT_ALLOWED)
            return ask.failed(403, message("community.refused.not_yours"))
        if request.method == "POST" and (refusal := await _read_form(ask)) is not None:
            return refusal
        return await run_in_threadpool(_acting, act, ask)

    return endpoint


def new_token() -> str:
    """Return the cookie of a browser that nobody knows yet."""
    return secrets.token_urlsafe(32)


def _recognised(request: Request, office: WebOffice, who: Who) -> PageAsk:
    token = request.cookies.get(office.cookie, "")
    is_unasked = request.method == "GET" and UNASKED_HEADER in request.headers
    device = office.devices.find(token, is_use=not is_unasked, looks_on=is_unasked and who.stays_on)
    ask = PageAsk(request, office, token if 20 <= len(token) <= 64 else new_token(), device)
    if device is None:
        return ask
    kind, _, identity = device.holder.partition(":")
    if kind != office.kind:
        # A session of the other application's kind. Whoever can write rows into one application's database
        # must not become somebody at the other one.
        ask.device = None
    elif kind == "person":
        person = office.register.one(identity)
        ask.person = person if person.state == "active" else None
    else:
        account = office.accounts.one(identity)
        ask.account = account if account is not None and account.state == "active" else None
    if ask.person is None and ask.account is None:
        ask.device = None
    return ask


async def _lapsed(ask: PageAsk, entry: str) -> Response:
    """Answer a form of a browser that was logged out meanwhile: what was written is shown, not lost."""
    if await _read_form(ask) is not None:
        return ask.to(entry)
    typed = {name: text for name, text in ask.form.items() if name not in NOT_SHOWN}
    texts = [text for text in typed.values() if len(text) >= LEAST_SHOWN]
    return ask.page("lapsed.html", 403, texts=texts, entry=entry) if texts else ask.to(entry)


async def _read_form(ask: PageAsk) -> Response | None:
    """Read the form; return what to answer when it is none of ours."""
    try:
        limits = {"max_files": MOST_FILES, "max_fields": MOST_FIELDS, "max_part_size": MOST_FIELD_BYTES}
        async with ask.request.form(**limits) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    if value.filename:
                        ask.files.append(await value.read())
                else:
                    ask.form[name] = value
                    ask.chosen.setdefault(name, []).append(value)
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it
    except (MultiPartException, HTTPException):  # Starlette raises the latter in an app
        await run_in_threadpool(ask.refused, RefusalKind.UPLOAD)
        return ask.failed(400, message("community.refused.form", most=MOST_FILES))
    if _is_own_form(ask):
        return None
    await run_in_threadpool(ask.refused, RefusalKind.FORGED)
    return ask.failed(403, message("community.refused.forged"))


def _is_own_form(ask: PageAsk) -> bool:
    """Return whether a form comes from a page of ours, shown to this very browser."""
    host = ask.request.headers.get("host", "")
    # A browser may omit `Origin` but no page can forge it; when it is missing the token alone decides.
    if ask.request.headers.get("origin") not in {None, f"https://{host}"}:
        return False
    return hmac.compare_digest(ask.form.get("csrf", "").encode(), ask.csrf.encode())


def _acting(act: Callable[[PageAsk], Response], ask: PageAsk) -> Response:
    try:
        return act(ask)
    except FacegateError as error:
        return ask.again(ask.tell(error.message), 422) or ask.failed(422, error.message)
