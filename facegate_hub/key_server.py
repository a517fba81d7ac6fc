"""The site's key server: hands each door the key that opens its faces, over mutual TLS.

A door is who its certificate says. A stolen door is shut out by revoking it (`facegate provision
revoke`): the list is read anew for every connection.
"""

from __future__ import annotations

import base64
import fcntl
import functools
import json
import logging
import os
import re
import secrets
import socket
import ssl
import tempfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509

from edge.durable import write_whole
from edge.errors import AddressTaken, ConfigError
from edge.site.authority import Authority
from edge.site.provision import TAKEN
from edge.store.remote_key import PATH
from edge.store.sealer import KEY_BYTES
from edge.web.limits import Limits, Seats
from edge.wire.names import DEVICE_ID, HUB, is_hub

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = logging.getLogger(__name__)

FOLDER = "keys"
TIMEOUT_SECONDS = 10.0
"""How long one door may take: a handshake that never ends must not gather threads."""
SEATS = Limits(connections=96, of_one_address=12, for_device=64)
"""Conversations at once, each in a thread; a door's takes a tenth of a second. Who comes when there is no
room takes the place of whoever has waited longest, of the address that has most."""
MOST_KEPT = 8
"""The present key and those before it: a backup from before a door was stolen must still open."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A door's keys, newest first, and the serial number of the certificate it last showed."""

    keys: list[bytes]
    serial: int


class KeyCabinet:
    """The keys of a site's doors, one file each (mode 0600) in the site's folder. Any process."""

    def __init__(self, site: Path) -> None:
        self._folder = site / FOLDER

    def keys(self, door_id: str, serial: int = 0) -> list[bytes]:
        """Return the door's keys, newest first; made when it asks for the first time.

        `serial` is that of the certificate it showed. A door that was provisioned again after its
        certificate had been revoked gets a new key before the ones that the lost device knew.
        """
        path = self._path(door_id)
        with self._alone():
            kept = self._read(path)
            if kept is None:
                kept = self._keep(path, _Kept([secrets.token_bytes(KEY_BYTES)], serial))
            # Another certificate of the same door: renewed, or provisioned again after the first was revoked.
            # Only then is somebody else in possession of the old keys.
            elif serial and kept.serial != serial:
                fresh = [secrets.token_bytes(KEY_BYTES)] if self._is_revoked(kept.serial) else []
                kept = self._keep(path, _Kept([*fresh, *kept.keys][:MOST_KEPT], serial))
            return kept.keys

    def change(self, door_id: str) -> None:
        """Make a new key for a door; it takes it with `facegate keys rotate`."""
        path = self._path(door_id)
        with self._alone():
            kept = self._read(path) or _Kept([], 0)
            fresh = secrets.token_bytes(KEY_BYTES)
            self._keep(path, _Kept([fresh, *kept.keys][:MOST_KEPT], kept.serial))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep every other cabinet of this folder off, of this process or another, while keys are changed."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # The folder itself is locked: the command may run as root, and a file that it made for the lock
            # could not be opened by the server's account.
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _read(self, path: Path) -> _Kept | None:
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            keys = [base64.b64decode(text, validate=True) for text in fields["keys"]]
            return _Kept(keys, int(fields.get("serial", "0"), 16))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            # Never replaced: a new key would not open one face at that door.
            raise ConfigError(f"{path}: keys that cannot be read ({error}); restore the file") from error

    def _is_revoked(self, serial: int) -> bool:
        listed = x509.load_pem_x509_crl((self._folder.parent / "broker" / "crl.pem").read_bytes())
        return bool(serial) and listed.get_revoked_certificate_by_serial_number(serial) is not None

    def _path(self, door_id: str) -> Path:
        if not DEVICE_ID.fullmatch(door_id):
            raise ConfigError(f"door {door_id!r}: no such name; see facegate provision list")
        return self._folder / f"{door_id}.json"

    def _keep(self, path: Path, kept: _Kept) -> _Kept:
        keys = [base64.b64encode(key).decode() for key in kept.keys]
        write_whole(path, json.dumps({"keys": keys, "serial": f"{kept.serial:x}"}).encode())
        return kept


class KeyServer(ThreadingHTTPServer):
    """Answers doors until `shutdown`. `hosts` are the names doors know this machine by."""

    daemon_threads = True
    request_queue_size = 128
    """After a power cut all doors ask at once; whoever the kernel turns away asks again a second later."""

    def __init__(self, site: Path, address: tuple[str, int], hosts: list[str]) -> None:
        self.cabinet = KeyCabinet(site)
        self._site = site
        self._seats, self._seating = Seats(SEATS), threading.Lock()
        self._lines: dict[Any, socket.socket | None] = {}
        """By the connection that has a seat: what its thread reads, None before it does."""
        self._make_certificate(hosts)
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            host, port = address
            raise AddressTaken(f"{host}:{port}: {error}; choose another with --listen and --port") from error

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a conversation; without a seat or a thread for it the connection is closed."""
        with self._seating:
            is_seated, displaced = self._seats.take(request, client_address[0])
            if is_seated:
                self._lines[request] = None
            if (line := self._lines.pop(displaced, None)) is not None:
                # Only cut, not closed: its own thread does that. In the plain socket's way: that of TLS would
                # forget its keys under the thread that reads.
                with suppress(OSError):
                    socket.socket.shutdown(line, socket.SHUT_RDWR)
        try:
            if is_seated:
                super().process_request(request, client_address)
                return
        except (RuntimeError, MemoryError) as error:
            LOG.error("no thread for a connection: %s", error)  # noqa: TRY400 - one line
        self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """End a conversation, and give its seat to others."""
        with self._seating:
            self._seats.leave(request)
            self._lines.pop(request, None)
        super().shutdown_request(request)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the thread of this door alone, then answer it."""
        request.settimeout(TIMEOUT_SECONDS)
        try:
            context = self._context()
        except (OSError, ssl.SSLError) as error:
            LOG.error("no door gets its key: %s; start the key server again", error)  # noqa: TRY400
            return
        # A client without a certificate of this site ends here; `suppress` writes no line to the log for it.
        # The handshake comes later, so that what is read can be cut before the other side has said a word.
        late = functools.partial(context.wrap_socket, server_side=True, do_handshake_on_connect=False)
        with suppress(OSError), late(request) as wrapped:
            if not self._follow(request, wrapped):
                return
            wrapped.do_handshake()
            super().finish_request(wrapped, client_address)
            with suppress(OSError):
                wrapped.unwrap()

    def _follow(self, request: Any, wrapped: ssl.SSLSocket) -> bool:
        """Note what a conversation reads from now on; False when its seat was taken from it meanwhile."""
        with self._seating:
            if request in self._lines:
                self._lines[request] = wrapped
            return request in self._lines

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
        """Make the server's certificate when there is none that serves `hosts`.

        Only then is the authority needed. The old one stays until the new one is whole.
        """
        folder = self._site / FOLDER
        missing = _not_named(folder / "server.crt", folder / "server.key", hosts)
        if missing is None:
            return
        folder.mkdir(mode=0o700, exist_ok=True)
        names = dict.fromkeys((*hosts, socket.gethostname(), "localhost", "127.0.0.1"))
        try:
            authority = Authority.open(self._site / "ca")
        except ConfigError as error:
            raise ConfigError(
                f"{folder}: the key server's certificate {missing}, and only the site's authority makes"
                f" another: bring {self._site / 'ca'} back for this one start. {error}"
            ) from error
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as drafts:
            draft = Path(drafts)
            authority.issue("keys", draft / "server.crt", draft / "server.key", names)
            for name in ("server.key", "server.crt"):
                write_whole(folder / name, (draft / name).read_bytes())


def _not_named(certificate: Path, key: Path, hosts: list[str]) -> str | None:
    """Return what keeps a certificate from serving `hosts`, in words; None when it serves them."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        listed = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except FileNotFoundError:
        return "is not made yet"
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        return f"cannot be read ({error})"
    named = {*listed.get_values_for_type(x509.DNSName), *map(str, listed.get_values_for_type(x509.IPAddress))}
    missing = [host for host in hosts if host not in named]
    return f"does not name {', '.join(missing)}" if missing else None


class _Handler(BaseHTTPRequestHandler):
    server: KeyServer
    server_version, sys_version = "facegate", ""

    def do_GET(self) -> None:
        door_id = _common_name(self.connection)
        if self.path != PATH or door_id is None:
            self.send_error(404)
            return
        try:
            keys = self.server.cabinet.keys(door_id, _serial(self.connection))
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


def _serial(connection: Any) -> int:
    return int((connection.getpeercert() or {}).get("serialNumber", "0"), 16)


def _common_name(connection: Any) -> str | None:
    """Return the door whose certificate was shown; broker and hub have no face to open."""
    certificate = connection.getpeercert() or {}
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    is_door = (
        len(names) == 1 and DEVICE_ID.fullmatch(names[0]) and not (is_hub(names[0]) or names[0] in TAKEN)
    )
    return names[0] if is_door else None
