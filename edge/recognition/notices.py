"""What staff should know of what the camera saw, beside the decisions about people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.domain import EventDraft
from edge.events import Kind
from edge.recognition.budget import VISITS_AN_HOUR
from edge.recognition.company import Company
from edge.recognition.picture import PictureTrouble

if TYPE_CHECKING:
    from typing import Any

    from edge.domain import Frame
    from edge.faces.scenery import Scenery
    from edge.recognition.budget import HourlyBudget


class StaffNotices:
    """Gathers drafts of events until they are taken. One thread, but for `company`."""

    def __init__(self) -> None:
        self.company = Company()
        """Counts people in view against people let in; told of openings by any thread."""
        self._trouble = PictureTrouble()
        self._drafts: list[EventDraft] = []
        self._not_embedded = ""

    def take(self) -> list[EventDraft]:
        """Return what was gathered since the last call, oldest first."""
        drafts, self._drafts = self._drafts, []
        return drafts

    def of_jump(self, frame: Frame, changed: float) -> None:
        """Take note that so much of the picture changed at once, and what it shows with it."""
        self._of_picture(frame, self._trouble.note_jump(frame.time, changed))

    def of_rest(self, frame: Frame) -> None:
        """Take note of a picture and its size; trouble that begins with it, or is over, is told."""
        self._of_picture(frame, self._trouble.settle(frame.time))
        height, width = frame.image.shape[:2]
        self._of_picture(frame, self._trouble.note_size(width, height, frame.time))

    def of_turn(self, frame: Frame, track_id: int, turn: int) -> None:
        """Take note by how many degrees a face would have to be turned to be upright."""
        self._of_picture(frame, self._trouble.note_face(track_id, turn))

    def of_not_embedded(self, frame: Frame, problem: str) -> None:
        """Tell of a face that the network gives nothing usable for, when it is news."""
        if problem != self._not_embedded:
            self._not_embedded = problem
            self._add(frame, Kind.HEALTH_FRAME, {"error": problem})

    def of_scenery(self, frame: Frame, scenery: Scenery) -> None:
        """Tell of faces that hang there, once each."""
        for place in scenery.news:
            left, top, width = (round(n) for n in (place.box.left, place.box.top, place.box.width))
            data = {"what": place.kind, "left": left, "top": top, "width": width}
            self._add(frame, Kind.ACCESS_SCENERY, data)
        scenery.news.clear()

    def of_company(self, frame: Frame, people: int) -> None:
        """Take note of how many people are in view; tell when more were there than were let in."""
        if people:
            self._trouble.note_people(frame.time)
        company = self.company.see(frame.time, people)
        if company is not None:
            self._add(frame, Kind.ACCESS_COMPANY, company)

    def of_budget(self, frame: Frame, budget: HourlyBudget) -> None:
        """Tell when undecided visits have used up the camera's hour."""
        if budget.is_news(frame.time):
            spent = round(budget.spent(frame.time), 1)
            self._add(frame, Kind.ACCESS_BUDGET, {"undecided_visits": spent, "limit": VISITS_AN_HOUR})

    def _of_picture(self, frame: Frame, news: dict[str, Any] | None) -> None:
        if news is not None:
            self._add(frame, Kind.HEALTH_PICTURE, news)

    def _add(self, frame: Frame, kind: Kind, data: dict[str, Any]) -> None:
        self._drafts.append(EventDraft(kind, frame.at, frame.time, data=data))
