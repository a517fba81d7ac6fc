"""The gallery that changes while it is searched."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from edge.errors import FacegateError, TemplateRefused
from edge.matcher.admission import Admission
from edge.matcher.arena import MOST_DIM, Arena, Grave, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import ArrayLike

    from edge.domain import Template
    from edge.matcher.exact import Rows

TEMPLATES_PER_RESIDENT = 64
"""Several times what guided enrolment stores; a flood of rows for one id is refused."""


class LiveGallery:
    """Residents' templates, changed by any thread and read without locks.

    Readers take `snapshot` (one reference) and keep it for the whole search; writers take turns
    behind a lock and publish a new snapshot by one assignment. Adding, replacing and removing cost
    microseconds at any size; when the arena is full the writer rebuilds it while readers go on.
    """

    def __init__(
        self, model_id: str, dim: int, *, templates_per_resident: int = TEMPLATES_PER_RESIDENT
    ) -> None:
        if not 1 <= dim <= MOST_DIM:
            raise ValueError(f"dim = {dim}; embeddings of 1 to {MOST_DIM} numbers can be searched exactly")
        self.admission = Admission(model_id, dim, templates_per_resident)
        self._writing = threading.Lock()
        self._owners: dict[str, int] = {}
        arena = Arena.holding({}, dim, spare=0)
        self._snapshot = _view(arena, version=0, residents=0, templates=0)

    @property
    def model_id(self) -> str:
        """The one model whose templates this gallery holds."""
        return self.admission.model_id

    @property
    def dim(self) -> int:
        """Length of every embedding."""
        return self.admission.dim

    @property
    def snapshot(self) -> Snapshot:
        """The gallery as it is now, unchanging for whoever holds it. Any thread."""
        return self._snapshot

    @property
    def residents(self) -> int:
        """How many residents are enrolled."""
        return self._snapshot.residents

    @property
    def templates(self) -> int:
        """How many templates all residents have together."""
        return self._snapshot.templates

    @property
    def version(self) -> int:
        """A number that grows with every change."""
        return self._snapshot.version

    def __contains__(self, resident_id: str) -> bool:
        return resident_id in self._owners

    def add(self, resident_id: str, embeddings: ArrayLike, model_id: str) -> None:
        """Enrol a new resident; like `replace`, but refuses an id that is enrolled already."""
        # Checked before the lock: who is refused holds up no other writer.
        rows = self.admission.templates(resident_id, embeddings, model_id)
        with self._writing:
            if resident_id in self._owners:
                raise TemplateRefused(
                    f"resident id {resident_id!r} is enrolled already; replace or remove it first"
                )
            self._put(resident_id, rows)

    def replace(self, resident_id: str, embeddings: ArrayLike, model_id: str) -> None:
        """Give a resident exactly these templates, enrolling them if need be.

        `embeddings` is (k, D) float32 of unit length, 1 to `templates_per_resident` of them.
        Raises `TemplateRefused` or `ModelMismatch`; the gallery is then unchanged. Any thread.
        """
        rows = self.admission.templates(resident_id, embeddings, model_id)
        with self._writing:
            self._put(resident_id, rows)

    def remove(self, resident_id: str) -> bool:
        """Forget a resident and zero their templates; False when they were not enrolled.

        The memory is zeroed as soon as the last search that had begun before has ended.
        """
        with self._writing:
            owner = self._owners.pop(resident_id, None)
            if owner is None:
                return False
            self._publish(self._snapshot.arena, dead=owner)
            return True

    def load(
        self,
        templates: Iterable[Template],
        on_refused: Callable[[str, FacegateError], None] | None = None,
    ) -> None:
        """Make `templates` the whole content, in one step; several of one resident are grouped.

        Without `on_refused` the first bad template raises and the gallery is unchanged. With it,
        the resident concerned is left out and reported: one damaged record must not lock
        everybody else out.
        """
        self._become(self._admit(templates, on_refused))

    def fill(self, residents: Iterable[tuple[str, ArrayLike]], model_id: str) -> None:
        """Make `residents`, pairs of id and (k, D) rows, the whole content, in one step.

        For benchmarks and imports that hold rows rather than templates. The first bad row raises
        and the gallery is unchanged.
        """
        admit = self.admission.templates
        self._become({resident_id: admit(resident_id, rows, model_id) for resident_id, rows in residents})

    def _become(self, admitted: dict[str, Rows]) -> None:
        # Built before the lock: encoding a large gallery takes seconds, in which others may enrol. What they
        # wrote is replaced with the rest, as if it had come a moment sooner.
        arena = Arena.holding(admitted, self.dim, spare=0)
        with self._writing:
            self._owners = {name: owner for owner, name in enumerate(arena.names)}
            self._move_to(arena, len(admitted), arena.used)

    def compact(self) -> None:
        """Rebuild the arena without the dead rows; for idle time, readers go on meanwhile."""
        with self._writing:
            self._rebuild(0)

    def _admit(
        self, templates: Iterable[Template], on_refused: Callable[[str, FacegateError], None] | None
    ) -> dict[str, Rows]:
        shots: dict[str, list[Template]] = {}
        for template in templates:
            shots.setdefault(template.resident_id, []).append(template)
        admitted: dict[str, Rows] = {}
        for resident_id, group in shots.items():
            try:
                admitted[resident_id] = self._admit_resident(resident_id, group)
            except FacegateError as error:
                if on_refused is None:
                    raise
                on_refused(resident_id, error)
        return admitted

    def _admit_resident(self, resident_id: str, group: list[Template]) -> Rows:
        # The first one of another model, to be refused by its name; the gallery's own where all are of it.
        foreign = next((t.model_id for t in group if t.model_id != self.model_id), self.model_id)
        return self.admission.templates(resident_id, [t.embedding for t in group], foreign)

    def _put(self, resident_id: str, rows: Rows) -> None:
        # Never in place: a reader may hold any row that was ever written. The rebuilt arena leaves the dead
        # out.
        if not self._snapshot.arena.has_room(len(rows)):
            self._rebuild(len(rows))
        arena = self._snapshot.arena
        dead = self._owners.get(resident_id)
        self._owners[resident_id] = arena.append(resident_id, rows)
        self._publish(arena, dead=dead, born=len(rows))

    def _publish(self, arena: Arena, dead: int | None, born: int = 0) -> None:
        """Make the next version visible in one assignment; then let the dead be buried."""
        old = self._snapshot
        start, stop = arena.spans[dead] if dead is not None else (0, 0)
        # Before the new snapshot can be seen; to readers of the old one, of a lower version, they still live.
        if dead is not None:
            arena.died[dead] = old.version + 1
        new = _view(
            arena,
            old.version + 1,
            old.residents + (born > 0) - (dead is not None),
            old.templates + born - (stop - start),
        )
        # The old snapshot's readers may still see those rows: they are zeroed when the last of them has gone.
        if dead is not None:
            old.grave.buried = (arena, start, stop)
        old.grave.later = new.grave
        self._snapshot = new

    def _move_to(self, arena: Arena, residents: int, templates: int) -> None:
        """Publish another arena; the old one is zeroed whole when its last reader has gone."""
        old = self._snapshot
        new = _view(arena, old.version + 1, residents, templates)
        old.grave.buried = (old.arena, 0, old.arena.used)
        old.grave.later = new.grave
        self._snapshot = new

    def _rebuild(self, extra: int) -> None:
        """Move the living into a new arena with room for `extra` rows and a scale that fits them."""
        old = self._snapshot
        # From the snapshot's rows, which are the originals: codes are made anew for the scale that now fits.
        living = {name: _rows_of(old, owner) for name, owner in self._owners.items()}
        arena = Arena.holding(living, self.dim, spare=extra)
        self._owners = {name: owner for owner, name in enumerate(arena.names)}
        self._move_to(arena, old.residents, old.templates)


def _view(arena: Arena, version: int, residents: int, templates: int) -> Snapshot:
    used = arena.used
    return Snapshot(
        arena,
        arena.originals[:used],
        arena.codes[:used],
        arena.owner[:used],
        arena.residual,
        version,
        residents,
        templates,
        Grave(),
    )


def _rows_of(snapshot: Snapshot, owner: int) -> Rows:
    start, stop = snapshot.arena.spans[owner]
    return snapshot.originals[start:stop]
