"""One panel per test."""

from contextlib import ExitStack

import pytest

from tests.panel.office import open_panel


@pytest.fixture
def panel(tmp_path):
    with ExitStack() as stack:
        yield open_panel(tmp_path, stack)
