"""The vocabulary: frozen values that every package shares.

Imports only the standard library, the kinds of events and the texts. Words follow ISO/IEC 2382-37
(probe, template, gallery, similarity), ISO/IEC 30107 (presentation attack) and BACnet's access
objects (denial reasons). One score convention everywhere: *similarity*, cosine, -1..1, higher is closer.
"""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - dataclass fields are read at run time
from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - dataclass fields are read at run time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from edge.events import Kind  # noqa: TC001 - dataclass fields are read at run time
from edge.words import Message  # noqa: TC001 - as above

if TYPE_CHECKING:  # numpy: commands that compute nothing start in half the time without it
    import numpy as np
    from numpy.typing import NDArray

    from edge.ports import Clock

Image: TypeAlias = "NDArray[np.uint8]"
"""(H, W, 3) uint8, BGR, contiguous."""

Landmarks: TypeAlias = "NDArray[np.float32]"
"""(5, 2) float32 pixels: subject's right eye, left eye, nose tip, right and left mouth corner."""

Embedding: TypeAlias = "NDArray[np.float32]"
"""(D,) float32 of unit length."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture and when it was taken; nothing downstream asks a clock.

    `image` is (H, W, 3) uint8 BGR and must not be written to. `time` is monotonic seconds,
    `at` is the same instant in UTC, `seq` counts frames of this camera from 0.
    """

    image: Image
    seq: int
    time: float
    at: datetime

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        return f"Frame(seq={self.seq}, time={self.time:.3f}, {width}x{height})"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels: left, top inclusive; right, bottom exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def area(self) -> float:
        """Area in square pixels, 0 for an empty box."""
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def iou(self, other: Box) -> float:
        """Return intersection over union with `other`, 0..1."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + other.area - shared)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """What a detector saw. `score` is the detector's own, 0..1; nothing is added later."""

    box: Box
    landmarks: Landmarks
    score: float

    @property
    def interocular_px(self) -> float:
        """Distance between the eyes in pixels."""
        import numpy as np  # noqa: PLC0415 - whoever has a face has it loaded

        right, left = self.landmarks[0], self.landmarks[1]
        return float(np.hypot(left[0] - right[0], left[1] - right[1]))


class Flaw(StrEnum):
    """Why a face is not good enough to be compared."""

    TOO_FAR = "too_far"
    NOT_FACING = "not_facing"
    BLURRED = "blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    AT_EDGE = "at_edge"
    OUTSIDE_ZONE = "outside_zone"
    LOW_SCORE = "low_score"
    NOT_UPRIGHT = "not_upright"
    """The picture is turned: the face lies on its side or stands on its head."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Measures of one face in one frame, and the flaws they add up to.

    Angles in degrees: yaw positive = subject turned to the picture's right, pitch positive =
    looking up, roll positive = clockwise in the picture. `sharpness` is unitless (see
    `edge.faces.quality`), `brightness` the mean luminance of the face, 0..255. `feature_norm` as in `Probe`.
    """

    interocular_px: float
    sharpness: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    brightness: float
    flaws: tuple[Flaw, ...] = ()
    feature_norm: float | None = None

    @property
    def is_usable(self) -> bool:
        """True when nothing speaks against comparing this face."""
        return not self.flaws


@dataclass(frozen=True, slots=True)
class Liveness:
    """Presentation-attack detection on one track. `score` 0..1, 1 = bona fide.

    `passed` is the verdict of the configured mode; `reason` is set when it did not pass.
    `cues` holds every number that made it, by name. A missing cue is a failure, never a skip.
    `is_early` says of a refusal that another look may say otherwise, a nearer one or just a second one:
    it is not told until that was had, or the visitor leaves. `is_unclear` says of one that it was narrow: it
    opens nothing and counts like any other, but accuses nobody.
    """

    passed: bool
    score: float | None
    reason: Reason | None = None
    cues: dict[str, float] = field(default_factory=dict)
    is_early: bool = False
    is_unclear: bool = False

    @property
    def told(self) -> Reason:
        """What somebody who did not pass is told."""
        if self.is_unclear and self.reason is Reason.PRESENTATION_ATTACK:
            return Reason.PAD_NO_RESPONSE
        return self.reason or Reason.PAD_UNAVAILABLE

    @property
    def wants_more(self) -> bool:
        """True when nothing spoke against a living face, and what was seen is not enough by itself."""
        return not self.passed and self.reason is Reason.SECOND_FACTOR_REQUIRED


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """One face as the network sees it now. `repr` hides the vector: it is biometric data.

    `embedding` is (D,) float32 unit. `feature_norm` is its length before it was made a unit: how much the
    network found in the face; None where that says nothing about this network. `is_faint`: too little to
    call anybody a stranger by.
    """

    embedding: Embedding
    feature_norm: float | None = None
    is_faint: bool = False

    def __repr__(self) -> str:
        return f"Probe(feature_norm={self.feature_norm}, is_faint={self.is_faint})"


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """One enrolled reference. `repr` hides the vector: it is biometric data.

    `embedding` is (D,) float32 unit. `model_id` names network, weights and aligner together;
    templates of another `model_id` are refused, never compared.
    """

    resident_id: str
    embedding: Embedding
    model_id: str
    enrolled_at: datetime
    kind: str = "shot"
    """`shot` for one picture, `mean` for the normalised mean of a resident's shots."""
    consent_id: str | None = None

    def __repr__(self) -> str:
        return f"Template({self.resident_id!r}, model_id={self.model_id!r}, kind={self.kind!r})"


@dataclass(frozen=True, slots=True)
class Resident:
    """A person who may be let in. Times are UTC; None means no limit.

    There is no field for arrears or any other debt: a home is not a debt lever.
    """

    id: str
    name: str
    access_levels: tuple[str, ...] = ("resident",)
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    extended_unlock: bool = False


@dataclass(frozen=True, slots=True)
class Consent:
    """One person's consent to the use of their face at this door. Times are UTC.

    `notice` is the version of the text that was read, `language` the one it was read in, `guardian`
    who consented for a person under 14, `recorded_by` the account that took it down. `doors` are other
    doors that may know the face, too; `origin` is the door where it was enrolled, empty: this one.
    """

    id: str
    resident_id: str
    given_at: datetime
    notice: str
    language: str
    purpose: str
    recorded_by: str
    is_minor: bool = False
    guardian: str | None = None
    withdrawn_at: datetime | None = None
    doors: tuple[str, ...] = ()
    origin: str = ""


class Match(NamedTuple):
    """The best resident for one probe, and the best *other* resident. None = empty gallery.

    (A named tuple: one is made per probe, and a frozen dataclass takes three times as long.)
    """

    resident_id: str | None
    similarity: float
    runner_up_id: str | None = None
    runner_up_similarity: float = -1.0

    @property
    def margin(self) -> float:
        """Similarity of the best resident minus that of the best other resident."""
        return self.similarity - self.runner_up_similarity


FIRST_LOOK_SHARE = 0.5
"""Of a visit's error rate, what its first look may spend: most residents are let in on it. What it asks
for is the door's threshold, wherever one is told; `edge.recognition.evidence` spends the other half."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The similarity a probe must reach now, and how that number came about.

    `fpir` is the wanted false-positive identification rate per visit (None when an expert set
    a bare similarity), `residents` the gallery size it was computed for, `margin` the least
    lead over the best other resident, `basis` says how it was set.
    """

    threshold: float
    margin: float
    fpir: float | None
    residents: int
    basis: Message


class Verdict(StrEnum):
    """What to do about one track now."""

    GRANT = "grant"
    DENY = "deny"
    WAIT = "wait"


class Reason(StrEnum):
    """Every reason a decision can carry: a closed list, in BACnet's words where it has one."""

    GRANTED = "granted"
    COLLECTING = "collecting"
    """Not yet decided: more evidence is wanted (verdict WAIT)."""

    UNKNOWN_CREDENTIAL = "unknown_credential"
    AMBIGUOUS_MATCH = "ambiguous_match"
    LOW_QUALITY = "low_quality"
    NOT_FACING = "not_facing"
    PRESENTATION_ATTACK = "presentation_attack"
    PAD_UNAVAILABLE = "pad_unavailable"
    PAD_NO_RESPONSE = "pad_no_response"
    """Liveness could not be judged (light, distance, framing): guidance, not an accusation."""
    CHALLENGE_FAILED = "challenge_failed"
    AUTHENTICATION_UNAVAILABLE = "authentication_unavailable"
    """No models, no gallery or no usable clock: nothing can be decided, the door stays shut."""
    CONSENT_MISSING = "consent_missing"
    CONSENT_WITHDRAWN = "consent_withdrawn"

    NO_ACCESS_RIGHTS = "no_access_rights"
    OUT_OF_TIME_RANGE = "out_of_time_range"
    CREDENTIAL_NOT_YET_ACTIVE = "credential_not_yet_active"
    CREDENTIAL_EXPIRED = "credential_expired"
    CREDENTIAL_MANUAL_DISABLE = "credential_manual_disable"
    CREDENTIAL_MAX_USES = "credential_max_uses"
    CREDENTIAL_ENDED = "credential_ended"
    """A visitor pass that was taken back before its time."""
    CREDENTIAL_LOCKOUT = "credential_lockout"
    LOCKOUT_MAX_ATTEMPTS = "lockout_max_attempts"
    INCORRECT_AUTHENTICATION_FACTOR = "incorrect_authentication_factor"
    AUTHENTICATION_FACTOR_TIMEOUT = "authentication_factor_timeout"
    SECOND_FACTOR_REQUIRED = "second_factor_required"
    PASSBACK_DETECTED = "passback_detected"
    THREAT_LEVEL = "threat_level"
    """The door is locked down."""
    CLOCK_UNTRUSTED = "clock_untrusted"
    JOURNAL_UNAVAILABLE = "journal_unavailable"
    """The event could not be stored and `journal.on_failure` is `deny`."""
    TOO_LATE = "too_late"
    """Storing the event took so long that somebody else may stand at the door by now."""
    LOCK_UNAVAILABLE = "lock_unavailable"
    """The lock does not answer."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One verdict about one track, with every number that made it.

    Similarities and margin are those of the comparison that decided. `shots` is how many
    embeddings of this track it is based on, `faces_in_view` how many faces this frame showed.
    """

    verdict: Verdict
    reason: Reason
    track_id: int
    frame_seq: int
    time: float
    at: datetime
    faces_in_view: int
    resident_id: str | None = None
    similarity: float | None = None
    runner_up_id: str | None = None
    runner_up_similarity: float | None = None
    threshold: float | None = None
    margin: float | None = None
    shots: int = 0
    quality: Quality | None = None
    liveness: Liveness | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    is_past: bool = False
    """About somebody who has left: whoever stands there now is not meant."""

    @property
    def claimed(self) -> str | None:
        """Whom this face was let in as, or taken for when liveness refused it; None for a stranger."""
        return self.resident_id if self.liveness is None else self.resident_id or self.detail.get("nearest")


def _nothing() -> None:
    """Note nothing."""


@dataclass(frozen=True, slots=True)
class Authorisation:
    """Whether an identified resident may pass this door now. `rule` names what decided.

    Asking changes nothing. Whoever acts on it calls `opened` once the door is open, and `not_opened`
    when it did not open after all, even after `opened`: first person in, anti-passback and the
    uses of a pass count openings. Writing it down takes time: `ended` says why it does not hold any more,
    None while it does.
    """

    allowed: bool
    reason: Reason
    unlock_seconds: float
    rule: Message
    opened: Callable[[], None] = field(default=_nothing, compare=False, repr=False)
    not_opened: Callable[[], None] = field(default=_nothing, compare=False, repr=False)
    ended: Callable[[], Reason | None] = field(default=_nothing, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class EventDraft:
    """A door event before the journal numbers, stamps and chains it.

    `data` must be JSON-serialisable and never holds an image or an embedding. `mono` is monotonic
    seconds. Use `now` for what happens at this moment; a frame brings its own time.
    """

    kind: Kind
    at: datetime
    mono: float
    resident_id: str | None = None
    reason: str | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def now(
        cls,
        clock: Clock,
        kind: Kind,
        data: dict[str, Any] | None = None,
        *,
        resident_id: str | None = None,
        reason: str | None = None,
    ) -> EventDraft:
        """Return the draft of what happens now by `clock`."""
        return cls(kind, clock.now(), clock.monotonic(), resident_id, reason, data or {})


@dataclass(frozen=True, slots=True)
class DoorEvent:
    """One committed journal entry. `hash` covers this entry and `prev_hash` (hex SHA-256).

    `kind` is text: a journal may hold kinds of another version (see `edge.events.facts_of`).
    `stream` is new whenever the journal file is created, `seq` counts from 1 within it, `boot`
    identifies the run, `clock` is `synced`, `restored` or `unknown`.
    """

    id: str
    stream: str
    seq: int
    kind: str
    at: datetime
    boot: str
    mono_ns: int
    clock: str
    door_id: str
    resident_id: str | None
    reason: str | None
    data: dict[str, Any]
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class RosterState:
    """How far a roster is: `rev` counts its changes, `digest` (hex SHA-256) covers every record.

    `epoch` grows when the property starts its log anew; (epoch, rev) never goes back.
    """

    epoch: int = 0
    rev: int = 0
    digest: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True)
class RosterChange:
    """One revision of the roster; `resident` is None for a removal.

    `text` is the record exactly as the property signed it (canonical JSON), empty for a removal.
    """

    rev: int
    id: str
    resident: Resident | None = None
    text: str = ""
