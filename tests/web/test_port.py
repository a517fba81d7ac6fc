"""A port that is taken, as whoever started page, console or panel reads it."""

import socket
from pathlib import Path

import pytest

from edge.errors import AddressTaken
from edge.site.provision import Site
from edge.web.server import listening
from facegate_hub.key_server import KeyServer


def test_a_port_that_somebody_else_has_leads_to_door_and_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressTaken, match=f"^127.0.0.1:{port}: Address already in use; ") as refused:
            listening(("127.0.0.1", port))

    # A command tells such an error in one line.
    assert "panel.port of a door, the options of a command" in str(refused.value)


def test_a_port_that_the_key_server_cannot_have_is_named(tmp_path: Path) -> None:
    Site.create(tmp_path / "site", "s", "localhost")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressTaken, match=f"^127.0.0.1:{port}: .*--port$"):
            KeyServer(tmp_path / "site", ("127.0.0.1", port), ["localhost"])
