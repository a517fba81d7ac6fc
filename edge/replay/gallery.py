"""Residents from folders: one folder each, with photos or clips, enrolled on the fly.

What a file gave is kept in the user's cache, keyed by the content of the file, the model and the
version of the enrolment rules, so that a gallery is embedded once. It holds embeddings, so it
stays on this machine, readable by its owner only; `facegate replay --no-cache` does without.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.camera.file import is_picture
from edge.domain import Quality
from edge.enrol.files import shots_of, shown
from edge.enrol.shots import Harvest, Shot, ShotTaker, agreeing, matched_row
from edge.errors import EnrolmentRefused, IdentityRefused
from edge.identity import resident_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from edge.domain import Embedding
    from edge.service.recognition.recogniser import Models

STORED = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '<f8', 'fortran_order': False, 'shape': \(([0-9]+), ([0-9]+)\), \} *\n",
    re.DOTALL,
)
"""How a file begins that `np.save` wrote for rows of float64."""

NO_PICTURES = frozenset({"Thumbs.db", "desktop.ini"})
"""What Windows leaves in folders of photos."""

NAMED = 5
"""Pictures that are named in one refusal."""

THIS_FILE = "\0"
"""Stands in a cached refusal where the file's name belongs."""

RULES_VERSION = 8
"""Part of every cache key: raised whenever enrolment would give other shots for the same file."""


@dataclass(slots=True)
class FolderGallery:
    """What the folders gave: the row of each resident, and every refusal with its reason."""

    residents: dict[str, list[Embedding]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def default_cache() -> Path:
    """Return the cache folder (XDG), whether or not it exists yet."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "facegate" / "shots"


def load_gallery(folders: Sequence[Path], models: Models, *, is_cached: bool = True) -> FolderGallery:
    """Return the residents found in `folders` as these models see them; see `load_folders`.

    Without `is_cached` nothing is read from the user's cache and nothing is kept there.
    """
    cache = default_cache() if is_cached else None
    model_id = models.embedder.model_id
    return load_folders(folders, model_id, lambda: ShotTaker(models.detector, models.embedder), cache)


def load_folders(
    folders: Sequence[Path],
    model_id: str,
    taker: Callable[[], ShotTaker],
    cache: Path | None,
) -> FolderGallery:
    """Return the residents found in `folders`, each sub-folder being one person.

    `taker` is called only when something has to be embedded. A person in two folders is one
    resident with the shots of both. Without folders there is nobody. Raises `EnrolmentRefused` when a
    folder does not exist or nobody at all could be enrolled.
    """
    gallery = FolderGallery()
    harvests: dict[str, Harvest] = {}
    source = _Source(model_id, taker, cache)
    gallery.refused += [told for folder in folders if folder.is_dir() and (told := _beside(folder))]
    for folder, path in _people(folders):
        name = _id_of(folder, gallery)
        if name is None:
            continue
        harvest = harvests.setdefault(name, Harvest())
        taken = source.harvest(path)
        harvest.shots += taken.shots
        harvest.refused += taken.refused
    for name, harvest in harvests.items():
        _enrol(gallery, name, harvest)
    if folders and not gallery.residents:
        reasons = "; ".join(map(str, gallery.refused[:3])) or "no pictures or clips found"
        raise EnrolmentRefused(f"--gallery {folders[0]}: nobody could be enrolled: {reasons}")
    return gallery


def _enrol(gallery: FolderGallery, name: str, harvest: Harvest) -> None:
    gallery.refused += map(str, harvest.refused)
    if not harvest.shots:
        gallery.refused.append(f"{name}: nobody could be enrolled from this folder")
        return
    try:
        # Of the shots alone: the refusals are listed already, and `agreeing` gives its own.
        good = agreeing(Harvest(harvest.shots))
    except EnrolmentRefused as refusal:
        gallery.refused.append(f"{name}: {refusal}")
        return
    gallery.refused += map(str, good.refused)
    gallery.residents[name] = [matched_row([shot.embedding for shot in good.shots])]


def _id_of(folder: str, gallery: FolderGallery) -> str | None:
    """Return the resident a folder's name stands for; None, and a refusal once, for no id at all."""
    try:
        return resident_id(folder)
    except IdentityRefused as refusal:
        told = f"{shown(Path(folder))}: {refusal}"
        if told not in gallery.refused:
            gallery.refused.append(told)
        return None


def _beside(folder: Path) -> str:
    """Say which pictures lie in a gallery and in nobody's folder; "" where none does."""
    loose = sorted(
        shown(Path(path.name)) for path in folder.iterdir() if _may_show(path) and is_picture(path)
    )
    if not loose:
        return ""
    named = ", ".join(loose[:NAMED]) + (", ..." if len(loose) > NAMED else "")
    return f"{named}: nobody's; put each picture into a folder that is named after its person"


def _may_show(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.name not in NO_PICTURES


def _people(folders: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        if not folder.is_dir():
            raise EnrolmentRefused(
                f"--gallery {folder}: not a folder; give one with a sub-folder per resident"
            )
        for person in sorted(path for path in folder.iterdir() if path.is_dir()):
            for path in sorted(person.iterdir()):
                if _may_show(path):
                    yield person.name, path


class _Source:
    """Shots of a file, from the cache when it knows the file's content."""

    def __init__(self, model_id: str, taker: Callable[[], ShotTaker], cache: Path | None) -> None:
        self._model_id = model_id
        self._make_taker = taker
        self._taker: ShotTaker | None = None
        self._cache = cache

    def harvest(self, path: Path) -> Harvest:
        entry = None if self._cache is None else self._cache / self._key(path)
        if entry is not None and (known := _read(entry, shown(path))) is not None:
            return known
        harvest = self._take(path)
        if entry is not None:
            _write(entry, harvest, shown(path))
        return harvest

    def _key(self, path: Path) -> str:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(f"{RULES_VERSION} {self._model_id} {content}".encode()).hexdigest()

    def _take(self, path: Path) -> Harvest:
        if self._taker is None:
            self._taker = self._make_taker()
        return shots_of(self._taker, path)


def _read(entry: Path, source: str) -> Harvest | None:
    """Return the cached harvest, or None when there is none or it is damaged.

    Shots are rows of numbers in `entry`.npy, a refusal is text in `entry`.txt: reading three
    hundred of the former takes 5 ms, archives took 150.
    """
    try:
        rows = _rows(entry.with_suffix(".npy").read_bytes())
        return Harvest([_shot(row, source) for row in rows])
    except FileNotFoundError:
        pass
    except (OSError, ValueError):
        return None
    try:
        text = entry.with_suffix(".txt").read_text(encoding="utf-8")
        return Harvest(refused=[*text.replace(THIS_FILE, source).splitlines()])
    except (OSError, ValueError):  # also one that is no UTF-8 any more
        return None


def _rows(data: bytes) -> NDArray[np.float64]:
    """Return what `_write` stored; raises `ValueError` for anything else.

    numpy's own reader takes any header for Python and parses it, five times as long as the rest.
    """
    header = STORED.match(data)
    if header is None:
        raise ValueError("not rows of float64 as they are stored here")
    return np.frombuffer(data, "<f8", offset=header.end()).reshape(int(header[1]), int(header[2]))


def _shot(row: NDArray[np.float64], source: str) -> Shot:
    """Return the shot in one row: six measures of quality, then the embedding."""
    interocular_px, sharpness, yaw_deg, pitch_deg, roll_deg, brightness = (float(value) for value in row[:6])
    quality = Quality(interocular_px, sharpness, yaw_deg, pitch_deg, roll_deg, brightness)
    return Shot(np.asarray(row[6:], np.float32), quality, source)


def _row(shot: Shot) -> NDArray[np.float64]:
    q = shot.quality
    measures = (q.interocular_px, q.sharpness, q.yaw_deg, q.pitch_deg, q.roll_deg, q.brightness)
    return np.concatenate([np.array(measures), shot.embedding.astype(np.float64)])


def _write(entry: Path, harvest: Harvest, source: str) -> None:
    """Store a harvest, whole or not at all; the same content may lie under another name next time."""
    entry.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=entry.parent, suffix=".tmp", delete=False) as file:
        try:
            if harvest.shots:
                np.save(file, np.stack([_row(shot) for shot in harvest.shots]))
            else:
                refused = [str(refusal).replace(source, THIS_FILE) for refusal in harvest.refused]
                file.write("\n".join(refused).encode())
            file.flush()
            Path(file.name).replace(entry.with_suffix(".npy" if harvest.shots else ".txt"))
        finally:
            Path(file.name).unlink(missing_ok=True)
