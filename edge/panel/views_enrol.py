"""Enrolment in the browser: a form, live guidance, a result, and the decision to keep it."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import cv2
from starlette.responses import JSONResponse, Response

from edge.consent.notice import CURRENT, SHARED, notice_text
from edge.consent.rules import Statement, consent_from
from edge.domain import Resident
from edge.enrol.earlier import FaceRelation, earlier_face, end_older, replaced_facts
from edge.enrol.few_shots import advice, different
from edge.enrol.session import HINDRANCES
from edge.enrol.templates import templates_under
from edge.errors import ConsentRefused, FrameRefused, PanelRefused
from edge.events import Kind
from edge.faces.quality import QualityLimits
from edge.identity import person_name, resident_id
from edge.panel.asking import no_picture
from edge.panel.photo_verdicts import pictures_of, verdicts
from edge.panel.sight import LENSES_DEGREES, WIDTHS_PX, reach_metres
from edge.panel.views_people import sheet
from edge.web.accounts import Role
from edge.web.refusals import RefusalKind
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.domain import Box, Frame, Image
    from edge.enrol.earlier import EarlierFace
    from edge.panel.asking import Ask
    from edge.panel.sight import SeenFace
    from edge.panel.studio import Enrolment
    from edge.words import Message

PREVIEW_WIDTH_PX = 480
JPEG_QUALITY = 70
GOOD_BGR, BAD_BGR = (60, 130, 20), (30, 30, 190)


def form(ask: Ask) -> Response:
    """Return the form that begins an enrolment, or the one under way."""
    if ask.desk.studio.now is not None and not ask.trouble:
        return ask.to("/enrol/now")
    found = verdicts(ask.files, ask.trouble.message, ask.language) if ask.trouble else []
    if ask.trouble and _is_script(ask):
        told = {"told": ask.tell(ask.trouble.message), "field": ask.trouble.field}
        photos = [{"text": one.why or ask.say("photo_good"), "isGood": not one.why} for one in found]
        return JSONResponse({**told, "photos": photos}, HTTPStatus.UNPROCESSABLE_ENTITY)
    return ask.page(
        "enrol.html",
        notice=_notice(ask),
        others=_others(ask),
        verdicts=found,
        wanted=ask.request.query_params,
    )


def start(ask: Ask) -> Response:
    """Begin an enrolment at the camera."""
    statement, name = _stated(ask)
    ask.desk.note(Kind.ENROL_OPENED, about=statement.resident_id, by=ask.session.user, source="camera")
    known = ask.desk.residents.get(statement.resident_id)
    ask.desk.studio.begin(statement, name, ask.session.user, known)
    return ask.to("/enrol/now")


def photos(ask: Ask) -> Response:
    """Judge uploaded photos with the same gates."""
    statement, name = _stated(ask)
    try:
        pictures = pictures_of(ask.files)
    except FrameRefused:
        ask.field = "photos"
        ask.refused(RefusalKind.UPLOAD)
        raise
    ask.desk.note(Kind.ENROL_OPENED, about=statement.resident_id, by=ask.session.user, source="photos")
    known = ask.desk.residents.get(statement.resident_id)
    outcome = ask.desk.recogniser.judge(statement.resident_id, pictures)
    ask.desk.studio.begin_judged(statement, name, ask.session.user, outcome, known)
    return JSONResponse({"to": "/enrol/now"}) if _is_script(ask) else ask.to("/enrol/now")


def now(ask: Ask) -> Response:
    """Return the page with the camera's picture and the guidance, or with the result."""
    enrolment = ask.desk.studio.now
    if enrolment is None:
        return form(ask) if ask.trouble else ask.to("/enrol")
    if enrolment.outcome is None:
        return ask.page("enrol_live.html", enrolment=enrolment)
    earlier = _earlier(ask, enrolment)
    return ask.page(
        "enrol_result.html",
        enrolment=enrolment,
        miss=_miss(ask, enrolment),
        earlier=earlier,
        few_advice=_few_advice(ask, enrolment),
    )


def state(ask: Ask) -> Response:
    """Return what to show now, as JSON."""
    enrolment = ask.desk.studio.now
    if enrolment is None or enrolment.outcome is not None:
        return JSONResponse({"over": True})
    progress = enrolment.progress
    if progress is None:
        problem = ask.desk.studio.feed.problem
        text = no_picture(ask, problem) if problem else ask.say("camera_starts")
        return JSONResponse({"over": False, "text": text, "share": 0})
    text = ask.tell(progress.guidance.message)
    return JSONResponse(
        {"over": False, "code": progress.guidance.value, "text": text, "share": round(progress.share, 3)}
    )


def save(ask: Ask) -> Response:
    """Store the templates under a recorded consent."""
    enrolment = ask.desk.studio.now
    outcome = enrolment.outcome if enrolment else None
    if enrolment is None or outcome is None:
        raise PanelRefused(message("error.no_finished_enrolment"))
    # Asked again, not taken from the page that was shown: the store may have changed since.
    override, earlier = _override(ask, enrolment), _earlier(ask, enrolment)
    if earlier is not None:
        earlier.require_replaceable(is_checked="checked" in ask.form)
    statement = enrolment.statement
    consent = consent_from(
        statement, enrolment.by, ask.desk.clock.now(), minors_allowed=ask.desk.minors_allowed
    )
    known, resident = _resident(ask, enrolment)
    facts: dict[str, Any] = {"by": ask.session.user, "templates": len(outcome.rows), "consent": consent.id}
    if outcome.report is not None:
        facts["expected_miss_rate"] = round(outcome.report.miss_rate, 6)
    facts |= replaced_facts(earlier)
    rows = templates_under(consent, outcome.rows, ask.desk.recogniser.model_id, ask.desk.clock.now())
    with ask.desk.doing(Kind.ENROL_SAVED, about=resident.id, **facts, **override):
        # The consent first: if the second step fails, a consent without a face does no harm.
        ask.desk.consents.record(consent)
        ask.desk.residents.put(resident, rows, before={resident.id: known})
        if ask.desk.sharing is not None:
            notice = _notice(ask, statement.notice, statement.language)
            ask.desk.sharing.offer(consent, rows, notice)
    desk = ask.desk
    end_older(desk.consents, consent, ask.session.user, desk.clock, desk.log.record)
    ask.desk.studio.end()
    news = message("panel.replaced" if earlier else "panel.saved", who=resident.name)
    return ask.to(sheet(resident.id), news)


def discard(ask: Ask) -> Response:
    """Forget the enrolment under way."""
    if (enrolment := ask.desk.studio.now) is not None:
        objection = enrolment.outcome.objection if enrolment.outcome else None
        earlier = _earlier(ask, enrolment)
        why = objection.refusal.value if objection else "cancelled"
        if earlier is not None and earlier.relation is FaceRelation.OTHER:
            why = earlier.relation.value
        ask.desk.tell(Kind.ENROL_DROPPED, about=enrolment.statement.resident_id, by=ask.session.user, why=why)
    ask.desk.studio.end()
    return ask.to("/enrol")


def live(ask: Ask) -> Response:
    """Return the page with the camera's picture."""
    eyes_px = ask.desk.sight.least_eyes_px if ask.desk.sight else QualityLimits().min_interocular_px
    reach = [
        (lens, [f"{reach_metres(width, lens, eyes_px):.1f}" for width in WIDTHS_PX])
        for lens in LENSES_DEGREES
    ]
    return ask.page("live.html", reach=reach, widths=WIDTHS_PX, eyes_px=round(eyes_px))


def live_state(ask: Ask) -> Response:
    """Return the faces in view, as JSON: how far, how good; nobody is named."""
    feed = ask.desk.studio.feed
    feed.lease()
    frame = feed.newest()
    if frame is None:
        return JSONResponse({"text": no_picture(ask, feed.problem), "faces": []})
    faces = [_told(ask, face) for face in _faces(ask, frame)]
    return JSONResponse({"text": ask.say("faces_in_view", count=len(faces)), "faces": faces})


def live_jpeg(ask: Ask) -> Response:
    """Return the newest frame, small, as JPEG with the boxes of faces; 204 while there is none."""
    feed = ask.desk.studio.feed
    feed.lease()
    frame = feed.newest()
    if frame is None:
        return Response(status_code=204)
    return Response(_preview(frame.image, _boxes(ask, frame)), media_type="image/jpeg")


def _boxes(ask: Ask, frame: Frame) -> list[tuple[Box, bool]]:
    """Return (box, is it good) of who is enrolled, or of everybody while nobody is."""
    if (enrolment := ask.desk.studio.now) is not None:
        progress = enrolment.progress
        return [(progress.box, True)] if progress and progress.box else []
    return [(face.box, face.quality.is_usable) for face in _faces(ask, frame)]


def _faces(ask: Ask, frame: Frame) -> tuple[SeenFace, ...]:
    return ask.desk.sight.faces(frame) if ask.desk.sight else ()


def _told(ask: Ask, face: SeenFace) -> str:
    """Return one face in words: what the door would say of it, and the numbers."""
    flaw = face.quality.flaws[0] if face.quality.flaws else None
    verdict = ask.say("face_good") if flaw is None else ask.tell(HINDRANCES[flaw].message)
    eyes, metres = f"{face.quality.interocular_px:.0f}", f"{face.metres:.1f}"
    return ask.say("face_told", verdict=verdict, eyes=eyes, metres=metres)


def _preview(image: Image, boxes: Sequence[tuple[Box, bool]]) -> bytes:
    scale = min(1.0, PREVIEW_WIDTH_PX / image.shape[1])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for box, is_good in boxes:
        corners = [round(value * scale) for value in (box.left, box.top, box.right, box.bottom)]
        cv2.rectangle(small, corners[:2], corners[2:], (255, 255, 255), 4)
        cv2.rectangle(small, corners[:2], corners[2:], GOOD_BGR if is_good else BAD_BGR, 2)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(jpeg)


def _is_script(ask: Ask) -> bool:
    """Return whether the page's own script asks, which shows each photo with its verdict."""
    return ask.request.headers.get("accept") == "application/json"


def _stated(ask: Ask) -> tuple[Statement, str]:
    """Return what the form declares. Raises `ConsentRefused` before the camera is even opened."""
    if not ask.desk.operator.is_named:  # nobody can agree to a notice that does not say with whom
        raise ConsentRefused(message("error.operator_missing"))
    statement = Statement(
        resident_id(ask.form.get("resident_id", "")),
        agrees="agrees" in ask.form,
        language=ask.language,
        is_minor="minor" in ask.form,
        guardian=ask.form.get("guardian", "")[:200],
        notice=SHARED if _others(ask) else CURRENT,
        doors=tuple(door for door in _others(ask) if f"door:{door}" in ask.form),
    )
    desk = ask.desk
    # Only to be refused here, before anybody's face is looked at: the consent that counts is made at the
    # saving.
    consent_from(statement, ask.session.user, desk.clock.now(), minors_allowed=desk.minors_allowed)
    name = ask.form.get("name", "")
    return statement, person_name(name) if name.strip() else ""


def _override(ask: Ask, enrolment: Enrolment) -> dict[str, Any]:
    """Return what to log about an override; nothing when none is needed. Raises `PanelRefused`."""
    objection = enrolment.outcome.objection if enrolment.outcome else None
    if objection is None:
        return {}
    reason = ask.form.get("reason", "").strip()[:200]
    if not objection.is_overridable:
        raise PanelRefused(objection.message)
    if ask.session.role is not Role.INSTALLER or not reason:
        raise PanelRefused(message("error.override"))
    return {"override": objection.refusal.value, "override_reason": reason, **objection.numbers}


def _earlier(ask: Ask, enrolment: Enrolment) -> EarlierFace | None:
    """Return the face that saving would replace, None for none; asked of the store each time."""
    outcome = enrolment.outcome
    if outcome is None or outcome.report is None:
        return None
    desk, who = ask.desk, enrolment.statement.resident_id
    return earlier_face(desk.residents, who, outcome.rows, desk.recogniser.model_id, outcome.report.threshold)


def _others(ask: Ask) -> tuple[str, ...]:
    """Return the other doors that a face can go to, none where faces stay here."""
    return ask.desk.sharing.doors() if ask.desk.sharing else ()


def _notice(ask: Ask, version: str | None = None, language: str | None = None) -> str:
    """Return the notice that is read here now, or the one of a version in a language."""
    others = _others(ask)
    return notice_text(
        version or (SHARED if others else CURRENT), language or ask.language, ask.desk.operator, others
    )


def _resident(ask: Ask, enrolment: Enrolment) -> tuple[Resident | None, Resident]:
    """Return the resident as stored, and with a new name when one is given.

    Raises `PanelRefused` where the id is somebody else's by now, or nobody's: who was removed meanwhile must
    not come back, and nobody gets in by another person's rights.
    """
    identity = enrolment.statement.resident_id
    known, was = ask.desk.residents.get(identity), enrolment.known
    if (known and known.name) != (was and was.name):
        raise PanelRefused(message("error.enrolled_other", who=identity))
    name = enrolment.name or (known.name if known else identity)
    return known, (replace(known, name=name) if known else Resident(identity, name))


def _few_advice(ask: Ask, enrolment: Enrolment) -> Message | None:
    outcome = enrolment.outcome
    if outcome is None or outcome.report is None or not outcome.rows:
        return None
    shots = outcome.rows[:-1] if len(outcome.rows) > 1 else outcome.rows  # the last of several is their mean
    return advice(different(shots), len(ask.desk.residents.list()) + 1)


def _miss(ask: Ask, enrolment: Enrolment) -> str:
    report = enrolment.outcome.report if enrolment.outcome else None
    if report is None:
        return ""
    miss = "< 0.1 %" if report.miss_rate < 0.001 else f"{report.miss_rate:.1%}"
    return ask.say(
        "miss",
        miss=miss,
        shots=len(report.similarities),
        lowest=f"{report.lowest:.2f}",
        threshold=f"{report.threshold:.2f}",
    )
