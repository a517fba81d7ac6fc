"""A certificate and its key as they lie on the disk now: a page runs for longer than some are valid."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)


class LiveCertificate:
    """What a server speaks TLS with; `look` takes over what lies in the files since. One thread at a time.

    Raises `OSError` (`ssl.SSLError` is one) when there is no such pair at the start.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self._marks = self._now()
        self._refused: object = None
        self.context = self._loaded()
        """For the next connection; those that there are keep what they began with."""

    def look(self) -> None:
        """Take over a certificate that was renewed; one that cannot be used leaves the former in place."""
        try:
            marks = self._now()
            if marks == self._marks:
                return
            # A context of its own: the one in use would keep half of a pair that is only half there.
            self.context, self._marks, self._refused = self._loaded(), marks, None
            logger.info("page: the certificate in %s is in use", self._certificate)
        except OSError as error:
            if self._refused != str(error):
                self._refused = str(error)
                logger.warning("page: %s and %s: %s", self._certificate, self._key, error)

    def _now(self) -> list[tuple[int, ...]]:
        found = [path.stat() for path in (self._certificate, self._key)]
        return [(one.st_dev, one.st_ino, one.st_mtime_ns, one.st_size) for one in found]

    def _loaded(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate, self._key)
        return context
