"""The demo's cast and acts: who is enrolled, who walks up, and what must come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.camera.image import decode_image
from edge.demo.render import Act, Cutout, Walk, cut_out, on_phone
from edge.enrol.shots import Harvest, agreeing, matched_row
from edge.errors import ModelCorrupt
from edge.faces.manifest import load_manifest
from edge.faces.quality import face_scale_px
from edge.faces.weights import checked

if TYPE_CHECKING:
    from edge.domain import Embedding, Face, Image
    from edge.enrol.shots import ShotTaker
    from edge.ports import Detector

RESIDENT = "Obama"
STRANGER = "Biden"
SECOND_STRANGER = "Collins"

AWAY_SECONDS = 7.0
"""Longer than the door takes to know that somebody has gone (`edge.recognition.presence`)."""


def enrol_resident(taker: ShotTaker) -> dict[str, list[Embedding]]:
    """Return the gallery of the demo: one resident, from two photos that do not walk up."""
    shots = [taker.from_image(photo(name), name) for name in ("obama", "obama2")]
    good = agreeing(Harvest(shots)).shots
    return {RESIDENT: [matched_row([shot.embedding for shot in good])]}


def acts(detector: Detector) -> list[Act]:
    """Return the acts: a stranger, the resident, another stranger, and the first two together.

    Who was let in must have left to be let in anew, so the view is empty before the last act.
    """
    resident = cast(detector, "obama3")
    stranger = cast(detector, "biden")
    collins = cast(detector, "astronaut")
    return [
        Act("a stranger walks up", (Walk(STRANGER, stranger),), 8.5, ()),
        Act("the resident walks up", (Walk(RESIDENT, resident),), 8.5, (RESIDENT,)),
        Act("another stranger walks up", (Walk(SECOND_STRANGER, collins),), 8.5, ()),
        Act(
            "both walk up together",
            (
                Walk(STRANGER, stranger, lane=-0.75, enters_s=AWAY_SECONDS),
                Walk(RESIDENT, resident, lane=0.75, enters_s=AWAY_SECONDS + 0.8),
            ),
            AWAY_SECONDS + 8.5,
            (RESIDENT,),
        ),
    ]


def attack(detector: Detector) -> Act:
    """Return the act of somebody who holds up a phone with the resident's photo."""
    picture = photo("obama3")
    phone = on_phone(picture, _largest(detector, "obama3", picture).box)
    return Act("a phone with the resident's photo, liveness passive", (Walk("phone", phone),), 6.5, ())


def photo(name: str) -> Image:
    """Return an installed demo photo. Raises `ModelMissing` with the command that installs it."""
    return decode_image(checked(load_manifest().asset(name)).read_bytes())


def cast(detector: Detector, name: str) -> Cutout:
    """Return the person in a demo photo, cut out around the largest face."""
    picture = photo(name)
    return cut_out(picture, _largest(detector, name, picture).box)


def _largest(detector: Detector, name: str, picture: Image) -> Face:
    faces = detector.detect(picture)
    if not faces:
        raise ModelCorrupt(f"demo photo {name}: no face found in it; run: facegate models install --demo")
    return max(faces, key=face_scale_px)
