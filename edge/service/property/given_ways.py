"""PINs and cards that the property gives: kept like those given here, in order, never brought back."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from edge.enrol.ways_in import WaysIn, named_card
from edge.errors import EnrolmentRefused
from edge.store.credentials import CredentialStore, PropertyOrder
from edge.store.way_rows import CREDENTIALS_FILE
from edge.sync.given_ways import NotYet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.service.untold import UntoldWays
    from edge.store.roster import SqliteRoster
    from edge.wire.given_ways import WayOrder


class HeldWays:
    """The PINs and cards of one data folder, as the property gives them. Any thread."""

    def __init__(self, roster: SqliteRoster, data: Path, untold: UntoldWays) -> None:
        self._roster = roster
        self._data = data
        self._untold = untold

    def take(self, order: WayOrder, secret: Mapping[str, str]) -> str | None:
        """Keep a PIN or card; return None, or why it is refused, as a word.

        An order from before the property ended this person's PINs and cards is refused: a lost card stays
        lost. Raises `NotYet` when the roster here is older than the order, `StoreError` when it cannot be
        kept now.
        """
        ended = self._roster.ways_ended_of(order.person)
        if ended is None or ended < order.after:
            raise NotYet(f"ways: the roster has not brought what order {order.number} stands on")
        if ended > order.after:
            return "ended"
        with WaysIn.of(self._data) as ways:
            if (last := ways.last_order(order.person, order.way)) >= order.number:
                return None if _has(ways, order, secret, last) else "older"
            by = PropertyOrder(order.number, order.by)
            try:
                if order.way == "pin":
                    ways.set_pin(order.person, secret["number"], secret["pin"], order=by)
                else:
                    ways.give_card(secret["card"], order.person, order=by)
            except EnrolmentRefused as error:
                return error.message.id.removeprefix("error.")
        self._untold.tell()
        return None

    def upto(self) -> int:
        """Return the last order that is kept, 0 before the first. Raises `StoreError`.

        What an earlier process kept and could not tell any more is told first.
        """
        self._untold.tell()
        with closing(CredentialStore(self._data / CREDENTIALS_FILE)) as store:
            return store.last_order()


def _has(ways: WaysIn, order: WayOrder, secret: Mapping[str, str], last: int) -> bool:
    """Return whether what this order gives is there: nobody is told of a card that opens nothing."""
    if order.way == "pin":
        return order.number == last
    return ways.cards().get(named_card(secret["card"])) == order.person
