"""Getting in: a one-time code at first, then password and authenticator app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facegate_hub.community.accounts import CODE_DAYS, StaffAccounts
from facegate_hub.community.devices import STAFF_SECONDS
from facegate_hub.community.totp import setup_uri
from facegate_hub.web.codes import qr_picture

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.community.accounts import Account
    from facegate_hub.web.asking import PageAsk


def login(ask: PageAsk) -> Response:
    """Return the login form, or let somebody in."""
    if ask.account is not None:
        return ask.to("/")
    if ask.request.method == "GET":
        return _login_page(ask)
    if (waiting := ask.waiting()) is not None:
        return _login_page(ask, 429, waiting)
    form = ask.form
    name, password = form.get("name", "").strip()[:64], form.get("password", "")
    account = StaffAccounts(ask.office.staff).check(name, password, form.get("digits", "")[:16])
    if account is None:
        return _login_page(ask, 403, ask.say("wrong_login"))
    return _let_in(ask, account)


def first(ask: PageAsk) -> Response:
    """Return the form for a one-time code, or show the authenticator's code after it."""
    if ask.request.method == "GET":
        return ask.page("first.html", wrong="")
    if (waiting := ask.waiting()) is not None:
        return ask.page("first.html", 429, wrong=waiting)
    name, code = ask.form.get("name", "").strip()[:64], ask.form.get("code", "")[:64]
    secret = StaffAccounts(ask.office.staff).claim(name, code, ask.form.get("password", ""))
    if secret is None:
        return ask.page("first.html", 403, wrong=ask.say("wrong_first", days=CODE_DAYS))
    ask.office.logins.succeeded(ask.address)
    return _app_page(ask, name, code, setup_uri(secret, name, _issuer(ask)))


def app(ask: PageAsk) -> Response:
    """Let somebody in whose app shows the right digits."""
    if (waiting := ask.waiting()) is not None:
        return ask.page("first.html", 429, wrong=waiting)
    name, code, digits = (ask.form.get(one, "")[:64] for one in ("name", "code", "digits"))
    account = StaffAccounts(ask.office.staff).activate(name.strip(), code, digits)
    if account is None:
        return ask.page("first.html", 403, wrong=ask.say("wrong_digits"))
    return _let_in(ask, account)


def logout(ask: PageAsk) -> Response:
    """Log out, also of what was let act at the doors."""
    if ask.device is not None:
        ask.office.devices.end(ask.asker.doer, ask.device.id)
        ask.office.sessions_ended()
    return ask.leave("/login")


def _login_page(ask: PageAsk, status: int = 200, wrong: str = "") -> Response:
    before = ask.office.devices.find(ask.token, is_use=False, looks_on=True)
    idle = STAFF_SECONDS // 60 if before is not None and not wrong else 0
    return ask.page("login.html", status, wrong=wrong, idle=idle)


def _let_in(ask: PageAsk, account: Account) -> Response:
    ask.office.logins.succeeded(ask.address)
    return ask.enter(ask.office.devices.begin(account.doer, ask.address), "/")


def _app_page(ask: PageAsk, name: str, code: str, uri: str) -> Response:
    secret = uri.partition("secret=")[2].partition("&")[0]
    grouped = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return ask.page("app.html", name=name, code=code, secret=grouped, qr=qr_picture(uri))


def _issuer(ask: PageAsk) -> str:
    return ask.office.terms.name["en"]
