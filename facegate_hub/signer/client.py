"""How everything else reaches the signer: over its socket, or in this process where it may read the key."""

from __future__ import annotations

import base64
import json
import os
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import ConfigError, SyncError
from edge.site.integrations import IntegrationGrant, Integrations
from edge.site.signing import signing_folder, signing_key
from edge.words import Message, message
from facegate_hub.signer.audit import Record
from facegate_hub.signer.calls import answer
from facegate_hub.signer.desk import Permit, SigningDesk
from facegate_hub.signer.principals import Caller
from facegate_hub.signer.rights import NotPermitted, Permission
from facegate_hub.signer.socket_path import reachable
from facegate_hub.signer.tables import open_memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.domain import RosterState
    from edge.wire.commands import CommandType
    from facegate_hub.signer.asking import FacesListed

SOCKET_FILE = "signer.sock"
SOCKET_VARIABLE, TOKEN_VARIABLE = "FACEGATE_SIGNER", "FACEGATE_TOKEN"
ANSWER_SECONDS = 5.0
"""The signer writes a line to its disk and signs; a disk that hangs longer is an error."""


class SignerLine(Protocol):
    """A way to the signer."""

    def call(self, name: str, token: str | None, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `facegate_hub.signer.calls.answer` does. Raises `SyncError` when nobody answers."""

    def close(self) -> None:
        """Let go of it. Safe to call twice."""


@dataclass(frozen=True, slots=True)
class Known:
    """Who the signer takes us for; `rights` are doors by right, None: the whole site."""

    name: str
    kind: str
    is_owner: bool
    rights: Mapping[str, Sequence[str] | None]

    def may(self, right: Permission, door: str | None = None) -> bool:
        """Say whether something would be granted now, at a door or (None) at the whole site."""
        if right not in self.rights:
            return False
        doors = self.rights[right]
        return doors is None or door in doors


class SignerClient:
    """The signer's calls, in the name of whoever shows `token`, or of this process's account. Any thread.

    Every call raises `NotPermitted` where somebody may not, and `SyncError` where something cannot be.
    """

    def __init__(self, line: SignerLine, token: str | None = None) -> None:
        self._line = line
        self._token = token

    def speaking_for(self, token: str) -> SignerClient:
        """Return one that calls in the name of whoever this token is of, over the same line."""
        return SignerClient(self._line, token)

    def close(self) -> None:
        """Let go of the line."""
        self._line.close()

    def ask(
        self,
        doors: list[str],
        kind: CommandType,
        by: str | None = None,
        args: Mapping[str, float] | None = None,
    ) -> list[Permit]:
        """Have a command granted at doors or groups (`@lobby`); one answer for each door, at once."""
        found = self._call("ask", doors=doors, kind=str(kind), by=by, args=dict(args or {}))
        return [Permit(**fields) for fields in found]

    def permit(self, right: Permission, about: Mapping[str, Any], by: str | None = None) -> str:
        """Have something noted that is done at the property, and return in whose name."""
        name: str = self._call("permit", right=str(right), about=dict(about), by=by)
        return name

    def who(self) -> Known:
        """Return who we are to the signer, and what we may."""
        found = self._call("who")
        return Known(found["name"], found["kind"], found["owner"], found["rights"])

    def log_in(self, name: str, password: str) -> str:
        """Return the token of a new session; `speaking_for` it calls in that person's name."""
        token: str = self._call("log_in", name=name, password=password)
        return token

    def log_out(self) -> None:
        """End the session whose token this is."""
        self._call("log_out")

    def groups(self) -> dict[str, list[str]]:
        """Return the doors of each group."""
        found: dict[str, list[str]] = self._call("groups")
        return found

    def set_group(self, name: str, doors: list[str]) -> None:
        """Let a group have exactly these doors; none: there is no such group any more."""
        self._call("set_group", name=name, doors=doors)

    def register(self) -> dict[str, Any]:
        """Return `principals` (name, kind, account, has_token, has_password, ended_at, grants), `rules`."""
        found: dict[str, Any] = self._call("register")
        return found

    def change(self, what: str, /, **fields: Any) -> Any:
        """Change the register: `add`, `end`, `grant`, `revoke`, `token`, `password`, `rule`: docs/hub.md."""
        return self._call(what, **fields)

    def audit(self, count: int) -> tuple[list[Record], int | None]:
        """Return the last records, oldest first, and the number of the first broken one (None: none is)."""
        found = self._call("audit", count=count)
        return [Record(**fields) for fields in found["records"]], found["broken"]

    def approve_roster(
        self, before: RosterState | None, after: Sequence[RosterState], about: Mapping[str, Any]
    ) -> None:
        """Let the roster change from one state to what belongs together; before None: whatever it was."""
        given = None if before is None else _fields(before)
        self._call("approve_roster", before=given, after=[_fields(one) for one in after], about=dict(about))

    def approve_faces(self, listed: FacesListed) -> None:
        """Let the hub list faces in the roster; nothing else may change with it."""
        self._call("approve_faces", before=_fields(listed.before), lines=listed.lines, records=listed.records)

    def approve_settings(self, wish: tuple[str, int, str], about: Mapping[str, Any]) -> None:
        """Let a door's settings become (door, revision, SHA-256 of what will be signed)."""
        self._call("approve_settings", wish=list(wish), about=dict(about))

    def approve_rules(self, wish: tuple[str, int, str], about: Mapping[str, Any]) -> bool:
        """Let a door's access rules become (door, revision, SHA-256); False: it takes a second person."""
        return bool(self._call("approve_rules", wish=list(wish), about=dict(about)))

    def approve_ways(self, orders: Sequence[tuple[str, str]], about: Mapping[str, Any]) -> bool:
        """Let PINs or cards, (door, SHA-256 of the order), go to doors; False: it takes a second person."""
        return bool(self._call("approve_ways", orders=[list(one) for one in orders], about=dict(about)))

    def adopt(self, states: Sequence[RosterState], wishes: Mapping[str, tuple[int, str]]) -> None:
        """Have taken over what a site had before it had a signer; does nothing the second time."""
        self._call(
            "adopt",
            states=[_fields(one) for one in states],
            wishes={name: list(wish) for name, wish in wishes.items()},
        )

    def answer_ring(self, ring: str, door: str, resident: str) -> Permit:
        """Have it granted that a resident opens a door for who rings there; once for each ring."""
        return Permit(**self._call("answer_ring", ring=ring, door=door, resident=resident))

    def ask_for(self, name: str, ask: bytes) -> Permit:
        """Have granted what another program asks; for the hub: the broker says who it is."""
        return Permit(**self._call("ask_for", name=name, ask=ask.decode()))

    def integrations(self) -> list[IntegrationGrant]:
        """Return what other programs of the house may; for the hub."""
        found = self._call("integrations")
        return [
            IntegrationGrant(doors=tuple(one.pop("doors")), may=tuple(one.pop("may")), **one) for one in found
        ]

    def void(self, permit_ids: Sequence[str]) -> frozenset[str]:
        """Let commands that were granted and not signed yet never be; return which will not."""
        # A signer of an older version, which goes on until it is started again, does not say.
        return frozenset(self._call("void", ids=list(permit_ids)) or ())

    def challenge(self, permit_id: str) -> tuple[str, bytes]:
        """Return (id, signed question for a nonce) for the door of a granted command."""
        challenge_id, payload = self._call("challenge", id=permit_id)
        return challenge_id, payload.encode()

    def order(self, permit_id: str, nonce: str) -> bytes:
        """Return a granted command, signed with its door's nonce; once."""
        payload: str = self._call("order", id=permit_id, nonce=nonce)
        return payload.encode()

    def sign(self, body: bytes, purpose: str) -> bytes:
        """Return a message about roster or settings, signed if it is what somebody who may has asked for."""
        payload: str = self._call("sign", body=base64.b64encode(body).decode(), purpose=purpose)
        return payload.encode()

    def _call(self, name: str, /, **fields: Any) -> Any:
        found = self._line.call(name, self._token, fields)
        if "failed" in found:
            why = Message.decoded(found.get("code")) or str(found["failed"])
            raise (NotPermitted if found.get("refused") else SyncError)(why)
        return found.get("done")


class OwnDesk:
    """Calls the signer within this process, for an account that may read the key; the checks are the same."""

    def __init__(self, desk: SigningDesk) -> None:
        self._desk = desk

    def call(self, name: str, token: str | None, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Answer it here."""
        return answer(self._desk, Caller(os.geteuid(), token), name, fields)

    def close(self) -> None:
        """Close the signer's database."""
        self._desk.engine.dispose()


class SocketLine:
    """A connection to the signer's socket, made when it is needed and again when it was lost. Any thread."""

    def __init__(self, path: Path, seconds: float = ANSWER_SECONDS) -> None:
        self._path = path
        self._seconds = seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def call(self, name: str, token: str | None, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Send one line and return the answer. A connection that has ended meanwhile is made again, once."""
        sent = json.dumps({"call": name, "token": token, **fields}).encode() + b"\n"
        with self._lock:
            try:
                return self._exchange_again(sent)
            except OSError as error:
                self._drop()
                told = {"path": str(self._path), "why": str(error), "command": "facegate hub run"}
                raise SyncError(message("signer.silent", **told)) from error
            except ValueError as error:
                self._drop()
                raise SyncError(f"the signer's answer makes no sense: {error}"[:200]) from error

    def close(self) -> None:
        """End the connection."""
        with self._lock:
            self._drop()

    def _exchange_again(self, sent: bytes) -> dict[str, Any]:
        try:
            return self._exchange(sent)
        except (BrokenPipeError, ConnectionResetError):
            # The signer was restarted, or closed a connection that was idle for an hour. A call that it
            # carried out just before it died is made twice, so every call that opens a door counts once for
            # its id.
            self._drop()
            return self._exchange(sent)

    def _exchange(self, sent: bytes) -> dict[str, Any]:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(self._seconds)
            with reachable(self._path) as address:
                self._socket.connect(address)
        self._socket.sendall(sent)
        pieces: list[bytes] = []
        while not pieces or not pieces[-1].endswith(b"\n"):
            piece = self._socket.recv(65536)
            if not piece:
                raise ConnectionResetError("it ended the connection")
            pieces.append(piece)
        found: dict[str, Any] = json.loads(b"".join(pieces))
        return found

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def socket_path(folder: Path) -> Path:
    """Return where a site's signer listens: in its own folder, or where `FACEGATE_SIGNER` says."""
    named = os.environ.get(SOCKET_VARIABLE)
    return Path(named) if named else signing_folder(folder) / SOCKET_FILE


def open_signer(folder: Path) -> SignerClient:
    """Return the way to the signer of the site in `folder`, with the token of `FACEGATE_TOKEN` if any.

    Over the socket where a signer listens; else in this process, where the account may read the key, so
    that a site of one account needs nothing more. Raises `ConfigError` where neither is so.
    """
    token, path = os.environ.get(TOKEN_VARIABLE) or None, socket_path(folder)
    # A socket that somebody named is used even when nobody listens there: the caller then hears that the
    # signer does not answer, instead of signing past it.
    if SOCKET_VARIABLE in os.environ or listens(path):
        return SignerClient(SocketLine(path), token)
    if not os.access(signing_key(folder), os.R_OK):
        raise ConfigError(
            f"no signer listens at {path}, and this account cannot read {signing_key(folder)}; where the "
            f"signer is a service of its own, start that, and set {SOCKET_VARIABLE} to its socket"
        )
    return SignerClient(OwnDesk(open_desk(folder)), token)


def open_desk(folder: Path, hub_uids: frozenset[int] = frozenset()) -> SigningDesk:
    """Return the signer of a site itself. Raises `ConfigError` or `StoreError` when it cannot be."""
    from edge.site.provision import Site  # noqa: PLC0415 - who only asks needs no keys

    signer = Site(folder).signer()
    memory = open_memory(signing_folder(folder))
    return SigningDesk(memory, signer, hub_uids, integrations=Integrations(folder).all)


def listens(path: Path) -> bool:
    """Say whether somebody listens at a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tried, suppress(OSError):
        tried.settimeout(ANSWER_SECONDS)
        with reachable(path) as address:
            tried.connect(address)
        return True
    return False


def _fields(state: RosterState) -> list[Any]:
    return [state.epoch, state.rev, state.digest, state.count]
