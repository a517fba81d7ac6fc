"""A roster that takes PINs and cards back before the door says that it has heard of it."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING

from edge.enrol.ways_in import WaysIn
from edge.errors import StoreError
from edge.store.credentials import CredentialStore
from edge.store.way_rows import CREDENTIALS_FILE
from edge.wire.records import ways_ended

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from edge.domain import RosterChange, RosterState
    from edge.service.property.untold import UntoldWays
    from edge.store.roster import SqliteRoster

logger = logging.getLogger(__name__)


class EndingRoster:
    """The roster of a door, with its PINs and cards. Implements `ports.Roster`; any thread.

    PINs and cards are known at the door alone; what travels is that all of somebody's are over. They go
    first: while the file of credentials cannot be used the change counts as not heard, and is asked for
    again. What is given afterwards is not touched by the same order. Whoever is removed loses theirs as well,
    also when their id comes back in the same change: it may be somebody else's by then. That waits for no
    file: faces and rights go at once, and PINs and cards as soon as they can.
    """

    def __init__(self, roster: SqliteRoster, data: Path, untold: UntoldWays) -> None:
        self._roster = roster
        self._data = data
        self._path = data / CREDENTIALS_FILE
        self._left: set[str] = set()
        """Who was removed while their PINs and cards could not be."""
        self._told = ""
        self._untold = untold

    def look_again(self) -> None:
        """Carry out orders that the credentials file missed, and tell what was not told.

        It may be a restored copy, or could not be used when an order came. Logs what cannot be done.
        """
        try:
            self._untold.tell()
            self._end(self._roster.ways_ended())
            # Also of people who were removed by an earlier run, while this file could not be used.
            self._take_from(self._roster.removed())
        except StoreError as error:
            logger.error("PINs and cards that the property ended were not looked at: %s", error)  # noqa: TRY400 - one clear line

    def state(self) -> RosterState:
        """Return how far it is."""
        return self._roster.state()

    def apply(self, changes: Sequence[RosterChange], target: RosterState) -> None:
        """Make these changes and reach `target`, or raise `RosterDrift`."""
        # First the ways in, then the roster: after a crash in between the change is asked for again, and
        # taking back twice does no harm. The other way round the door would say that it has heard of it.
        self._end(_ended(changes))
        self._take_from(one.id for one in changes if one.resident is None)
        self._roster.apply(changes, target)

    def replace(self, records: Sequence[RosterChange], target: RosterState) -> None:
        """Have exactly these records and be at `target`, or raise `RosterDrift`."""
        self._end(_ended(records))
        self._take_from(self._roster.gone_with(records, target))
        self._roster.replace(records, target)

    def confirm(self, at: datetime) -> None:
        """Remember when the property last said that we are up to date."""
        self._roster.confirm(at)

    def catch_up(self) -> None:
        """Take back what could not be so far, before somebody new with that id is given a PIN or card."""
        self._take_from(())

    def _take_from(self, gone: Iterable[str]) -> None:
        """Take back every PIN, card and pass of people who are removed."""
        self._left.update(gone)
        if not self._left:
            return
        try:
            with WaysIn.of(self._data) as ways:
                for resident_id in sorted(self._left & ways.holders()):  # a commit for each: thousands may go
                    ways.take_all(resident_id, by_property=True)
                    self._left.discard(resident_id)
                ways.forget_ends(self._left)
            self._left.clear()
            self._untold.tell()
        except StoreError as error:
            if str(error) != self._told:  # tried every second: the same reason is logged once
                logger.error("PINs and cards of people who left are taken back later: %s", error)  # noqa: TRY400
            self._told = str(error)
        else:
            self._told = ""

    def _end(self, orders: Mapping[str, int]) -> None:
        if not orders:
            return
        with closing(CredentialStore(self._path)) as store:
            for resident_id, number in orders.items():
                store.end_ways(resident_id, number)
        self._untold.tell()


def _ended(changes: Sequence[RosterChange]) -> dict[str, int]:
    return {one.id: number for one in changes if (number := ways_ended(one.text or "{}"))}
