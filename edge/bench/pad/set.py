"""What is presented to the door in an evaluation: who or what, on which file, and when.

Four layouts are understood: a list given by name; `presentations.csv` in the folder; the shared
set's `index.csv`; or `SPECIES/PERSON/FILE`, which is what `facegate pad record` writes. The
species `live` is a living person, every other one an attack instrument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.bench.lists import read_rows
from edge.errors import EvaluationRefused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LIVE = "live"
INDEX = ("path", "kind", "identity", "label")
CLIPS = frozenset({".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v"})


@dataclass(frozen=True, slots=True)
class Presentation:
    """One presentation: a clip, or the part of it from `start` to `end` seconds."""

    path: Path
    person: str
    species: str
    start: float = 0.0
    end: float = math.inf

    @property
    def is_attack(self) -> bool:
        """True when what is shown is not a living person."""
        return self.species != LIVE


def load_presentations(folder: Path, listing: Path | None = None) -> list[Presentation]:
    """Return the presentations below `folder`, in a fixed order.

    Raises `EvaluationRefused` when there are none, or a list names a file that is not there.
    """
    found = _listed(folder, listing or folder / "presentations.csv", must_exist=listing is not None)
    found = found or _indexed(folder) or _in_folders(folder)
    if not found:
        rule = "SPECIES/PERSON/CLIP, presentations.csv or index.csv is needed"
        raise EvaluationRefused(f"{folder} holds no presentations: {rule}; record some: facegate pad record")
    return found


def _listed(folder: Path, listing: Path, *, must_exist: bool) -> list[Presentation]:
    if not must_exist and not listing.is_file():
        return []
    return [_presentation(folder, row, listing) for row in read_rows(listing)]


def _presentation(folder: Path, row: Mapping[str, str], listing: Path) -> Presentation:
    try:
        path = folder / row["path"]
        start, end = float(row.get("start") or 0.0), float(row.get("end") or math.inf)
        presentation = Presentation(path, row["person"], row["species"], start, end)
    except (KeyError, ValueError) as error:
        rule = "columns path, person, species and, if wanted, start and end in seconds"
        raise EvaluationRefused(f"{listing}: {error}: {rule}") from error
    if not 0 <= start < end:
        raise EvaluationRefused(f"{listing}: {path.name} from {start:g} to {end:g} s is no part of a clip")
    if not presentation.person or not presentation.species:
        raise EvaluationRefused(f"{listing}: {path.name} has no person, or no species")
    if not path.is_file():
        raise EvaluationRefused(f"{listing} names {path}, which is not there")
    return presentation


def _indexed(folder: Path) -> list[Presentation]:
    """Return the clips of one person each in the shared set's index; its labels are the species.

    A file of that name with other columns is somebody else's, and no list.
    """
    index = folder / "index.csv"
    rows = read_rows(index) if index.is_file() else []
    return [
        Presentation(folder / row["path"], row["identity"], row["label"])
        for row in rows
        if set(INDEX) <= row.keys()
        and row["kind"] == "video"
        and row["identity"] != "none"
        and ";" not in row["identity"]
    ]


def _in_folders(folder: Path) -> list[Presentation]:
    clips = sorted(path for path in folder.glob("*/*/*") if path.suffix.lower() in CLIPS)
    return [Presentation(path, path.parent.name, path.parent.parent.name) for path in clips]
