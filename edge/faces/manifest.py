"""The list of model files: what each is, where it comes from, and how it is made ready.

`models/manifest.toml` in a checkout, `edge/faces/manifest.toml` in an installed wheel. It holds
the SHA-256 of every file before and after preparation, so trust starts from the code that was
installed and never from the directory the weights lie in.

A site's own embedders (`facegate models add`) stand in `site.toml` of the model directory, in the same
form. None can take the name of a shipped model, and a door sees with one only when its settings name it.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping  # noqa: TC003 - dataclass fields are read at run time
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from edge.errors import InstallError
from edge.faces.weights import models_directory

SOURCE_KINDS = ("wheel", "sdist", "npm", "url")
OWN_MODELS_FILE = "site.toml"
COLOURS = ("rgb", "bgr")
LAYOUTS = ("nchw", "nhwc")

A = TypeVar("A", bound="Artefact")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """One place a file can be had from.

    `kind` is one of `SOURCE_KINDS`. `package` and `version` name the carrier, `member` the path
    inside it, `archive_sha256` the carrier itself where there is only one build of it. A `url`
    source has only `url`.
    """

    kind: str
    package: str = ""
    version: str = ""
    member: str = ""
    url: str = ""
    archive_sha256: str = ""

    def __str__(self) -> str:
        if self.kind == "url":
            return self.url
        return f"{self.package}=={self.version} ({self.kind})"


@dataclass(frozen=True, slots=True)
class Artefact:
    """One file the installer can place: a model, or a photo for the demo.

    `source_sha256` is the file as it is published, `sha256` as it is installed (the same when
    nothing is prepared); both lower-case hex. `file` is relative to the model directory.
    """

    name: str
    file: str
    source_sha256: str
    sha256: str
    size_bytes: int
    licence: str
    sources: tuple[ModelSource, ...]
    source_file: str = ""
    about: str = ""

    @property
    def repair(self) -> str:
        """Return the words that put it in place, or right."""
        return "run: facegate models install --demo"


@dataclass(frozen=True, slots=True)
class Model(Artefact):
    """A network: what goes in, what comes out, and how its file is made ready.

    `role` is `detector`, `embedder` or `liveness`. `prepare` names a recipe of
    `edge.faces.prepare`. `known_as` is the start of the SHA-256 of an earlier file that gave the same
    embeddings bit for bit. `default`: installed when no name is given. `strengthens`: a door works
    without it, less well; its absence is a warning, not a failure. `dim` is the embedding's
    length and `aligner` the name of its chip (embedders only). `centre` is subtracted from each
    unit embedding, which is then made unit again; empty means it is left alone. `calibration` is
    passed on to the matcher unread. An embedder is fed (value - `subtract`) / `divide` of values 0..255 in
    the order `colour` and the `layout` nchw or nhwc. `training` is what is documented about its training.
    `clear_norm` is the least length of an embedding, before it is made a unit, of a face that is seen well
    enough to be called a stranger's; 0 where nobody measured what the length means (a site's own network).
    """

    role: str = ""
    prepare: str = "none"
    known_as: str = ""
    default: bool = False
    strengthens: bool = False
    input: str = ""
    output: str = ""
    aligner: str = ""
    dim: int = 0
    centre: tuple[float, ...] = ()
    calibration: Mapping[str, Any] = field(default_factory=dict)
    training: str = ""
    clear_norm: float = 0.0
    colour: str = "rgb"
    layout: str = "nchw"
    subtract: float = 0.0
    divide: float = 1.0
    is_own: bool = False
    """Whether the site added it."""

    @property
    def is_needed(self) -> bool:
        """Whether no face opens a door without it: it belongs to the least set."""
        return self.default and not self.strengthens

    @property
    def repair(self) -> str:
        """Return the words that put it in place, or right."""
        if self.is_own:
            return f"add the file again: facegate models add FILE --name {self.name} --sha256 {self.sha256}"
        return "run: facegate models install" + ("" if self.default else f" {self.name}")

    @property
    def model_id(self) -> str:
        """Network, weights, preparation, aligner, how it is fed and centre in one name.

        It holds the start of the installed file's SHA-256 (or of an earlier file's that gave the same
        embeddings), so it changes with anything that changes an embedding and is the same on every machine.
        """
        parts = [self.name, self.known_as or self.sha256[:12], self.aligner]
        fed = (self.colour, self.layout, self.subtract, self.divide)
        # Only where it differs, as with the centre: an id that was written down before stays what it was.
        if fed != ("rgb", "nchw", 0.0, 1.0):
            parts.append(f"{self.colour}-{self.layout}-{self.subtract:g}-{self.divide:g}")
        if self.centre:
            digest = sha256(np.asarray(self.centre, dtype="<f4").tobytes()).hexdigest()
            parts.append(f"c{digest[:8]}")
        return "/".join(parts)


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """Everything `facegate models` knows how to install, by name, in the order of the file."""

    models: Mapping[str, Model]
    assets: Mapping[str, Artefact]
    trouble: str = ""
    """Why the site's own models could not be read; those that came with facegate are not touched by it."""
    cause: Exception | None = None
    """What that was."""

    def model(self, name: str) -> Model:
        """Return the model called `name`. Raises `InstallError` naming those that exist."""
        if name not in self.models:
            known = ", ".join(self.models)
            more = f"; {self.trouble}" if self.trouble else ""
            raise InstallError(f"no model is called {name!r}: the manifest has {known}{more}") from self.cause
        return self.models[name]

    def artefact(self, name: str) -> Artefact:
        """Return the model or demo photo called `name`. Raises `InstallError` when there is none."""
        return self.assets[name] if name in self.assets else self.model(name)

    def asset(self, name: str) -> Artefact:
        """Return the demo photo called `name`. Raises `InstallError` naming those that exist."""
        if name not in self.assets:
            known = ", ".join(self.assets)
            raise InstallError(f"no demo photo is called {name!r}: the manifest has {known}")
        return self.assets[name]


def manifest_path() -> Path:
    """Return where the manifest lies: beside this file when installed, else in the checkout."""
    installed = Path(__file__).with_name("manifest.toml")
    if installed.is_file():
        return installed
    return Path(__file__).resolve().parents[2] / "models" / "manifest.toml"


def load_manifest(path: Path | None = None, directory: Path | None = None) -> ModelManifest:
    """Return the manifest at `path`, by default the one facegate came with and the site's own models.

    The site's are those of `directory`, by default `models_directory()`. Raises `InstallError` when the
    manifest is missing or breaks a rule, naming the table. A site's file that cannot be read takes
    only the site's models away: `trouble` says why.
    """
    if path is not None:
        return _load(path)
    shipped = _load(manifest_path())
    try:
        own = own_models(directory)
    except InstallError as error:
        trouble = f"the site's own models are left out ({own_models_path(directory)}): {error}"
        return ModelManifest(shipped.models, shipped.assets, trouble, error)
    # Else a site's file could put another network under the name that the door trusts.
    if taken := sorted(own.keys() & shipped.models.keys()):
        trouble = f"{own_models_path(directory)} may not redefine {', '.join(taken)}, which facegate ships"
        return ModelManifest(shipped.models, shipped.assets, trouble)
    return ModelManifest({**shipped.models, **own}, shipped.assets) if own else shipped


def own_models_path(directory: Path | None = None) -> Path:
    """Return the file with the site's own models, whether or not it exists."""
    return (directory or models_directory()) / OWN_MODELS_FILE


def own_models(directory: Path | None = None) -> dict[str, Model]:
    """Return the models that the site added, by name; none when there is no such file.

    Raises `InstallError` when the file cannot be read or breaks a rule.
    """
    path = own_models_path(directory)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InstallError(f"{path}: it cannot be read: {error}") from error
    tables = data.get("models", {})
    return {name: replace(_parse(Model, name, table), is_own=True) for name, table in tables.items()}


@cache
def _load(path: Path) -> ModelManifest:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InstallError(f"cannot read the model manifest {path}: {error}. Reinstall facegate.") from error
    models = {name: _parse(Model, name, table) for name, table in data.get("models", {}).items()}
    assets = {name: _parse(Artefact, name, table) for name, table in data.get("assets", {}).items()}
    return ModelManifest(models, assets)


def _parse(kind: type[A], name: str, table: dict[str, Any]) -> A:
    values = dict(table)
    try:
        values["sources"] = tuple(ModelSource(**source) for source in table["sources"])
        if "centre" in values:
            values["centre"] = tuple(values["centre"])
        values.setdefault("sha256", values["source_sha256"])
        artefact = kind(name=name, **values)
    except (KeyError, TypeError) as error:
        raise InstallError(f"model manifest: table {name!r} is wrong: {error}") from error
    _check(artefact)
    return artefact


def _check(artefact: Artefact) -> None:
    for source in artefact.sources:
        if source.kind not in SOURCE_KINDS:
            rule = f"source kind {source.kind!r} is not one of {', '.join(SOURCE_KINDS)}"
            raise InstallError(f"model manifest: {artefact.name!r}: {rule}")
    for digest in (artefact.source_sha256, artefact.sha256):
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise InstallError(f"model manifest: {artefact.name!r}: {digest!r} is not a SHA-256")
    # A site's own list is a file that somebody wrote: what it names is later written, checked and removed.
    inside = PurePosixPath(artefact.file)
    if inside.is_absolute() or ".." in inside.parts:
        raise InstallError(f"model manifest: {artefact.name!r}: {artefact.file!r} leaves the directory")
    if isinstance(artefact, Model) and (rule := _wrong_feed(artefact)):
        raise InstallError(f"model manifest: {artefact.name!r}: {rule}")


def _wrong_feed(model: Model) -> str:
    """Return what is wrong with how this network is fed or read; "" when nothing is."""
    if model.centre and len(model.centre) != model.dim:
        return f"centre has {len(model.centre)} numbers, dim is {model.dim}"
    if model.colour not in COLOURS or model.layout not in LAYOUTS:
        return f"colour is one of {', '.join(COLOURS)}, layout one of {', '.join(LAYOUTS)}"
    if not (math.isfinite(model.subtract) and math.isfinite(model.divide) and model.divide > 0):
        return f"subtract {model.subtract} and divide {model.divide} must be numbers, divide more than 0"
    return ""
