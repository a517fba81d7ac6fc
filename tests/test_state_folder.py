"""Where a door keeps what it has, when nobody says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.state_folder import OF_THE_INSTALLED, state_folder


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"STATE_DIRECTORY": "/var/lib/facegate:/x", "XDG_DATA_HOME": "/y"}, Path("/var/lib/facegate")),
        ({"XDG_DATA_HOME": "/home/me/data"}, Path("/home/me/data/facegate")),
        ({}, Path.home() / ".local/share/facegate"),
    ],
)
def test_the_folder_follows_systemd_then_xdg(environment, folder, tmp_path):
    """A service and a laptop both work without a word."""
    assert state_folder(environment, tmp_path) == folder


def test_an_installed_program_works_on_its_board_s_door(tmp_path):
    """What an installer types with sudo concerns the door, not root's home."""
    (tmp_path / OF_THE_INSTALLED).write_text("/var/lib/facegate\n")
    assert state_folder({"XDG_DATA_HOME": "/home/me/data"}, tmp_path) == Path("/var/lib/facegate")
    assert state_folder({"STATE_DIRECTORY": "/srv/door"}, tmp_path) == Path("/srv/door")
