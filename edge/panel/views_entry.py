"""First start, login, logout, accounts and language."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, RedirectResponse, Response

from edge.errors import PanelRefused
from edge.events import Kind
from edge.panel.asking import OWN_PATH
from edge.panel.forms import FormTrouble
from edge.web.account_undo import AccountChange
from edge.web.accounts import Role
from edge.web.between import LANGUAGE_COOKIE
from edge.web.sessions import LONGEST_SECONDS
from edge.words import message, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.panel.asking import Ask
    from edge.web.accounts import AccountRow
    from edge.words import Message


def first(ask: Ask) -> Response:
    """Return the form of the first start, or make the first account."""
    if ask.desk.accounts.first_code is None:
        return ask.to("/login")
    if ask.request.method == "GET" or ask.trouble:
        return ask.page("first.html")
    if (waiting := _waiting(ask)) is not None:
        return _once_more(ask, "first.html", 429, waiting)
    name = ask.form.get("name", "").strip()
    code, password = ask.form.get("code", ""), ask.form.get("password", "")
    told = {"by": name, "address": ask.address}
    if not ask.desk.accounts.claim(code, name, password, lambda: ask.desk.tell(Kind.PANEL_CLAIMED, **told)):
        _tell_failed(ask, step="first")
        return _once_more(ask, "first.html", 403, message("panel.wrong_code"), "code")
    ask.office.logins.succeeded(ask.address)
    return _enter(ask, name, Role.INSTALLER, ask.desk.accounts.kept(name))


def login(ask: Ask) -> Response:
    """Return the login form, or let somebody in: to the page that they came from."""
    if ask.desk.accounts.first_code is not None:
        return ask.to("/first")
    if ask.request.method == "GET":
        return ask.page("login.html", back=_way_back(ask.request.query_params.get("back", "")))
    back = _way_back(ask.form.get("back", ""))
    if (waiting := _waiting(ask)) is not None:
        return _once_more(ask, "login.html", 429, waiting, back=back)
    name = ask.form.get("name", "")[:64]
    account = ask.desk.accounts.kept(name)  # before the check: a change in between ends the session at once
    role = ask.desk.accounts.check(name, ask.form.get("password", ""))
    if role is None:
        _tell_failed(ask)
        return _once_more(ask, "login.html", 403, message("panel.wrong_login"), back=back)
    ask.office.logins.succeeded(ask.address)
    ask.desk.note(Kind.PANEL_LOGIN, by=name, role=role.value, address=ask.address)
    return _enter(ask, name, role, account, back)


def here(ask: Ask) -> Response:
    """Return in how many seconds the session ends, as JSON, and what to say of it.

    A page asks by itself when it is to warn, and when somebody uses it: only the latter puts the end off.
    """
    left, is_put_off = ask.office.sessions.left(ask.session)
    text = ask.say("session_idle" if is_put_off else "session_long", hours=round(LONGEST_SECONDS / 3600))
    return JSONResponse({"left": round(left), "text": text})


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
    response = RedirectResponse(_way_back(back), 303)
    response.set_cookie(LANGUAGE_COOKIE, code, max_age=31_536_000, secure=True, samesite="strict")
    return response


def _change_account(ask: Ask, name: str) -> Message | None:
    """Change an account; return what to say of it where the list does not show it by itself."""
    if ask.form.get("do") == "undo":
        _put_account_back(ask)
        return None
    news, after = None, None
    before = ask.desk.accounts.kept(name)
    if ask.form.get("do") == "remove":
        ask.desk.accounts.remove(name, ask.session.user)
        ask.desk.tell_accounts()
    else:
        role = ask.form.get("role", "")
        if role not in set(Role):
            raise PanelRefused(message("error.role"))
        told = {"by": ask.session.user, "account": name, "role": role}
        password = ask.form.get("password", "")
        after = ask.desk.accounts.put(name, Role(role), password, lambda: _tell_changed(ask, told))
        news = message("panel.account_saved", name=name)
    if before is not None:
        ask.office.undo.keep(ask.session.user, AccountChange(before, after))
    _end_sessions(ask, name)
    return news


def _end_sessions(ask: Ask, name: str) -> None:
    """End the sessions of an account that changed, but the one in which its owner changed the password."""
    account = ask.desk.accounts.kept(name)
    # Who removed their own account, or took a right from it, is out as well: the session holds the old role.
    if name == ask.session.user and account is not None and account.role == ask.session.role:
        ask.session.account = account
    else:
        ask.office.sessions.end_all(name)


def _tell_changed(ask: Ask, told: Mapping[str, str]) -> None:
    ask.desk.tell(Kind.PANEL_ACCOUNT_CHANGED, **told)


def _put_account_back(ask: Ask) -> None:
    change = ask.office.undo.take(ask.session.user)
    if change is None:
        raise PanelRefused(message("error.nothing_to_undo"))
    row = change.before
    told = {"by": ask.session.user, "account": row.name, "role": row.role}
    ask.desk.accounts.put_back(row, change.after, lambda: _tell_changed(ask, told))
    _end_sessions(ask, row.name)


def _tell_failed(ask: Ask, **more: str) -> None:
    if (unheard := ask.office.logins.failed()) is not None:
        ask.desk.tell(Kind.PANEL_LOGIN_FAILED, address=ask.address, unheard=unheard, **more)


def _waiting(ask: Ask) -> Message | None:
    """Count a try; return what to say when it is not looked at."""
    seconds = ask.office.logins.begin(ask.address)
    return message("panel.wait", seconds=math.ceil(seconds)) if seconds > 0 else None


def _once_more(ask: Ask, template: str, status: int, why: Message, at: str = "", **values: str) -> Response:
    """Return the form with what was typed, but for the password, and why it was refused."""
    ask.trouble = FormTrouble(why, at)
    return ask.page(template, status, **values)


def _way_back(path: str) -> str:
    return path if OWN_PATH.fullmatch(path) else "/"


def _enter(ask: Ask, name: str, role: Role, account: AccountRow | None, path: str = "/") -> Response:
    """Begin a session of somebody's own: the token from before the login is worth nothing."""
    ask.office.sessions.end(ask.session.token)
    ask.session = ask.office.sessions.begin(name, role, account)
    return ask.to(path)
