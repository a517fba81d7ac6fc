"""What a site renews in its life, tried with the broker that checks it."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from cryptography import x509

from edge.broker.causes import certificate_problem
from edge.broker.settings import Tls
from edge.cli import app
from edge.errors import ConfigError
from edge.site.provision import Site, load_trusted_keys
from edge.site.renewal import Renewal
from tests.loopback import free_port
from tests.sync.broker import Broker
from tests.sync.doors import Door
from tests.waiting import wait_until


@pytest.fixture
def place(tmp_path):
    port = free_port()
    site = Site.create(tmp_path / "site", "Hill House", "127.0.0.1", port)
    site.add_door("front")
    return tmp_path / "site", port


def certificate(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def door(tmp_path, place):
    bundle = place[0] / "doors" / "front"
    tls = Tls(bundle / "ca.crt", bundle / "door.crt", bundle / "door.key")
    (tmp_path / "door").mkdir(exist_ok=True)
    return Door(tmp_path / "door", place[1], device="front", tls=tls)


@pytest.mark.broker
def test_what_is_renewed_is_accepted_beside_what_is_not(tmp_path, place):
    """The same keys, other serial numbers; the broker also answers to another name."""
    names = ("authority", "broker", "hub", "front")
    before = {name: certificate(Renewal(place[0]).renew(name)) for name in names}
    for name in names:
        path = Renewal(place[0]).renew(name, "gate.example" if name == "broker" else None)
        fresh = certificate(path)
        assert fresh.public_key() == before[name].public_key()
        assert fresh.serial_number != before[name].serial_number
        assert fresh.not_valid_after_utc > datetime.now(UTC) + timedelta(days=19 * 365)
    broker = certificate(place[0] / "broker" / "server.crt")
    hosts = broker.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert hosts.get_values_for_type(x509.DNSName) == ["gate.example", "localhost"]
    with Broker.of_site(*place), door(tmp_path, place) as front:
        wait_until(lambda: front.publisher.status().link.connected)


def test_what_is_not_there_cannot_be_renewed(place):
    for name in ("garage", "hub.7"):
        with pytest.raises(ConfigError, match="is not here"):
            Renewal(place[0]).renew(name)
    with pytest.raises(ConfigError, match="only the broker"):
        Renewal(place[0]).renew("front", "elsewhere")


def test_the_access_list_is_written_as_this_version_needs_it(place):
    """With the workers that were provisioned meanwhile."""
    Site(place[0]).add_worker(3)
    path = place[0] / "broker" / "acl"
    wanted = path.read_text()
    path.write_text("of an older version\n")
    assert Renewal(place[0]).renew_acl() == path
    assert path.read_text() == wanted
    assert path.stat().st_mode & 0o077 == 0


def test_the_signing_key_is_changed_while_doors_obey_all_the_time(place):
    """Two keys are trusted in between; what the old one signs is worth nothing in the end."""

    def trusted():
        return load_trusted_keys(place[0] / "doors" / "front" / "trusted-keys.json")

    def run(step):
        result = CliRunner().invoke(app, ["provision", "signing-key", str(place[0]), step])
        return result.exit_code

    old = Site(place[0]).signer()
    with pytest.raises(ConfigError):
        Renewal(place[0]).use_signing_key()
    assert run("begin") == 0
    assert trusted().open(old.sign(b"x", "cmd"), "cmd") == b"x"
    with pytest.raises(ConfigError):
        Renewal(place[0]).begin_signing_key()
    assert run("use") == 0
    new = Site(place[0]).signer()
    assert new.kid != old.kid
    for signer in (old, new):
        assert trusted().open(signer.sign(b"x", "cmd"), "cmd") == b"x"
    assert run("finish") == 0
    assert list(trusted().keys) == [new.kid]
    assert (place[0] / "signer" / "signing.key").stat().st_mode & 0o077 == 0


def test_the_dates_of_our_own_certificate_are_named(place):
    path = place[0] / "doors" / "front" / "door.crt"
    assert certificate_problem(path) is None
    assert "expired on" in str(certificate_problem(path, datetime(2090, 1, 1, tzinfo=UTC)))
    assert "valid from 2020-01-01" in str(certificate_problem(path, datetime(2015, 1, 1, tzinfo=UTC)))
    path.write_text("rubbish")
    assert "cannot be read" in str(certificate_problem(path))
