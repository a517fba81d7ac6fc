"""The panel on the network: HTTPS only, few connections, no word about what serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.applications import Starlette

MOST_CONNECTIONS = 64
"""A handful of browsers; more is somebody who wants the board's memory."""


def serve(app: Starlette, address: tuple[str, int], certificate: Path, key: Path) -> None:
    """Serve until SIGTERM or SIGINT. Call from the main thread."""
    host, port = address
    uvicorn.run(
        app,
        host=host,
        port=port,
        ssl_certfile=str(certificate),
        ssl_keyfile=str(key),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=16 * 1024,
        lifespan="off",
        ws="none",
        http="h11",
    )
