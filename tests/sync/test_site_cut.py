"""The power goes before each change of a file while something is made for a site: done again, it is whole."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from edge.errors import ConfigError
from edge.site.authority import Authority
from edge.site.integrations import IntegrationGrant, Integrations
from edge.site.provision import Site, load_trusted_keys
from edge.site.renewal import Renewal
from edge.wire.signing import TrustedKeys

CHANGES = {"os.rename", "os.link", "os.mkdir", "os.remove", "os.chmod"}
"""What changes a folder, as the interpreter tells it. Contents are written under another name first."""


def is_cut(act: Callable[[], object], after: int) -> bool:
    """Run in a process that ends before its change number `after`; return whether it came that far."""
    child = os.fork()
    if child == 0:
        left = after

        def watch(event: str, _arguments: object) -> None:
            nonlocal left
            if event in CHANGES:
                left -= 1
                if left < 0:
                    os._exit(9)

        sys.addaudithook(watch)
        try:
            act()
        except ConfigError:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in {0, 9}
    return os.waitstatus_to_exitcode(status) == 9


def cuts(folder: Path, act: Callable[[Path], object], before: Callable[[Path], object]) -> Iterator[Path]:
    """Give a folder for every moment at which `act` can be cut short, `before` being done."""
    for after in range(1000):
        place = folder / str(after)
        before(place)
        if not is_cut(lambda place=place: act(place), after):  # type: ignore[misc]
            assert after > 3
            return
        yield place


def made(place: Path) -> Site:
    return Site.create(place, "x", "localhost")


def with_door(place: Path) -> None:
    made(place).add_door("front")


def is_of(place: Path, certificate: Path) -> None:
    """Fail unless key and certificate belong together and are of this site's authority."""
    read = x509.load_pem_x509_certificate(certificate.read_bytes())
    read.verify_directly_issued_by(x509.load_pem_x509_certificate((place / "ca" / "ca.crt").read_bytes()))
    key = serialization.load_pem_private_key(certificate.with_suffix(".key").read_bytes(), None)
    assert key.public_key() == read.public_key()


def opens(place: Path, keys: TrustedKeys) -> bool:
    return keys.open(Site(place).signer().sign(b"x", "cmd"), "cmd") == b"x"


def test_a_site_that_was_cut_short_is_made_by_the_same_command(tmp_path):
    for place in cuts(tmp_path, made, lambda place: None):
        with suppress(ConfigError):  # all of it was there
            Site.create(place, "x", "other.example")
        site, authority = Site(place), Authority.open(place / "ca")
        for name in ("broker/server", "hub/hub"):
            is_of(place, place / f"{name}.crt")
        assert site.doors() == []
        hosts = authority.hosts_of(place / "broker" / "server.crt")
        assert hosts[0] == json.loads((place / "site.json").read_text())["host"]
        assert opens(place, load_trusted_keys(site.add_door("front") / "trusted-keys.json"))
        with pytest.raises(ConfigError):
            Site.create(place, "x", "localhost")


def test_a_bundle_that_was_cut_short_is_made_by_the_same_command(tmp_path):
    for place in cuts(tmp_path, lambda place: Site(place).add_door("front"), made):
        with suppress(ConfigError):
            Site(place).add_door("front")
        bundle = place / "doors" / "front"
        is_of(place, bundle / "door.crt")
        assert opens(place, load_trusted_keys(bundle / "trusted-keys.json"))
        assert 'host = "localhost"' in (bundle / "mqtt.toml").read_text()
        with pytest.raises(ConfigError):
            Site(place).add_door("front")


def test_a_worker_that_was_cut_short_is_let_in_by_the_same_command(tmp_path):
    for place in cuts(tmp_path, lambda place: Site(place).add_worker(1), made):
        with suppress(ConfigError):
            Site(place).add_worker(1)
        is_of(place, place / "hub" / "hub.1.crt")
        assert (place / "broker" / "acl").read_text().count("user hub.1\n") == 1


def test_a_program_that_was_cut_short_is_let_in_by_the_same_command(tmp_path):
    grant = IntegrationGrant("home", ("front",))
    for place in cuts(tmp_path, lambda place: Integrations(place).add(grant), with_door):
        is_of(place, Integrations(place).add(grant) / "client.crt")
        assert Integrations(place).names() == ["home"]


def test_a_revocation_that_was_cut_short_is_done_or_can_be_done_again(tmp_path):
    """Once its bundle is away the broker has the list: nobody could name the door any more."""
    for place in cuts(tmp_path, lambda place: Site(place).revoke_door("front"), with_door):
        bundle = place / "doors" / "front"
        if bundle.exists():
            Site(place).revoke_door("front")
        (gone,) = (place / "revoked").glob("front-*/door.crt")
        serial = x509.load_pem_x509_certificate(gone.read_bytes()).serial_number
        listed = x509.load_pem_x509_crl((place / "broker" / "crl.pem").read_bytes())
        assert listed.get_revoked_certificate_by_serial_number(serial) is not None


def test_a_change_of_the_signing_key_that_was_cut_short_can_be_begun_again(tmp_path):
    """And the hub never signs with what no door trusts."""
    for place in cuts(tmp_path, lambda place: Renewal(place).begin_signing_key(), with_door):
        with suppress(ConfigError):
            Renewal(place).begin_signing_key()
        Renewal(place).use_signing_key()
        for bundle in (place / "hub", place / "doors" / "front"):
            assert opens(place, load_trusted_keys(bundle / "trusted-keys.json"))
