"""The judge of remote commands: signature, address, freshness, rate, and at most once."""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from edge.errors import FacegateError, SyncError
from edge.sync.taken import TakenCommands
from edge.wire.commands import (
    MAX_COMMAND_BYTES,
    MODES,
    PURPOSE,
    VOIDED_BY_LOCKDOWN,
    WITHOUT_NONCE,
    Command,
    CommandRefusal,
    CommandRefused,
    CommandType,
    parse_command,
    read_command,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.ports import Clock, CommandLedger
    from edge.wire.messages import Message
    from edge.wire.signing import TrustedKeys

NONCE_SECONDS = 10.0
MOST_NONCES = 8
UNLOCKS_PER_MINUTE = 6
CLOCK_SKEW = timedelta(seconds=60)
"""How far the hub's clock may be off, for commands without a nonce."""


@dataclass(frozen=True, slots=True)
class _Nonce:
    """One that was handed out: `number` counts them, `until` is monotonic seconds."""

    number: int
    until: float


class CommandGate:
    """Lets a command through once, or raises `CommandRefused`. One thread.

    Nonces are valid for ten seconds of the monotonic clock and for one command, so that neither
    a recording nor a wrong clock moves the door. Without one nothing is taken but a challenge, and,
    while `clock_trust` says that the wall time comes from the network, what opens nothing. Of two
    modes the one whose nonce was handed out later counts; a lockdown voids every nonce before it.
    """

    def __init__(
        self,
        device: str,
        keys: TrustedKeys,
        ledger: CommandLedger,
        clock: Clock,
        clock_trust: Callable[[], str],
        new_nonce: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        self._device = device
        self._keys = keys
        self._taken = TakenCommands(ledger)
        self._clock = clock
        self._clock_trust = clock_trust
        self._new_nonce = new_nonce
        self._nonces: dict[str, _Nonce] = {}
        self._handed_out = 0
        self._mode_since = 0
        self._lockdown_since = 0
        """Numbers of nonces: what was asked for before the last mode, and before the last lockdown."""
        self._unlocks: deque[float] = deque(maxlen=UNLOCKS_PER_MINUTE)

    def admit(self, message: Message) -> Command:
        """Return the command to execute now; its id is never accepted again."""
        command = self._authentic(message)
        if command.device != self._device:
            raise CommandRefused(CommandRefusal.OTHER_DEVICE, f"it is for {command.device}", command.id)
        try:
            self._claim(command)
        except CommandRefused:
            raise
        except FacegateError as error:  # the card does not answer, and without it this one might be a second
            raise CommandRefused(CommandRefusal.UNAVAILABLE, str(error), command.id) from error
        if command.type is CommandType.LOCKDOWN:
            self._lockdown_since = self._handed_out
        return command

    def _claim(self, command: Command) -> None:
        # The id is looked up first and claimed last. A command that is played back must not use up a nonce or
        # count for the rate, and a refused one must not be remembered as carried out.
        if self._taken.is_known(command):
            raise CommandRefused(CommandRefusal.DUPLICATE, "it was taken before", command.id)
        self._require_fresh(command)
        self._require_rate(command)
        if not self._taken.claim(command, self._clock.now()):
            raise CommandRefused(CommandRefusal.DUPLICATE, "it was taken before", command.id)

    def unfinished(self) -> list[Command]:
        """Return what an earlier run let through and did not tell what came of; each was issued when taken.

        Raises `FacegateError` while the card does not answer.
        """
        kept = [read_command(*one, self._device) for one in self._taken.unfinished()]
        return [command for command in kept if command is not None]

    def finish(self, command_ids: Iterable[str]) -> None:
        """Note that what came of these was told. Raises `FacegateError` while the card does not answer."""
        self._taken.finish(command_ids)

    def hand_out_nonce(self) -> str:
        """Return a new nonce for one command within ten seconds."""
        now = self._clock.monotonic()
        self._nonces = {nonce: one for nonce, one in self._nonces.items() if one.until > now}
        # The oldest goes: the newest question is the one whose order is on its way.
        while len(self._nonces) >= MOST_NONCES:
            del self._nonces[next(iter(self._nonces))]
        nonce = self._new_nonce()
        self._handed_out += 1
        self._nonces[nonce] = _Nonce(self._handed_out, now + NONCE_SECONDS)
        return nonce

    def _authentic(self, message: Message) -> Command:
        if message.retained:
            raise CommandRefused(
                CommandRefusal.RETAINED, "a command must be sent, not left lying at the broker"
            )
        if len(message.payload) > MAX_COMMAND_BYTES:
            raise CommandRefused(CommandRefusal.MALFORMED, f"{len(message.payload)} bytes")
        try:
            body = self._keys.open(message.payload, PURPOSE)
        except SyncError as error:
            raise CommandRefused(CommandRefusal.SIGNATURE, str(error)) from error
        return parse_command(body)

    def _require_fresh(self, command: Command) -> None:
        if command.nonce is not None or command.type not in WITHOUT_NONCE:
            self._require_nonce(command)
            return
        if self._clock_trust() == "synced":
            age = self._clock.now() - command.issued
            if not -CLOCK_SKEW <= age <= command.ttl + CLOCK_SKEW:
                raise CommandRefused(CommandRefusal.EXPIRED, f"issued at {command.issued}", command.id)
        elif command.type is not CommandType.CHALLENGE:
            raise CommandRefused(
                CommandRefusal.NONCE,
                "this door has no network time and cannot tell how old that is; ask for a challenge first",
                command.id,
            )

    def _require_nonce(self, command: Command) -> None:
        # Gone with the first command that shows it, even if that one is refused.
        nonce = self._nonces.pop(command.nonce or "", None)
        if nonce is None or nonce.until <= self._clock.monotonic():
            raise CommandRefused(
                CommandRefusal.NONCE, "ask for a challenge first, answer within 10 s", command.id
            )
        if command.type in VOIDED_BY_LOCKDOWN and nonce.number <= self._lockdown_since:
            raise CommandRefused(CommandRefusal.OVERTAKEN, "the door was locked down meanwhile", command.id)
        if command.type in MODES:
            # By the order in which nonces were handed out and not by `issued`: that is the sender's clock.
            if nonce.number < self._mode_since:
                raise CommandRefused(
                    CommandRefusal.OVERTAKEN, "a later mode was ordered meanwhile", command.id
                )
            self._mode_since = nonce.number

    def _require_rate(self, command: Command) -> None:
        if command.type is not CommandType.UNLOCK:
            return
        now = self._clock.monotonic()
        if len(self._unlocks) == UNLOCKS_PER_MINUTE and now - self._unlocks[0] < 60:
            raise CommandRefused(
                CommandRefusal.TOO_MANY, f"{UNLOCKS_PER_MINUTE} remote unlocks a minute", command.id
            )
        self._unlocks.append(now)
