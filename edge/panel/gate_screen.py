"""What the small display at the gate shows now: told by the door, asked by its page.

Light on purpose: the recognising thread calls in here, so nothing waits and no web library loads.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from edge.domain import Flaw, Reason
from edge.policy.desk import FACTOR_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.faces.liveness.prompts import Prompt
    from edge.ports import Clock

DECIDED_SECONDS = 5.0
"""As long as the shortest usual opening: whoever is let in walks on."""

PROMPT_SECONDS = 15.0
"""Longer than any step of a challenge: a prompt that nobody cleared does not stay."""

GUIDED_SECONDS = 1.5
"""A visitor in view is looked at four times a second; after this they are gone."""

POOR_PICTURE = frozenset({Reason.LOW_QUALITY, Reason.NOT_FACING})

WATCHED_SECONDS = 5.0
"""The page asks several times a second; after this silence there is no display."""


class Stage(StrEnum):
    """What kind of thing is shown."""

    IDLE = "idle"
    GUIDE = "guide"
    """Somebody is in view who cannot be recognised yet; `flaw` says why: "come closer"."""
    PROMPT = "prompt"
    """A liveness challenge asks for something; `prompt` says what."""
    GRANTED = "granted"
    REFUSED = "refused"
    PIN_WANTED = "pin_wanted"
    """The face was recognised and its PIN is needed as well."""
    RUNG = "rung"
    BLIND = "blind"
    """Nobody is in view or can be: camera or models are out of order."""


@dataclass(frozen=True, slots=True)
class ScreenState:
    """One state of the display. `seq` is new whenever something is to be shown (and spoken) anew.

    `reason` is that of a refusal, `by_face` whether the camera refused; a `prompt` beside it says what helps.
    `name` is whom to welcome: None unless the resident wishes it.
    """

    stage: Stage = Stage.IDLE
    seq: int = 0
    reason: Reason | None = None
    prompt: Prompt | None = None
    flaw: Flaw | None = None
    name: str | None = None
    by_face: bool = False


class GateKeys(Protocol):
    """What can be pressed on the display. An answer to a PIN comes back as a decision on the screen."""

    def type_pin(self, number: str, pin: str) -> None:
        """Type a number and its PIN, as on the door's keypad."""

    def ring(self, flat: str = "") -> None:
        """Ring the door's bell; `flat` is the number that was typed, if any."""


class GateScreen:
    """Holds what the display shows. Any thread; no call waits.

    `name_of` (resident id) answers whom to welcome by name, None for nobody.
    """

    def __init__(self, clock: Clock, name_of: Callable[[str], str | None] = lambda _: None) -> None:
        self._clock = clock
        self._name_of = name_of
        self._lock = threading.Lock()
        self._shown = ScreenState()
        self._until = float("-inf")
        self._watched_until = float("-inf")
        self._rest = Stage.IDLE
        self._typing: str | None = None
        self._typing_until = float("-inf")

    @property
    def shown(self) -> ScreenState:
        """What is shown now."""
        with self._lock:
            return self._now()

    @property
    def is_watched(self) -> bool:
        """True while a display asks: only then can a challenge be answered."""
        return self._clock.monotonic() < self._watched_until

    def look(self) -> ScreenState:
        """Return what is shown now, and take note that a display is there."""
        self._watched_until = self._clock.monotonic() + WATCHED_SECONDS
        return self.shown

    def prompt(self, prompt: Prompt | None) -> None:
        """Show what a challenge asks for; None when it asks for nothing any more."""
        if prompt is not None:
            self._show(ScreenState(Stage.PROMPT, prompt=prompt), PROMPT_SECONDS)
            return
        with self._lock:
            # A decision that came in between stays up for its time.
            if self._shown.stage is Stage.PROMPT:
                self._until = float("-inf")

    def blinded(self, is_blind: bool) -> None:  # noqa: FBT001 - a level
        """Say that faces open nothing now, instead of "look at the camera"; all else goes first."""
        rest = Stage.BLIND if is_blind else Stage.IDLE
        with self._lock:
            if rest is not self._rest:
                self._shown = replace(self._shown, seq=self._shown.seq + 1)
            self._rest = rest

    def guide(self, flaw: Flaw | None) -> None:
        """Show what stands between somebody in view and being recognised; anything else goes first."""
        with self._lock:
            now = self._now()
            if now.stage not in {Stage.IDLE, Stage.GUIDE}:
                return
        if flaw is not None:
            self._show(ScreenState(Stage.GUIDE, flaw=flaw), GUIDED_SECONDS)

    def decided(self, allowed: bool, reason: Reason, resident_id: str | None = None) -> None:  # noqa: FBT001
        """Show a grant, a refusal or that the PIN is wanted; `resident_id` is who was recognised."""
        self._expect_pin(resident_id, reason)
        if allowed:
            name = None if resident_id is None else self._name_of(resident_id)
            self._show(ScreenState(Stage.GRANTED, name=name), DECIDED_SECONDS)
        elif reason is Reason.SECOND_FACTOR_REQUIRED:
            self._show(ScreenState(Stage.PIN_WANTED, reason=reason), FACTOR_SECONDS)
        else:
            self._show(ScreenState(Stage.REFUSED, reason=reason), DECIDED_SECONDS)

    def refused_by_camera(self, reason: Reason, prompt: Prompt | None = None) -> None:
        """Show that a face was refused, and what helps; other ways in are open to them.

        Whose picture was too poor is told what has just been found to be wrong with it.
        """
        flaw = self.shown.flaw if reason in POOR_PICTURE else None
        refused = ScreenState(Stage.REFUSED, reason=reason, prompt=prompt, flaw=flaw, by_face=True)
        self._show(refused, DECIDED_SECONDS)

    def _expect_pin(self, resident_id: str | None, reason: Reason) -> None:
        """Remember who is to type a PIN: what others are told meanwhile hides that for a moment only."""
        with self._lock:
            if reason is Reason.SECOND_FACTOR_REQUIRED:
                self._typing, self._typing_until = resident_id, self._clock.monotonic() + FACTOR_SECONDS
            # Of this very person it was decided; a decision about somebody else leaves the question standing.
            elif resident_id == self._typing:
                self._typing_until = float("-inf")

    def rung(self) -> None:
        """Show that the bell was heard."""
        self._show(ScreenState(Stage.RUNG), DECIDED_SECONDS)

    def _show(self, shown: ScreenState, seconds: float) -> None:
        with self._lock:
            before = self._now()
            # The same again stays up for longer and keeps its number: the page speaks what has a new one.
            is_news = replace(before, seq=0) != shown
            self._shown = replace(shown, seq=self._shown.seq + is_news)
            self._until = self._clock.monotonic() + seconds

    def _now(self) -> ScreenState:
        now = self._clock.monotonic()
        if now < self._until:
            return self._shown
        if now < self._typing_until:
            reason = Reason.SECOND_FACTOR_REQUIRED
            # A new number: something else was shown meanwhile, and the page has to ask for the PIN again.
            self._shown = ScreenState(Stage.PIN_WANTED, self._shown.seq + 1, reason)
            self._until = self._typing_until
            return self._shown
        return ScreenState(self._rest, seq=self._shown.seq)
