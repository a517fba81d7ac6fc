"""How the console reaches the doors: it reads by itself, and acts in the name of whoever logged in there."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import CommunityRefused, SyncError
from edge.words import message
from facegate_hub.looking import LookingThread
from facegate_hub.signer.rights import NotPermitted, Permission
from facegate_hub.staff import Staff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from facegate_hub.community.devices import Devices
    from facegate_hub.signer.client import Known

MOST_SESSIONS = 500
MOST_ANSWERS = 200
LOOK_SECONDS = 2.0
"""Between two looks at sessions that nobody ended here: idle ones, and those that another process ended."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A page that tells what came of a command, for the session that gave it."""

    session: str
    template: str
    status: int
    values: Mapping[str, object]


class KeptAnswers:
    """What came of commands, each under an address of its own. Any thread.

    The answer to a form would send the form again when its page is loaded anew: the door would open twice.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, KeptAnswer] = OrderedDict()

    def keep(self, answer: KeptAnswer) -> str:
        """Keep a page and return its name; the oldest of many are forgotten."""
        name = secrets.token_hex(8)
        with self._lock:
            self._kept[name] = answer
            while len(self._kept) > MOST_ANSWERS:
                self._kept.popitem(last=False)
        return name

    def find(self, name: str, session: str) -> KeptAnswer | None:
        """Return a page that this session was told; None: it is forgotten, or somebody else's."""
        with self._lock:
            found = self._kept.get(name)
        return found if found is not None and found.session == session else None


class DoorsDesk:
    """The doors of a site, for the console's pages. Any thread.

    An account of the console opens no door. Whoever gives commands also says who they are to the signer
    (`facegate hub principal`), which checks each of them and keeps its own audit; the console holds the
    session's token in memory, and forgets it when it is restarted.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self._url = url
        self._lock = threading.Lock()
        self._tokens: OrderedDict[str, str] = OrderedDict()
        self._left: list[str] = []
        """Sessions that ended here, and of which the signer has not heard yet."""
        self.looking = Staff(folder, url)
        self.answers = KeptAnswers()

    def enter(self, session: str, name: str, password: str) -> None:
        """Let somebody act in a session of the console. Raises `NotPermitted` for a wrong password."""
        token = self.looking.signer.log_in(name, password)
        with self._lock:
            if (before := self._tokens.pop(session, None)) is not None:
                self._left.append(before)
            self._tokens[session] = token
            # The oldest session goes first; its holder says again who they are.
            while len(self._tokens) > MOST_SESSIONS:
                self._left.append(self._tokens.popitem(last=False)[1])
        self._tell_left()

    def leave(self, session: str) -> None:
        """Log a session out of the doors, here and at the signer."""
        self.leave_ended(lambda one: one != session)

    def leave_ended(self, lives: Callable[[str], bool]) -> None:
        """Log out of the doors every session that `lives` no longer accepts, and tell the signer at once.

        A signer that cannot be reached is told at the next call.
        """
        with self._lock:
            sessions = list(self._tokens)
        # Outside the lock, which every request takes: `lives` asks a database.
        ended = [session for session in sessions if not lives(session)]
        with self._lock:
            gone = [self._tokens.pop(session, None) for session in ended]
            self._left += [token for token in gone if token is not None]
        self._tell_left()

    def leave_logged_out(self, devices: Devices) -> None:
        """End what sessions may do that the console has ended, in whatever way and in whatever process."""
        self.leave_ended(lambda session: devices.find(session, is_use=False) is not None)

    def _tell_left(self) -> None:
        with self._lock:
            left, self._left = self._left, []
        for at, token in enumerate(left):
            try:
                self.looking.signer.speaking_for(token).log_out()
            except NotPermitted:
                continue  # it has ended there by itself
            except SyncError:
                with self._lock:
                    self._left += left[at:]
                return

    def known(self, session: str) -> Known | None:
        """Return who acts in a session; None: nobody has said, or it was too long ago."""
        with self._lock:
            token = self._tokens.get(session)
        if token is None:
            return None
        try:
            return self.looking.signer.speaking_for(token).who()
        except NotPermitted:
            with self._lock:
                # Whoever has logged in again meanwhile has another token, which is valid.
                if self._tokens.get(session) == token:
                    del self._tokens[session]
            return None

    @contextmanager
    def acting(self, session: str) -> Iterator[Staff]:
        """Give what staff can do, in the name of who acts in this session. Raises `CommunityRefused`."""
        with self._lock:
            token = self._tokens.get(session)
        if token is None:
            raise CommunityRefused(message("community.refused.who_acts"))
        staff = Staff(self.folder, self._url, signer=self.looking.signer.speaking_for(token))
        try:
            yield staff
        finally:
            staff.close()

    def close(self) -> None:
        """End what everybody may do, and let go of the database and the signer."""
        self.leave_ended(lambda _: False)
        self.looking.close()


class SessionWatch(LookingThread):
    """Ends what somebody may do at the doors when their session of the console has ended.

    By logging out, by nobody touching it, or because the account was ended or begun anew; in any process.
    """

    def __init__(self, desk: DoorsDesk, devices: Devices) -> None:
        self._desk = desk
        self._devices = devices
        super().__init__("console-sessions", LOOK_SECONDS, "sessions that ended could not be looked for")

    def look(self) -> None:
        """Look over everybody who acts now."""
        self._desk.leave_logged_out(self._devices)


def may_at(known: Known | None, right: Permission, door: str) -> bool:
    """Return whether somebody would be granted something at a door."""
    return known is not None and known.may(right, door)
