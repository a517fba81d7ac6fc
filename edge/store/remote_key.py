"""The site's key server, asked by a door: the key is in memory only, and the card holds none.

The price: after a power cut without network no face is recognised until the server answers. PIN,
card and pass go on. So this is never the default.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from edge.aside import TooSlow, begin_beside
from edge.durable import write_whole
from edge.errors import KeyUnavailable
from edge.store.sealer import KEY_BYTES
from edge.words import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge.aside import Asked

LOG = logging.getLogger(__name__)

PATH = "/v1/key"
TIMEOUT_SECONDS = 5.0
"""For each step of the conversation; it takes place beside the door's threads."""
WAIT_SECONDS = 1.0
"""How long a caller waits for the key: a thread that is silent for five seconds counts as stuck."""
PAUSE_SECONDS = 10.0
"""After a failure nobody is asked for so long: a gallery of thousands must not wait for each face."""
MOST_BYTES = 4096


class RemoteKey:
    """A key handed over by the site's server over mutual TLS. A `SiteKey`; any thread.

    `identity` are the authority's certificate, the door's certificate and its key. `cache` is a file
    that has to lie in memory (tmpfs): a restarted service then needs no network for `cache_seconds`,
    and a card without power holds nothing.
    """

    protection = Message("panel.protection.site_server")
    is_remote = True

    def __init__(
        self,
        server: str,
        identity: tuple[Path, Path, Path],
        cache: Path | None = None,
        cache_seconds: float = 0,
        uptime: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._server, self._identity = server, identity
        self._cache, self._cache_seconds = cache, cache_seconds
        self._uptime = uptime
        self._lock = threading.Lock()
        self._was_asked = False
        self._failed: tuple[float, str] | None = None
        self._question: Asked[bytes] | None = None
        self._last: Sequence[bytes] = ()

    def keys(self) -> Sequence[bytes]:
        """Return the keys in use, newest first; from the second call on the server is asked again.

        Raises `KeyUnavailable` while none can be obtained.
        """
        with self._lock:
            cached = () if self._was_asked else self._cached()
            self._was_asked = True
            self._last = cached or self._asked()
            return self._last

    def at_hand(self) -> Sequence[bytes]:
        """Return what was had last, also by a former run of this boot; nothing before."""
        return self._last or self._cached()

    def _asked(self) -> Sequence[bytes]:
        now = self._uptime()
        if self._failed is not None and now - self._failed[0] < PAUSE_SECONDS:
            raise KeyUnavailable(self._failed[1])
        # One question at a time: who asks before it was answered waits for the same answer.
        self._question = self._question or begin_beside("site-key", self._fetch)
        try:
            content = self._question.wait(WAIT_SECONDS)
            self._question = None
            keys = _keys_in(content)
        except TooSlow as error:
            unheard = f"{self._server}: no answer yet; faces wait for it, PIN and card do not"
            raise KeyUnavailable(unheard) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._question = None
            text = f"{self._server}: no key: {error}; faces wait for it, PIN and card do not"
            self._failed = now, text
            raise KeyUnavailable(text) from error
        self._failed = None
        self._remember(keys)
        return keys

    def _fetch(self) -> bytes:
        import ssl  # noqa: PLC0415 - only a door with a key server needs it
        from http.client import HTTPException, HTTPSConnection  # noqa: PLC0415

        place = urlsplit(self._server)
        authority, certificate, key = self._identity
        context = ssl.create_default_context(cafile=authority)
        context.load_cert_chain(certificate, key)
        connection = HTTPSConnection(
            place.hostname or "", place.port or 443, timeout=TIMEOUT_SECONDS, context=context
        )
        try:
            connection.request("GET", PATH)
            with connection.getresponse() as answer:
                if answer.status != 200:
                    raise ValueError(f"it answered {answer.status}")
                return answer.read(MOST_BYTES)
        except HTTPException as error:
            raise ValueError(f"it sent an invalid answer ({type(error).__name__})") from error
        finally:
            connection.close()

    def _remember(self, keys: Sequence[bytes]) -> None:
        if self._cache is None:
            return
        until = self._uptime() + self._cache_seconds
        fields = {"until": until, "keys": [base64.b64encode(key).decode() for key in keys]}
        try:
            write_whole(self._cache, json.dumps(fields).encode())
        except OSError as error:
            LOG.warning("%s: the key is not kept for a restart: %s", self._cache, error)

    def _cached(self) -> Sequence[bytes]:
        """Return the keys a former run of this boot left, while they are not too old."""
        if self._cache is None:
            return ()
        try:
            content = self._cache.read_bytes()
            left = float(json.loads(content)["until"]) - self._uptime()
            return _keys_in(content) if 0 < left <= self._cache_seconds else ()
        except (OSError, ValueError, KeyError, TypeError):
            return ()


@cache
def remote_key(
    server: str, identity: tuple[Path, Path, Path], cache: Path | None, cache_seconds: float
) -> RemoteKey:
    """Return the one `RemoteKey` of this process for these values.

    A door opens its keyring in several places: a server that is away must hold up only the first.
    """
    return RemoteKey(server, identity, cache, cache_seconds)


def _keys_in(content: bytes) -> Sequence[bytes]:
    fields: dict[str, Any] = json.loads(content)
    keys = [base64.b64decode(text, validate=True) for text in fields["keys"]]
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ValueError(f"not keys of {KEY_BYTES} bytes")
    return keys
