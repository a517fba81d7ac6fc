"""Whether a site has taken a certificate back, by the list that its broker reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509

if TYPE_CHECKING:
    from pathlib import Path

    from edge.site.authority import Authority


def is_revoked(authority: Authority, certificate: Path) -> bool:
    """Return whether a certificate is on the authority's list."""
    serial = x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number
    listed = x509.load_pem_x509_crl(authority.revoked_pem)
    return listed.get_revoked_certificate_by_serial_number(serial) is not None
