"""The page's certificate and the door's key for receipts: whatever a power cut left of them."""

from __future__ import annotations

import ssl

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.web.tls import own_certificate, signing_key

NAMES = ["localhost", "127.0.0.1"]
REMAINS = (b"", b"\0" * 50, b"-----BEGIN CERTIFICATE-----\n", b"half a fi")


@pytest.mark.parametrize("name", ["panel.crt", "panel.key"])
@pytest.mark.parametrize("left", REMAINS)
def test_a_damaged_file_is_made_anew_and_serves(tmp_path, name, left):
    own_certificate(tmp_path, NAMES)
    (tmp_path / name).write_bytes(left)

    certificate, key, fingerprint = own_certificate(tmp_path, NAMES)

    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    assert own_certificate(tmp_path, NAMES)[2] == fingerprint


def test_a_certificate_of_another_key_is_made_anew(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        own_certificate(tmp_path / folder, NAMES)
    (tmp_path / "a" / "panel.crt").write_bytes((tmp_path / "b" / "panel.crt").read_bytes())
    certificate, key, _ = own_certificate(tmp_path / "a", NAMES)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)


def test_a_new_address_is_named_and_an_old_one_changes_nothing(tmp_path):
    _, _, before = own_certificate(tmp_path, [*NAMES, "192.168.1.7"])
    assert own_certificate(tmp_path, NAMES)[2] == before
    certificate, _, after = own_certificate(tmp_path, [*NAMES, "192.168.1.8"])
    assert after != before
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "192.168.1.8" in {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    usage = loaded.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


@pytest.mark.parametrize("left", [b"", b"\0" * 31])
def test_a_receipt_key_that_is_none_is_made_anew_and_kept(tmp_path, left):
    (tmp_path / "receipt.key").write_bytes(left)
    key = signing_key(tmp_path / "receipt.key")
    assert signing_key(tmp_path / "receipt.key").public_key() == key.public_key()
