"""A site's own embedder: taken in, looked at, and written down beside the manifest that ships.

Nothing of it is trusted before its SHA-256 is the one that was given. What it is fed is what the
site says; what can be seen in the graph (size, layout, length of an embedding) is checked.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import InstallError, ModelCorrupt
from edge.faces.align import aligner
from edge.faces.install import write_atomically
from edge.faces.manifest import Model, ModelSource, load_manifest, own_models, own_models_path
from edge.faces.sources import Carriers
from edge.faces.weights import models_directory, open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_BYTES = 1 << 30
"""A larger file is no face network that a door could run."""

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")
WRITTEN = (
    *("role", "about", "file", "source_sha256", "size_bytes", "licence", "training"),
    *("aligner", "dim", "colour", "layout", "subtract", "divide", "centre"),
)


@dataclass(frozen=True, slots=True)
class OwnModel:
    """What a site says of its network: name, digest and how it is fed.

    Values 0..255 of an `aligner` chip become (value - `subtract`) / `divide`, in the order `colour`.
    """

    name: str
    sha256: str
    aligner: str = "arcface112"
    colour: str = "rgb"
    subtract: float = 0.0
    divide: float = 1.0
    licence: str = "not stated"
    training: str = "not stated"
    about: str = "the site's own"


def add_model(
    wish: OwnModel, origin: str, directory: Path | None = None, report: Callable[[str], None] = print
) -> Model:
    """Install the embedder at `origin` (a file or an http(s) address) and write it down; return it.

    Raises `InstallError` when it cannot be had, is another file, does not fit what was said of it,
    or its name is taken: nothing is changed then.
    """
    directory = directory or models_directory()
    own = own_models(directory)
    if not NAME.fullmatch(wish.name):
        raise InstallError(
            f"name {wish.name!r} is refused: small letters, digits, dots and hyphens, up to 40"
        )
    if wish.name in load_manifest(directory=directory).models:
        raise InstallError(
            f"a model is called {wish.name!r} already: take another --name,"
            f" or first: facegate models remove {wish.name}"
        )
    if not re.fullmatch(r"[0-9a-f]{64}", wish.sha256):
        raise InstallError(f"{wish.name}: {wish.sha256!r} is not a SHA-256: 64 digits 0-9 and a-f")
    content = _content(wish, origin, report)
    model = _seen(wish, content)
    target = directory / model.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # The file before the list that names it: cut in between, nobody misses anything.
        write_atomically(target, content)
    except OSError as error:
        way_out = "choose another directory with FACEGATE_MODELS"
        raise InstallError(f"{wish.name}: cannot write {target}: {error.strerror}; {way_out}") from error
    write_own({**own, wish.name: model}, directory)
    return model


def remove_model(name: str, directory: Path | None = None) -> None:
    """Take a site's own model away again, its file and its calibration. Raises `InstallError`."""
    directory = directory or models_directory()
    own = own_models(directory)
    if name not in own:
        raise InstallError(
            f"the site has added no model called {name!r}: there are {', '.join(own) or 'none'}"
        )
    model = own.pop(name)
    # And here the list before the file, for the same reason.
    write_own(own, directory)
    (directory / model.file).unlink(missing_ok=True)


def write_own(models: Mapping[str, Model], directory: Path | None = None) -> None:
    """Write down the site's own models, all of them at once. Raises `InstallError` when that fails."""
    path = own_models_path(directory)
    head = "# Written by facegate models add and facegate evaluate calibrate --save.\n"
    text = "\n".join([head, *(_table(model) for model in models.values())])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode(errors="replace"))
    except OSError as error:
        raise InstallError(f"cannot write {path}: {error.strerror}") from error


def _content(wish: OwnModel, origin: str, report: Callable[[str], None]) -> bytes:
    if "://" in origin:
        source = ModelSource("url", url=origin)
        wanted = Model(wish.name, "", wish.sha256, wish.sha256, MOST_BYTES, wish.licence, (source,))
        with Carriers(report) as carriers:
            return carriers.fetch(wanted)
    try:
        content = Path(origin).read_bytes()
    except OSError as error:
        raise InstallError(f"{origin} cannot be read: {error.strerror}") from error
    found = sha256(content).hexdigest()
    if found != wish.sha256:
        rule = f"SHA-256 {found[:12]}... instead of {wish.sha256[:12]}..."
        raise InstallError(f"{wish.name}: {origin} is not the file that was asked for: {rule}")
    return content


def _seen(wish: OwnModel, content: bytes) -> Model:
    """Return the model as its graph shows it. Raises `InstallError` where that is not what was said."""
    try:
        side = aligner(wish.aligner).size_px
        with tempfile.TemporaryDirectory(prefix="facegate-") as scratch:
            path = Path(scratch) / "own.onnx"
            path.write_bytes(content)
            session = open_session(path)
            layout, dim = _tried(session, side, wish.name)
    except ModelCorrupt as error:
        raise InstallError(f"{wish.name}: {error}") from error
    return Model(
        name=wish.name,
        file=f"site/{wish.name}.onnx",
        source_sha256=wish.sha256,
        sha256=wish.sha256,
        size_bytes=len(content),
        licence=wish.licence,
        sources=(),
        about=wish.about,
        role="embedder",
        aligner=wish.aligner,
        dim=dim,
        training=wish.training,
        colour=wish.colour,
        layout=layout,
        subtract=wish.subtract,
        divide=wish.divide,
        is_own=True,
    )


def _tried(session: Any, side: int, name: str) -> tuple[str, int]:
    """Run the graph once on noise; return (layout, length of an embedding)."""
    inputs = session.get_inputs()
    shape = list(inputs[0].shape)
    if len(inputs) != 1 or len(shape) != 4 or inputs[0].type != "tensor(float)":
        seen = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
        raise InstallError(f"{name}: a network with one float input of four sides is needed, it has {seen}")
    # Three channels last; where both could be meant (a picture three pixels high) the usual order.
    layout = "nhwc" if shape[3] == 3 and shape[1] != 3 else "nchw"
    sides = shape[1:3] if layout == "nhwc" else shape[2:]
    if any(isinstance(one, int) and one != side for one in sides):
        raise InstallError(
            f"{name}: the network takes pictures of {sides[1]}x{sides[0]}, the aligner gives {side}x{side};"
            f" try --aligner arcface{sides[0]}"
        )
    noise = np.random.default_rng(0).random((1, 3, side, side), dtype=np.float32)
    fed = noise if layout == "nchw" else np.ascontiguousarray(noise.transpose(0, 2, 3, 1))
    try:
        row = np.asarray(session.run(None, {inputs[0].name: fed})[0])
    except Exception as error:  # onnxruntime's errors share no other base class
        raise InstallError(f"{name}: the network could not be run: {error}") from error
    if row.ndim != 2 or row.shape[0] != 1 or row.shape[1] < 2 or not np.isfinite(row).all():
        raise InstallError(
            f"{name}: its first output is {row.shape}, finite numbers in (1, length) are needed"
        )
    return layout, int(row.shape[1])


def _table(model: Model) -> str:
    lines = [f"[models.{json.dumps(model.name)}]"]
    lines += [f"{key} = {_value(getattr(model, key))}" for key in WRITTEN if getattr(model, key) != ()]
    lines.append("sources = []")
    if model.calibration:
        lines += ["", f"[models.{json.dumps(model.name)}.calibration]"]
        lines += [f"{key} = {_value(value)}" for key, value in model.calibration.items()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """Return a string, a number or a row of numbers as TOML."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"[{', '.join(map(repr, value))}]" if isinstance(value, tuple) else repr(value)


def with_calibration(model: Model, centre: tuple[float, ...], calibration: Mapping[str, Any]) -> Model:
    """Return a site's own model with this centre and calibration."""
    return replace(model, centre=centre, calibration=dict(calibration))
