"""Addresses of cameras as people write them: sent as they are meant, shown without what is secret."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

MASK = "********"

_PLACE = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[^\s/?#@\[\]:]+)(?::\d{1,5})?")
"""A host, perhaps with a port."""

_SECRET = re.compile(r"pass|pwd|user|admin|login|token|secret|auth|key|[?=:@&]", re.IGNORECASE)
"""What in a path or query may stand beside a password: some cameras take it there."""

_TOKEN = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{12,}")
"""A long run of letters and digits: some cameras and recorders give out addresses that nobody can guess, and
let in whoever knows one."""

_MEANT = re.compile(r"([^@]*?\w\s*[:：]\s*[/\\／]+).*@", re.DOTALL)
"""The beginning of what is no address, but was one to whoever typed it, up to where it logs in."""

_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")

_WIDE = {sign: chr(sign - 0xFEE0) for sign in range(0xFF01, 0xFF5F)} | {0x3002: "."}
"""The wide forms of ASCII and the Chinese full stop: what Chinese keyboards type for `:`, `@`, `/`, `.`."""

_IPV4 = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}", re.ASCII)
_LOGIN = re.compile(rf"(.+)@({_PLACE.pattern})((?:[/?#].*)?)", re.DOTALL)
"""An address without its `rtsp://`: admin:secret@192.0.2.7/live."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of `scheme://user:password@place/tail`; `user` and `password` are None without an @."""

    scheme: str
    user: str | None
    password: str | None
    place: str
    tail: str

    @classmethod
    def parse(cls, text: str) -> Address | None:
        """Return the parts, or None when `text` is no address.

        A password may hold what a URL would have to escape (`# / ? @ :`): what stands before the last
        @ that a host follows is user and password.
        """
        scheme, mark, rest = text.partition("://")
        if not mark or not scheme.isalnum():
            return None
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
        if "@" not in rest or (_PLACE.fullmatch(authority) and "@" not in rest.partition("?")[0]):
            return cls(scheme.lower(), None, None, authority, rest[len(authority) :])
        for at in reversed([n for n, sign in enumerate(rest) if sign == "@"]):
            found = _PLACE.match(rest, at + 1)
            if found and rest[found.end() : found.end() + 1] in ("", "/", "?", "#"):
                user, _, password = rest[:at].partition(":")
                return cls(scheme.lower(), user, password, found[0], rest[found.end() :])
        return cls(scheme.lower(), "", "", "", "")

    def sent(self) -> str:
        """Return it with everything escaped that has to be."""
        if self.user is None:
            return f"{self.scheme}://{self.place}{self.tail}"
        user, password = _escaped(self.user), _escaped(self.password or "")
        return f"{self.scheme}://{user}{':' if password else ''}{password}@{self.place}{self.tail}"

    def wide_sign(self) -> str:
        """Return the first wide sign that parts nothing where a plain one would; empty where none does.

        A password may have any sign, and so may a path: /大门（北）.
        """
        user = (sign for sign in self.user or "" if sign in "：＠")
        return next((sign for sign in (*user, *self.place) if ord(sign) in _WIDE), "")

    def masked(self) -> str:
        """Return it as settings may show it: no password, nor a path or query that may hold one."""
        user = "" if self.user is None else f"{self.user}:{MASK}@"
        is_secret = _SECRET.search(self.tail) or _TOKEN.search(self.tail)
        tail = f"/{MASK}" if is_secret else self.tail
        return f"{self.scheme}://{user}{self.place or '?'}{tail}"


def _escaped(text: str) -> str:
    """Return `text` escaped for a URL; what is escaped already stays."""
    return quote(_ESCAPE.sub("%25", text), safe="%!$&'()*+,;=-._~")


def plain_sign(sign: str) -> str:
    """Return the sign of an English keyboard that a wide one stands for."""
    return sign.translate(_WIDE)


def masked(text: str) -> str:
    """Return `text`, without its secrets where it is an address, or was meant as one.

    A wide sign counts as the plain one: what rtsp://admin：secret＠192.0.2.7 hides is no less secret.
    """
    address = Address.parse(text.translate(_WIDE))
    return _without_its_user(text) if address is None else address.masked()


def is_ipv4(host: str) -> bool:
    """Return whether numbers and dots are an IPv4 address, also a shortened one (127.1)."""
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True


def login_alone(text: str) -> str:
    """Return the camera's place in an address that lacks its `rtsp://`, such as admin:secret@192.0.2.7/live.

    Empty for anything else, such as the path of a recording: clips/me@home.mp4.
    """
    found = _LOGIN.fullmatch(text.strip().translate(_WIDE))
    if found is None:
        return ""
    has_password = ":" in re.split(r"[/\\]", found[1], maxsplit=1)[0]
    return found[2] if has_password or _IPV4.match(found[2]) else ""


def _without_its_user(text: str) -> str:
    """Return a text without what follows `rtsp：//` or `ffmpeg:rtsp://`, where somebody logs in there."""
    if place := login_alone(text):
        meant = _MEANT.match(text)
        return f"{meant[1] if meant else ''}{MASK}@{place}"
    meant = _MEANT.match(text.replace("＠", "@"))
    if meant is None:
        return text
    found = _PLACE.match(text, meant.end())
    return f"{meant[1]}{MASK}@{found[0] if found else '?'}"


def public_name(source: str) -> str:
    """Return what may be shown and logged of a camera source: never user, password, path or query.

    Paths and queries go as well, because some cameras take the password there.
    """
    if "://" not in source:
        return _without_its_user(source)
    scheme, _, rest = source.partition("://")
    authority, _, path = rest.partition("/")
    try:
        parts = urlsplit(f"{scheme}://{authority}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    # With an unescaped / or @ in the password, what looks like the host may be a part of it.
    if not host or "@" in path or "@" in parts.query:
        return f"{scheme}://?"
    return f"{scheme}://{host}" + (f":{port}" if port else "")
