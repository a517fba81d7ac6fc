"""One-time codes of an authenticator app (RFC 6238: SHA-1, six digits, thirty seconds)."""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

SECRET_BYTES = 20
STEP_SECONDS = 30
DIGITS = 6
TOLERANCE = 1
"""Steps before and after: phones' clocks differ, and typing takes time."""


def new_secret() -> bytes:
    """Return a new secret of 160 bits, as RFC 4226 recommends."""
    return secrets.token_bytes(SECRET_BYTES)


def code_at(secret: bytes, at: int) -> str:
    """Return the code of a moment (UTC seconds)."""
    return _totp(secret).generate(at).decode()


def step_of(secret: bytes, code: str, at: int, used: int) -> int | None:
    """Return the time step that `code` belongs to; None when it is wrong, or not after the step `used`."""
    given = code.replace(" ", "").encode()
    for step in range(at // STEP_SECONDS - TOLERANCE, at // STEP_SECONDS + TOLERANCE + 1):
        wanted = _totp(secret).generate(step * STEP_SECONDS)
        # Each step counts once: a code read over somebody's shoulder has been used by then.
        # A clock that was wrong leaves no step here that lies far ahead: the digits come from the phone's
        # clock, and fit only while both agree.
        if secrets.compare_digest(given, wanted) and step > used:
            return step
    return None


def setup_uri(secret: bytes, account: str, issuer: str) -> str:
    """Return what an authenticator app reads from a QR code."""
    return _totp(secret).get_provisioning_uri(account, issuer)


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - what every app speaks; RFC 6238
