"""What may enter the resident store: sane names, and vectors that cannot upset the matcher."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.errors import StoreError, TemplateRefused
from edge.identity import MOST_ID, MOST_NAME, is_identity
from edge.words import message

if TYPE_CHECKING:
    from edge.domain import Embedding, Resident, Template

NORM_TOLERANCE = 0.02
"""A row scaled a thousandfold matched half of all strangers in a trial; unit length is the rule."""


def checked_resident(resident: Resident) -> None:
    """Raise `StoreError` when the id or the name is empty, too long or not printable."""
    if not is_identity(resident.id):
        raise StoreError(message("error.resident_id", id=resident.id[:40], most=MOST_ID))
    name = resident.name
    if not 0 < len(name) <= MOST_NAME or not name.isprintable():
        raise StoreError(message("error.resident_name", id=name[:40], most=MOST_NAME))
    for at in (resident.valid_from, resident.valid_until):
        if at is not None and at.tzinfo is None:
            raise StoreError(f"resident {resident.id!r}: {at} has no time zone; give UTC")


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
