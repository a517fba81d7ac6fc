"""How the console reaches the doors: it looks by itself, and acts in the name of who said who they are."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.errors import CommunityRefused, SyncError
from edge.words import message
from facegate_hub.signer.rights import NotPermitted, Permission
from facegate_hub.staff import Staff

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from facegate_hub.signer.client import Known

MOST_SESSIONS = 500


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
        self.looking = Staff(folder, url)

    def enter(self, session: str, name: str, password: str) -> None:
        """Let somebody act in a session of the console. Raises `NotPermitted` for a wrong password."""
        token = self.looking.signer.log_in(name, password)
        with self._lock:
            self._tokens[session] = token
            while len(self._tokens) > MOST_SESSIONS:
                self._tokens.popitem(last=False)

    def leave(self, session: str) -> None:
        """End what a session may do at the doors."""
        with self._lock:
            token = self._tokens.pop(session, None)
        if token is not None:
            try:
                self.looking.signer.speaking_for(token).log_out()
            except SyncError:
                return  # it ends by itself, unused, within half an hour

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
                self._tokens.pop(session, None)
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
        """Let go of the database and the signer."""
        self.looking.close()


def may_at(known: Known | None, right: Permission, door: str) -> bool:
    """Return whether somebody would be granted something at a door."""
    return known is not None and known.may(right, door)
