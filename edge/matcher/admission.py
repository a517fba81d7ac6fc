"""What may enter the gallery: one bad row must be impossible, not just unlikely.

A row scaled by 1000 would match half of all strangers; a NaN row would be everybody's best match.
So every template passes here, and a refused one leaves the gallery as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import ModelMismatch, ProbeRefused, TemplateRefused
from edge.identity import MOST_ID, is_identity

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from edge.matcher.exact import Rows

NORM_LOW, NORM_HIGH = 0.98, 1.02
"""Outside this the vector is not a rounded unit embedding but something else."""

LEAST_SQUARE, MOST_SQUARE = NORM_LOW**2, NORM_HIGH**2

UNIT_TOLERANCE = 1e-6
"""Float32 rounding of a unit vector. Within it a row is kept bit for bit, so renormalising twice
(before the store and after it) never moves a similarity."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The rules of one gallery: its model, its dimension, its cap on templates per resident."""

    model_id: str
    dim: int
    templates_per_resident: int

    def templates(self, resident_id: str, embeddings: ArrayLike, model_id: str) -> Rows:
        """Return `embeddings` as (k, D) float32 unit rows that nobody else holds.

        Raises `ModelMismatch` for another model and `TemplateRefused` for anything else that does
        not belong: id, shape, count, NaN, infinity, norm.
        """
        self._check_id(resident_id)
        if model_id != self.model_id:
            raise ModelMismatch(
                f"templates of {resident_id!r} come from model {model_id!r}, this gallery holds "
                f"{self.model_id!r}; enrol the resident again with the running model"
            )
        rows = _as_float32(resident_id, embeddings)
        self._check_shape(resident_id, rows)
        return _unit_rows(resident_id, rows)

    def check_probes(self, probes: Rows) -> None:
        """Raise `ProbeRefused` unless `probes` is (Q, D) float32 with every norm near 1."""
        if probes.ndim != 2:
            raise ProbeRefused(f"probes have shape {probes.shape}, expected (Q, {self.dim})")
        for probe in probes:
            self.check_probe(probe)

    def check_probe(self, probe: Rows) -> None:
        """Raise `ProbeRefused` unless `probe` is (D,) float32 with a norm near 1."""
        if probe.shape != (self.dim,) or probe.dtype.char != "f":
            raise ProbeRefused(
                f"probe is {probe.dtype} of shape {probe.shape}, expected float32 of shape ({self.dim},)"
            )
        square = probe.dot(probe).item()
        if not LEAST_SQUARE <= square <= MOST_SQUARE:  # written so that NaN is refused
            raise ProbeRefused(f"probe has squared norm {square:.4g}, expected 1; embed the face again")

    def _check_id(self, resident_id: str) -> None:
        if not is_identity(resident_id):
            raise TemplateRefused(
                f"resident id {resident_id!r} is not 1 to {MOST_ID} printable characters; rename the resident"
            )

    def _check_shape(self, resident_id: str, rows: Rows) -> None:
        if rows.ndim != 2 or rows.shape[1] != self.dim:
            raise TemplateRefused(
                f"templates of {resident_id!r} have shape {rows.shape}, expected (k, {self.dim})"
            )
        if not 1 <= len(rows) <= self.templates_per_resident:
            raise TemplateRefused(
                f"{resident_id!r} has {len(rows)} templates, allowed are 1 to "
                f"{self.templates_per_resident}; keep the best ones"
            )


def _as_float32(resident_id: str, embeddings: ArrayLike) -> Rows:
    if isinstance(embeddings, np.ndarray) and embeddings.dtype.char == "f":
        return np.array(embeddings, order="C")  # a copy: the caller may go on writing to theirs
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # infinities are named further down
            return np.array(embeddings, dtype=np.float32, order="C")
    except (ValueError, TypeError) as error:
        raise TemplateRefused(f"templates of {resident_id!r} are not numbers: {error}") from error


def _unit_rows(resident_id: str, rows: Rows) -> Rows:
    """Refuse rows that are no unit vectors, renormalise those that nearly are, in place.

    One by one in Python: there are a handful, and each numpy call costs as much as looking at ten.
    """
    # float64: `UNIT_TOLERANCE` is finer than a sum of float32 squares.
    wide = rows.astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", wide, wide)).tolist()
    for i, norm in enumerate(norms):
        if not NORM_LOW <= norm <= NORM_HIGH:  # written so that NaN is refused
            raise TemplateRefused(
                f"template {i} of {resident_id!r} has norm {norm:.4g}, allowed is "
                f"{NORM_LOW} to {NORM_HIGH}; the embedding is damaged, enrol again"
            )
    for i, norm in enumerate(norms):
        if abs(norm - 1.0) > UNIT_TOLERANCE:
            rows[i] = wide[i] / norm
    return rows
