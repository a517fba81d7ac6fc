"""Cameras for the tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.camera.rtsp import RtspCamera, require_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _rtsp_installed() -> None:
    require_server()


@pytest.fixture
def rtsp(_rtsp_installed: None) -> Iterator[RtspCamera]:
    """A real RTSP server on loopback, one per test: some tests kill it."""
    camera = RtspCamera()
    yield camera
    camera.kill()


@pytest.fixture
def locked_rtsp(_rtsp_installed: None) -> Iterator[RtspCamera]:
    """The same, for user keeper with password hunter2 only."""
    camera = RtspCamera(is_locked=True)
    yield camera
    camera.kill()
