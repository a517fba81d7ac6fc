"""What is known to be wrong with the names of labelled photos, and who is related to whom.

A name that is wrong makes a person a stranger to themselves, and the tail of the strangers is made of
few pairs. Relatives are no mistake: they are alike. Whether they count is a choice that is stated with
the figures; without them a rate is promised for strangers who are not of a resident's family.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from edge.bench.lists import read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COLUMNS = ("identity_a", "identity_b", "note")
RELATED = "relatives"

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class LabelNotes:
    """Pairs of names: `mistaken` are one person or have their photos mixed up, `related` a family."""

    mistaken: tuple[tuple[str, str], ...] = ()
    related: tuple[tuple[str, str], ...] = ()

    def cleaned(self, people: Mapping[str, P], *, with_relatives: bool) -> dict[str, P]:
        """Return the people without the second of each mistaken pair, and of each related unless wanted."""
        pairs = self.mistaken if with_relatives else self.mistaken + self.related
        out: set[str] = set()
        for one, other in pairs:
            if one in people and other in people and one not in out:
                out.add(other)
        return {name: own for name, own in people.items() if name not in out}


def read_notes(file: Path) -> LabelNotes:
    """Return the notes of a CSV file with the columns identity_a, identity_b, note.

    A note that begins with "relatives" tells of a family, any other of a mistake. Raises
    `EvaluationRefused` for a missing column.
    """
    rows = read_rows(file, *COLUMNS)
    pairs = [(row["identity_a"], row["identity_b"], row["note"].startswith(RELATED)) for row in rows]
    return LabelNotes(
        tuple((one, other) for one, other, is_family in pairs if not is_family),
        tuple((one, other) for one, other, is_family in pairs if is_family),
    )
