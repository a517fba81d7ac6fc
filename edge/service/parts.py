"""Settings to parts: each function makes one adapter from its section of the configuration."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from edge.camera.check import PictureHealth
from edge.camera.source import CameraSpec, camera_opener
from edge.entry_facts import EntryFacts
from edge.events import Kind
from edge.faces.quality import QualityLimits, Zone
from edge.matcher.choice import AUTO, choose
from edge.recognition.pipeline import Pipeline
from edge.relay.client import GuardedLock
from edge.relay.dry_run import DryRunLock
from edge.runtime.capture import MAX_SILENCE_SECONDS, Capture
from edge.runtime.worker import Worker
from edge.service.recognition.recogniser import ErrorRate, build_matcher
from edge.service.recognition.roster import GalleryFollower

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.config.settings import CameraSection, LockSection, RecognitionSection
    from edge.domain import Decision, EventDraft, Flaw, Frame
    from edge.faces.liveness.load import LoadedLiveness
    from edge.matcher.matcher import Matcher
    from edge.ports import Camera, Clock, Lock
    from edge.runtime.slot import FrameSlot
    from edge.service.recognition.consent import FollowedConsents
    from edge.service.recognition.recogniser import Models
    from edge.store.residents import ResidentStore

    OpenerOf: TypeAlias = Callable[[CameraSpec, Clock], Callable[[], Camera]]
    LockMaker: TypeAlias = Callable[[LockSection, Clock, Callable[[Kind, dict[str, Any]], None]], Lock]

logger = logging.getLogger(__name__)

TEMPLATES_WORTH_MEASURING = 1000
"""With fewer, a search takes some ten microseconds with every backend; choosing one takes half a second."""


def make_lock(section: LockSection, clock: Clock, on_event: Callable[[Kind, dict[str, Any]], None]) -> Lock:
    """Return the lock: the guard's client, or a dry run that moves nothing and warns."""
    if section.driver == "dry-run":
        logger.warning('lock.driver = "dry-run": nothing will move; set it to "gpio" at a real door')
        return DryRunLock(clock)
    return GuardedLock(section.guard_socket, on_event)


def make_capture(
    section: CameraSection,
    slot: FrameSlot,
    clock: Clock,
    emit: Callable[[EventDraft], object],
    wait: Callable[[float], object],
    opener_of: OpenerOf = camera_opener,
) -> Worker:
    """Return the capture thread, not yet started. Call from the main thread."""
    spec = CameraSpec(
        section.source,
        section.width,
        section.height,
        section.fps,
        loop=section.loop,
        rotate=section.rotate,
        mirror=section.mirror,
    )
    capture = Capture(opener_of(spec, clock), slot, clock, health=PictureHealth(), emit=emit, wait=wait)
    return Worker("capture", capture.step, close=capture.close, max_silence_seconds=MAX_SILENCE_SECONDS)


class NoRecognition:
    """Stands in for the pipeline while the models are missing or wrong: recognises nobody."""

    hindrance: Flaw | None = None

    def observe(self, frame: Frame) -> list[Decision]:  # noqa: ARG002 - the pipeline's signature
        """Return no decision."""
        return []

    def reconsider(self, decision: Decision, seconds: float) -> None:
        """Do nothing: nobody was recognised."""

    def note_unlocked(self, time: float, seconds: float, who: str | None = None) -> None:
        """Do nothing: nobody is looked for."""

    def note_closed(self, time: float) -> None:
        """Do nothing: nobody was let in by face."""

    def take_notices(self) -> list[EventDraft]:
        """Return nothing: nothing was looked at."""
        return []


@dataclass(frozen=True, slots=True)
class Seeing:
    """What a door recognises with. `pipeline` belongs to one thread; `matcher` may be asked by any."""

    models: Models
    matcher: Matcher
    pipeline: Pipeline
    follower: GalleryFollower
    limits: QualityLimits
    liveness: LoadedLiveness


def pipeline_of(seeing: Seeing | None) -> Any:
    """Return what looks at frames: the pipeline, or what stands in for it."""
    return NoRecognition() if seeing is None else seeing.pipeline


def gate_listener(pipeline: Any) -> Callable[[EventDraft], None]:
    """Return what tells the pipeline of each time the door is unlocked for somebody, or falls shut."""

    def heard(draft: EventDraft) -> None:
        if draft.kind is Kind.DOOR_CLOSED:
            pipeline.note_closed(draft.mono)
        elif draft.kind is Kind.ACCESS_GRANTED:
            facts = EntryFacts.read(draft.data)
            by_other = None if facts.is_by_face else draft.resident_id
            pipeline.note_unlocked(draft.mono, facts.unlock_seconds or 0.0, by_other)

    return heard


def make_recognition(
    section: RecognitionSection,
    models: Models,
    store: ResidentStore,
    consents: FollowedConsents,
    liveness: LoadedLiveness,
    report: Callable[[Kind, dict[str, Any]], object],
) -> Seeing:
    """Return the pipeline over the residents who consented, and what keeps its gallery up to date.

    `report` gets `health.consent` and its data.
    """
    matcher = build_matcher(models, ErrorRate(section.fpir, section.similarity), {})
    follower = GalleryFollower(store, matcher.gallery, consents, report)
    follower.load()
    if section.matcher != AUTO or matcher.gallery.templates >= TEMPLATES_WORTH_MEASURING:
        matcher.use(choose(section.matcher, matcher.gallery))
    point = matcher.operating_point()
    logger.info("%d residents; threshold %.3f: %s", point.residents, point.threshold, point.basis)
    limits = QualityLimits(
        min_interocular_px=section.min_interocular_px,
        max_yaw_deg=section.max_yaw_deg,
        zone=Zone(*section.zone),
    )
    pipeline = Pipeline(models.detector, models.embedder, matcher, liveness.check, limits)
    return Seeing(models, matcher, pipeline, follower, limits, liveness)
