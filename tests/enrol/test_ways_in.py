"""PINs and cards that two desks give at once."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from edge.enrol.ways_in import WaysIn
from edge.errors import EnrolmentRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.policy.pin import PinBook


class Hurried(WaysIn):
    """A desk that looks what is given, and then another desk is quicker."""

    other: Callable[[], object] | None = None

    def book(self) -> PinBook:
        found = super().book()
        self._be_overtaken()
        return found

    def free_card(self, card: str, resident_id: str) -> str:
        named = super().free_card(card, resident_id)
        self._be_overtaken()
        return named

    def _be_overtaken(self) -> None:
        other, self.other = self.other, None
        if other is not None:
            other()


def two_desks(folder: Path, stack: ExitStack) -> tuple[Hurried, WaysIn]:
    return stack.enter_context(closing(Hurried(folder))), stack.enter_context(closing(WaysIn(folder)))


def test_the_same_pin_is_given_to_one_of_two_people_of_a_flat(tmp_path: Path) -> None:
    with ExitStack() as stack:
        slow, quick = two_desks(tmp_path, stack)
        slow.other = lambda: quick.set_pin("otto", "1203", "482915")
        with pytest.raises(EnrolmentRefused, match="cannot be used with number"):
            slow.set_pin("anna", "1203", "482915")
        assert [row.resident_id for row in slow.pin_rows()] == ["otto"]
        slow.set_pin("otto", "1203", "482915")  # one's own again


def test_a_card_that_two_desks_give_at_once_stays_with_the_first(tmp_path: Path) -> None:
    with ExitStack() as stack:
        slow, quick = two_desks(tmp_path, stack)
        slow.other = lambda: quick.give_card("w26:17:1", "otto")
        with pytest.raises(EnrolmentRefused, match="otto"):
            slow.give_card("w26:17:1", "anna")
        held: Mapping[str, str] = slow.cards()
        assert held == {"w26:17:1": "otto"}
        slow.give_card("w26:17:1", "anna", takes_over=True)
        assert slow.cards() == {"w26:17:1": "anna"}
