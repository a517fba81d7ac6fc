"""Model files at run time: found, checked against the manifest, opened. Nothing is downloaded."""

from __future__ import annotations

import os
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import ModelCorrupt, ModelMissing
from edge.faces.outline import outline
from edge.faces.pool import use_shared_pool
from edge.state_folder import state_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge.faces.manifest import Artefact

REPAIR = "run: facegate models install"

PROVIDERS = ("CPUExecutionProvider",)


class OnnxSession(Protocol):
    """The part of `onnxruntime.InferenceSession` that is used here."""

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the outputs, all of them in graph order when `outputs` is None."""

    def get_inputs(self) -> Sequence[Any]:
        """Return the graph's inputs; each has `name` and `shape`."""

    def get_outputs(self) -> Sequence[Any]:
        """Return the graph's outputs; each has `name` and `shape`."""


def models_directory() -> Path:
    """Return where models are kept, whether or not it exists yet.

    `$FACEGATE_MODELS`, else `models` in `edge.state_folder.state_folder()`.
    """
    chosen = os.environ.get("FACEGATE_MODELS")
    return Path(chosen) if chosen else state_folder() / "models"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, lower-case hex."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def checked(artefact: Artefact, directory: Path | None = None) -> Path:
    """Return the path of an installed file whose content is what the manifest names.

    Raises `ModelMissing` when it is not there and `ModelCorrupt` when it is another file.
    """
    path = (directory or models_directory()) / artefact.file
    try:
        found = sha256_of(path)
    except FileNotFoundError as error:
        raise ModelMissing(f"{artefact.name}: {path} is not installed; {artefact.repair}") from error
    except OSError as error:
        rule = f"{path} cannot be read: {error.strerror}"
        raise ModelMissing(f"{artefact.name}: {rule}; {artefact.repair}") from error
    if found != artefact.sha256:
        rule = f"its SHA-256 is {found[:12]}..., the manifest names {artefact.sha256[:12]}..."
        raise ModelCorrupt(f"{artefact.name}: {path} is not the right file: {rule} {artefact.repair}")
    return path


def open_session(path: Path, threads: int = 1) -> OnnxSession:
    """Return an onnxruntime session on the CPU, using `threads` threads.

    Raises `ModelCorrupt` when onnxruntime cannot read the file.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # once it is loaded it has a number for this machine
    import onnxruntime as ort  # noqa: PLC0415 - 30 ms that commands without a model need not pay

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    use_shared_pool(ort, options)
    # Idle threads that spin take the core from the camera: two of them were slower than one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    file = path.resolve()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(file.parent))
    try:
        session: OnnxSession = ort.InferenceSession(outline(file), options, providers=PROVIDERS)
        if is_mapped(file):
            # Weights that no faster layout replaced: with the card dead, touching them would end the process.
            del session
            session = ort.InferenceSession(str(file), options, providers=PROVIDERS)
    except Exception as error:  # onnxruntime's errors share no other base class
        raise ModelCorrupt(f"{path} cannot be opened by onnxruntime: {error}; {REPAIR}") from error
    return session


def is_mapped(file: Path) -> bool:
    """Return whether this process has a part of `file` mapped into its memory."""
    try:
        maps = Path("/proc/self/maps").read_bytes()
    except OSError:  # another system: who cannot look assumes the worse
        return True
    return os.fsencode(str(file)) in maps
