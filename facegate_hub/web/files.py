"""Style and script: each under a name that holds its content's digest, so that browsers keep it for good."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

STATIC = Path(__file__).parent / "static"
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
FOR_GOOD = "public, max-age=31536000, immutable"


@cache
def _files() -> dict[str, tuple[str, bytes, bytes]]:
    """Return every file by the name it is asked for under: (media type, content, the same packed)."""
    found = {}
    for path in sorted(STATIC.iterdir()):
        if path.suffix in KINDS:
            content = path.read_bytes()
            found[f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}"] = (
                KINDS[path.suffix],
                content,
                gzip.compress(content, mtime=0),
            )
    return found


@cache
def versioned(name: str) -> str:
    """Return the path of a file such as `community.css`."""
    stem, _, suffix = name.rpartition(".")
    return next(
        f"/static/{one}" for one in _files() if one.startswith(f"{stem}.") and one.endswith(f".{suffix}")
    )


async def static_file(request: Request) -> Response:
    """Return a file, to be kept; 404 for any other name.

    It is compressed for browsers that accept that. Pages are not: the size of a compressed page reveals a
    secret in it (the form's token) to whoever can place text beside it (the BREACH attack).
    """
    kind, content, packed = _files().get(request.path_params["name"], ("", b"", b""))
    if not kind:
        return Response(status_code=404)
    headers = {"Cache-Control": FOR_GOOD, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type=kind, headers={**headers, "Content-Encoding": "gzip"})
    return Response(content, media_type=kind, headers=headers)
