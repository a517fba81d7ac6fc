"""Passkeys (WebAuthn): the better key where the page has a real host name. Needs the package fido2.

A passkey is bound to the host name that the browser shows: it cannot be typed into another page. Only keys
that the device unlocks for its holder count (finger, face at the phone, PIN), so that for staff one is as
good as password and app. What is stored is a public key.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.book import Doer
from facegate_hub.community.schema import PASSKEYS

if TYPE_CHECKING:
    from fido2.server import Fido2Server

    from facegate_hub.community.book import LoginStore

OPEN_SECONDS = 300
"""How long a question to a browser is good; each is asked once."""
MOST_OPEN = 1000
MOST_KEYS = 10
"""Of one holder."""
MOST_ANSWER = 20_000
NO_ANSWERS = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, InvalidSignature)
"""What fido2 and JSON raise for a malformed answer, or for one to another question."""


@dataclass(frozen=True, slots=True)
class Passkey:
    """One key of somebody: `label` is what their browser said it is, times are UTC seconds."""

    id: str
    label: str
    made_at: int
    used_at: int


class Passkeys:
    """Residents' passkeys in the book's database, or staff's in their own store. Any thread.

    `host` is the name that the browser was asked for, with its port.
    """

    def __init__(self, store: LoginStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._asked: OrderedDict[tuple[str, str], tuple[int, Any]] = OrderedDict()
        """By what was asked and the browser's cookie: until when, and the question."""

    def question(self, holder: Doer, name: str, host: str, browser: str) -> str:
        """Return what a browser is asked to make a key, as JSON; `name` is what its holder sees there."""
        from fido2.webauthn import PublicKeyCredentialUserEntity  # noqa: PLC0415 - an extra

        # What a key keeps of its holder: the same for all their keys, and nothing that names them.
        handle = hashlib.sha256(self._store.secret + str(holder).encode()).digest()
        user = PublicKeyCredentialUserEntity(id=handle, name=name, display_name=name)
        options, asked = _server(host).register_begin(
            user, resident_key_requirement=_required("resident"), user_verification=_required("verified")
        )
        self._remember(("add", browser), asked)
        return json.dumps(dict(options))

    def add(self, holder: Doer, host: str, browser: str, answer: tuple[str, str]) -> None:
        """Keep the key that a browser made. `answer`: its words as JSON, and what it is called.

        Raises `CommunityRefused` for what answers no question of ours, and for an eleventh key.
        """
        # Taken before the answer is checked: each question can be answered once, correctly or not.
        asked = self._take(("add", browser))
        text, label = answer
        try:
            made = _server(host).register_complete(asked, _read(text)).credential_data
        except NO_ANSWERS as error:
            raise CommunityRefused(message("community.refused.passkey")) from error
        if made is None or asked is None:
            raise CommunityRefused(message("community.refused.passkey"))
        with self._store.writing() as writing:
            mine = sa.select(sa.func.count()).where(PASSKEYS.c.holder == str(holder))
            if writing.connection.execute(mine).scalar_one() >= MOST_KEYS:
                raise CommunityRefused(message("community.refused.passkeys", most=MOST_KEYS))
            values = {
                "id": _named(made.credential_id),
                "holder": str(holder),
                "host": _name_of(host),
                "data": bytes(made),
                "uses": 0,
                "label": label[:80],
                "made_at": writing.at,
                "used_at": writing.at,
            }
            try:
                writing.connection.execute(sa.insert(PASSKEYS).values(**values))
            except sa.exc.IntegrityError as error:
                raise CommunityRefused(message("community.refused.passkey")) from error
            writing.enter(holder, "passkey.added", str(holder))

    def login_question(self, host: str, browser: str) -> str:
        """Return what a browser is asked to show a key, as JSON; nobody is named, so nobody is told of."""
        options, asked = _server(host).authenticate_begin(user_verification=_required("verified"))
        self._remember(("login", browser), asked)
        return json.dumps(dict(options))

    def login(self, host: str, browser: str, answer: str) -> Doer | None:
        """Return whose key a browser has shown; None for nobody's."""
        from fido2.webauthn import AttestedCredentialData, AuthenticationResponse  # noqa: PLC0415 - an extra

        asked = self._take(("login", browser))
        try:
            shown = AuthenticationResponse.from_dict(_read(answer))
            count = shown.response.authenticator_data.counter
            with self._store.writing() as writing:
                query = sa.select(PASSKEYS).where(PASSKEYS.c.id == _named(shown.raw_id))
                row = writing.connection.execute(query).first()
                if row is None or asked is None or row.host != _name_of(host):
                    return None
                key = AttestedCredentialData(row.data)
                _server(host).authenticate_complete(asked, [key], shown)
                # A counter that does not grow means that a copy of the key was used since. Passkeys that are
                # synchronised between devices always send 0 (WebAuthn, 6.1.1) and cannot be checked so.
                if (count or row.uses) and count <= row.uses:
                    return None
                used = {"uses": count, "used_at": writing.at}
                writing.connection.execute(sa.update(PASSKEYS).where(PASSKEYS.c.id == row.id).values(**used))
        except NO_ANSWERS:
            return None
        kind, _, identity = row.holder.partition(":")
        return Doer(kind, identity)

    def all(self, holder: Doer) -> list[Passkey]:
        """Return a holder's keys, the newest first."""
        query = sa.select(PASSKEYS).where(PASSKEYS.c.holder == str(holder))
        with self._store.looking() as connection:
            rows = connection.execute(query.order_by(PASSKEYS.c.made_at.desc())).all()
        return [Passkey(row.id, row.label, row.made_at, row.used_at) for row in rows]

    def end(self, holder: Doer, key: str) -> None:
        """Take a key of a holder's away."""
        with self._store.writing() as writing:
            mine = (PASSKEYS.c.holder == str(holder), PASSKEYS.c.id == key)
            if writing.connection.execute(sa.delete(PASSKEYS).where(*mine)).rowcount:
                writing.enter(holder, "passkey.removed", str(holder))

    def _remember(self, key: tuple[str, str], asked: Any) -> None:
        with self._lock:
            self._asked[key] = (self._store.now() + OPEN_SECONDS, asked)
            self._asked.move_to_end(key)
            while len(self._asked) > MOST_OPEN:
                self._asked.popitem(last=False)

    def _take(self, key: tuple[str, str]) -> Any:
        """Return what this browser was asked a moment ago, once; None: nothing."""
        with self._lock:
            until, asked = self._asked.pop(key, (0, None))
        return asked if until > self._store.now() else None


def why_no_passkeys(host: str) -> str | None:
    """Return why nobody can have a passkey at a page that was asked for by this host; None: they can."""
    if importlib.util.find_spec("fido2") is None:
        return "not_installed"
    name = _name_of(host)
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return None if name == "localhost" or "." in name else "no_name"
    return "no_name"


def _server(host: str) -> Fido2Server:
    from fido2.server import Fido2Server  # noqa: PLC0415 - an extra
    from fido2.webauthn import PublicKeyCredentialRpEntity  # noqa: PLC0415

    name = _name_of(host)
    # By itself fido2 accepts any page of this host, at another port or a name below it.
    return Fido2Server(
        PublicKeyCredentialRpEntity(id=name, name=name), verify_origin=f"https://{host}".__eq__
    )


def _required(what: str) -> Any:
    from fido2.webauthn import ResidentKeyRequirement, UserVerificationRequirement  # noqa: PLC0415 - an extra

    return {
        "resident": ResidentKeyRequirement.REQUIRED,
        "verified": UserVerificationRequirement.REQUIRED,
    }[what]


def _name_of(host: str) -> str:
    """Return a host without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _read(text: str) -> dict[str, Any]:
    if len(text) > MOST_ANSWER:
        raise ValueError("longer than any answer")
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError("no answer")
    return found


def _named(credential: bytes) -> str:
    return hashlib.sha256(credential).hexdigest()
