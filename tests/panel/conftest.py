"""One panel per test."""

from contextlib import ExitStack

import pytest

from tests.panel.office import open_panel


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def panel(tmp_path, stack):
    return open_panel(tmp_path, stack)
