"""The configured source of the key at a door: put in force, refused without locking out, waited for."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from edge.config import load_settings
from edge.errors import ConfigError
from edge.service.keys import settle_key
from edge.site.provision import Site
from edge.store.key_source import KeySource, change_key, keyring_of, read_source, use_source
from edge.store.keyring import Keyring
from edge.store.remote_key import PAUSE_SECONDS, RemoteKey, remote_key
from edge.store.site_key import CREDENTIAL
from facegate_hub.key_server import KeyCabinet
from tests.hub.test_key_server import serving, source
from tests.present import present
from tests.service.test_roster import AT, Door

HEAD = """
[door]
id = "front"
[camera]
source = "0"
[lock]
driver = "dry-run"
"""
BROKER = """
[mqtt]
host = "broker.lan"
ca_file = "/c/ca.crt"
cert_file = "/c/door.crt"
key_file = "/c/door.key"
"""


@pytest.fixture
def configured(tmp_path):
    def write(text):
        (tmp_path / "config.toml").write_text(HEAD + text)
        return load_settings(tmp_path / "config.toml")

    return write


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    keyring_of(tmp_path / "data").close()
    return tmp_path / "data"


def test_a_credential_that_is_configured_is_in_force_after_the_start(configured, data, tmp_path):
    (tmp_path / CREDENTIAL).write_bytes(os.urandom(32))
    settings = configured('[storage]\nkey = "credential"')
    assert settle_key(settings, data, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None
    assert read_source(data) == KeySource("credential")


def test_a_setting_that_cannot_be_met_leaves_the_door_as_it_was(configured, data, caplog):
    problem = settle_key(configured('[storage]\nkey = "credential"'), data, {})
    assert CREDENTIAL in str(problem)
    assert "not in force" in caplog.text
    assert read_source(data) == KeySource("file")


def test_a_key_server_is_shown_the_certificate_of_the_broker_s_section(configured, data):
    text = '[storage]\nkey = "site"\nkey_server = "https://127.0.0.1:9"\nkey_cache_hours = 2' + BROKER
    problem = settle_key(configured(text), data, {})
    assert problem is not None
    assert "/c/ca.crt" in problem or "No such file" in problem
    assert read_source(data) == KeySource("file")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[storage]\nkey = "cloud"', "storage.key"),
        ('[storage]\nkey = "site"' + BROKER, "key_server: needed with"),
        ('[storage]\nkey = "site"\nkey_server = "http://a:1"' + BROKER, "storage.key_server"),
        ('[storage]\nkey = "site"\nkey_server = "https://a:1"', "needs ca_file and cert_file"),
        ('[storage]\nkey_server = "https://a:1"', 'only with key = "site"'),
    ],
)
def test_what_cannot_be_is_said_before_the_door_starts(configured, text, why):
    with pytest.raises(ConfigError) as caught:
        configured(text)
    assert why in str(caught.value)


def test_faces_wait_for_the_key_server_and_come_in_when_it_is_back(tmp_path):
    """A power cut with a dead network: nobody by face, everybody by name, then all again."""
    site, folder = tmp_path / "site", tmp_path / "door"
    Site.create(site, "Hill House", "127.0.0.1", 8883).add_door("front")
    folder.mkdir()
    with serving(site) as port:
        use_source(folder, source(site, port), {})
        with closing(Door(folder)) as door:
            door.enrol("anna", 0)
            door.enrol("otto", 1)
            assert door.matched() == {"anna", "otto"}

    remote_key.cache_clear()  # as in a process of another boot
    with closing(Door(folder)) as door:
        assert door.matched() == set()
        assert door.told[-1][1]["state"] == "unreadable"
        assert "PIN and card do not" in door.told[-1][1]["error"]
        assert present(door.store.get("anna")).name == "Anna", "who she is and what she may needs no server"
        with serving(site, port):
            assert isinstance(door.store.sealer, Keyring)
            remote = door.store.sealer._site_key
            assert isinstance(remote, RemoteKey)
            assert remote._failed is not None
            at, why = present(remote._failed)
            remote._failed = at - PAUSE_SECONDS, why
            assert door.matched() == {"anna", "otto"}
            assert door.told[-1] == ("health.consent", {"state": "ok"})


def test_while_the_key_is_away_a_withdrawal_counts_and_the_others_stay(tmp_path):
    """The network dies while the door runs, and the site's key was changed just then."""
    site, folder = tmp_path / "site", tmp_path / "door"
    Site.create(site, "Hill House", "127.0.0.1", 8883).add_door("front")
    folder.mkdir()
    with serving(site) as port:
        use_source(folder, source(site, port), {})
        door = Door(folder)
        for n, who in enumerate(("anna", "otto", "mei")):
            door.enrol(who, n)
        assert door.matched() == {"anna", "otto", "mei"}
        KeyCabinet(site).change("front")
        change_key(folder, {})
    with closing(door):
        door.ledger.withdraw("anna", AT)
        door.office.put(present(door.office.get("mei")), [])
        assert door.matched() == {"otto"}
