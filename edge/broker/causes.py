"""Why there is no connection to a broker, as a message that can be shown in the reader's language."""

from __future__ import annotations

import errno
import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509

from edge.words import has, message

if TYPE_CHECKING:
    from pathlib import Path

    from edge.words import Message

CONNECT_SECONDS = 8.0
"""For name, TCP and TLS each; then again for the broker's answer. A LAN broker takes 5 ms, a bad mobile
line 6 s for each of them."""
NO_WAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})


def cause_of(error: Exception, patience_seconds: float = CONNECT_SECONDS) -> Message | str:
    """Return what went wrong in words an installer can act on; its own English where there are none."""
    found: Message | str = str(error)
    match error:
        case ssl.SSLCertVerificationError():
            said = error.verify_message.rstrip(".")
            found = message("link_cause.untrusted", error=said, remedy=_remedy(error))
        case ssl.SSLError():
            found = message("link_cause.tls", error=error.reason)
        case socket.gaierror():
            found = message("link_cause.name", error=error.strerror)
        case ConnectionResetError():
            found = message("link_cause.cut")
        case ConnectionRefusedError():
            found = message("link_cause.closed")
        case TimeoutError():
            found = message("link_cause.silent", seconds=f"{patience_seconds:g}")
        case OSError(errno=number) if number in NO_WAY:
            found = message("link_cause.no_way", error=error.strerror)
    return found


def reason_of(said: str) -> Message | str:
    """Return what a broker gave as its reason (MQTT 5, 2.4, in paho's English); as it stands if unknown."""
    name = f"link_reason.{said.lower().replace(' ', '_')}"
    return message(name) if has(name) else said


def certificate_problem(path: Path, now: datetime | None = None) -> Message | None:
    """Return what a broker has against the dates of our certificate, None: nothing."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        return message("link_cause.unreadable", path=str(path), error=str(error))
    now = now or datetime.now(UTC)
    if now > (until := certificate.not_valid_after_utc):
        return message("link_cause.expired", path=str(path), day=str(until.date()))
    if now < (since := certificate.not_valid_before_utc):
        days = {"day": str(since.date()), "today": str(now.date())}
        return message("link_cause.not_yet", path=str(path), **days)
    return None


def _remedy(error: ssl.SSLCertVerificationError) -> Message:
    """Return what to do about a broker's certificate, by OpenSSL's number for what is wrong with it."""
    # X509_V_ERR_* of OpenSSL's x509_vfy.h.
    match error.verify_code:
        case 10:  # CERT_HAS_EXPIRED
            return message("link_remedy.renew")
        case 9:  # CERT_NOT_YET_VALID: more often our clock is behind
            return message("link_remedy.clock")
        case 62 | 64:  # HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH
            return message("link_remedy.name")
        case _:
            return message("link_remedy.authority")
