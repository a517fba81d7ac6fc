"""What may enter the resident store as a template: vectors that cannot upset the matcher."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.errors import TemplateRefused

if TYPE_CHECKING:
    from edge.domain import Embedding, Template

NORM_TOLERANCE = 0.02
"""A row scaled a thousandfold matched half of all strangers in a trial; unit length is the rule."""


def checked_vector(resident_id: str, template: Template) -> bytes:
    """Return the embedding as little-endian float32 bytes, or raise `TemplateRefused`."""
    vector = np.asarray(template.embedding)
    if template.resident_id != resident_id:
        raise TemplateRefused(f"a template of {template.resident_id!r} was given for {resident_id!r}")
    if vector.ndim != 1 or vector.size == 0 or not np.issubdtype(vector.dtype, np.floating):
        raise TemplateRefused(f"{resident_id!r}: the template has shape {vector.shape} {vector.dtype}")
    if not np.isfinite(vector).all():
        raise TemplateRefused(f"{resident_id!r}: the template holds numbers that are not finite; enrol again")
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if abs(length - 1) > NORM_TOLERANCE:
        raise TemplateRefused(f"{resident_id!r}: the template has length {length:.3g}; it must be 1")
    if template.enrolled_at.tzinfo is None:
        raise TemplateRefused(f"{resident_id!r}: `enrolled_at` has no time zone; give UTC")
    return vector.astype("<f4").tobytes()


def to_vector(plain: bytes) -> Embedding:
    """Return the stored bytes as a read-only (D,) float32 vector."""
    return np.frombuffer(plain, dtype="<f4").astype(np.float32, copy=False)
