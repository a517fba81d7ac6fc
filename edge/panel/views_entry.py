"""First start, login, logout, accounts and language."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from edge.errors import PanelRefused
from edge.events import Kind
from edge.panel.asking import LANGUAGE_COOKIE
from edge.web.accounts import Role
from edge.words import message, nearest

if TYPE_CHECKING:
    from edge.panel.asking import Ask
    from edge.web.accounts import AccountRow
    from edge.words import Message

OWN_PATH = re.compile(r"/(?:[a-z]+(?:/[\w.-]{1,64})?)?", re.ASCII)
"""Where a change of language may lead back to: a page of ours, never another site."""


def first(ask: Ask) -> Response:
    """Return the form of the first start, or make the first account."""
    if ask.desk.accounts.first_code is None:
        return ask.to("/login")
    if ask.request.method == "GET":
        return ask.page("first.html", wrong="")
    if (waiting := _waiting(ask)) is not None:
        return ask.page("first.html", 429, wrong=waiting)
    name = ask.form.get("name", "").strip()
    if not ask.desk.accounts.claim(ask.form.get("code", ""), name, ask.form.get("password", "")):
        _tell_failed(ask, step="first")
        return ask.page("first.html", 403, wrong=ask.say("wrong_code"))
    ask.office.logins.succeeded(ask.address)
    ask.desk.tell(Kind.PANEL_CLAIMED, by=name, address=ask.address)
    return _enter(ask, name, Role.INSTALLER, ask.desk.accounts.kept(name))


def login(ask: Ask) -> Response:
    """Return the login form, or let somebody in."""
    if ask.desk.accounts.first_code is not None:
        return ask.to("/first")
    if ask.request.method == "GET":
        return ask.page("login.html", wrong="")
    if (waiting := _waiting(ask)) is not None:
        return ask.page("login.html", 429, wrong=waiting)
    name = ask.form.get("name", "")[:64]
    account = ask.desk.accounts.kept(name)  # before the check: a change in between ends the session at once
    role = ask.desk.accounts.check(name, ask.form.get("password", ""))
    if role is None:
        _tell_failed(ask)
        return ask.page("login.html", 403, wrong=ask.say("wrong_login"))
    ask.office.logins.succeeded(ask.address)
    ask.desk.note(Kind.PANEL_LOGIN, by=name, role=role.value, address=ask.address)
    return _enter(ask, name, role, account)


def logout(ask: Ask) -> Response:
    """End the session."""
    ask.office.sessions.end(ask.session.token)
    ask.session = ask.office.sessions.begin()
    return ask.to("/login")


def accounts(ask: Ask) -> Response:
    """Return the accounts, or add, change or remove one."""
    if ask.request.method == "POST":
        return ask.to("/accounts", _change_account(ask, ask.form.get("name", "").strip()))
    return account_list(ask)


def account_list(ask: Ask) -> Response:
    """Return the accounts, and the form for another one."""
    undo = ask.office.undo.waiting(ask.session.user)
    return ask.page("accounts.html", accounts=ask.desk.accounts.all(), roles=list(Role), undo=undo)


def language(ask: Ask) -> Response:
    """Change the language and go back to the page where that was asked for."""
    code = nearest(ask.request.path_params["code"])
    back = ask.request.query_params.get("back", "")
    response = RedirectResponse(back if OWN_PATH.fullmatch(back) else "/", 303)
    response.set_cookie(LANGUAGE_COOKIE, code, max_age=31_536_000, secure=True, samesite="strict")
    return response


def _change_account(ask: Ask, name: str) -> Message | None:
    """Change an account; return what to say of it where the list does not show it by itself."""
    if ask.form.get("do") == "undo":
        _put_account_back(ask)
        return None
    news = None
    before = ask.desk.accounts.kept(name)
    if ask.form.get("do") == "remove":
        ask.desk.accounts.remove(name)
        ask.desk.tell(Kind.PANEL_ACCOUNT_REMOVED, by=ask.session.user, account=name)
    else:
        role = ask.form.get("role", "")
        if role not in set(Role):
            raise PanelRefused(message("error.role"))
        ask.desk.accounts.put(name, Role(role), ask.form.get("password", ""))
        ask.desk.tell(Kind.PANEL_ACCOUNT_CHANGED, by=ask.session.user, account=name, role=role)
        news = message("panel.account_saved", name=name)
    if before is not None:
        ask.office.undo.keep(ask.session.user, before)
    _end_sessions(ask, name)
    return news


def _end_sessions(ask: Ask, name: str) -> None:
    """End the sessions of an account that changed, but the one in which its owner changed it."""
    if name == ask.session.user:
        ask.session.account = ask.desk.accounts.kept(name)
    else:
        ask.office.sessions.end_all(name)


def _put_account_back(ask: Ask) -> None:
    row = ask.office.undo.take(ask.session.user)
    if row is None:
        raise PanelRefused(message("error.nothing_to_undo"))
    ask.desk.accounts.put_back(row)
    ask.desk.tell(Kind.PANEL_ACCOUNT_CHANGED, by=ask.session.user, account=row.name, role=row.role)
    _end_sessions(ask, row.name)


def _tell_failed(ask: Ask, **more: str) -> None:
    if (unheard := ask.office.logins.failed()) is not None:
        ask.desk.tell(Kind.PANEL_LOGIN_FAILED, address=ask.address, unheard=unheard, **more)


def _waiting(ask: Ask) -> str | None:
    """Count a try; return what to say when it is not looked at."""
    seconds = ask.office.logins.begin(ask.address)
    return ask.say("wait", seconds=math.ceil(seconds)) if seconds > 0 else None


def _enter(ask: Ask, name: str, role: Role, account: AccountRow | None) -> Response:
    """Begin a session of somebody's own: the token from before the login is worth nothing."""
    ask.office.sessions.end(ask.session.token)
    ask.session = ask.office.sessions.begin(name, role, account)
    return ask.to("/")
