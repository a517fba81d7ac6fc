"""`facegate enrol`: residents' faces, from photos, a recording or a camera."""

from __future__ import annotations

import getpass
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.consent.agreement import Agreement, agreement_options, recorded
from edge.cli.data_dir import data_option
from edge.cli.door_files import looked_at, opened
from edge.cli.identity import PERSON_NAME, RESIDENT_ID, nobody_called
from edge.cli.json_option import json_option
from edge.cli.recording import RECORDING
from edge.events import Kind
from edge.lazy_group import ToldGroup

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edge.cli.door_files import DoorFiles
    from edge.domain import Consent, Embedding, Frame, Resident
    from edge.enrol.earlier import EarlierFace
    from edge.enrol.shots import Harvest, Shot, ShotTaker
    from edge.faces.manifest import Model
    from edge.store.residents import ResidentStore

REPLACE = click.option(
    "--replace",
    "replace_face",
    is_flag=True,
    help="You have checked who this is, though the earlier face is only a little alike or of another model.",
)

CAMERA_SECONDS = 10.0
"""How long a camera is watched: turn the head a little meanwhile."""

CAMERA_TRIES = 3


@click.group(cls=ToldGroup)
def enrol() -> None:
    """Add, list and remove residents' faces.

    Example: facegate enrol add flat-1203 li.jpg li2.jpg --name "Li Wei" --consent signed-paper-2026-03
    """


@enrol.command()
@click.argument("resident_id", type=RESIDENT_ID)
@click.argument("pictures", nargs=-1, type=RECORDING)
@click.option("--name", type=PERSON_NAME, default="", help="The person's name; the id when left out.")
@click.option(
    "--camera", default=None, help="Take pictures for 10 to 30 s from: 0, /dev/video0, rtsp://..., picamera."
)
@click.option("--allow-look-alike", is_flag=True, help="Enrol although somebody who is enrolled looks alike.")
@REPLACE
@click.option(
    "--model", default="sface", show_default=True, help="Face network, as in `facegate models list`."
)
@agreement_options
@data_option
def add(
    *,
    resident_id: str,
    pictures: tuple[Path, ...],
    name: str,
    camera: str | None,
    allow_look_alike: bool,
    replace_face: bool,
    model: str,
    agreement: Agreement,
    data: Path,
) -> None:
    """Enrol RESIDENT_ID from PICTURES (photos or clips) and/or a camera: three different ones are wanted.

    Somebody who is enrolled already gets the new face in place of the old one; another person's face is
    refused. A picture that is not good enough is refused with the reason. A running door uses the new face
    within a second. The person must have agreed: say with --consent where that is kept; an older consent
    ends with it.

    Example: facegate enrol add flat-1203 photo1.jpg photo2.jpg walk-up.mp4 --consent signed-paper-2026-03
    """
    from edge.enrol.earlier import earlier_face
    from edge.enrol.few_shots import advice, different
    from edge.enrol.lookalike import refuse_lookalike
    from edge.enrol.shots import ShotTaker, agreeing, resident_rows
    from edge.service.recognition.recogniser import ErrorRate, build_matcher, open_models
    from edge.service.recognition.roster import permitted_rows

    if not pictures and camera is None:
        raise click.UsageError("give at least one picture or --camera")
    # Asked before anything is looked at: without an agreement no face is computed at all.
    with opened(data) as (_, ledger, _):
        consent = agreement.settle(resident_id, ledger)
    models = open_models(model)
    harvest = agreeing(_harvest(ShotTaker(models.detector, models.embedder), pictures, camera))
    for refusal in harvest.refused:
        click.echo(f"not used: {refusal}", err=True)
    rows, model_id = resident_rows(harvest.shots), models.embedder.model_id
    with opened(data) as files:
        store, ledger, _ = files
        matcher = build_matcher(models, ErrorRate(), permitted_rows(store, ledger, model_id))
        if not allow_look_alike:
            refuse_lookalike(matcher, resident_id, rows)
        threshold = matcher.operating_point().threshold
        earlier = earlier_face(store, resident_id, rows, model_id, threshold)
        _require_replaceable(earlier, is_checked=replace_face)
        _save(files, resident_id, name, FaceToSave(rows, model_id, consent, earlier), agreement)
        residents = len(store.list())
    click.echo(f"{resident_id}: enrolled{_in_place_of(earlier)}; shots: {len(harvest.shots)}")
    if few := advice(different([shot.embedding for shot in harvest.shots]), residents):
        click.echo(f"warning: {few}", err=True)


@enrol.command("list")
@json_option
@data_option
def list_(as_json: bool, data: Path) -> None:
    """List the residents and how many templates of which model each has.

    Example: facegate enrol list
    """
    with looked_at(data) as (store, _):
        for resident in store.list():
            models: dict[str, int] = {}
            for template in store.templates_of(resident.id):
                models[template.model_id] = models.get(template.model_id, 0) + 1
            click.echo(_line(resident, models, as_json))


@enrol.command()
@click.argument("resident_id", type=RESIDENT_ID)
@data_option
def remove(resident_id: str, data: Path) -> None:
    """Remove RESIDENT_ID with face, consents, PINs, cards and passes; a running door follows within a second.

    Example: facegate enrol remove flat-1203
    """
    from edge.enrol.leaving import LeavingDesk
    from edge.enrol.ways_in import WaysIn
    from edge.runtime.clock import SystemClock

    with opened(data) as (store, ledger, note), WaysIn.of(data) as ways:
        if store.get(resident_id) is None:
            raise nobody_called(resident_id, (one.id for one in store.list()))
        LeavingDesk(store, ledger, ways, SystemClock(), note.commit).move_out(resident_id, getpass.getuser())
    click.echo(f"{resident_id}: removed")


@enrol.command("import-encodings")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--ids", help="Number people: flat gives flat-1, flat-2 ...; without, names are the ids.")
@REPLACE
@agreement_options
@data_option
def import_encodings(
    *, file: Path, ids: str | None, replace_face: bool, agreement: Agreement, data: Path
) -> None:
    """Import names and 128-D encodings made with face_recognition (npy, npz or JSON; never pickles).

    They are templates of the model dlib-resnet and never compared with those of another. Everybody
    in the file must have agreed: say with --consent where that is kept. Events carry ids, as plain
    text: with --ids they carry no name. Whoever is known by name keeps their id. When one of them
    is not the person enrolled under that id, nobody is imported.

    Example: facegate enrol import-encodings residents.npz --ids flat --consent signed-papers-2026-03
    """
    from edge.enrol.earlier import earlier_face
    from edge.enrol.encodings import read_encodings
    from edge.enrol.shots import mean_of
    from edge.faces.manifest import load_manifest

    model = load_manifest().model("dlib-resnet")
    people: dict[str, list[Embedding]] = {}
    for name, embedding in read_encodings(file, model.centre):
        people.setdefault(name, []).append(embedding)
    with opened(data) as files:
        store, ledger, _ = files
        called, threshold = _ids(people, store, ids), _threshold(model, len(people))
        new: dict[str, FaceToSave] = {}
        for name, shots in people.items():
            rows = shots if len(shots) == 1 else [*shots, mean_of(shots)]
            earlier = earlier_face(store, called[name], rows, model.model_id, threshold)
            _require_replaceable(earlier, is_checked=replace_face)
            consent = agreement.settle(called[name], ledger)
            new[name] = FaceToSave(rows, model.model_id, consent, earlier)
        for name, face in new.items():
            _save(files, called[name], name, face, agreement, source="import")
    replaced = sum(face.earlier is not None for face in new.values())
    click.echo(
        f"{len(people)} residents imported for {model.model_id}"
        f"{f', {replaced} in place of an earlier face' if replaced else ''};"
        ' set recognition.model = "dlib-resnet"'
    )


@dataclass(frozen=True, slots=True, eq=False)
class FaceToSave:
    """The rows of a person, the consent they fall under, and the face they replace."""

    rows: Sequence[Embedding]
    model_id: str
    consent: Consent
    earlier: EarlierFace | None


def _save(
    files: DoorFiles,
    resident_id: str,
    name: str,
    face: FaceToSave,
    agreement: Agreement,
    source: str = "local",
) -> None:
    from edge.enrol.earlier import end_older, replaced_facts
    from edge.enrol.templates import templates_under
    from edge.runtime.clock import SystemClock

    store, ledger, note = files
    known = store.get(resident_id)
    resident = _resident(known, resident_id, name)
    given = recorded(face.consent, ledger)
    templates = templates_under(given, face.rows, face.model_id, datetime.now(UTC))
    facts = {"by": agreement.by, "templates": len(face.rows), "consent": given.id}
    # In the journal first: what is not logged is not done.
    note(Kind.ENROL_SAVED, resident.id, **facts, **replaced_facts(face.earlier))
    store.put(resident, templates, source, {resident_id: known})
    end_older(ledger, given, agreement.by, SystemClock(), note.record)


def _require_replaceable(earlier: EarlierFace | None, *, is_checked: bool) -> None:
    from edge.errors import EnrolmentRefused

    if earlier is None:
        return
    try:
        earlier.require_replaceable(is_checked=is_checked)
    except EnrolmentRefused as refusal:
        withdraw = f"facegate consent withdraw {earlier.resident_id}"
        way = "once that is done, add --replace" if earlier.is_to_check else withdraw
        raise EnrolmentRefused(f"{refusal} ({way})") from refusal


def _in_place_of(earlier: EarlierFace | None) -> str:
    if earlier is None:
        return ""
    compared = f"similarity {earlier.similarity:.2f}" if earlier.similarity else "not compared"
    return f", in place of the face of {earlier.enrolled_at:%Y-%m-%d} ({compared})"


def _threshold(model: Model, people: int) -> float:
    from edge.domain import FIRST_LOOK_SHARE
    from edge.matcher.calibration import Calibration
    from edge.service.recognition.recogniser import ErrorRate, threshold_rule

    rule = threshold_rule(Calibration.from_mapping(model.calibration), ErrorRate())
    return rule(people, people, FIRST_LOOK_SHARE).threshold


def _ids(names: Iterable[str], store: ResidentStore, prefix: str | None) -> dict[str, str]:
    """Return the id of each name: the one known, else a number behind `prefix`, else the name itself.

    Raises `EnrolmentRefused` for a name that several people have: a face under the other one's id would open
    with their rights.
    """
    from edge.errors import EnrolmentRefused

    if prefix is None:
        return {name: name for name in names}
    people = store.list()
    called = Counter(resident.name for resident in people)
    if shared := sorted(name for name in names if called[name] > 1):
        raise EnrolmentRefused(
            f"{', '.join(shared)}: several people here have this name; enrol each with facegate enrol add ID"
        )
    known, taken = {one.name: one.id for one in people}, {one.id for one in people}
    free = (one for number in count(1) if (one := f"{prefix}-{number}") not in taken)
    return {name: known.get(name) or next(free) for name in names}


def _harvest(taker: ShotTaker, pictures: tuple[Path, ...], camera: str | None) -> Harvest:
    from edge.enrol.files import shots_of
    from edge.enrol.shots import Harvest

    harvest = Harvest()
    for path in pictures:
        taken = shots_of(taker, path)
        harvest.shots += taken.shots
        harvest.refused += taken.refused
    if camera is not None:
        harvest.shots += _taken(taker, camera)
    return harvest


def _taken(taker: ShotTaker, camera: str) -> list[Shot]:
    """Return the shots of a camera: it is watched again until three of them differ, three times at most."""
    from edge.enrol.few_shots import WANTED_SHOTS, different
    from edge.errors import EnrolmentRefused

    shots: list[Shot] = []
    for _ in range(CAMERA_TRIES):
        click.echo(f"look at the camera for {CAMERA_SECONDS:g} seconds and turn your head a little", err=True)
        try:
            shots += taker.from_clip(_watch(camera), "camera").shots
        except EnrolmentRefused:
            if not shots:
                raise
        if different([shot.embedding for shot in shots]) >= WANTED_SHOTS:
            break
    return shots


def _frames(clip: object) -> Iterator[Frame]:
    try:
        while (frame := clip.read()) is not None:  # type: ignore[attr-defined]
            yield frame
    finally:
        clip.close()  # type: ignore[attr-defined]


def _watch(source: str) -> Iterator[Frame]:
    from edge.camera.source import CameraSpec, open_camera
    from edge.runtime.clock import SystemClock

    begun = None
    for frame in _frames(open_camera(CameraSpec(source), SystemClock())):
        begun = frame.time if begun is None else begun
        if frame.time - begun > CAMERA_SECONDS:
            return
        yield frame


def _resident(known: Resident | None, resident_id: str, name: str) -> Resident:
    """Return the resident as stored, with a new name when one is given: rights outlive templates."""
    from dataclasses import replace

    from edge.domain import Resident

    if known is None:
        return Resident(resident_id, name or resident_id)
    return replace(known, name=name) if name else known


def _line(resident: Resident, models: dict[str, int], as_json: bool) -> str:
    if as_json:
        return json.dumps({"id": resident.id, "name": resident.name, "templates": models})
    held = ", ".join(f"{count} of {model}" for model, count in models.items()) or "none: enrol again"
    return f"{resident.id:20s} {resident.name:24s} templates: {held}"
