"""A roster that takes PINs and cards back before the door says that it has heard of it."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING

from edge.enrol.ways_in import WaysIn
from edge.errors import StoreError
from edge.store.credentials import CredentialStore
from edge.store.owed_ways import OwedWays
from edge.store.way_rows import CREDENTIALS_FILE
from edge.wire.records import ways_ended

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from edge.domain import RosterChange, RosterState
    from edge.service.untold import UntoldWays
    from edge.store.roster import SqliteRoster

logger = logging.getLogger(__name__)


class EndingRoster:
    """The roster of a door, with its PINs and cards. Implements `ports.Roster`; any thread.

    PINs and cards are known at the door alone; what travels is that all of somebody's are over. What is
    given afterwards is not touched by the same order. Whoever is removed loses theirs as well, also when
    their id comes back in the same change: it may be somebody else's by then. No change waits for the file
    of credentials: faces and rights go at once, and PINs and cards, which count for nothing meanwhile, as
    soon as they can (`edge.store.owed_ways`).
    """

    def __init__(self, roster: SqliteRoster, data: Path, untold: UntoldWays) -> None:
        self._roster = roster
        self._data = data
        self._path = data / CREDENTIALS_FILE
        self._told = ""
        self._untold = untold

    def look_again(self) -> None:
        """Carry out orders that the credentials file missed, and tell what was not told.

        It may be a restored copy, or could not be used when an order came. Logs what cannot be done.
        """
        try:
            # First the former people's: the order of somebody who has the id now is not theirs to forget.
            self.catch_up()
            # Also of people who were removed in a run of an earlier version, or whom a restored copy has.
            if left := self._take_from(self._roster.removed()):
                self._roster.owe([OwedWays(one, True, 0) for one in left])
            self._untold.tell()
            self._end(self._roster.ways_ended())
        except StoreError as error:
            logger.error("PINs and cards that the property ended were not looked at: %s", error)  # noqa: TRY400 - one clear line

    def state(self) -> RosterState:
        """Return how far it is."""
        return self._roster.state()

    def apply(self, changes: Sequence[RosterChange], target: RosterState) -> None:
        """Make these changes and reach `target`, or raise `RosterDrift`."""
        # First the ways in, then the roster: after a crash in between the change is asked for again, and
        # taking back twice does no harm. The other way round the door would say that it has heard of it.
        gone = frozenset(one.id for one in changes if one.resident is None)
        self._roster.apply(changes, target, self._take_back(gone, changes))

    def replace(self, records: Sequence[RosterChange], target: RosterState) -> None:
        """Have exactly these records and be at `target`, or raise `RosterDrift`."""
        gone = self._roster.gone_with(records, target)
        self._roster.replace(records, target, self._take_back(gone, records))

    def confirm(self, at: datetime) -> None:
        """Remember when the property last said that we are up to date."""
        self._roster.confirm(at)

    def catch_up(self) -> None:
        """Take back what could not be so far, before somebody new with that id is given a PIN or card."""
        try:
            if owed := self._roster.owed_ways():
                with WaysIn.of(self._data) as ways:
                    ways.take_owed(owed)
                self._untold.tell()
        except StoreError as error:
            self._tell(str(error))
        else:
            self._told = ""

    def _take_back(self, gone: frozenset[str], changes: Sequence[RosterChange]) -> list[OwedWays]:
        """Take back what these people had, and what the changes end; return what is owed of it."""
        self.catch_up()
        left, orders = self._take_from(gone), _ended(changes)
        # After what the former one had: with that the order of whoever has the id now would be forgotten.
        owed = [OwedWays(one, True, orders.pop(one, 0)) for one in left]
        try:
            self._end(orders)
        except StoreError as error:
            self._tell(str(error))
            # One that was heard before is carried out, or owed already.
            owed += [
                OwedWays(one, False, order)
                for one, order in orders.items()
                if one in gone or self._roster.ways_ended_of(one) != order
            ]
        return owed

    def _take_from(self, gone: frozenset[str]) -> frozenset[str]:
        """Take back every PIN, card and pass of people who are removed; return of whom it could not be."""
        left = set(gone)
        if not left:
            return frozenset()
        try:
            with WaysIn.of(self._data) as ways:
                for resident_id in sorted(left & ways.holders()):  # a commit for each: thousands may go
                    ways.take_all(resident_id, by_property=True)
                    left.discard(resident_id)
                ways.forget_ends(gone)
            left.clear()
            self._untold.tell()
        except StoreError as error:
            self._tell(str(error))
        return frozenset(left)

    def _tell(self, problem: str) -> None:
        if problem != self._told:  # tried every second: the same reason is logged once
            logger.error("PINs and cards of people who left are taken back later: %s", problem)
        self._told = problem

    def _end(self, orders: Mapping[str, int]) -> None:
        if not orders:
            return
        with closing(CredentialStore(self._path)) as store:
            for resident_id, number in orders.items():
                store.end_ways(resident_id, number)
        self._untold.tell()


def _ended(changes: Sequence[RosterChange]) -> dict[str, int]:
    """Return the orders for whoever has each id after the changes: a former one's end with their removal."""
    records = {one.id: one.text for one in changes}
    return {who: number for who, text in records.items() if (number := ways_ended(text or "{}"))}
