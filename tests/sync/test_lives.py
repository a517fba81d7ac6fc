"""What of a site ends when, and what one command ends after a theft."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.config import load_settings
from edge.errors import ConfigError, SyncError
from edge.findings import Light
from edge.service.checkup.parts import certificate as looked_at
from edge.site import authority
from edge.site.lives import door_until, lives
from edge.site.provision import Site, load_trusted_keys
from edge.site.renewal import Renewal
from edge.wire.proof import Identity, Origin
from edge.words import LANGUAGES
from tests.present import present

NOW = datetime.now(UTC)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site whose certificates end in 30 days, but for the authority's and its list."""
    made = Site.create(tmp_path / "site", "here", "broker.lan")
    monkeypatch.setattr(authority, "VALID_FOR", timedelta(days=30))
    made.add_door("front")
    made.add_worker(1)
    monkeypatch.undo()
    return tmp_path / "site"


def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, done.output + str(done.exception or "")


def test_everything_is_listed_and_what_ends_first_is_first(site):
    found = lives(site)
    assert {one.name for one in found} == {"authority", "broker", "hub", "hub.1", "front"}
    assert {one.name for one in found if one.is_ending(NOW)} == {"front", "hub.1"}
    assert [one.until for one in found] == sorted(one.until for one in found)
    code, told = run("provision", "lives", site)
    assert code != 0
    assert f"facegate provision renew {site} front" in told
    for name in ("front", "hub.1"):
        Renewal(site).renew(name)
    assert run("provision", "lives", site)[0] == 0


def test_a_folder_without_certificates_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no certificates here"):
        lives(tmp_path)


@pytest.mark.parametrize(("left", "light"), [(61, "green"), (59, "amber"), (1, "amber"), (-1, "red")])
def test_a_door_says_so_sixty_days_before(site, left, light):
    bundle = site / "doors" / "front"
    now = present(door_until(bundle / "door.crt", bundle / "ca.crt")) - timedelta(days=left)
    assert str(looked_at(settings_of(bundle, "front"), now).light) == light


def settings_of(bundle, door):
    """Return the settings of a door of this name that has this bundle."""
    text = f'[door]\nid = "{door}"\n[camera]\nsource = "0"\n[lock]\ndriver = "dry-run"\n'
    (bundle / "config.toml").write_text(text + (bundle / "mqtt.toml").read_text())
    return load_settings(bundle / "config.toml")


def test_a_door_with_another_ones_bundle_is_told_so(tmp_path):
    """The broker lets it in and drops what it says: it looks connected, and nobody hears of it."""
    Site.create(tmp_path / "site", "here", "broker.lan").add_door("front")
    bundle = tmp_path / "site" / "doors" / "front"

    assert looked_at(settings_of(bundle, "front"), NOW).light is Light.GREEN
    found = looked_at(settings_of(bundle, "door-1"), NOW)

    assert found.light is Light.RED
    for language in LANGUAGES:
        assert "front" in found.what.said(language)
        assert "door.id" in present(found.way_out).said(language)


def test_after_the_theft_of_the_signing_key_one_command_ends_it(site):
    stolen = Site(site).signer()
    Renewal(site).begin_signing_key()
    assert run("provision", "signing-key", site, "replace")[0] == 0
    fresh = Site(site).signer()
    for trusted in (site / "hub" / "trusted-keys.json", site / "doors" / "front" / "trusted-keys.json"):
        keys = load_trusted_keys(trusted)
        assert keys.open(fresh.sign(b"{}", "cmd"), "cmd") == b"{}"
        with pytest.raises(SyncError, match="does not know"):
            keys.open(stolen.sign(b"{}", "cmd"), "cmd")


@pytest.mark.parametrize("name", ["hub", "hub.1"])
def test_a_stolen_hub_s_word_ends_with_its_certificate(site, name):
    hub = site / "hub"
    origin = Origin.load(hub / "ca.crt", site / "broker" / "crl.pem")
    stolen = Identity.load(hub / f"{name}.crt", hub / f"{name}.key")
    assert origin.name(stolen.prove(b"x", "p"), b"x", "p") == name
    assert run("provision", "replace", site, name)[0] == 0
    with pytest.raises(SyncError, match="revoked"):
        origin.name(stolen.prove(b"x", "p"), b"x", "p")
    fresh = Identity.load(hub / f"{name}.crt", hub / f"{name}.key")
    assert origin.name(fresh.prove(b"x", "p"), b"x", "p") == name
    assert (hub / f"{name}.key").stat().st_mode & 0o077 == 0


def test_the_broker_keeps_its_names_and_a_door_has_another_command(site):
    before = authority.Authority.open(site / "ca").hosts_of(site / "broker" / "server.crt")
    assert run("provision", "replace", site, "broker")[0] == 0
    assert authority.Authority.open(site / "ca").hosts_of(site / "broker" / "server.crt") == before
    assert "broker.lan" in before
    with pytest.raises(ConfigError, match="revoke"):
        Renewal(site).replace("front")
