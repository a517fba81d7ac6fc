"""Which remote commands a door has taken, on a card that may be full, read-only, failing or hanging."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from edge.aside import Aside, TooSlow
from edge.errors import FacegateError, StoreUnavailable
from edge.wire.commands import CommandType, kept_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from edge.ports import CommandLedger
    from edge.wire.commands import Command

LOG = logging.getLogger(__name__)

MOST_HERE = 1000
"""Ids that are remembered of this run: a nonce is good for ten seconds, so the last ones are enough."""

T = TypeVar("T")


class TakenCommands:
    """Takes each command once, by the ledger on the card and by memory. One thread.

    A nonce is handed out by this run of the door, for one command and ten seconds: a command that shows one
    cannot have been taken by an earlier run, so memory is enough for it. Who locks down or evacuates a house
    does not wait for a card. Whatever comes without a nonce, other than the question for one, needs the card;
    it raises `FacegateError` when that does not answer.
    """

    def __init__(self, ledger: CommandLedger) -> None:
        self._ledger = ledger
        self._aside = Aside("commands")
        self._here: OrderedDict[str, None] = OrderedDict()
        self._told = ""

    def is_known(self, command: Command) -> bool:
        """Return whether a command was taken before."""
        if command.id in self._here:
            return True
        return self._or_by_memory(command, lambda: self._ledger.is_known(command.id), otherwise=False)

    def claim(self, command: Command, at: datetime) -> bool:
        """Take a command, durably where the card lets us; False when it was taken before."""
        # What comes of a challenge is its answer, and that alone.
        body = None if command.type is CommandType.CHALLENGE else kept_command(command)
        try:
            is_first = self._or_by_memory(
                command, lambda: self._ledger.claim(command.id, at, body), otherwise=True
            )
        except FacegateError:
            # Told as refused: what a hanging card takes after all must not be carried out at the next start.
            self._aside.hand_over(lambda: self._ledger.finish([command.id]))
            raise
        if is_first:
            self._here[command.id] = None
            while len(self._here) > MOST_HERE:
                self._here.popitem(last=False)
        return is_first

    def unfinished(self) -> list[tuple[str, datetime, str]]:
        """Return what an earlier run took and never finished; see `CommandLedger.unfinished`."""
        return [one for one in self._soon(self._ledger.unfinished) if one[0] not in self._here]

    def finish(self, command_ids: Iterable[str]) -> None:
        """Note that what came of these was told."""
        ids = list(command_ids)
        self._soon(lambda: self._ledger.finish(ids))

    def _or_by_memory(self, command: Command, call: Callable[[], T], otherwise: T) -> T:
        try:
            found = self._soon(call)
        except FacegateError as error:
            if command.nonce is None and command.type is not CommandType.CHALLENGE:
                raise
            if str(error) != self._told:  # the same reason is logged once
                LOG.warning("commands are taken by their nonces alone: %s", error)
            self._told = str(error)
            return otherwise
        self._told = ""
        return found

    def _soon(self, call: Callable[[], T]) -> T:
        try:
            return self._aside.ask(call)
        except TooSlow as error:
            raise StoreUnavailable(f"the commands that were taken: {error}") from error
