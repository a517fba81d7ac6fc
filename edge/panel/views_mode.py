"""Enrolment mode: opened and closed by an installer, for a while, and logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import PanelRefused
from edge.words import message

if TYPE_CHECKING:
    from starlette.responses import Response

    from edge.panel.asking import Ask

MODE_SECONDS = 900.0
"""A family is enrolled within; whoever forgets to close it leaves it open no longer."""


def mode(ask: Ask) -> Response:
    """Open the mode for a quarter of an hour, or close it; back to the page of enrolment."""
    window = ask.desk.studio.window
    if window is None:
        raise PanelRefused(message("panel.no_door"))
    if "close" in ask.form:
        window.close(ask.session.user)
    else:
        window.open(MODE_SECONDS, ask.session.user)
    return ask.to("/enrol")
