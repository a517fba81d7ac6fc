"""A site's certificates without a folder: the same keys in every process of a trial."""

from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.wire.proof import Identity, Notary, Origin

FROM = datetime(2020, 1, 1, tzinfo=UTC)


def key_of(name):
    number = int.from_bytes(sha256(name.encode()).digest()) >> 1
    return ec.derive_private_key(number, ec.SECP256R1())


def certificate(name, issuer="authority of a trial", days=40_000, usage=ExtendedKeyUsageOID.CLIENT_AUTH):
    """Return a certificate by the authority called `issuer`, which itself need not exist."""
    subject, by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, issuer))
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key_of(name).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(FROM + timedelta(days=days))
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(key_of(issuer), hashes.SHA256())
    )


def identity(name, **changes):
    """Return who the holder of this certificate is."""
    return Identity(certificate(name, **changes), key_of(name))


@cache
def notary(name="hub", issuer="authority of a trial"):
    """Return what this door or hub proves its word with, and checks that of others."""
    return Notary(identity(name, issuer=issuer), Origin(certificate(issuer, issuer=issuer)))
