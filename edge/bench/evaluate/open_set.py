"""Open-set identification: who is let in, who is missed, at the threshold the product would use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.bench.lists import read_rows
from edge.domain import Match, Reason, Verdict
from edge.enrol.shots import matched_row
from edge.errors import EnrolmentRefused, EvaluationRefused
from edge.recognition.evidence import weigh
from edge.service.recognition.recogniser import ErrorRate, build_matcher

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge.bench.evaluate.enrolment import Enroller
    from edge.bench.evaluate.images import PhotoEmbedder
    from edge.domain import Embedding, OperatingPoint
    from edge.service.recognition.recogniser import Models


class TrialRole(StrEnum):
    """What a photo is for."""

    ENROL = "enrol"
    GENUINE = "genuine_probe"
    UNKNOWN = "unknown_probe"


COLUMNS = ("path", "identity", "role")


@dataclass(frozen=True, slots=True)
class Photo:
    """One row of the protocol."""

    path: Path
    identity: str
    role: TrialRole


@dataclass(frozen=True, slots=True)
class OpenSetTrial:
    """One probe and what the gallery made of it."""

    identity: str
    role: TrialRole
    match: Match

    def granted_to(self, point: OperatingPoint) -> str | None:
        """Return whom the door's own rule would let in on this one shot."""
        verdict, reason = weigh(self.match, self.match, point)
        is_grant = verdict is Verdict.GRANT and reason is Reason.GRANTED
        return self.match.resident_id if is_grant else None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What came of enrolment: rows by resident, whom the gates sent away, photos without a face."""

    rows: dict[str, list[Embedding]]
    refused: frozenset[str]
    unacquired: int


def read_protocol(file: Path, images: Path) -> list[Photo]:
    """Return the photos of a protocol (CSV: path, identity, role).

    `images` may be the folder the paths start from or the one they name first. Raises
    `EvaluationRefused` for a missing column, an unknown role, a missing photo, or a role that
    contradicts who is enrolled.
    """
    rows = read_rows(file, *COLUMNS)
    if not rows:
        raise EvaluationRefused(f"{file}: needs rows with the columns {', '.join(COLUMNS)}")
    photos = [_photo(row, images, file) for row in rows]
    _require_sense(photos, file)
    return photos


def _require_sense(photos: Sequence[Photo], file: Path) -> None:
    """Raise `EvaluationRefused` where a wrong name would count as an error of the door."""
    enrolled = {photo.identity for photo in photos if photo.role is TrialRole.ENROL}
    for photo in photos:
        if photo.role is TrialRole.GENUINE and photo.identity not in enrolled:
            rule = f"{photo.path.name} is a {photo.role} of {photo.identity}, who is not enrolled"
            raise EvaluationRefused(f"{file}: {rule}; a row with the role {TrialRole.ENROL} is needed")
        if photo.role is TrialRole.UNKNOWN and photo.identity in enrolled:
            rule = f"{photo.path.name} is a stranger's, and {photo.identity} is enrolled"
            raise EvaluationRefused(f"{file}: {rule}; use {TrialRole.GENUINE}")


def identify(
    photos: Sequence[Photo], enrolled: Enrolled, embedder: PhotoEmbedder, models: Models, sureness: ErrorRate
) -> dict[str, Any]:
    """Return the figures of an open-set run as JSON: false accepts, misses, rates, threshold.

    Every probe is one attempt with one still, so it may spend the whole rate; `first_look` has the
    figures of the same probes as a door's first look, which may spend a part. A probe without a
    face is a failure to acquire: an unknown one is refused, a genuine one is missed. Who was sent away
    at enrolment is counted and not tried: they were told to come again with a better picture.
    """
    unacquired = enrolled.unacquired
    matcher = build_matcher(models, sureness, enrolled.rows)
    still, look = matcher.operating_point(share=1.0), matcher.operating_point()
    trials: list[OpenSetTrial] = []
    for photo in photos:
        if photo.role is TrialRole.ENROL or (
            photo.role is TrialRole.GENUINE and photo.identity in enrolled.refused
        ):
            continue
        embedded = embedder.embed(photo.path)
        if embedded is None:
            # Counted as a trial that matched nobody: to leave it out would flatter the misses.
            unacquired += 1
            trials.append(OpenSetTrial(photo.identity, photo.role, Match(None, -1.0)))
            continue
        trials.append(OpenSetTrial(photo.identity, photo.role, matcher.identify(embedded.probe)))
    found = _figures(trials, len(enrolled.rows), still, unacquired)
    first = _figures(trials, len(enrolled.rows), look, unacquired)
    return found | {"first_look": first, "enrolment_refused": len(enrolled.refused)}


def _figures(
    trials: Sequence[OpenSetTrial], enrolled: int, point: OperatingPoint, unacquired: int
) -> dict[str, Any]:
    unknown = [trial for trial in trials if trial.role is TrialRole.UNKNOWN]
    genuine = [trial for trial in trials if trial.role is TrialRole.GENUINE]
    accepted = sum(trial.granted_to(point) is not None for trial in unknown)
    missed = sum(trial.granted_to(point) != trial.identity for trial in genuine)
    return {
        "enrolled": enrolled,
        "threshold": round(point.threshold, 5),
        "unknown_probes": len(unknown),
        "false_accepts": accepted,
        "fpir": _rate(accepted, len(unknown)),
        "genuine_probes": len(genuine),
        "misses": missed,
        "wrong_identity": sum(t.granted_to(point) not in {None, t.identity} for t in genuine),
        "fnir": _rate(missed, len(genuine)),
        "failure_to_acquire": unacquired,
    }


def _rate(errors: int, trials: int) -> float | None:
    """Return a rate, None where nobody tried: no errors of nobody would read like none at all."""
    return round(errors / trials, 6) if trials else None


def enrol(photos: Iterable[Photo], enroller: Enroller) -> Enrolled:
    """Return the gallery of a protocol's enrolment photos, each person's mean.

    Raises `EvaluationRefused` when nobody is left.
    """
    shots: dict[str, list[Embedding]] = {}
    refused: set[str] = set()
    unacquired = 0
    for photo in photos:
        if photo.role is not TrialRole.ENROL:
            continue
        try:
            row = enroller.reference(photo.path)
        except EnrolmentRefused:
            refused.add(photo.identity)
            continue
        if row is None:
            unacquired += 1
        else:
            shots.setdefault(photo.identity, []).append(row)
    if not shots:
        raise EvaluationRefused("nobody could be enrolled: the protocol has no usable enrol photo")
    rows = {who: [matched_row(own)] for who, own in shots.items()}
    return Enrolled(rows, frozenset(refused - shots.keys()), unacquired)


def _photo(row: dict[str, str], images: Path, file: Path) -> Photo:
    try:
        role = TrialRole(row["role"])
    except ValueError as error:
        known = ", ".join(TrialRole)
        raise EvaluationRefused(f"{file}: role {row['role']!r} of {row['path']}: use {known}") from error
    relative = Path(row["path"])
    for candidate in (images / relative, images / Path(*relative.parts[1:])):
        if candidate.is_file():
            return Photo(candidate, row["identity"], role)
    raise EvaluationRefused(f"{file}: {row['path']} is not under {images}; give --images the right folder")
