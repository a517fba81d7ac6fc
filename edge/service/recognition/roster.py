"""The gallery follows store and consents: what is enrolled, removed or withdrawn counts at once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from edge.consent.rules import matchable
from edge.errors import KeyUnavailable, StoreError, StoreUnavailable, TemplateRefused
from edge.events import Kind
from edge.service.recognition.consent import MOST_NAMED, ConsentGate, health_data, in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge.domain import Embedding, Reason, Template
    from edge.matcher.gallery import LiveGallery
    from edge.service.recognition.consent import FollowedConsents
    from edge.store.consents import ConsentLedger
    from edge.store.residents import ResidentStore

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
"""Asking costs two indexed reads; a removed or withdrawn resident is refused within this time."""


def door_rows(templates: Iterable[Template], model_id: str) -> list[Embedding]:
    """Return what the door compares probes with, of one resident's templates of this model."""
    own = [template for template in templates if template.model_id == model_id]
    return [t.embedding for t in own if t.kind == "mean"] or [t.embedding for t in own]


def permitted_rows(
    store: ResidentStore, consents: ConsentLedger, model_id: str
) -> dict[str, list[Embedding]]:
    """Return the rows a door of this model compares with, by resident: nobody who did not agree."""
    own: dict[str, list[Template]] = {}
    for template in ConsentGate(consents).permitted(store.templates(model_id)):
        own.setdefault(template.resident_id, []).append(template)
    return {resident_id: door_rows(templates, model_id) for resident_id, templates in own.items()}


class GalleryFollower:
    """Keeps a `LiveGallery` equal to the store's templates of its model whose consent is in force.

    One thread. Probes are compared with a resident's mean; the single shots stay in the store. One
    bad resident is reported and left out; the others stay. While the consents cannot be read nobody
    is matched. `report` (kind, data) hears of residents without a consent, and of that.
    """

    poll_seconds = POLL_SECONDS

    def __init__(
        self,
        store: ResidentStore,
        gallery: LiveGallery,
        consents: FollowedConsents,
        report: Callable[[Kind, dict[str, Any]], object] = lambda _kind, _data: None,
    ) -> None:
        self._report = report
        self.objections: dict[str, Reason] = {}
        """Who has templates of this model and is not matched because consent is missing."""
        self.unmatched: dict[str, str] = {}
        """Who is enrolled and agreed and is not matched all the same, and why: a fault, not a wish."""
        self._told_unmatched: frozenset[str] = frozenset()
        self._store = store
        self._gallery = gallery
        self._consents = consents
        self._version = 0
        self._told: dict[str, Any] = {"state": "ok"}
        self._wanting = ""
        self._owed: Sequence[str] = ()

    @property
    def gallery(self) -> LiveGallery:
        """The gallery that is kept."""
        return self._gallery

    def refresh(self) -> None:
        """Load what changed since the last time, if anything did, and tell what is wrong."""
        self._tell(self.load())
        self._tell_unmatched()

    def load(self) -> dict[str, Any]:
        """Bring the gallery up to date; return the data of a `health.consent` event about it.

        While the residents cannot be read those who are matched stay; the next look tries again.
        """
        try:
            changed = self._consents.follow()
        except StoreError as error:
            self._match_nobody()
            return {"state": "unreadable", "error": str(error)[:200]}
        # Kept until they are done: `follow` tells of a change once, and the store may fail meanwhile.
        self._owed = sorted({*changed, *self._owed})
        try:
            if self._owed or self._store.version() != self._version:
                self._follow()
        except StoreError as error:
            return {"state": "unreadable", "error": str(error)[:200]}
        if self._wanting:
            return {"state": "unreadable", "error": self._wanting[:200]}
        return health_data(self.objections)

    def _follow(self) -> None:
        changes = self._store.changes_since(self._version)
        for resident_id in changes.removed:
            self.objections.pop(resident_id, None)
            self.unmatched.pop(resident_id, None)
            self._gallery.remove(resident_id)
        concerned = sorted({*changes.put, *self._owed})
        try:
            for resident_id in concerned:
                self._replace(resident_id)
        except (KeyUnavailable, StoreUnavailable) as error:
            self._wait(concerned, error)
        else:
            # Only when all went well: otherwise the same changes come again at the next look.
            self._wanting, self._owed, self._version = "", (), changes.version

    def _wait(self, concerned: Sequence[str], error: StoreError) -> None:
        """Match nobody of whom it is not known what changed; the others stay. Tried again at each look."""
        for resident_id in concerned:
            self._gallery.remove(resident_id)
        self._wanting, self._owed = str(error), concerned

    def _replace(self, resident_id: str) -> None:
        model_id = self._gallery.model_id
        self.objections.pop(resident_id, None)
        self.unmatched.pop(resident_id, None)
        try:
            rows = door_rows(self._permitted(resident_id, model_id), model_id)
            if rows:
                self._gallery.replace(resident_id, rows, model_id)
                return
        except (KeyUnavailable, StoreUnavailable):
            raise
        except (TemplateRefused, StoreError) as refusal:
            # A backup may bring back templates whose key was destroyed since: others must not suffer for it.
            logger.error("resident %s is not matched: %s; enrol again", resident_id, refusal)  # noqa: TRY400
            self.unmatched[resident_id] = str(refusal)[:200]
        self._gallery.remove(resident_id)

    def _permitted(self, resident_id: str, model_id: str) -> list[Template]:
        waiting = self._consents.waiting
        found = (one for one in self._store.templates_of(resident_id) if one.model_id == model_id)
        own = [one for one in found if one.consent_id not in waiting]
        kept, objections = matchable(own, self._consents.in_force)
        self.objections |= objections
        return kept

    def _match_nobody(self) -> None:
        """Empty the gallery; everybody is loaded anew once the consents can be read."""
        if self._gallery.residents:
            self._gallery.load([])
        self.objections, self.unmatched, self._version = {}, {}, 0

    def _tell_unmatched(self) -> None:
        """Report who is enrolled and not matched, once for each, and that nobody is any more."""
        now = frozenset(self.unmatched)
        is_news = bool(now - self._told_unmatched) or (bool(self._told_unmatched) and not now)
        self._told_unmatched = now
        if not is_news:
            return
        named = dict(sorted(self.unmatched.items())[:MOST_NAMED])
        data = {"state": "unmatched", "residents": len(now), "who": named, "way_out": "enrol them again"}
        self._report(Kind.HEALTH_GALLERY, data if now else {"state": "ok"})

    def _tell(self, data: dict[str, Any]) -> None:
        """Log and report changes: a list that grows each time, one that shrinks once it is empty."""
        news = data["state"] != self._told["state"] or data.get("residents", 0) > self._told.get(
            "residents", 0
        )
        self._told = data
        if not news:
            return
        if data["state"] == "unreadable":
            logger.error("no face is matched, other ways in go on: %s", data["error"])
        elif self.objections:
            logger.error("%s", in_words(self.objections))
        self._report(Kind.HEALTH_CONSENT, data)
