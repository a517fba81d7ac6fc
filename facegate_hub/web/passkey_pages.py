"""Passkeys at the page and the console: made, listed, taken away, and the way in by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.passkeys import why_no_passkeys

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk

KNOWN_BROWSERS = (
    ("MicroMessenger", "WeChat"),
    ("Edg", "Edge"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
KNOWN_DEVICES = ("iPhone", "iPad", "Android", "Windows", "Macintosh", "Linux")


def passkeys(ask: PageAsk) -> Response:
    """Return the own keys and the way to a new one, or keep the one that the browser made."""
    who, host = ask.asker.doer, ask.host
    why = why_no_passkeys(host)
    if ask.request.method == "POST":
        if why is not None:
            raise CommunityRefused(message(f"community.passkey.{why}"))
        ask.office.passkeys.add(who, host, ask.token, (ask.form.get("answer", ""), device_label(ask)))
        return ask.to("/passkeys")
    name = (ask.person.name if ask.person else who.id) or who.id
    asked = "" if why else ask.office.passkeys.question(who, name, host, ask.token)
    return ask.page("passkeys.html", keys=ask.office.passkeys.all(who), why=why, asked=asked)


def remove(ask: PageAsk) -> Response:
    """Take one of the own keys away."""
    ask.office.passkeys.end(ask.asker.doer, ask.form.get("key", "")[:64])
    return ask.to("/passkeys")


def login(ask: PageAsk) -> Response:
    """Return the page that asks the browser for a key, or let its holder in."""
    if ask.person is not None or ask.account is not None:
        return ask.to("/")
    why, wrong, status = why_no_passkeys(ask.host), "", 200
    if ask.request.method == "POST" and why is None:
        if (waiting := ask.waiting()) is not None:
            return ask.page("passkey.html", 429, why=why, asked="", wrong=waiting)
        holder = ask.office.passkeys.login(ask.host, ask.token, ask.form.get("answer", ""))
        if holder is not None and ask.office.lets_in(holder):
            ask.office.logins.succeeded(ask.address)
            return ask.enter(ask.office.devices.begin(holder, device_label(ask)), "/")
        wrong, status = ask.say("passkey.wrong"), 403
    asked = "" if why else ask.office.passkeys.login_question(ask.host, ask.token)
    return ask.page("passkey.html", status, why=why, asked=asked, wrong=wrong)


def device_label(ask: PageAsk) -> str:
    """Return what a browser says it is, in two words."""
    said = ask.request.headers.get("user-agent", "")
    browser = next((name for mark, name in KNOWN_BROWSERS if mark in said), "?")
    return f"{next((name for name in KNOWN_DEVICES if name in said), '?')}, {browser}"
