"""The desk's doors: how each is now, and commands with what physically came of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from edge.errors import CommunityRefused, FacegateError, SyncError
from edge.wire.commands import CommandType
from edge.wire.shapes import printable
from edge.words import has, message, say
from edge.words.retold import told_of
from facegate_hub.console.doors_desk import KeptAnswer, may_at
from facegate_hub.inbox import InboxKind, InboxState
from facegate_hub.signer.rights import NotPermitted, Permission

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.door_view import DoorView
    from facegate_hub.signer.client import Known
    from facegate_hub.web.asking import PageAsk

ACTS = (
    CommandType.UNLOCK,
    CommandType.ACKNOWLEDGE_ALARM,
    CommandType.LOCKDOWN,
    CommandType.NORMAL,
    CommandType.EVACUATION,
)
SURE = frozenset({CommandType.LOCKDOWN, CommandType.EVACUATION, CommandType.NORMAL})
"""What shuts people out or lets everybody in: nobody gives it by one click."""
DOOR_PROBLEM = "door_problem."
MINUTES = "%Y-%m-%d %H:%M"
NOT_CLOSED = (InboxState.OPEN, InboxState.ACKNOWLEDGED)


@dataclass(frozen=True, slots=True)
class DoorLine:
    """A door on the page: what there is to say of it, and what the reader may do there."""

    door: DoorView
    alarms: int
    acts: tuple[CommandType, ...]

    @property
    def light(self) -> str:
        """How it is: `bad` when nobody can come in or somebody could, `warm` when it lacks something."""
        state = self.door.state
        if self.door.availability != "online" or self.alarms or _at(state, "door", "lock") == "lock_fault":
            return "bad"
        lacks = state.get("camera") not in (None, "ok", "back") or self.door.behind or self.door.problem
        return "warm" if lacks or state.get("liveness") in ("unavailable", "weak", "off") else "good"

    def said(self, *names: str) -> object:
        """Return what the door said of itself at a place in its state; None where it said nothing."""
        return _at(self.door.state, *names)

    @property
    def waiting(self) -> int | None:
        """Events that have not arrived, as the door counts them; None where it does not say."""
        count = self.said("outbox", "waiting")
        return count if type(count) is int else None


class DoorPages:
    """The pages of a site's doors, over its desk."""

    def __init__(self, desk: DoorsDesk) -> None:
        self._desk = desk

    def doors(self, ask: PageAsk) -> Response:
        """Return every door, what is down first, and who acts in this session."""
        known = self._desk.known(ask.token)
        alarms = self._open_alarms()
        lines = [self._line(door, alarms, known) for door in self._desk.looking.doors()]
        order = {"bad": 0, "warm": 1, "good": 2}
        hub = self._desk.looking.hub()
        return ask.page(
            "doors.html",
            lines=sorted(lines, key=lambda line: (order[line.light], line.door.id)),
            actor=known,
            hub_serves=hub is not None and hub.is_serving,
            alarms=sum(alarms.values()),
            sure=SURE,
            buildings=sorted(ask.office.terms.doors),
            building_acts=[act for act in ACTS if act in SURE and any(act in line.acts for line in lines)],
            seen=lambda text: local_time(ask, text),
            word=lambda group, code: _word(ask, group, code),
            problem=lambda text: _problem(ask, text),
        )

    def enter(self, ask: PageAsk) -> Response:
        """Say to the signer who acts here, or that nobody does any more."""
        if "leave" in ask.form:
            self._desk.leave(ask.token)
            return ask.to("/doors")
        if (waiting := ask.waiting()) is not None:
            return told(ask, waiting, "", status=429)
        try:
            self._desk.enter(ask.token, ask.form.get("name", "").strip()[:64], ask.form.get("password", ""))
        except NotPermitted as error:
            return told(ask, ask.say("door.not_known"), error, status=403)
        ask.office.logins.succeeded(ask.address)
        return ask.to("/doors")

    def act(self, ask: PageAsk) -> Response:
        """Give a door a command and tell what physically came of it."""
        door = ask.form.get("door", "")[:64]
        try:
            kind = CommandType(ask.form.get("act", ""))
        except ValueError as error:
            raise CommunityRefused(message("community.refused.act")) from error
        if kind not in ACTS:
            raise CommunityRefused(message("community.refused.act"))
        if kind in SURE and "sure" not in ask.form:
            return ask.page("door_sure.html", door=door, act=kind)
        title = ask.say("door.asked", act=ask.say(f"door.act.{kind}"), door=ask.called(door))
        what: FacegateError | str
        try:
            with self._desk.acting(ask.token) as staff:
                what = staff.command(door, kind, ask.account.name if ask.account else "")
        except SyncError as error:
            what = error
        text, technical = in_words(ask, what)
        went_well = not isinstance(what, FacegateError)
        page = {"title": title, "text": text, "technical": technical, "went_well": went_well}
        return tell_once(ask, self._desk, "door_told.html", 200 if went_well else 409, page)

    def told(self, ask: PageAsk) -> Response:
        """Return again what came of a command; where that is forgotten, the doors."""
        kept = self._desk.answers.find(str(ask.request.path_params["answer"]), ask.token)
        return ask.to("/doors") if kept is None else ask.page(kept.template, kept.status, **kept.values)

    def _line(self, door: DoorView, alarms: dict[str, int], known: Known | None) -> DoorLine:
        acts = tuple(act for act in ACTS if may_at(known, Permission(act), door.id))
        return DoorLine(door, alarms.get(door.id, 0), acts)

    def _open_alarms(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for item in self._desk.looking.inbox.items(InboxKind.ALARMS, NOT_CLOSED, 1000):
            found[item.device] = found.get(item.device, 0) + 1
        return found


def tell_once(ask: PageAsk, desk: DoorsDesk, template: str, status: int, values: dict[str, Any]) -> Response:
    """Return the way to a page that tells what came of a command: loaded anew, it commands nothing.

    The page says when that was: loaded anew much later, it must not pass for news.
    """
    kept = KeptAnswer(ask.token, template, status, values | {"at": ask.now})
    return ask.to(f"/doors/told/{desk.answers.keep(kept)}")


def told(
    ask: PageAsk, title: str, what: FacegateError | str, *, status: int = 200, went_well: bool = False
) -> Response:
    """Return the page that says what came of something; `what` is the door's or the signer's own word.

    What went wrong stands above the form again, with what was typed.
    """
    text, technical = in_words(ask, what)
    if not went_well and (again := ask.again(title, status, text, technical)) is not None:
        return again
    page = {"title": title, "text": text, "technical": technical, "went_well": went_well}
    return ask.page("door_told.html", status, **page)


def in_words(ask: PageAsk, what: FacegateError | str) -> tuple[str, str]:
    """Return what is said in the reader's words, and the English of what has none in them."""
    if isinstance(what, FacegateError) and not what.technical:
        return ask.tell(what.message), ""
    found = told_of(str(what))
    return ("", found) if isinstance(found, str) else (ask.tell(found), "")


def _problem(ask: PageAsk, text: str) -> tuple[str, str]:
    """Return what a door did wrong in the reader's words, and the English where that says more."""
    found = told_of(text, DOOR_PROBLEM)
    return (ask.say("door.odd"), text) if isinstance(found, str) else (ask.tell(found), "")


def local_time(ask: PageAsk, text: str | None, form: str = MINUTES) -> str:
    """Return an ISO time as the compound's clocks show it."""
    if not text:
        return ""
    try:
        return ask.local(int(datetime.fromisoformat(text).timestamp()), form)
    except (ValueError, OverflowError):
        return text[:25]


def _word(ask: PageAsk, group: str, code: object) -> str:
    """Return what a door said of itself in the reader's words, else as it said it; a dash for nothing."""
    if not isinstance(code, str):
        return "–"
    names = (f"value.{group}.{code}", f"panel.is_{code}")
    return next((say(name, ask.language) for name in names if has(name)), printable(code)[:40])


def _at(state: Any, *names: str) -> Any:
    for name in names:
        state = state.get(name) if isinstance(state, dict) else None
    return state
