"""Whom the notices of a door name, by its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.consent.notice import Operator

if TYPE_CHECKING:
    from edge.config.settings import Settings


def operator_of(settings: Settings) -> Operator:
    """Return what the notices of this door say about its operator, its records and the other ways in."""
    site, access = settings.site, settings.access
    has_pin = access.reads_pins or settings.panel.has_screen
    ways = [way for way, has in (("card", access.reads_cards), ("pin", has_pin)) if has]
    return Operator(
        site.operator,
        site.contact,
        site.office,
        site.child_rules,
        site.doors,
        settings.journal.keep_days,
        settings.mqtt is not None,
        tuple(ways),
    )
