"""How near a face has to be: on the live view, in the documents, and the same in both."""

import re
from math import radians, tan

import pytest

from edge.panel.sight import HEAD_METRES, LENSES_DEGREES, WIDTHS_PX, reach_metres
from tests.places import REPOSITORY


def test_the_documents_have_the_table_of_the_live_view(panel):
    """Every cell."""
    text = (REPOSITORY / "docs" / "install.md").read_text()
    page = panel.logged_in().get("/live").text
    for lens in LENSES_DEGREES:
        cells = [f"{reach_metres(width, lens, 20):.1f} m" for width in WIDTHS_PX]
        assert f"| {lens} degrees | {' | '.join(cells)} |" in text
        assert re.search(rf"{lens}°</th>{''.join(f'<td>{cell}</td>' for cell in cells)}", page)


@pytest.mark.parametrize("lens", LENSES_DEGREES)
def test_at_the_reach_the_eyes_are_as_far_apart_as_was_asked(lens):
    """Projected by hand: the picture shows as wide a scene as the lens sees at that distance."""
    metres = reach_metres(1280, lens, 20)
    scene_metres = 2 * metres * tan(radians(lens) / 2)
    assert HEAD_METRES / scene_metres * 1280 == pytest.approx(20)
