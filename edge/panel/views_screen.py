"""The display at the gate: what it shows, its PIN pad and bell; and the page where staff write its notice."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response

from edge.errors import PanelRefused
from edge.events import Kind
from edge.panel.gate_words import check_notice
from edge.panel.screen_words import lines, picture, spoken
from edge.words import LANGUAGES, message, say, tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.panel.asking import Ask
    from edge.panel.gate_screen import GateKeys, GateScreen
    from edge.panel.gate_words import GateWords

LOOPBACK = frozenset({"127.0.0.1", "::1"})
BOTH = "both"
CHOICES: Mapping[str, str] = MappingProxyType({"voice": "on", "sound": "on", "keys": "spoken"})
"""What an installer may choose in the address for those who cannot see, and the value that says so."""
TURN_SECONDS = 8.0
"""For each of several notices: three lines are read in five."""
MOST_DIGITS = 16
"""Longer than any flat number or PIN; the keypad's rule decides about what is shorter."""


def screen(ask: Ask) -> Response:
    """Return the page for the small display; only the device itself may show it.

    `?language=` is the code of one of ours, or `both` for all of them. `voice=on` has the browser speak what
    is shown, `sound=on` play a sound when it changes, `keys=spoken` lets the PIN pad be used without looking.
    """
    gate = _own_display(ask)
    wanted = _languages(ask)
    asked = ask.request.query_params
    chosen = {name: value for name, value in CHOICES.items() if asked.get(name) == value}
    return ask.page(
        "screen.html",
        shown=_state(ask, gate),
        button=partial(_button, wanted),
        others=[(one, urlencode({"language": one, **chosen})) for one in LANGUAGES if one not in wanted],
        query=asked.get("language", ""),
        chosen=chosen,
        has_keys=ask.desk.keys is not None,
    )


def screen_state(ask: Ask) -> Response:
    """Return what the display shows now, as JSON, with the token its PIN pad must bring along."""
    gate = _own_display(ask)
    return ask.keep(JSONResponse({**_state(ask, gate), "csrf": ask.session.csrf}))


def pin(ask: Ask) -> Response:
    """Hand a number and its PIN to the door, as its keypad does; the answer appears on the display.

    Neither is logged, echoed or kept here. Wrong ones count towards the door's own pause.
    """
    keys = _keys(ask)
    number, typed = ask.form.get("number", ""), ask.form.get("pin", "")
    if not (_is_typed(number) and _is_typed(typed)):
        raise PanelRefused(message("panel.digits_only"))
    keys.type_pin(number, typed)
    return Response(status_code=204)


def ring(ask: Ask) -> Response:
    """Ring the bell, for a flat where a number was typed."""
    keys, flat = _keys(ask), ask.form.get("flat", "")
    if flat and not _is_typed(flat):
        raise PanelRefused(message("panel.digits_only"))
    keys.ring(flat)
    return Response(status_code=204)


def display(ask: Ask) -> Response:
    """Return the page with the notice of the display, or change it."""
    words = _words(ask)
    if ask.request.method == "POST" and not ask.trouble:
        texts = {language: ask.form.get(f"notice_{language}", "").strip() for language in LANGUAGES}
        for language, text in texts.items():
            with ask.about(f"notice_{language}"):
                check_notice(text)
        with ask.desk.doing(Kind.PANEL_NOTICE_CHANGED, by=ask.session.user, **texts):
            for language, text in texts.items():
                words.put_notice(language, text)
        return ask.to("/display")
    notices = words.notices()
    port = f":{ask.request.url.port}" if ask.request.url.port else ""
    shown = {one: notices.get(one, "") for one in LANGUAGES}
    return ask.page("display.html", notices=shown, fields=[f"notice_{one}" for one in shown], port=port)


def _own_display(ask: Ask) -> GateScreen:
    if ask.address not in LOOPBACK:
        raise PanelRefused(message("panel.screen_only_here"))
    if ask.desk.screen is None:
        raise PanelRefused(message("panel.no_door"))
    return ask.desk.screen


def _keys(ask: Ask) -> GateKeys:
    _own_display(ask)
    if ask.desk.keys is None:
        raise PanelRefused(message("panel.no_door"))
    return ask.desk.keys


def _words(ask: Ask) -> GateWords:
    if ask.desk.words is None:
        raise PanelRefused(message("panel.no_door"))
    return ask.desk.words


def _languages(ask: Ask) -> tuple[str, ...]:
    wish = ask.request.query_params.get("language", "")
    if wish == BOTH:
        return (ask.language, *(one for one in LANGUAGES if one != ask.language))
    return (wish if wish in LANGUAGES else ask.language,)


def _button(languages: tuple[str, ...], name: str) -> list[dict[str, str]]:
    """Return what stands on a button, once for each language of the display; the page fills `count` in."""
    return [
        {"tag": tag(one), "text": say(f"screen.button.{name}", one, count="{count}")} for one in languages
    ]


def _state(ask: Ask, gate: GateScreen) -> dict[str, object]:
    shown = gate.look()
    languages = _languages(ask)
    notices = _notice_now(ask)
    told: list[dict[str, str]] = []
    for language in languages:
        notice = notices.get(language) or ("" if told else next(iter(notices.values()), ""))
        title, text = lines(shown, language, notice)
        words = {"title": title, "text": text, "spoken": spoken(title, text, language)}
        told.append({"language": language, "tag": tag(language), **words})
    return {"state": shown.stage.value, "seq": shown.seq, "picture": picture(shown), "lines": told}


def _notice_now(ask: Ask) -> Mapping[str, str]:
    """Return the notice whose turn it is, by language: the property's first, then the staff's own."""
    own = ask.desk.words.notices() if ask.desk.words else {}
    turns = [*ask.desk.notices(), *([own] if own else [])]
    return turns[int(ask.desk.clock.monotonic() // TURN_SECONDS) % len(turns)] if turns else {}


def _is_typed(text: str) -> bool:
    return 0 < len(text) <= MOST_DIGITS and text.isascii() and text.isdecimal()
