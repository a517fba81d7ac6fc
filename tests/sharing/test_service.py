"""The running door: put together with what shares faces where that is wanted, and rid of it where not."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, closing

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.config.load import load_settings
from edge.errors import ConfigError
from edge.service.door import DoorService
from edge.site.provision import Site
from edge.site.sharing import SharingDoors
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.face_book import FACE_BOOK_FILE, FaceBook
from edge.store.key_source import keyring_of
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from tests.loopback import free_port
from tests.sharing.rig import opened

CONFIG = """
[door]
id = "back"
[camera]
source = "nothing.avi"
[lock]
driver = "dry-run"
[mqtt]
host = "127.0.0.1"
port = {port}
ca_file = "{bundle}/ca.crt"
cert_file = "{bundle}/door.crt"
key_file = "{bundle}/door.key"
trusted_keys = "{bundle}/trusted-keys.json"
{more}
"""
ON = "[sharing]\nenabled = true\nkey_in_file = true"


@pytest.fixture
def config(tmp_path):
    Site.create(tmp_path / "site", "x", "127.0.0.1").add_door("back")
    bundle, port = tmp_path / "site" / "doors" / "back", free_port()

    def write(more):
        path = tmp_path / "config.toml"
        path.write_text(CONFIG.format(port=port, bundle=bundle, more=more))
        return load_settings(path)

    return write


def assembled(settings, data, stack):
    service = DoorService(settings, data, {})
    return service.assemble(stack)[0]


def test_a_door_shares_faces_when_its_own_file_says_so(tmp_path, config):
    with ExitStack() as stack:
        parts = assembled(config(ON), tmp_path / "data", stack)
        assert parts.property.sharing.desk.doors() == ()
        assert parts.property.sharing.exchange.counting() == frozenset()
    with ExitStack() as stack:
        assert assembled(config(""), tmp_path / "other", stack).property.sharing is None


@pytest.mark.parametrize(
    ("more", "words"),
    [("[sharing]\nenabled = true", "stolen card"), ("[sharing]\nenable = true", "enable")],
)
def test_a_key_beside_the_faces_has_to_be_weighed(config, more, words):
    with pytest.raises(ConfigError, match=words):
        config(more)


def test_where_it_is_switched_off_again_faces_from_elsewhere_are_erased(tmp_path, config):
    with opened(tmp_path / "there", "front", "back") as site:
        site.put("anna", "otto")
        site.doors["front"].enrol("anna", "back")
        site.doors["back"].enrol("otto")
        site.settle()
        assert site.doors["back"].knows("anna")
    data = tmp_path / "data"
    shutil.copytree(tmp_path / "there" / "back", data)
    with ExitStack() as stack:
        assembled(config(""), data, stack)
        with closing(ResidentStore(data / RESIDENTS_FILE)) as store:
            assert store.templates_of("anna") == ()
            assert len(store.templates_of("otto")) == 4


def test_a_door_asks_and_the_authority_lists_it_by_its_fingerprint(tmp_path):
    Site.create(tmp_path / "site", "x", "127.0.0.1").add_door("back")
    site, file, data = str(tmp_path / "site"), str(tmp_path / "back.json"), str(tmp_path / "data")
    run = lambda *words: CliRunner().invoke(app, words)  # noqa: E731
    said = run("sharing", "request", "back", file, "--data", data).output
    fingerprint = said.split("fingerprint: ")[1].split()[0]
    assert run("sharing", "request", "back", file, "--data", data).output == said

    wrong = run("provision", "accept", site, file, "--fingerprint", "0" * 32, "--receives")
    assert isinstance(wrong.exception, ConfigError)
    assert fingerprint not in str(wrong.exception)
    assert run("provision", "accept", site, file, "--fingerprint", fingerprint).exit_code == 2
    listed = run("provision", "accept", site, file, "--fingerprint", fingerprint.upper(), "--receives")
    assert "back" in listed.output
    doors = SharingDoors(tmp_path / "site").listed()
    assert doors.has_role("back", "receives")
    assert not doors.has_role("back", "enrols")
    with (
        closing(keyring_of(tmp_path / "data")) as keyring,
        closing(FaceBook(tmp_path / "data" / FACE_BOOK_FILE, keyring)) as book,
    ):
        assert book.signing_key() is not None
    assert run("provision", "exclude", site, "back").exit_code == 0
    assert SharingDoors(tmp_path / "site").listed().number > doors.number
    assert SharingDoors(tmp_path / "site").listed().doors == {}
    assert "the list has no door" in str(run("provision", "exclude", site, "back").exception)


def test_a_withdrawal_by_command_reaches_the_other_doors(tmp_path):
    with opened(tmp_path, "front", "back") as site:
        site.put("anna")
        site.doors["front"].enrol("anna", "back")
        site.settle()
        folder = str(site.doors["front"].folder)
        done = CliRunner().invoke(app, ["consent", "withdraw", "anna", "--data", folder])
        assert done.exit_code == 0, done.output
        assert "back" in done.output
        site.settle()
        assert site.knowing("anna") == set()
        with closing(ConsentLedger(site.doors["back"].folder / CONSENTS_FILE)) as ledger:
            assert len(ledger.ended()) == 1
