"""The seams: what the pipeline and the controller need from the outside world.

Adapters implement these protocols and never import each other; only `edge.service`,
`edge.replay` and the other composition roots know which one is behind which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.domain import FIRST_LOOK_SHARE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from edge.domain import (
        Authorisation,
        Decision,
        DoorEvent,
        Embedding,
        EventDraft,
        Face,
        Frame,
        Image,
        Landmarks,
        Liveness,
        Match,
        OperatingPoint,
        Probe,
        RosterChange,
        RosterState,
    )


class Clock(Protocol):
    """Where time comes from when there is no frame to carry it."""

    def monotonic(self) -> float:
        """Return monotonic seconds, the same scale as `Frame.time`."""

    def now(self) -> datetime:
        """Return the current time in UTC, timezone-aware."""


class Camera(Protocol):
    """A source of frames, used from one thread."""

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end of a recording.

        Raises `CameraLost` when a live source fails or stalls; the caller closes and reopens.
        """

    def close(self) -> None:
        """Release the device. Safe to call twice."""


class Detector(Protocol):
    """Finds faces."""

    def detect(self, image: Image) -> Sequence[Face]:
        """Return the faces in `image`, best score first, in its own pixel coordinates."""


class Embedder(Protocol):
    """Turns an aligned face into a template or a probe."""

    @property
    def model_id(self) -> str:
        """Network, weights and aligner in one name; embeddings of two names never meet."""

    def embed(self, image: Image, landmarks: Landmarks) -> Embedding:
        """Return the unit embedding of the face with these landmarks in `image`."""


class ProbeEmbedder(Embedder, Protocol):
    """An embedder that also says how much it found in a face."""

    def probe(self, image: Image, landmarks: Landmarks) -> Probe:
        """Return what `embed` does, and how far it can be relied on."""


class Identifier(Protocol):
    """The gallery, searched."""

    @property
    def model_id(self) -> str:
        """The model whose embeddings this gallery holds."""

    def identify(self, probe: Embedding) -> Match:
        """Return the best resident and the best other resident, exactly. Any thread."""

    def operating_point(self, share: float = FIRST_LOOK_SHARE) -> OperatingPoint:
        """Return threshold and margin for the gallery as it is now, at this share of the error rate.

        `share` is in (0, 1]: the evidence rule spends the visit's rate over several looks. Without it,
        that of the first look: what is told as the door's threshold.
        """


class FrameObserver(Protocol):
    """Recognition as the door sees it: frames in, decisions out."""

    def observe(self, frame: Frame) -> list[Decision]:
        """Return what is decided on `frame`. Raises `FrameRefused` when it is no picture."""


class LivenessCheck(Protocol):
    """Presentation-attack detection, fed by the same frames and tracks that are recognised."""

    def observe(self, frame: Frame, face: Face, track_id: int, alone: bool) -> None:  # noqa: FBT001
        """Take one frame of a track; `alone` is False when another face is in view."""

    def is_ready(self, track_id: int, resident_id: str | None = None) -> bool:
        """Return whether `assess` has an answer now, and count nothing against `resident_id` for it.

        That is whom recognition took the face for when it last looked: by now it may be somebody else's.
        """

    def assess(self, track_id: int, resident_id: str | None = None) -> Liveness | None:
        """Return the verdict for this track, or None while more frames are wanted.

        `resident_id` is whom recognition takes the face for, by a look at this very frame: more may be asked
        of some, and a refusal is counted against them.
        """

    def opinion(self, track_id: int) -> bool | None:
        """Return whether the face of this track is alive, None while that is not clear.

        It counts for nobody and against nobody: asked about somebody who is in already.
        """

    def confirm(self, track_id: int, resident_id: str) -> None:
        """Take it that the face of this track, which passed, was just recognised as this resident's."""

    def reset(self, track_id: int) -> None:
        """Forget a track: it ended, jumped, or changed identity."""


class Authoriser(Protocol):
    """Access rules: asked about an identified resident, never to narrow the search."""

    def authorise(self, resident_id: str, at: datetime, method: str) -> Authorisation:
        """Return whether this resident may pass this door at `at` (UTC) by `method` (`face`, `pin`...)."""


class Lock(Protocol):
    """The strike or maglock."""

    def unlock(self, seconds: float) -> None:
        """Unlock now and relock by itself after `seconds`, whatever the caller does then."""

    def lock(self) -> None:
        """Relock now."""

    def close(self) -> None:
        """Leave the relay at rest and release the line. Safe to call twice."""


class Journal(Protocol):
    """The append-only record of door events; also the outbox that MQTT reads."""

    def append(self, draft: EventDraft) -> DoorEvent:
        """Commit `draft` durably and return it numbered and chained.

        Raises `JournalUnavailable` when it cannot be stored.
        """

    def close(self) -> None:
        """Close it. Safe to call twice."""


class EventWriter(Protocol):
    """The one way to write an event; `edge.event_log.EventLog` is it. Any thread."""

    def record(self, draft: EventDraft) -> DoorEvent | None:
        """Write down what has happened: stored now, or when the disk is back (None)."""

    def commit(self, draft: EventDraft) -> DoorEvent | None:
        """Write down what may only happen when it is written down; None where no journal is kept.

        Raises `JournalUnavailable` when it cannot be stored now; it is not stored later either.
        """


class Outbox(Protocol):
    """The journal as a sender sees it: what was committed, and how much of it has arrived."""

    @property
    def stream(self) -> str:
        """The journal's stream; an acknowledgement of another stream means nothing here."""

    def newest(self) -> int:
        """Return the highest committed `seq`, 0 for none."""

    def done_upto(self) -> int:
        """Return the `seq` up to which everything has arrived, 0 for nothing."""

    def pending(self, after_seq: int, limit: int) -> Sequence[tuple[int, str]]:
        """Return up to `limit` (seq, entry as JSON text) above `after_seq`, oldest first."""

    def mark_done(self, upto: int) -> None:
        """Remember that everything up to `upto` has arrived; never goes back."""


class CommandLedger(Protocol):
    """Remembers remote commands across restarts, so that each is executed at most once."""

    def is_known(self, command_id: str) -> bool:
        """Return whether this command was claimed before."""

    def claim(self, command_id: str, at: datetime, body: str | None = None) -> bool:
        """Durably take this id before acting on it; False when it was taken already.

        With it, in the same commit, what is to be done: `unfinished` has that until `finish`.
        """

    def unfinished(self) -> list[tuple[str, datetime, str]]:
        """Return (id, when it was taken, what was to be done) of what never finished, oldest first."""

    def finish(self, command_ids: Iterable[str]) -> None:
        """Note that what came of these was told."""


class Roster(Protocol):
    """The people the property says may enter, kept at the door."""

    def state(self) -> RosterState:
        """Return how far it is."""

    def apply(self, changes: Sequence[RosterChange], target: RosterState) -> None:
        """Make these changes and reach `target`, or change nothing.

        Raises `RosterDrift` when they lead elsewhere.
        """

    def replace(self, records: Sequence[RosterChange], target: RosterState) -> None:
        """Have exactly these records and be at `target`, or change nothing. Raises `RosterDrift`."""

    def confirm(self, at: datetime) -> None:
        """Remember when the property last said that we are up to date."""

    def catch_up(self) -> None:
        """Do what an earlier change had to leave undone, if it can be done now. Call it every second."""
