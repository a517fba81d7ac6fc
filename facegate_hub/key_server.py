"""The site's key server: hands each door the key that opens its faces, over mutual TLS.

A door is who its certificate says. A stolen door is shut out by revoking it (`facegate provision
revoke`): the list is read anew for every connection.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import secrets
import socket
import ssl
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from edge.durable import write_whole
from edge.errors import ConfigError
from edge.site.authority import Authority
from edge.site.provision import HUB
from edge.store.remote_key import PATH
from edge.store.sealer import KEY_BYTES
from edge.wire.names import DEVICE_ID

if TYPE_CHECKING:
    from pathlib import Path

LOG = logging.getLogger(__name__)

FOLDER = "keys"
TIMEOUT_SECONDS = 10.0
"""How long one door may take: a handshake that never ends must not gather threads."""
MOST_KEPT = 2
"""The present key and the one before it, which a door that was away still has to open."""


class KeyCabinet:
    """The keys of a site's doors, one file each (mode 0600) in the site's folder. Any process."""

    def __init__(self, site: Path) -> None:
        self._folder = site / FOLDER
        self._lock = threading.Lock()  # two connections of one new door get one key

    def keys(self, door_id: str) -> list[bytes]:
        """Return the door's keys, newest first; made when it asks for the first time."""
        with self._lock:
            return self._read_or_make(self._path(door_id))

    def change(self, door_id: str) -> None:
        """Make a new key for a door; it takes it with `facegate keys rotate`."""
        self._keep(self._path(door_id), [secrets.token_bytes(KEY_BYTES), *self.keys(door_id)][:MOST_KEPT])

    def _read_or_make(self, path: Path) -> list[bytes]:
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            return [base64.b64decode(text, validate=True) for text in fields["keys"]]
        except FileNotFoundError:
            return self._keep(path, [secrets.token_bytes(KEY_BYTES)])
        except (OSError, ValueError, KeyError, TypeError) as error:
            # Never replaced: a new key would not open one face at that door.
            raise ConfigError(f"{path}: keys that cannot be read ({error}); restore the file") from error

    def _path(self, door_id: str) -> Path:
        if not DEVICE_ID.fullmatch(door_id):
            raise ConfigError(f"door {door_id!r}: no such name; see facegate provision list")
        return self._folder / f"{door_id}.json"

    def _keep(self, path: Path, keys: list[bytes]) -> list[bytes]:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fields = {"keys": [base64.b64encode(key).decode() for key in keys]}
        write_whole(path, json.dumps(fields).encode())
        return keys


class KeyServer(ThreadingHTTPServer):
    """Answers doors until `shutdown`. `hosts` are the names doors know this machine by."""

    daemon_threads = True

    def __init__(self, site: Path, address: tuple[str, int], hosts: list[str]) -> None:
        self.cabinet = KeyCabinet(site)
        self._site = site
        self._make_certificate(hosts)
        super().__init__(address, _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the thread of this door alone, then answer it."""
        request.settimeout(TIMEOUT_SECONDS)
        with (
            suppress(ssl.SSLError, OSError),
            self._context().wrap_socket(request, server_side=True) as wrapped,
        ):
            super().finish_request(wrapped, client_address)
            with suppress(OSError):
                wrapped.unwrap()

    def _context(self) -> ssl.SSLContext:
        folder = self._site / FOLDER
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self._site / HUB / "ca.crt")  # the authority itself may be offline
        context.load_verify_locations(self._site / "broker" / "crl.pem")
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        return context

    def _make_certificate(self, hosts: list[str]) -> None:
        folder = self._site / FOLDER
        if (folder / "server.crt").exists() and not hosts:
            return
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "server.key").unlink(missing_ok=True)
        names = dict.fromkeys((*hosts, socket.gethostname(), "localhost", "127.0.0.1"))
        Authority.open(self._site / "ca").issue("keys", folder / "server.crt", folder / "server.key", names)


class _Handler(BaseHTTPRequestHandler):
    server: KeyServer
    server_version, sys_version = "facegate", ""

    def do_GET(self) -> None:
        door_id = _common_name(self.connection)
        if self.path != PATH or door_id is None:
            self.send_error(404)
            return
        try:
            keys = self.server.cabinet.keys(door_id)
        except ConfigError:
            LOG.exception("no key for %s", door_id)
            self.send_error(503)
            return
        body = json.dumps({"keys": [base64.b64encode(key).decode() for key in keys]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        LOG.info("key handed to %s at %s", door_id, self.client_address[0])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the standard library
        """Say little: what a stranger asks for is not worth a line each."""
        LOG.debug(re.sub(r"[^ -~]", "?", format % args))


def _common_name(connection: Any) -> str | None:
    """Return the door whose certificate was shown; broker and hub have no face to open."""
    certificate = connection.getpeercert() or {}
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    is_door = len(names) == 1 and DEVICE_ID.fullmatch(names[0]) and names[0] not in {HUB, "broker", FOLDER}
    return names[0] if is_door else None
