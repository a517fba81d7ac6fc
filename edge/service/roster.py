"""The gallery follows the resident store: what is enrolled or removed counts at the door at once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edge.errors import TemplateRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.domain import Embedding, Template
    from edge.matcher.gallery import LiveGallery
    from edge.store.residents import ResidentStore

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
"""Asking costs one indexed read; a removed resident is refused within this time."""


def door_rows(templates: Iterable[Template], model_id: str) -> list[Embedding]:
    """Return what the door compares probes with, of one resident's templates of this model."""
    own = [template for template in templates if template.model_id == model_id]
    return [t.embedding for t in own if t.kind == "mean"] or [t.embedding for t in own]


class RosterFollower:
    """Keeps a `LiveGallery` equal to the store's templates of its model. One thread.

    Probes are compared with a resident's mean; the single shots stay in the store.

    One bad resident is reported and left out; the others stay.
    """

    poll_seconds = POLL_SECONDS

    def __init__(self, store: ResidentStore, gallery: LiveGallery) -> None:
        self._store = store
        self._gallery = gallery
        self._version = 0

    @property
    def gallery(self) -> LiveGallery:
        """The gallery that is kept."""
        return self._gallery

    def refresh(self) -> None:
        """Load what changed since the last time, if anything did."""
        if self._store.version() != self._version:
            self.load()

    def load(self) -> None:
        """Bring the gallery up to date. Raises `StoreError` when the store cannot be read."""
        changes = self._store.changes_since(self._version)
        for resident_id in changes.removed:
            self._gallery.remove(resident_id)
        for resident_id in changes.put:
            self._replace(resident_id)
        self._version = changes.version

    def _replace(self, resident_id: str) -> None:
        model_id = self._gallery.model_id
        rows = door_rows(self._store.templates_of(resident_id), model_id)
        try:
            if rows:
                self._gallery.replace(resident_id, rows, model_id)
                return
        except TemplateRefused as refusal:
            logger.error("resident %s is not matched: %s; enrol again", resident_id, refusal)  # noqa: TRY400
        self._gallery.remove(resident_id)
