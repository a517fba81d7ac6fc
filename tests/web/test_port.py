"""A port that is taken, as whoever started page, console or panel reads it."""

import socket

import pytest

from edge.web.server import listening


def test_a_port_that_somebody_else_has_leads_to_door_and_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"^127.0.0.1:{port}: Address already in use; ") as refused:
            listening(("127.0.0.1", port))

    assert "panel.port of a door, the options of a command" in str(refused.value)
