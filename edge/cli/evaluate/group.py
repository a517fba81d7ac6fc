"""`facegate evaluate`: error rates on labelled images, with the product's own parts and thresholds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.json_option import report_json_option
from edge.cli.rates import RATE
from edge.cli.written import WRITTEN_FOLDER
from edge.lazy_group import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bench.evaluate.images import Embedded, PhotoEmbedder

COMMANDS = {
    "verification": ("edge.cli.evaluate.group:verification", "One-to-one accuracy on labelled pairs."),
    "open-set": ("edge.cli.evaluate.group:open_set", "Who is let in and who is missed, strangers included."),
    "rates": ("edge.cli.evaluate.group:rates", "Error rates with intervals, and against gallery size."),
    "calibrate": ("edge.cli.evaluate.group:calibrate", "Fit a model's calibration to labelled people."),
    "pad": ("edge.cli.evaluate.pad:pad", "How often attacks pass and real people are refused."),
}

IMAGES = click.option(
    "--images",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with one folder of photos per person.",
)
FOLDERS = click.option(
    "--images",
    "folders",
    required=True,
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with one folder of photos per person; may be given several times: a name is one person.",
)
NOTES = click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV (identity_a, identity_b, note): one person twice, or relatives; the second is left out.",
)
RELATIVES = click.option(
    "--relatives", "with_relatives", is_flag=True, help="Keep the relatives of --labels."
)
MODEL = click.option(
    "--model", default="sface", show_default=True, help="Face network, as in `facegate models list`."
)


@click.command(cls=LazyGroup, commands_table=COMMANDS)
def evaluate() -> None:
    """Measure error rates on labelled images.

    Example: facegate evaluate open-set --images photos/ --protocol protocol.csv
    """


@click.command()
@IMAGES
@click.option(
    "--pairs",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Pairs of photos, as LFW's pairs.txt has them.",
)
@MODEL
@report_json_option
def verification(images: Path, pairs: Path, model: str, as_json: bool) -> None:
    """Compare the labelled pairs in the file PAIRS (LFW's format), fold by fold.

    Example: facegate evaluate verification --images lfw/ --pairs pairs.txt
    """
    from edge.bench.evaluate.verification import read_pairs, verify

    found = verify(read_pairs(pairs, images), _embedder(model))
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(
        f"{found['pairs']} pairs, {found['failure_to_acquire']} of them without a face\n"
        f"accuracy {found['accuracy']:.4f} (standard deviation over folds {found['accuracy_std']:.4f}),"
        f" area under the ROC curve {found['auc']:.5f}"
    )
    for rate, share in found["tar"].items():
        click.echo(f"  true accept rate at a false match rate of {rate}: {share:.4f}")
    click.echo("  (a rate below one in the number of strangers' pairs: above the most alike of them)")


@click.command("open-set")
@IMAGES
@click.option(
    "--protocol",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV file: path, identity, role.",
)
@click.option("--fpir", type=RATE, default=1e-3, show_default=True, help="Wanted rate of strangers let in.")
@click.option("--gates", is_flag=True, help="Enrol only photos that are good enough, as the door does.")
@click.option(
    "--spoil",
    type=click.IntRange(10, 500),
    metavar="PX",
    help="Shrink every second enrolment photo until its face is PX wide.",
)
@MODEL
@report_json_option
def open_set(
    images: Path, protocol: Path, fpir: float, gates: bool, spoil: int | None, model: str, as_json: bool
) -> None:
    """Enrol, then try genuine and unknown probes, at the door's own threshold for that gallery.

    The protocol is a CSV file with the columns path, identity, role (enrol, genuine_probe,
    unknown_probe).

    Example: facegate evaluate open-set --images lfw/ --protocol protocol.csv --fpir 0.01
    """
    from edge.bench.evaluate.enrolment import AsTheyAre, Spoilt
    from edge.bench.evaluate.open_set import enrol, identify, read_protocol
    from edge.service.recognition.recogniser import ErrorRate, open_models

    models = open_models(model)
    photos, embedder = read_protocol(protocol, images), _embedder(model)
    spoilt = Spoilt(models.detector, models.embedder, spoil, gates=gates)
    enrolled = enrol(photos, spoilt if gates or spoil else AsTheyAre(embedder.embed))
    found = identify(photos, enrolled, embedder, models, ErrorRate(fpir))
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(
        f"{found['enrolled']} enrolled, {found['enrolment_refused']} sent away,"
        f" threshold {found['threshold']:.4f} for an FPIR of {fpir:g};"
        f" {found['failure_to_acquire']} photos without a face\n"
        f"strangers: {found['false_accepts']} of {found['unknown_probes']} let in,"
        f" FPIR {_said(found['fpir'])}\n"
        f"residents: {found['misses']} of {found['genuine_probes']} missed, FNIR {_said(found['fnir'])};"
        f" {found['wrong_identity']} taken for somebody else"
    )
    look = found["first_look"]
    click.echo(
        f"the same as a door's first look, threshold {look['threshold']:.4f}:"
        f" {look['false_accepts']} strangers let in, {look['misses']} residents missed,"
        f" FNIR {_said(look['fnir'])}"
    )


def _said(rate: float | None) -> str:
    return "not known" if rate is None else f"{rate:.4f}"


@click.command()
@FOLDERS
@NOTES
@RELATIVES
@click.option("--plots", type=WRITTEN_FOLDER, help="Write PNG plots here.")
@click.option(
    "--draws", default=200, show_default=True, type=click.IntRange(1), help="Galleries of each size."
)
@MODEL
@report_json_option
def rates(
    folders: tuple[Path, ...],
    labels: Path | None,
    with_relatives: bool,
    plots: Path | None,
    draws: int,
    model: str,
    as_json: bool,
) -> None:
    """Show MODEL's error rates on labelled people, and whether a wanted FPIR holds at each gallery size.

    Intervals are 95 %, from drawing people again. Galleries are drawn at random from the people with
    enough photos, with one photo each and with three; everybody else is a stranger.

    Example: facegate evaluate rates --images lfw/ --plots plots/
    """
    from edge.bench.evaluate import report as evaluate_report
    from edge.bench.evaluate.calibrate import People
    from edge.bench.plots import require_plot
    from edge.faces.manifest import load_manifest
    from edge.matcher.calibration import calibration_of

    require_plot(plots)
    own = load_manifest().model(model)
    calibration = calibration_of(model, own.calibration)
    photos, unacquired = _photos(folders, model, labels, with_relatives)
    people = People.gather(photos, least=2)
    found = evaluate_report.measure(people, own.centre, calibration, unacquired=unacquired, draws=draws)
    if plots is not None:
        for path in evaluate_report.draw(found, plots):
            click.echo(f"written: {path}", err=True)
    click.echo(json.dumps(evaluate_report.as_json(found)) if as_json else evaluate_report.text(found))


@click.command()
@FOLDERS
@NOTES
@RELATIVES
@click.option("--centre/--no-centre", default=True, help="Also learn the mean embedding to subtract.")
@click.option(
    "--keep-centre",
    is_flag=True,
    help="Keep the centre that the model has, and so the templates made with it.",
)
@click.option("--save", is_flag=True, help="Write it down for a model that the site has added.")
@MODEL
@report_json_option
def calibrate(
    folders: tuple[Path, ...],
    labels: Path | None,
    with_relatives: bool,
    centre: bool,
    keep_centre: bool,
    save: bool,
    model: str,
    as_json: bool,
) -> None:
    """Fit MODEL's calibration to people with labelled photos and print it for the manifest, or --save it.

    Example: facegate evaluate calibrate --images people/ --model adaface --save
    """
    from edge.bench.evaluate.calibrate import People, fit, table
    from edge.bench.evaluate.own_model import save_calibration, tell_source
    from edge.faces.manifest import load_manifest
    from edge.faces.weights import models_directory
    from edge.store.acting import acting_as, owner_to_become

    own = load_manifest().model(model)
    photos, _ = _photos(folders, model, labels, with_relatives)
    people = People.gather(photos)
    mean, fitted = fit(people, with_centre=centre, kept=own.centre if keep_centre else None)
    calibration = tell_source(fitted, people, [folder.resolve().name for folder in folders])
    if save:
        with acting_as(owner_to_become(models_directory())):
            click.echo(save_calibration(own, mean, calibration))
    elif as_json:
        found: dict[str, Any] = {"centre": mean, **asdict(calibration)}
        click.echo(json.dumps(found))
    else:
        click.echo(table(mean, calibration, model))


def _photos(
    folders: Sequence[Path], model: str, labels: Path | None, with_relatives: bool
) -> tuple[dict[str, list[Embedded]], int]:
    """Return the embeddings by person, without a centre, and how many photos have no face."""
    from edge.bench.evaluate.images import photos_in
    from edge.bench.evaluate.labels import LabelNotes, read_notes

    embedder = _embedder(model, raw=True)
    notes = read_notes(labels) if labels else LabelNotes()
    people = notes.cleaned(photos_in(folders), with_relatives=with_relatives)
    shots = {name: [embedder.embed(path) for path in own] for name, own in people.items()}
    usable = {name: [shot for shot in own if shot is not None] for name, own in shots.items()}
    return usable, sum(shot is None for own in shots.values() for shot in own)


def _embedder(model: str, *, raw: bool = False) -> PhotoEmbedder:
    """Return a photo embedder for `model`; `raw` leaves the manifest's centre out."""
    from dataclasses import replace

    from edge.bench.evaluate.images import PhotoEmbedder, default_cache
    from edge.faces.detector import load_detector
    from edge.faces.embedder import OnnxEmbedder, load_embedder
    from edge.faces.manifest import load_manifest
    from edge.faces.weights import checked, open_session

    embedder = load_embedder(model)
    if raw:
        plain = replace(load_manifest().model(model), centre=())
        embedder = OnnxEmbedder(open_session(checked(plain)), plain)
    return PhotoEmbedder(load_detector(), embedder, default_cache())
