"""How a running door is, in one dictionary: for the `state` topic and for remote diagnostics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge import __version__
from edge.events import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import EventDraft
    from edge.matcher.gallery import LiveGallery
    from edge.relay.door import DoorState


class DoorReport:
    """Says how the door is now; any thread. Tell it every event with `heard`.

    `gallery` is None while nobody can be recognised, `trust` and `mode` give the words of the
    clock and of the door's mode, `liveness` that of its attack detection.
    """

    def __init__(
        self,
        gallery: LiveGallery | None,
        door: Callable[[], DoorState],
        trust: Callable[[], str],
        mode: Callable[[], str],
        liveness: str = "unavailable",
    ) -> None:
        self._gallery = gallery
        self._door = door
        self._trust = trust
        self._mode = mode
        self._liveness = liveness
        self._camera = "ok"

    def heard(self, draft: EventDraft) -> None:
        """Take the camera's state from its events."""
        if draft.kind == Kind.HEALTH_CAMERA:
            self._camera = str(draft.data.get("state", "unknown"))

    def read(self) -> dict[str, Any]:
        """Return `software`, `model`, `gallery`, `camera`, `liveness`, `clock`, `mode` and `door`."""
        gallery = self._gallery
        return {
            "software": __version__,
            "model": gallery.model_id if gallery is not None else None,
            "gallery": gallery.residents if gallery is not None else 0,
            "camera": self._camera,
            "liveness": self._liveness,
            "clock": self._trust(),
            "mode": self._mode(),
            "door": door_words(self._door()),
        }


def door_words(state: DoorState) -> dict[str, Any]:
    """Return the door's state as it travels: BACnet's words."""
    return {
        "contact": str(state.door),
        "lock": str(state.lock),
        "secured": str(state.secured),
        "alarms": sorted(str(alarm) for alarm in state.alarms),
    }
