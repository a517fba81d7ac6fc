"""A provisioned site: everybody is known by certificate, nobody reaches further than his own door."""

import json
import os
import pwd
import shutil
import ssl
import stat
import tomllib
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from cryptography import x509

from edge.broker.settings import Ack, Tls
from edge.cli import app
from edge.config import load_settings
from edge.config.mqtt import Mqtt
from edge.errors import ConfigError
from edge.site.authority import Authority
from edge.site.integrations import IntegrationGrant, Integrations
from edge.site.provision import Site, load_trusted_keys
from edge.site.renewal import Renewal
from edge.wire.proof import Notary
from tests.loopback import free_port
from tests.present import present
from tests.revoked import is_revoked
from tests.sync.broker import Broker, Listener
from tests.sync.doors import Door
from tests.waiting import wait_until


def has_broker_account():
    return any(one.pw_name == "mosquitto" for one in pwd.getpwall())


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, port):
    folder = tmp_path_factory.mktemp("site") / "s"
    site = Site.create(folder, "Hill House", "127.0.0.1", port)
    for door in ("front", "back", "stolen"):
        site.add_door(door)
    return folder


@pytest.fixture(scope="module")
def broker(folder, port):
    with Broker.of_site(folder, port) as broker:
        yield broker


def door_at(tmp_path, folder, broker, name, ack=Ack.BROKER, bundle=None, **tls):
    bundle = bundle or folder / "doors" / name
    files = {"ca_file": bundle / "ca.crt", "cert_file": bundle / "door.crt", "key_file": bundle / "door.key"}
    path = tmp_path / name
    path.mkdir(exist_ok=True)
    return Door(path, broker.port, ack, device=name, tls=Tls(**(files | tls)))


@contextmanager
def staff(folder, broker, *topics, bundle=None, name="hub"):
    """A plain client with a certificate of this site."""
    bundle = bundle or folder / "hub"

    def with_certificate(client):
        context = ssl.create_default_context(cafile=folder / "hub" / "ca.crt")
        context.load_cert_chain(bundle / f"{name}.crt", bundle / f"{name}.key")
        client.tls_set_context(context)

    with Listener(broker.port, *topics, client_id="any", prepare=with_certificate) as listener:
        yield listener


def problem(door, words):
    return lambda: words in (door.publisher.status().problem or "")


@pytest.mark.broker
def test_a_door_with_its_bundle_reaches_the_hub(tmp_path, folder, broker):
    """TLS both ways; the broker knows it by its certificate."""
    with (
        staff(folder, broker, "facegate/v1/+/evt") as hub,
        door_at(tmp_path, folder, broker, "front") as door,
    ):
        door.happen(3)
        wait_until(lambda: len(hub.messages) == 3)
        assert {message.topic for message in hub.messages} == {"facegate/v1/front/evt"}


@pytest.mark.broker
def test_no_certificate_or_a_strangers_is_refused(tmp_path, folder, broker):
    """The reason says where to look."""
    with door_at(tmp_path, folder, broker, "front", cert_file=None, key_file=None) as door:
        wait_until(problem(door, "it may not accept our certificate"))
    Site.create(tmp_path / "other", "Elsewhere", "127.0.0.1", broker.port)
    stranger = Site(tmp_path / "other").add_door("front")
    with door_at(tmp_path, folder, broker, "front", bundle=stranger) as door:
        wait_until(problem(door, "its certificate is not to be trusted"))
    ours = folder / "doors" / "front" / "ca.crt"
    with door_at(tmp_path, folder, broker, "front", bundle=stranger, ca_file=ours) as door:
        wait_until(problem(door, "it may not accept our certificate"))


@pytest.mark.broker
def test_a_door_cannot_speak_for_or_listen_to_another(tmp_path, folder, broker):
    """Shown by delivery: brokers grant subscriptions that they then do not serve."""
    back = folder / "doors" / "back"
    with (
        staff(folder, broker, "facegate/v1/#") as hub,
        staff(folder, broker, "facegate/v1/#", bundle=back, name="door") as thief,
        door_at(tmp_path, folder, broker, "front") as door,
    ):
        thief.publish("facegate/v1/front/evt", b"forged")
        thief.publish("facegate/v1/back/cmd", b"to itself")
        thief.publish("facegate/v1/back/avail", b'{"state":"online"}')
        hub.publish("facegate/v1/front/evt/ack", b'{"stream":"for the other","upto":0}')
        door.happen(1)
        wait_until(lambda: hub.payloads("facegate/v1/front/evt") and hub.payloads("facegate/v1/back/avail"))
        assert b"forged" not in hub.payloads("facegate/v1/front/evt")
        assert hub.payloads("facegate/v1/back/cmd") == []
        assert thief.messages == []


@pytest.mark.broker
def test_a_revoked_door_is_out_and_the_others_are_in(tmp_path, folder, broker):
    """After the list was renewed and the broker restarted."""
    stolen = tmp_path / "copy"
    stolen.mkdir()
    for file in (folder / "doors" / "stolen").iterdir():
        (stolen / file.name).write_bytes(file.read_bytes())
    with door_at(tmp_path, folder, broker, "stolen", bundle=stolen) as door:
        wait_until(lambda: door.publisher.status().link.connected)
    Site(folder).revoke_door("stolen")
    assert Site(folder).doors() == ["back", "front"]
    broker.kill()
    broker.start()
    with door_at(tmp_path, folder, broker, "stolen", bundle=stolen) as door:
        wait_until(problem(door, "it may not accept our certificate"))
    with door_at(tmp_path, folder, broker, "front") as door:
        wait_until(lambda: door.publisher.status().link.connected)


@pytest.mark.broker
def test_plain_text_to_a_tls_port_is_named(tmp_path, folder, broker):
    """The commonest mistake of all, and its mirror image."""
    path = tmp_path / "plain"
    path.mkdir()
    with Door(path, broker.port) as door:
        wait_until(problem(door, "connection lost before the broker answered"))
    with Broker(tmp_path / "b") as plain, door_at(tmp_path, folder, plain, "front") as door:
        wait_until(problem(door, "check that this port speaks TLS"))


def test_missing_tls_files_are_named(tmp_path, folder):
    """Not a traceback from deep inside ssl."""
    broker, bundle = Broker(tmp_path / "b"), folder / "doors" / "front"
    tls = Tls(tmp_path / "nowhere.crt", bundle / "door.crt", bundle / "door.key")
    with Door(tmp_path, broker.port, device="front", notary=Notary(), tls=tls) as door:
        wait_until(problem(door, "cannot use the TLS files"))
    with pytest.raises(ConfigError, match=r"nowhere\.crt: no authority here"):
        door_at(tmp_path, folder, broker, "front", ca_file=tmp_path / "nowhere.crt")


def test_secrets_are_private_and_certificates_outlive_a_wrong_clock(folder):
    """Mode 0600 for each key; valid from long ago for boards without a clock."""
    for key in [*folder.rglob("*.key")]:
        assert stat.S_IMODE(key.stat().st_mode) == 0o600, key
    certificate = x509.load_pem_x509_certificate((folder / "doors" / "front" / "door.crt").read_bytes())
    assert certificate.not_valid_before_utc.year == 2020
    assert certificate.not_valid_after_utc.year >= 2039
    assert not (folder / "doors" / "front" / "ca.key").exists()


def test_the_bundle_trusts_the_sites_signing_key(folder):
    """What the hub signs, the door opens."""
    keys = load_trusted_keys(folder / "doors" / "front" / "trusted-keys.json")
    assert keys.open(Site(folder).signer().sign(b"x", "cmd"), "cmd") == b"x"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"k": "short"}', '{"k": 7}', '{"k": "####"}'])
def test_a_damaged_key_file_is_named(tmp_path, content):
    """A door without trusted keys takes no commands; the message says which file."""
    (tmp_path / "k.json").write_text(content)
    with pytest.raises(ConfigError):
        load_trusted_keys(tmp_path / "k.json")


def test_nothing_is_ever_overwritten(tmp_path):
    """A second run must not lock every door out."""
    site = Site.create(tmp_path / "s", "x", "localhost")
    site.add_door("front")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for again in (
        lambda: Site.create(tmp_path / "s", "x", "localhost"),
        lambda: site.add_door("front"),
        lambda: site.add_door("hub"),
        lambda: site.add_door("../evil"),
        lambda: site.revoke_door("nobody"),
        lambda: Authority.open(tmp_path / "empty"),
    ):
        with pytest.raises(ConfigError):
            again()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_revoked_door_may_get_a_new_bundle(tmp_path):
    """The old certificate stays on the list; revoking twice is no harm."""
    site = Site.create(tmp_path / "s", "x", "localhost")
    old = site.add_door("front") / "door.crt"
    content = old.read_bytes()
    site.revoke_door("front")
    new = site.add_door("front") / "door.crt"
    authority = Authority.open(tmp_path / "s" / "ca")
    (tmp_path / "old.crt").write_bytes(content)
    assert is_revoked(authority, tmp_path / "old.crt")
    assert not is_revoked(authority, new)
    authority.revoke(tmp_path / "old.crt")


@pytest.mark.skipif(os.geteuid() != 0 or not has_broker_account(), reason="takes root and mosquitto")
def test_the_broker_reads_the_list_of_the_revoked_whoever_wrote_it(tmp_path):
    """Mosquitto 2 is nobody but itself when it reads it: with a list of root's own it did not start again."""
    site = Site.create(tmp_path / "s", "x", "localhost")
    site.add_door("front")
    Integrations(tmp_path / "s").add(IntegrationGrant("home", ("front",)))
    listed = tmp_path / "s" / "broker" / "crl.pem"
    assert listed.owner() == "mosquitto"
    site.revoke_door("front")
    assert listed.owner() == "mosquitto"
    Integrations(tmp_path / "s").end("home")
    assert listed.owner() == "mosquitto"


def test_the_list_of_the_revoked_is_never_half_written(tmp_path):
    """A power cut in the middle of it left a list that nothing can read, and nobody revoked."""
    site = Site.create(tmp_path / "s", "x", "localhost")
    site.add_door("front")
    listed = tmp_path / "s" / "ca" / "crl.pem"
    whole = listed.read_bytes()
    with listed.open("rb") as before:
        site.revoke_door("front")
        assert before.read() == whole
    assert listed.read_bytes() != whole


def test_the_command_makes_a_whole_site_in_one_go(tmp_path):
    """Authority, broker, hub and two doors; then one more, one less."""
    folder, runner = str(tmp_path / "s"), CliRunner()
    words = ["provision", "site", folder, "--broker", "10.0.0.5", "--door", "front", "--door", "back"]
    result = runner.invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0
    assert "mosquitto -c" in result.output
    runner.invoke(app, ["provision", "door", folder, "garage"], catch_exceptions=False)
    runner.invoke(app, ["provision", "revoke", folder, "back"], catch_exceptions=False)
    assert runner.invoke(app, ["provision", "list", folder]).output.split() == ["front", "garage"]
    section = tomllib.loads((tmp_path / "s" / "doors" / "garage" / "mqtt.toml").read_text())["mqtt"]
    assert Mqtt.model_validate(section).host == "10.0.0.5"
    assert json.loads((tmp_path / "s" / "site.json").read_text())["port"] == 8883


def test_a_bundle_that_was_copied_to_its_door_names_the_files_there(tmp_path):
    """As the page says: the folder's files go beside the door's settings, its table into them."""
    bundle = Site.create(tmp_path / "site", "s", "localhost").add_door("front")
    there = tmp_path / "etc"
    shutil.move(bundle, there)
    settings = there / "config.toml"
    settings.write_text(
        '[door]\nid = "front"\n[camera]\nsource = "0"\n[lock]\ndriver = "dry-run"\n'
        + (there / "mqtt.toml").read_text()
    )

    mqtt = present(load_settings(settings).mqtt)

    assert {mqtt.ca_file, mqtt.cert_file, mqtt.key_file, mqtt.trusted_keys} == {
        there / name for name in ("ca.crt", "door.crt", "door.key", "trusted-keys.json")
    }


@pytest.mark.parametrize(
    "name", ["broker", "keys", "authority", "hub", "hub.1", "gate.1", "", "-a", "a/b", "x" * 65]
)
def test_names_that_others_have_are_no_doors(tmp_path, name):
    site = Site.create(tmp_path / "site", "s", "localhost")
    with pytest.raises(ConfigError, match="door"):
        site.add_door(name)


@pytest.mark.parametrize(
    "host",
    ["mqtt://broker.lan", "broker.lan:8883", "192.0.2.300", "bröker.lan", "经纪", "a b", "", "h/x", "ｈ.lan"],
)
def test_a_broker_that_no_door_can_reach_makes_no_site(tmp_path, host):
    """Doors refused it only on their walls; others ended in a Python traceback, half a site behind them."""
    with pytest.raises(ConfigError, match="name or address alone"):
        Site.create(tmp_path / "site", "s", host)
    assert not (tmp_path / "site").exists()
    Site.create(tmp_path / "site", "s", "2001:db8::1")
    with pytest.raises(ConfigError, match="name or address alone"):
        Renewal(tmp_path / "site").renew("broker", host or " ")


def test_a_door_s_wrong_name_makes_no_site(tmp_path):
    """The site was there and its door was not, so that the same command with the right name was refused."""
    words = ["provision", "site", str(tmp_path / "site"), "--broker", "localhost"]
    assert CliRunner().invoke(app, [*words, "--door", "front", "--door", "a/b"]).exit_code != 0
    assert not (tmp_path / "site").exists()
    assert CliRunner().invoke(app, [*words, "--door", "front", "--door", "front"]).exit_code == 0
    assert (tmp_path / "site/doors/front/mqtt.toml").exists()
